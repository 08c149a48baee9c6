"""Boxes of real numbers by midpoint and radius, in float64 and rounded outward.

Complex numbers are pairs of real ones, so that a complex affine map is a real one.
"""

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from holonet.errors import ConfigError, InputTypeError
from holonet.functions.rounding import UNIT, margin

__all__ = ["EXACT", "Ball", "Enclosure", "Polydisc", "Semantics", "moduli"]

Parts = Float64[Tensor, "parts batch *event"]

_UNDERFLOW = 1e-300


@dataclass(frozen=True)
class Semantics:
    """What a certificate speaks of: the network in exact arithmetic, or as a dtype executes it.

    Args:
        dtype: None for exact arithmetic on the stored weights; torch.float32 or torch.float64 for
            all that this dtype, and the complex numbers made of it, may return, in any order of
            summation, with fused products or without.

    Raises:
        InputTypeError: another dtype. Products of bfloat16 and TF32 have no such bound here.

    Example:
        >>> str(Semantics()), str(Semantics(torch.float32))
        ('exact', 'executed float32')
    """

    dtype: torch.dtype | None = None

    def __post_init__(self) -> None:
        if self.dtype not in (None, torch.float32, torch.float64):
            raise InputTypeError(
                f"Semantics({self.dtype}): certificates are of exact arithmetic or of execution in "
                "torch.float32 or torch.float64; bring the network to one of them"
            )

    def __str__(self) -> str:
        return "exact" if self.dtype is None else f"executed {str(self.dtype).split('.')[-1]}"

    @property
    def unit(self) -> float:
        """The roundoff of the executed dtype, 0 for exact arithmetic."""
        return 0.0 if self.dtype is None else torch.finfo(self.dtype).eps / 2

    @property
    def tiny(self) -> float:
        """The largest number that may be lost to underflow, subnormals flushed to 0."""
        return _UNDERFLOW if self.dtype is None else max(torch.finfo(self.dtype).tiny, _UNDERFLOW)

    @property
    def largest(self) -> float:
        """Numbers above it may overflow on the way: sums of moduli are below it over the unit."""
        if self.dtype is None:
            return math.inf
        return torch.finfo(self.dtype).max * torch.finfo(self.dtype).eps / 2

    def gamma(self, terms: int) -> float:
        """Relative error of a sum of so that many products: of the enclosure's, and executed.

        Raises:
            ConfigError: there are too many for the bound n u / (1 - n u).

        References: Higham, Accuracy and Stability of Numerical Algorithms, 3.1.
        """
        return _gamma(terms, UNIT) + _gamma(terms, self.unit)


EXACT = Semantics()
"""Stored weights, exact arithmetic."""


def _gamma(terms: int, unit: float) -> float:
    if terms * unit >= 0.5:
        raise ConfigError(f"sums of {terms} products are too long for an error bound: use float64")
    return terms * unit / (1 - terms * unit) * (1 + 1e-10)


def moduli(parts: Float64[Tensor, "parts *shape"]) -> Float64[Tensor, "*shape"]:
    """Of real numbers, given by one part, or of complex ones, given by two."""
    return parts[0].abs() if len(parts) == 1 else torch.hypot(*parts)


@dataclass(frozen=True, eq=False)
class Ball:
    """The points whose Euclidean distance from a middle is at most a length, for each example.

    Args:
        middle: (parts, batch, *event); the parts of complex numbers are coordinates.
        length: infinite where nothing is known.
    """

    middle: Parts
    length: Float64[Tensor, "batch"]

    def summand(self, moduli: Float64[Tensor, "*forms"]) -> Float64[Tensor, "*forms"]:
        """What `rise` takes the sum of, given the moduli of a form's entries: their squares."""
        return moduli.square()

    def rise(
        self, sums: Float64[Tensor, "forms *shape"], terms: int
    ) -> Float64[Tensor, "batch *shape"]:
        """The largest w . (x - middle) of forms w, given the sums of their summands.

        It is |w|_2 length. The relative error of the sums is left to the caller.

        Args:
            sums: one for all examples, or one for each.
            terms: how many were summed; squares that underflowed are paid here.
        """
        return self._scaled(sums.sqrt() + terms * _UNDERFLOW**0.5)

    def _scaled(self, norms: Float64[Tensor, "forms *shape"]) -> Float64[Tensor, "batch *shape"]:
        return norms * self.length.view(-1, *[1] * (norms.ndim - 1))


