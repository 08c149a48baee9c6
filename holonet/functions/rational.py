"""Rational functions: the reciprocal, Möbius maps, finite Blaschke products."""

import cmath
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from holonet._arguments import checked
from holonet._types import InexactEntries
from holonet.domains import PointSet
from holonet.errors import DomainError
from holonet.functions.classes import FunctionClass
from holonet.functions.parts import scaled
from holonet.functions.polynomial import write_number
from holonet.functions.record import HolomorphicFunction, Singularity

__all__ = ["RATIONALS", "Blaschke", "Moebius", "blaschke", "moebius"]


def _d_reciprocal(z: Tensor) -> Tensor:
    r = torch.reciprocal(z)
    return -r * r


def _d2_reciprocal(z: Tensor) -> Tensor:
    r = torch.reciprocal(z)
    return 2 * r * r * r


@dataclass(frozen=True)
class Moebius:
    """(a z + b) / (c z + d); can be pickled, as all of these."""

    a: complex | float
    b: complex | float
    c: complex | float
    d: complex | float

    @property
    def entries(self) -> tuple[complex | float, ...]:
        """The numbers a, b, c, d."""
        return self.a, self.b, self.c, self.d

    def __call__(self, z: InexactEntries) -> InexactEntries:
        """The value at every entry."""
        return (scaled(z, self.a) + self.b) / (scaled(z, self.c) + self.d)


@dataclass(frozen=True)
class _DerivedMoebius:
    """numerator / (c z + d)^power."""

    numerator: complex
    c: complex
    d: complex
    power: int

    def __call__(self, z: Tensor) -> Tensor:
        r = torch.reciprocal(scaled(z, self.c) + self.d)
        total = self.numerator * r
        for _ in range(self.power - 1):
            total = total * r
        return total


@dataclass(frozen=True)
class Blaschke:
    """One derivative, of order 0, 1 or 2, of turn times the product over the zeros of factors.

    Can be pickled.
    """

    zeros: tuple[complex, ...]
    turn: complex
    order: int = 0

    def __call__(self, z: InexactEntries) -> InexactEntries:
        """The value at every entry."""
        return self.jet(z)[self.order]

    def jet(self, z: InexactEntries) -> tuple[InexactEntries, InexactEntries, InexactEntries]:
        """The product and its two derivatives, factor by factor by Leibniz's rule."""
        f, df, d2f = torch.full_like(z, self.turn), torch.zeros_like(z), torch.zeros_like(z)
        for a in self.zeros:
            r = torch.reciprocal(1 - scaled(z, a.conjugate()))
            b = (z - a) * r
            db = (1 - abs(a) ** 2) * r * r
            d2b = (2 * a.conjugate()) * db * r
            f, df, d2f = f * b, df * b + f * db, d2f * b + 2 * df * db + f * d2b
        return f, df, d2f


@checked
def moebius(
    a: complex | float | int,
    b: complex | float | int,
    c: complex | float | int,
    d: complex | float | int,
) -> HolomorphicFunction:
    """(a z + b) / (c z + d).

    Raises:
        DomainError: ad - bc is 0 (the map would be constant) or not finite.

    Example:
        >>> cayley = moebius(1, -1j, 1, 1j)  # the upper half-plane onto the unit disc
        >>> cayley(torch.tensor([1j])).abs()
        tensor([0.])

    References: DLMF 1.9(iv).
    """
    entries = a, b, c, d = complex(a), complex(b), complex(c), complex(d)
    determinant = a * d - b * c
    if determinant == 0 or not cmath.isfinite(determinant):
        raise DomainError(
            f"moebius{entries} has determinant ad - bc = {determinant}: "
            "choose finite entries with ad != bc"
        )

    pole = None if c == 0 else -d / c
    largest = max(entries, key=abs)
    are_real = all(x.imag == 0 for x in entries)
    wa, wb, wc, wd = map(write_number, entries)
    return HolomorphicFunction(
        name="moebius",
        formula=f"({wa}*z + {wb})/({wc}*z + {wd})",
        value=Moebius(a, b, c, d),
        derivative=_DerivedMoebius(determinant, c, d, 2),
        second_derivative=_DerivedMoebius(-2 * c * determinant, c, d, 3),
        function_class=FunctionClass.AFFINE if pole is None else FunctionClass.RATIONAL,
        singularities=() if pole is None else (Singularity(PointSet((pole,))),),
        real_on_real=all((x * largest.conjugate()).imag == 0 for x in entries),
        monotone=are_real and pole is None and (a * d).real > 0,
        base_point=0j if pole is None or abs(pole) >= 0.5 else pole + 1,
        reference="DLMF 1.9(iv)",
        real=Moebius(a.real, b.real, c.real, d.real) if are_real else None,
    )


