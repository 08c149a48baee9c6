"""Threat models: the sets of perturbations that an adversary may use."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from holonet._types import BoolTensor, RealTensor
from holonet.errors import DomainError, InputTypeError

__all__ = ["Norm", "ThreatModel"]

Norm = Literal["Linf", "L2"]


@dataclass(frozen=True)
class ThreatModel:
    """The ball of radius eps in a norm about each example, cut down to the box of valid data.

    Args:
        norm: "Linf" (every entry moves at most eps) or "L2" (Euclidean length at most eps).
        eps: the radius, in units of the data; 0 leaves only the example itself.
        bounds: the box of valid data, which holds the examples; None for none.

    Law: `project` is idempotent, maps into the set and fixes its points; `random_point` lies in
        the set; `steepest` has norm 1 and maximizes the inner product with the gradient.

    Raises:
        DomainError: eps is negative or not finite, the norm is unknown, the box is empty.

    Example:
        >>> threat = ThreatModel("Linf", 0.1)
        >>> threat.project(torch.tensor([[0.5, 0.9]]), torch.tensor([[0.05, 0.95]]))
        tensor([[0.1500, 0.9000]])
    """

    norm: Norm | str = "Linf"
    eps: float = 0.1
    bounds: tuple[float, float] | None = (0.0, 1.0)

    def __post_init__(self) -> None:
        if self.norm not in ("Linf", "L2"):
            raise DomainError(f"ThreatModel(norm={self.norm!r}): choose 'Linf' or 'L2'")
        if not 0 <= self.eps < math.inf:
            raise DomainError(
                f"ThreatModel(eps={self.eps}): a radius is a finite number >= 0, in the units of "
                "the data (0.1 is a tenth of the range of an image in [0, 1])"
            )
        if self.bounds is not None and not self.bounds[0] < self.bounds[1]:
            raise DomainError(f"ThreatModel(bounds={self.bounds}): choose lower < upper, or None")

    def project(self, perturbed: Tensor, x: Tensor) -> RealTensor:
        """The points moved back into the ball about x and into the box.

        For L2 with a box the result is a point of the set, not always the nearest one.

        Raises:
            InputTypeError: x is not real floating point.
        """
        _require_real(x)
        if self.norm == "Linf":
            moved = perturbed.clamp(x - self.eps, x + self.eps)
        else:
            delta = perturbed - x
            length = _lengths(delta)
            moved = torch.where(length > self.eps, x + delta * (self.eps / length), perturbed)
        return moved if self.bounds is None else moved.clamp(*self.bounds)

    def random_point(self, x: Tensor, generator: torch.Generator | None = None) -> RealTensor:
        """A point of the set for each example: uniform in the ball, then moved into the box.

        Raises:
            InputTypeError: x is not real floating point.
        """
        _require_real(x)
        if self.norm == "Linf":
            unit = torch.rand(x.shape, generator=generator, dtype=x.dtype) * 2 - 1
        else:
            unit = _normalized(torch.randn(x.shape, generator=generator, dtype=x.dtype))
            radius = torch.rand(len(x), generator=generator, dtype=x.dtype)
            radius = radius ** (1 / math.prod(x.shape[1:]))
            unit = unit * radius.view(-1, *[1] * (x.ndim - 1))
        return self.project(x + self.eps * unit.to(x.device), x)

    def steepest(self, gradient: RealTensor) -> RealTensor:
        """The direction of norm 1 along which a function with this gradient rises most.

        It is 0 for an example whose gradient is 0.
        """
        return gradient.sign() if self.norm == "Linf" else _normalized(gradient)

    def contains(self, perturbed: Tensor, x: Tensor) -> BoolTensor:
        """Whether each perturbed example is in the set, up to rounding in the size of x.

        Raises:
            InputTypeError: x is not real floating point.
        """
        _require_real(x)
        order = math.inf if self.norm == "Linf" else 2
        distance, size = (
            torch.linalg.vector_norm(v.flatten(1), order, dim=1) for v in (perturbed - x, x)
        )
        slack = 4 * torch.finfo(x.dtype).eps
        inside = distance <= self.eps + slack * (self.eps + size)
        if self.bounds is not None:
            flat = perturbed.flatten(1)
            inside &= ((flat >= self.bounds[0]) & (flat <= self.bounds[1])).all(1)
        return inside


def _require_real(x: Tensor) -> None:
    if x.is_complex():
        raise InputTypeError(
            f"ThreatModel perturbs real inputs and got complex ones ({x.dtype}): attack the real "
            "data in front of the lift"
        )
    if not x.is_floating_point():
        raise InputTypeError(
            f"ThreatModel perturbs floating point inputs and got {x.dtype}: convert the images "
            "to [0, 1] first, for example x.float() / 255"
        )


def _lengths(delta: Tensor) -> RealTensor:
    """Euclidean length of each example, shaped to broadcast against delta."""
    return torch.linalg.vector_norm(delta.flatten(1), dim=1).view(-1, *[1] * (delta.ndim - 1))


def _normalized(v: RealTensor) -> RealTensor:
    """Each example at length 1; scaled by its largest entry first, lest squares underflow."""
    tiny = torch.finfo(v.dtype).tiny
    largest = v.flatten(1).abs().amax(1).view(-1, *[1] * (v.ndim - 1))
    scaled = v / largest.clamp(min=tiny)
    return scaled / _lengths(scaled).clamp(min=tiny)
