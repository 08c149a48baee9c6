"""First scales of deep networks, set on examples: layer-sequential, away from singularities."""

from collections import Counter
from collections.abc import Callable

import torch
from jaxtyping import Shaped
from torch import Tensor, nn

from holonet._arguments import checked
from holonet._types import InexactEntries, Points
from holonet.errors import ConfigError, DomainError
from holonet.functions import HolomorphicFunction
from holonet.nn.coefficients import input_dtype
from holonet.nn.module import forward_hooks
from holonet.nn.normalization import measure_input

__all__ = ["data_dependent_", "data_driven_"]


@torch.no_grad()
@checked
def data_dependent_(
    network: nn.Module,
    x: Shaped[Tensor, "batch *event"],
    *,
    scale: float | int = 0.35,
    clearance: float | int = 0.2,
    logit_scale: float | int = 1.0,
) -> nn.Module:
    """Set norms, pre-activations and logits of a network by what they are on examples.

    In one pass: every `FrozenNorm` measures its statistics, every pre-activation is centered at
    the base point of its activation and scaled by `data_driven_`, and the last affine map
    is scaled and shifted so that the outputs have mean 0 and root mean square `logit_scale`.

    Nothing is assumed about the scale of the examples. What holds, holds on these examples and
    before training: other examples may come nearer to a singularity, and training moves the
    weights freely. `margin` says at any time how near a network comes, example by example.

    Args:
        network: a holomorphic network that ends with an affine map, or a classifier of one.
        x: examples, some hundreds; real ones are lifted where the network does not take them.
        scale: the root mean square of pre-activations about the base point; 0.35 keeps what is
            three times larger away from where exp, erf and their like grow fast. It is less where
            an example would come nearer to a singularity or a branch cut than `clearance`.
        clearance: the distance to singularities and branch cuts that is kept on x.
        logit_scale: the root mean square of the outputs.

    Law: afterwards `network.margin(x) >= clearance`, to rounding, and the outputs in front of the
        readout have mean 0 and root mean square `logit_scale` on x. With real coefficients and
        complex x the real part of the mean is 0.

    Raises:
        ConfigError: no examples, or the network's output is not that of an affine map with bias.
        DomainError: a pre-activation that cannot be set (`data_driven_` says which), outputs
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
    backbone = network.get_submodule("backbone") if hasattr(network, "backbone") else network
    z = x.to(input_dtype(backbone, x))
    data_driven_(backbone, z, scale=scale, clearance=clearance, before=measure_input)
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
    linear = last[0][0]
    mean = _in_the_field_of(linear.weight, output.mean(0))
    centered = output - mean
    rms = float(centered.abs().square().mean().sqrt())
    if not 0 < rms < float("inf"):
        raise DomainError(
            f"the outputs vary by {rms} on the examples, which no factor makes {scale}: give "
            "different examples, or make the network less deep"
        )
    factor = scale / rms
    linear.weight.mul_(factor)
    linear.bias.copy_(factor * (linear.bias - mean))


@torch.no_grad()
@checked
def data_driven_(
    network: nn.Module,
    z: Points,
    *,
    scale: float | int = 1.0,
    clearance: float | int = 0.1,
    before: Callable[[nn.Module, tuple[InexactEntries, ...]], None] | None = None,
) -> nn.Module:
    """Center and scale every pre-activation on data, away from the declared singularities.

    In the order of the forward pass, the affine layer in front of each activation is replaced by
    its composition with h -> base + s (h - mean h), where base is the activation's base point
    and s brings the root mean square to `scale`, or to less where an entry of the data would
    come nearer to a singularity or a branch cut than `clearance`.

    Args:
        network: affine layers with bias, each directly in front of its activation.
        z: a batch of inputs, as many as can be had.
        scale: the root mean square of h - base asked for.
        clearance: the distance to singularities that is kept on z.
        before: called with every layer and its inputs in the pass that sets the scales.

    Law: afterwards `network.margin(z) >= clearance`, to rounding.

    Raises:
        DomainError: an activation has less clearance than asked even at its base point, or its
            input is not the output of an affine layer with bias that no other shares; or a scale
            or a clearance out of range.

    References:
        Mishkin and Matas (2016) for unit variance by layers; the clearance is ours.
    """
    if not (scale > 0 and clearance >= 0):
        raise DomainError(
            f"data_driven_(scale={scale}, clearance={clearance}): choose scale > 0, clearance >= 0"
        )
    followed = _followed_by(network, z)

    def adjust(layer: nn.Module, _: tuple[Tensor, ...], output: Tensor) -> Tensor:
        return _recenter_(layer, output, followed[layer], scale, clearance)

    seeing = [] if before is None else [(m, before) for m in network.modules()]
    with (
        forward_hooks(m.register_forward_pre_hook(see) for m, see in seeing),
        forward_hooks(layer.register_forward_hook(adjust) for layer in followed),
    ):
        network(z)
    return network


def _followed_by(network: nn.Module, z: Tensor) -> dict[nn.Module, HolomorphicFunction]:
    """The function of the activation that each affine layer feeds on z."""
    feeds: dict[nn.Module, HolomorphicFunction] = {}
    outputs: list[tuple[nn.Module, Tensor]] = []

    def remember(layer: nn.Module, _: tuple[Tensor, ...], output: Tensor) -> None:
        outputs.append((layer, output))

    def match(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        function = getattr(layer, "function", None)
        if not isinstance(function, HolomorphicFunction):
            return
        sources = [source for source, output in outputs if output is inputs[0]]
        if not sources:
            raise DomainError(
                f"the input of {layer} is not the output of an affine layer with bias, so its "
                "scale cannot be set: put an nn.Linear, nn.Conv or nn.FrozenNorm in front of it"
            )
        if feeds.setdefault(sources[-1], function) != function:
            raise DomainError(
                f"{sources[-1]} feeds {feeds[sources[-1]].name} and {function.name}, which cannot "
                "both be centered: give each activation its own layer"
            )

    affine = [m for m in network.modules() if _channel_axis(m) is not None]
    with (
        forward_hooks(m.register_forward_hook(remember) for m in affine),
        forward_hooks(m.register_forward_pre_hook(match) for m in network.modules()),
    ):
        network(z)
    calls = Counter(layer for layer, _ in outputs)
    for layer in feeds:
        if calls[layer] > 1:
            raise DomainError(
                f"{layer} is used {calls[layer]} times in one pass, so its outputs cannot all be "
                "centered: give each place its own layer"
            )
    return feeds


def _recenter_(
    layer: nn.Module,
    h: Tensor,
    function: HolomorphicFunction,
    scale: float | int,
    clearance: float | int,
) -> Tensor:
    """Compose the layer with h -> base + s (h - mean); return what it now gives."""
    weight, bias = layer.get_parameter("weight"), layer.get_parameter("bias")
    others = [a for a in range(h.ndim) if a - h.ndim != _channel_axis(layer)]
    mean = _in_the_field_of(weight, h.mean(others, keepdim=True))
    centered = h - mean
    base = function.base_point if weight.is_complex() else function.base_point.real
    at = torch.tensor(complex(base), dtype=torch.complex128)
    room = float(function.clearance(at)) - clearance
    if room <= 0:
        raise DomainError(
            f"clearance {clearance} asked of {function.name}, which is {room + clearance:.4g} away "
            f"from its nearest singularity at its base point {base}: ask for less"
        )
    rms, largest = centered.abs().square().mean().sqrt(), centered.abs().amax()
    s = float(torch.minimum(scale / rms, room / largest)) if largest > 0 else 1.0
    weight.mul_(s)
    bias.copy_(s * (bias - mean.flatten()) + base)
    return base + s * centered


def _in_the_field_of(weight: Tensor, mean: Tensor) -> Tensor:
    """What a bias of real or complex coefficients can take away of a mean."""
    return mean if weight.is_complex() else mean.real


def _channel_axis(layer: nn.Module) -> int | None:
    """The output axis that the layer's bias runs along; None for layers without weight and bias."""
    if getattr(layer, "weight", None) is None or getattr(layer, "bias", None) is None:
        return None
    spatial = getattr(layer, "kernel_size", ())
    return getattr(layer, "feature_axis", -1 - len(spatial))