@dataclass(frozen=True, eq=False)
class Polydisc(Ball):
    """The points each entry of which is within a length of that of the middle, as complex numbers.

    The largest w . (x - middle) is the sum of moduli of w times the length.
    """

    def summand(self, moduli: Float64[Tensor, "*forms"]) -> Float64[Tensor, "*forms"]:
        """The moduli."""
        return moduli

    def rise(
        self, sums: Float64[Tensor, "forms *shape"], terms: int
    ) -> Float64[Tensor, "batch *shape"]:
        """|w|_1 length."""
        del terms
        return self._scaled(sums)


@dataclass(frozen=True, eq=False)
class Enclosure:
    """The points x with |x - center| <= radius in every entry, for each example of a batch.

    Args:
        center, radius: (parts, batch, *event); one part for real numbers, the real and the
            imaginary one for complex numbers. Where nothing is known the radius is infinite and
            the center 0.
        ball: the points lie in it as well. Layers that do not know what to do with it leave it
            out, which makes the set larger.
    """

    center: Parts
    radius: Parts
    ball: Ball | None = None

    def __post_init__(self) -> None:
        unknown = ~(self.center.isfinite() & self.radius.isfinite())
        object.__setattr__(self, "center", self.center.masked_fill(unknown, 0.0))
        object.__setattr__(self, "radius", self.radius.masked_fill(unknown, math.inf))

    @classmethod
    def between(cls, low: Parts, high: Parts) -> "Enclosure":
        """The least one that holds [low, high]: its center is the middle of the interval."""
        center = low / 2 + high / 2
        radius = torch.maximum(high - center, center - low)
        return cls(center, radius + margin(radius))

    @property
    def low(self) -> Parts:
        """The lower ends, rounded down."""
        return torch.nextafter(self.center - self.radius, torch.full_like(self.center, -math.inf))

    @property
    def high(self) -> Parts:
        """The upper ends, rounded up."""
        return torch.nextafter(self.center + self.radius, torch.full_like(self.center, math.inf))

    @property
    def size(self) -> Parts:
        """The largest modulus, rounded up."""
        size = self.center.abs() + self.radius
        return size + margin(size)

    @property
    def is_complex(self) -> bool:
        """Whether there are two parts."""
        return len(self.center) == 2

    def at(self, index: Int64[Tensor, "some"]) -> "Enclosure":
        """Those examples of the batch."""
        if (ball := self.ball) is not None:
            ball = replace(ball, middle=ball.middle[:, index], length=ball.length[index])
        return Enclosure(self.center[:, index], self.radius[:, index], ball)

    def cut(self, other: "Enclosure") -> "Enclosure":
        """The box of the points that are in both boxes."""
        return Enclosure.between(
            torch.maximum(self.low, other.low), torch.minimum(self.high, other.high)
        )

    def widened(self, amount: Parts | float) -> "Enclosure":
        """With a radius that is larger by an amount >= 0."""
        radius = self.radius + amount
        return Enclosure(self.center, radius + margin(radius))

    def where_known(self, largest: float) -> "Enclosure":
        """With nothing known of entries that may pass a size."""
        unknown = self.size > largest
        if (ball := self.ball) is not None:
            lost = unknown.any(0).flatten(1).any(1)
            ball = replace(ball, length=ball.length.masked_fill(lost, math.inf))
        return Enclosure(self.center, self.radius.masked_fill(unknown, math.inf), ball)

    def as_complex(self) -> "Enclosure":
        """With an imaginary part of 0 where there was none."""
        if self.is_complex:
            return self
        center, radius = (torch.cat([s, torch.zeros_like(s)]) for s in (self.center, self.radius))
        return Enclosure(center, radius)

    def contains(
        self, points: Float64[Tensor, "parts batch *event"]
    ) -> Float64[Tensor, "parts batch *event"]:
        """How far points lie inside, in the distance from the nearest end; negative outside."""
        return torch.minimum(points - self.low, self.high - points)