@checked
def blaschke(
    zeros: Sequence[complex | float | int], phase: float | int = 0.0
) -> HolomorphicFunction:
    """e^(i phase) times the product of (z - a)/(1 - conj(a) z) over the zeros a.

    Law: maps the unit circle into itself, and the unit disc into itself; its degree is the
        number of zeros.

    Raises:
        DomainError: no zero, or one that is not inside the unit disc.

    Example:
        >>> z = torch.polar(torch.ones(3), torch.tensor([0.0, 1.0, 2.0]))
        >>> torch.allclose(blaschke([0.5, -0.3j])(z).abs(), torch.ones(3))
        True

    References: Garnett, Bounded Analytic Functions, II.2.
    """
    points = [complex(a) for a in zeros]
    if not points or not all(abs(a) < 1 for a in points) or not math.isfinite(phase):
        raise DomainError(
            f"blaschke({list(zeros)}, phase={phase}) is not a Blaschke product: "
            "give at least one zero, all of modulus below 1, and a finite phase"
        )
    turn = cmath.exp(1j * phase)
    if phase % math.pi == 0:  # a real factor, exactly
        turn = complex(round(turn.real))

    symmetric = sorted(map(_key, points)) == sorted(_key(a.conjugate()) for a in points)
    poles = tuple(dict.fromkeys(1 / a.conjugate() for a in points if a != 0))
    factors = "*".join(
        f"(z - {write_number(a)})/(1 - {write_number(a.conjugate())}*z)" for a in points
    )
    return HolomorphicFunction(
        name="blaschke",
        formula=f"{write_number(turn)}*{factors}",
        value=Blaschke(tuple(points), turn, 0),
        derivative=Blaschke(tuple(points), turn, 1),
        second_derivative=Blaschke(tuple(points), turn, 2),
        function_class=FunctionClass.RATIONAL if poles else FunctionClass.POLYNOMIAL,
        singularities=(Singularity(PointSet(poles)),) if poles else (),
        real_on_real=symmetric and turn.imag == 0,
        reference="Garnett, Bounded Analytic Functions, II.2",
        accuracy=""
        if len(points) == 1
        else "the derivatives are sums over the factors, accurate to a few eps times the sum of "
        "the moduli of their terms: they lose digits where these cancel, as for large |z|",
    )


def _key(z: complex) -> tuple[float, float]:
    return z.real, z.imag + 0.0  # -0.0 and 0.0 alike


RATIONALS = (
    HolomorphicFunction(
        name="reciprocal",
        formula="1/z",
        value=torch.reciprocal,
        derivative=_d_reciprocal,
        second_derivative=_d2_reciprocal,
        function_class=FunctionClass.RATIONAL,
        singularities=(Singularity(PointSet((0j,))),),
        base_point=1 + 0j,
        reference="by definition",
        real=torch.reciprocal,
    ),
    moebius(1, 0, 0.25, 1),
    blaschke((0.5,)),
)
"""The records of this module: `moebius` is z/(1 + z/4), near the identity at 0."""
