"""Networks of one form and size: analytic and piecewise, complex and real, single and mixed."""

from collections.abc import Sequence
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from holonet.nn import holomorphic_mlp, macs, matched_widths, real_parameter_count
from holonet.studies.hypothesis.settings import PIECEWISE, Network

__all__ = ["Maxout", "Mixture", "build"]

SCALE = 0.35
"""Root mean square of pre-activations at first, far from where tanh and softplus are singular."""

CALIBRATION = 256  # training images that first scales are set on


class Maxout(nn.Module):
    """The larger one of each pair of entries."""

    def forward(self, input: Float[Tensor, "*batch entries"]) -> Float[Tensor, "*batch half"]:
        """Half as many entries."""
        return input.unflatten(-1, (-1, 2)).amax(-1)


class Mixture(nn.Module):
    """Logits of several networks, weighted by how near the image is to the center of each.

    Weights are the softmax of negative squared distances to fixed centers, over a temperature. An
    attack sees through them.

    Args:
        experts: one for each center.
        centers: points in the space of flattened images.
        temperature: a quarter of the mean squared distance between centers.
    """

    def __init__(
        self,
        experts: Sequence[nn.Module],
        centers: Float[Tensor, "experts inputs"],
        temperature: float,
    ) -> None:
        super().__init__()
        self.experts = nn.ModuleList(experts)
        self.register_buffer("centers", centers)
        self.temperature = temperature

    def forward(self, input: Float[Tensor, "batch *event"]) -> Float[Tensor, "batch classes"]:
        """The logits."""
        flat = input.flatten(1)
        distances = (flat.unsqueeze(1) - self.get_buffer("centers")).square().sum(-1)
        weights = (-distances / self.temperature).softmax(1)
        logits = torch.stack([expert(input) for expert in self.experts], -1)
        return (logits * weights.unsqueeze(1)).sum(-1)


def build(
    network: Network, x: Float[Tensor, "batch *event"], num_classes: int, seed: int
) -> nn.Module:
    """The network with weights from the seed, and first scales set on training images.

    The widths of real networks and of experts are those with which the whole has the real
    parameter count, or the multiply-adds, of the complex network of the given widths with z^2. The
    centers of a mixture count as parameters. First scales are set for all alike: pre-activations
    have mean 0 and root mean square `SCALE`, logits mean 0 and root mean square 1.

    Args:
        network: which.
        x: training images.
        num_classes: number of logits.
        seed: of weights and centers.
    """
    inputs, shape = x[0].numel(), tuple(x.shape[1:])
    centers = network.experts * inputs if network.experts > 1 else 0
    complex_one = Network("square", "complex", "parameters", network.hidden)
    measure = partial(macs, in_shape=shape) if network.match == "macs" else real_parameter_count
    with torch.device("meta"):
        target = measure(_layers(complex_one, inputs, network.hidden, num_classes))
    widths = network.hidden
    if network.coefficients == "real" or network.experts > 1:
        widths = matched_widths(
            (target - centers) // network.experts,
            network.hidden,
            lambda tried: _layers(network, inputs, tried, num_classes),
            measure,
        )
    examples = x[:: max(1, len(x) // CALIBRATION)][:CALIBRATION]
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        made = [_layers(network, inputs, widths, num_classes) for _ in range(network.experts)]
        for one in made:
            _standardize_(one, examples)
        if network.experts == 1:
            return made[0]
        flat = x.flatten(1)
        places = _k_means(flat, network.experts)
        if network.regions == "random":  # as far apart as those, in directions that mean nothing
            spread = (places - places.mean(0)).norm() / places.numel() ** 0.5
            places = places.mean(0) + spread * torch.randn_like(places)
        return Mixture(made, places, float(torch.pdist(places).square().mean()) / 4)


def _layers(network: Network, inputs: int, widths: Sequence[int], num_classes: int) -> nn.Module:
    """A single network; flat, so that the layers stand one behind the other."""
    if network.activation not in PIECEWISE:
        return holomorphic_mlp(
            inputs,
            widths,
            num_classes,
            activation=network.activation,
            coefficients=network.coefficients,
        )
    layers: list[nn.Module] = [nn.Flatten()]
    for width in widths:
        kind = {"relu": nn.ReLU, "leaky-relu": partial(nn.LeakyReLU, 0.1), "maxout": Maxout}
        pieces = 2 if network.activation == "maxout" else 1
        layers += [nn.Linear(inputs, pieces * width), kind[network.activation]()]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, num_classes))


@torch.no_grad()
def _standardize_(network: nn.Module, x: Tensor) -> None:
    """Set the first scales of a network layer by layer."""
    backbone = getattr(network, "backbone", network)
    layers = list(backbone.children())
    affine = [layer for layer in layers if isinstance(layer, nn.Linear)]
    h = x.to(affine[0].weight.dtype)
    for layer in layers:
        h = layer(h)
        if isinstance(layer, nn.Linear):
            mean = h.mean(0)
            size = (h - mean).abs().square().mean().sqrt()
            factor = (1.0 if layer is affine[-1] else SCALE) / size.clamp_min(1e-12)
            layer.weight.mul_(factor)
            layer.bias.copy_(factor * (layer.bias - mean))
            h = factor * (h - mean)


def _k_means(x: Tensor, count: int, rounds: int = 20) -> Tensor:
    """Lloyd's centers, from random examples."""
    centers = x[torch.randperm(len(x))[:count]].clone()
    for _ in range(rounds):
        nearest = torch.cdist(x, centers).argmin(1)
        for number in range(count):
            if bool((nearest == number).any()):
                centers[number] = x[nearest == number].mean(0)
    return centers
