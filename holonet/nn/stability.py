"""First scales of deep networks, set on examples so that they train from the first step."""

import torch
from torch import Tensor, nn

from holonet._arguments import checked
from holonet.errors import ConfigError, DomainError
from holonet.nn import init
from holonet.nn.classifier import HolomorphicClassifier
from holonet.nn.module import forward_hooks
from holonet.nn.normalization import FrozenNorm

__all__ = ["data_dependent_"]


@torch.no_grad()
@checked
def data_dependent_(
    network: nn.Module,
    x: Tensor,
    *,
    scale: float | int = 0.35,
    clearance: float | int = 0.2,
    logit_scale: float | int = 1.0,
) -> nn.Module:
    """Set norms, pre-activations and logits of a network by what they are on examples.

    In one pass: every `FrozenNorm` measures its statistics, every pre-activation is centered at
    the base point of its activation and scaled by `init.data_driven_`, and the last affine map
    is scaled and shifted so that the outputs have mean 0 and root mean square `logit_scale`.

    Nothing is assumed about the scale of the examples. What holds, holds on these examples and
    before training: other examples may come nearer to a singularity, and training moves the
    weights freely. `margin` says at any time how near a network comes, example by example.

    Args:
        network: a holomorphic network that ends with an affine map, or a classifier of one.
        x: examples, some hundreds; real ones are lifted.
        scale: the root mean square of pre-activations about the base point; 0.35 keeps what is
            three times larger away from where exp, erf and their like grow fast. It is less where
            an example would come nearer to a singularity or a branch cut than `clearance`.
        clearance: the distance to singularities and branch cuts that is kept on x.
        logit_scale: the root mean square of the outputs.

    Law: afterwards `network.margin(x) >= clearance`, to rounding, and the outputs in front of the
        readout have mean 0 and root mean square `logit_scale` on x.

    Raises:
        ConfigError: no examples, or the network's output is not that of an affine map with bias.
        DomainError: a pre-activation that cannot be set (`init.data_driven_` says which), outputs
            that are constant or not finite, or a logit_scale that is not positive.

    Example:
        >>> from holonet.nn import holomorphic_mlp
        >>> x = torch.rand(100, 20, generator=torch.Generator().manual_seed(0))
        >>> net = data_dependent_(holomorphic_mlp(20, [30, 30], 5, activation="tanh"), x)
        >>> bool((net.margin(x.to(torch.complex64)) > 0.19).all())
        True
    """
    if not logit_scale > 0:
        raise DomainError(f"data_dependent_(logit_scale={logit_scale}): choose a positive scale")
    if not len(x):
        raise ConfigError("data_dependent_ has no examples: give some hundreds of training images")
    backbone = network.backbone if isinstance(network, HolomorphicClassifier) else network
    z = x.to(next((p.dtype for p in backbone.parameters() if p.is_complex()), torch.complex64))

    def measure(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if isinstance(norm, FrozenNorm):
            norm.measure(inputs[0])

    init.data_driven_(backbone, z, scale=scale, clearance=clearance, before=measure)
    _set_outputs_(backbone, z, logit_scale)
    return network


def _set_outputs_(backbone: nn.Module, z: Tensor, scale: float | int) -> None:
    """Compose the last affine map with h -> s (h - mean h)."""
    last: list[tuple[nn.Linear, Tensor]] = []

    def remember(layer: nn.Module, _: tuple[Tensor, ...], output: Tensor) -> None:
        if isinstance(layer, nn.Linear):
            last[:] = [(layer, output)]

    with forward_hooks(m.register_forward_hook(remember) for m in backbone.modules()):
        output = backbone(z)
    if not last or last[0][1] is not output or last[0][0].bias is None:
        raise ConfigError(
            "the scale of the logits cannot be set: the network does not end with an nn.Linear "
            "with bias. Append one, or set the pre-activations alone with nn.init.data_driven_"
        )
    centered = output - output.mean(0)
    rms = float(centered.abs().square().mean().sqrt())
    if not 0 < rms < float("inf"):
        raise DomainError(
            f"the outputs vary by {rms} on the examples, which no factor makes {scale}: give "
            "different examples, or make the network less deep"
        )
    factor = scale / rms
    linear = last[0][0]
    linear.weight.mul_(factor)
    linear.bias.copy_(factor * (linear.bias - output.mean(0)))
