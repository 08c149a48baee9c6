"""Random weights of the right variance, complex or real."""

import math

import torch
from jaxtyping import Inexact, Shaped
from torch import Tensor

from holonet._arguments import checked
from holonet.errors import DomainError, InputTypeError

__all__ = [
    "circular_normal_",
    "kaiming_normal_",
    "kaiming_uniform_",
    "xavier_normal_",
    "xavier_uniform_",
]

Weight = Shaped[Tensor, "*shape"]
Filled = Inexact[Tensor, "*shape"]


@torch.no_grad()
@checked
def circular_normal_(
    weight: Weight, std: float | int = 1.0, *, generator: torch.Generator | None = None
) -> Filled:
    """Circular normal entries: E|w|^2 = std^2, half of it in each part, and E w^2 = 0.

    `torch.nn.init.normal_` splits the variance so and `uniform_` does not; here both do. A real
    weight gets normal entries with E w^2 = std^2.

    Raises:
        InputTypeError: a weight of integers.
    """
    parts, share = _parts(weight)
    if not parts.is_meta:  # drawing nothing takes long there, and searches for widths build many
        parts.normal_(0, std * math.sqrt(share), generator=generator)
    return weight


@torch.no_grad()
def _circular_uniform_(
    weight: Weight, std: float | int, *, generator: torch.Generator | None
) -> Filled:
    """Both parts uniform on [-a, a] with a = std sqrt(3/2), so that E|w|^2 = std^2.

    A real weight is uniform with a = std sqrt(3).
    """
    parts, share = _parts(weight)
    bound = std * math.sqrt(3 * share)
    parts.uniform_(-bound, bound, generator=generator)
    return weight


@checked
def xavier_normal_(
    weight: Weight, gain: float | int = 1.0, *, generator: torch.Generator | None = None
) -> Filled:
    """Glorot: E|w|^2 = 2 gain^2 / (fan_in + fan_out), circular normal.

    References:
        Glorot and Bengio (2010); Trabelsi et al. (2018) for complex weights.
    """
    return circular_normal_(weight, _xavier_std(weight, gain), generator=generator)


@checked
def xavier_uniform_(
    weight: Weight, gain: float | int = 1.0, *, generator: torch.Generator | None = None
) -> Filled:
    """Glorot: E|w|^2 = 2 gain^2 / (fan_in + fan_out), uniform parts."""
    return _circular_uniform_(weight, _xavier_std(weight, gain), generator=generator)


@checked
def kaiming_normal_(
    weight: Weight,
    gain: float | int = 1.0,
    *,
    mode: str = "fan_in",
    generator: torch.Generator | None = None,
) -> Filled:
    """He: E|w|^2 = gain^2 / fan, circular normal.

    Args:
        weight: shape (out, in, *kernel).
        gain: 1 keeps E|Wz|^2 = E|z|^2 with mode "fan_in".
        mode: "fan_in" (keep the signal) or "fan_out" (keep the gradient).
        generator: source of randomness.

    Raises:
        DomainError: an unknown mode, a gain that is negative or not finite, or a weight of fewer
            than two axes.
        InputTypeError: a weight of integers.

    References:
        He et al. (2015); Trabelsi et al. (2018) for complex weights.
    """
    return circular_normal_(weight, _kaiming_std(weight, gain, mode), generator=generator)


@checked
def kaiming_uniform_(
    weight: Weight,
    gain: float | int = 1.0,
    *,
    mode: str = "fan_in",
    generator: torch.Generator | None = None,
) -> Filled:
    """He: E|w|^2 = gain^2 / fan, uniform parts."""
    return _circular_uniform_(weight, _kaiming_std(weight, gain, mode), generator=generator)


def _parts(weight: Tensor) -> tuple[Tensor, float]:
    """The real view of a weight, and the share of E|w|^2 that each of its entries has."""
    if weight.is_complex():
        return torch.view_as_real(weight), 0.5
    if weight.is_floating_point():
        return weight, 1.0
    raise InputTypeError(
        f"holonet.nn.init fills complex and real weights and got {weight.dtype}: make them "
        "torch.complex64 or torch.float32"
    )


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
