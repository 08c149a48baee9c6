"""Initialization of complex weights: the right variance, and distance from singularities."""

import math
from collections import Counter
from collections.abc import Callable

import torch
from torch import Tensor, nn

from holonet._arguments import checked
from holonet._types import ComplexTensor
from holonet.errors import DomainError, InputTypeError
from holonet.functions import HolomorphicFunction
from holonet.nn.module import forward_hooks

__all__ = [
    "circular_normal_",
    "data_driven_",
    "kaiming_normal_",
    "kaiming_uniform_",
    "xavier_normal_",
    "xavier_uniform_",
]


@torch.no_grad()
@checked
def circular_normal_(
    weight: Tensor, std: float | int = 1.0, *, generator: torch.Generator | None = None
) -> ComplexTensor:
    """Circular normal entries: E|w|^2 = std^2, half of it in each part, and E w^2 = 0.

    `torch.nn.init.normal_` splits the variance so and `uniform_` does not; here both do.

    Raises:
        InputTypeError: a real weight.
    """
    _parts(weight).normal_(0, std / math.sqrt(2), generator=generator)
    return weight


@torch.no_grad()
def _circular_uniform_(
    weight: Tensor, std: float | int, *, generator: torch.Generator | None
) -> ComplexTensor:
    """Both parts uniform on [-a, a] with a = std sqrt(3/2), so that E|w|^2 = std^2."""
    bound = std * math.sqrt(1.5)
    _parts(weight).uniform_(-bound, bound, generator=generator)
    return weight


@checked
def xavier_normal_(
    weight: Tensor, gain: float | int = 1.0, *, generator: torch.Generator | None = None
) -> ComplexTensor:
    """Glorot: E|w|^2 = 2 gain^2 / (fan_in + fan_out), circular normal.

    References:
        Glorot and Bengio (2010); Trabelsi et al. (2018) for complex weights.
    """
    return circular_normal_(weight, _xavier_std(weight, gain), generator=generator)


@checked
def xavier_uniform_(
    weight: Tensor, gain: float | int = 1.0, *, generator: torch.Generator | None = None
) -> ComplexTensor:
    """Glorot: E|w|^2 = 2 gain^2 / (fan_in + fan_out), uniform parts."""
    return _circular_uniform_(weight, _xavier_std(weight, gain), generator=generator)


@checked
def kaiming_normal_(
    weight: Tensor,
    gain: float | int = 1.0,
    *,
    mode: str = "fan_in",
    generator: torch.Generator | None = None,
) -> ComplexTensor:
    """He: E|w|^2 = gain^2 / fan, circular normal.

    Args:
        weight: shape (out, in, *kernel).
        gain: 1 keeps E|Wz|^2 = E|z|^2 with mode "fan_in".
        mode: "fan_in" (keep the signal) or "fan_out" (keep the gradient).
        generator: source of randomness.

    Raises:
        DomainError: an unknown mode, a gain that is negative or not finite, or a weight of fewer
            than two axes.
        InputTypeError: a real weight.

    References:
        He et al. (2015); Trabelsi et al. (2018) for complex weights.
    """
    return circular_normal_(weight, _kaiming_std(weight, gain, mode), generator=generator)


@checked
def kaiming_uniform_(
    weight: Tensor,
    gain: float | int = 1.0,
    *,
    mode: str = "fan_in",
    generator: torch.Generator | None = None,
) -> ComplexTensor:
    """He: E|w|^2 = gain^2 / fan, uniform parts."""
    return _circular_uniform_(weight, _kaiming_std(weight, gain, mode), generator=generator)


@torch.no_grad()
@checked
def data_driven_(
    network: nn.Module,
    z: Tensor,
    *,
    scale: float | int = 1.0,
    clearance: float | int = 0.1,
    before: Callable[[nn.Module, tuple[Tensor, ...]], None] | None = None,
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
    found: dict[nn.Module, HolomorphicFunction] = {}
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
        if found.setdefault(sources[-1], function) != function:
            raise DomainError(
                f"{sources[-1]} feeds {found[sources[-1]].name} and {function.name}, which cannot "
                "both be centered: give each activation its own layer"
            )

    affine = [m for m in network.modules() if _channel_axis(m) is not None]
    with (
        forward_hooks(m.register_forward_hook(remember) for m in affine),
        forward_hooks(m.register_forward_pre_hook(match) for m in network.modules()),
    ):
        network(z)
    calls = Counter(layer for layer, _ in outputs)
    for layer in found:
        if calls[layer] > 1:
            raise DomainError(
                f"{layer} is used {calls[layer]} times in one pass, so its outputs cannot all be "
                "centered: give each place its own layer"
            )
    return found


def _recenter_(
    layer: nn.Module,
    h: Tensor,
    function: HolomorphicFunction,
    scale: float | int,
    clearance: float | int,
) -> Tensor:
    """Compose the layer with h -> base + s (h - mean); return what it now gives."""
    others = [a for a in range(h.ndim) if a - h.ndim != _channel_axis(layer)]
    centered = h - h.mean(others, keepdim=True)
    base = torch.tensor(function.base_point, dtype=h.dtype, device=h.device)
    room = float(function.clearance(base)) - clearance
    if room <= 0:
        raise DomainError(
            f"clearance {clearance} asked of {function.name}, which is {room + clearance:.4g} away "
            f"from its nearest singularity at its base point {function.base_point}: ask for less"
        )
    rms, largest = centered.abs().square().mean().sqrt(), centered.abs().amax()
    s = float(torch.minimum(scale / rms, room / largest)) if largest > 0 else 1.0
    weight, bias = layer.get_parameter("weight"), layer.get_parameter("bias")
    weight.mul_(s)
    bias.copy_(s * (bias - h.mean(others)) + base)
    return base + s * centered


def _channel_axis(layer: nn.Module) -> int | None:
    """The output axis that the layer's bias runs along; None for layers without weight and bias."""
    if getattr(layer, "weight", None) is None or getattr(layer, "bias", None) is None:
        return None
    spatial = getattr(layer, "kernel_size", ())
    return getattr(layer, "feature_axis", -1 - len(spatial))


def _parts(weight: Tensor) -> Tensor:
    """The real view of a complex tensor."""
    if not weight.is_complex():
        raise InputTypeError(
            f"holonet.nn.init fills complex weights and got {weight.dtype}: "
            "use torch.nn.init for real ones"
        )
    return torch.view_as_real(weight)


def _xavier_std(weight: Tensor, gain: float | int) -> float:
    fan_in, fan_out = _fans(weight)
    return _finite(gain) * math.sqrt(2 / max(fan_in + fan_out, 1))


def _kaiming_std(weight: Tensor, gain: float | int, mode: str) -> float:
    fan_in, fan_out = _fans(weight)
    if mode not in ("fan_in", "fan_out"):
        raise DomainError(f"mode={mode!r}: choose 'fan_in' or 'fan_out'")
    return _finite(gain) / math.sqrt(max(fan_in if mode == "fan_in" else fan_out, 1))


def _finite(gain: float | int) -> float | int:
    if not 0 <= gain < math.inf:
        raise DomainError(f"gain={gain}: a finite number >= 0, weights have E|w|^2 = gain^2 / fan")
    return gain


def _fans(weight: Tensor) -> tuple[int, int]:
    """Inputs to each output and outputs of each input of a weight (out, in, *kernel)."""
    if weight.ndim < 2:
        raise DomainError(
            f"a weight of shape {tuple(weight.shape)} has no fan: give at least (out, in)"
        )
    kernel = math.prod(weight.shape[2:])
    return weight.shape[1] * kernel, weight.shape[0] * kernel
