"""Compositions, sums and products of records, each on a disc on which it is holomorphic."""

import re
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from holonet._types import ComplexTensor
from holonet.domains import Disc
from holonet.functions import FunctionClass, HolomorphicFunction, compose, multiply
from holonet.functions.polynomial import write_number

__all__ = ["IDENTITY", "LocalFunction"]

_SPREAD = 2.0  # the most that values may differ from that at 0 inside a composition
_ROUNDING = 1e-12
_ROOM = 0.25  # the least clearance of the value at 0 inside a composition


@dataclass(frozen=True, repr=False)
class LocalFunction(HolomorphicFunction):
    """A record that answers for a disc about 0 only: its `domain` is `region`.

    What is singular lies outside and is not listed. Start from `IDENTITY`.

    Law: the image of the boundary of `region` under what is inside a composition, at 64 points,
        stays within half the clearance of the function outside, and within 2, of the image of 0.

    Example:
        >>> from holonet.functions import CATALOGUE
        >>> z = IDENTITY
        >>> (z * z).then(CATALOGUE["exp"]) + z.then(CATALOGUE["log"])
        <exp(z*z) + log(z + 1), holomorphic, |z| < 0.5>
    """

    region: Disc = field(default_factory=Disc)

    @property
    def domain(self) -> Disc:
        """The region."""
        return self.region

    def then(self, outer: HolomorphicFunction) -> "LocalFunction":
        """outer(f(z) + c), on the disc where that is holomorphic.

        c is 0, unless the value at 0 would come too near to a singularity, or too far out: then
        it brings that value to about the base point.
        """
        inner = self._shifted(outer)
        middle = inner._at_zero()
        room = min(_SPREAD, float(outer.clearance(middle)) / 2) * (1 + _ROUNDING)
        radius = float(inner.region.radius)
        while (inner(Disc(0, radius).boundary(64)) - middle).abs().max() > room:
            radius /= 2

        def derivative(z: Tensor) -> Tensor:
            return outer.derivative(inner(z)) * inner.derivative(z)

        def second_derivative(z: Tensor) -> Tensor:
            w, dw, d2w = inner(z), inner.derivative(z), inner.second_derivative(z)
            return outer.second_derivative(w) * dw * dw + outer.derivative(w) * d2w

        return LocalFunction(
            name="composition",
            formula=_substitute(outer.formula, inner.formula),
            value=lambda z: outer(inner(z)),
            derivative=derivative,
            second_derivative=second_derivative,
            function_class=compose(outer.function_class, inner.function_class),
            real_on_real=outer.real_on_real and inner.real_on_real,
            region=Disc(0, radius),
        )

    def __add__(self, other: "LocalFunction") -> "LocalFunction":
        return LocalFunction(
            name="sum",
            formula=f"{self.formula} + {other.formula}",
            value=lambda z: self(z) + other(z),
            derivative=lambda z: self.derivative(z) + other.derivative(z),
            second_derivative=lambda z: self.second_derivative(z) + other.second_derivative(z),
            function_class=self.function_class | other.function_class,
            real_on_real=self.real_on_real and other.real_on_real,
            region=self._common(other),
        )

    def __mul__(self, other: "LocalFunction") -> "LocalFunction":
        def derivative(z: Tensor) -> Tensor:
            return self.derivative(z) * other(z) + self(z) * other.derivative(z)

        def second_derivative(z: Tensor) -> Tensor:
            outer = self.second_derivative(z) * other(z) + self(z) * other.second_derivative(z)
            return outer + 2 * self.derivative(z) * other.derivative(z)

        return LocalFunction(
            name="product",
            formula=f"{_factor(self.formula)}*{_factor(other.formula)}",
            value=lambda z: self(z) * other(z),
            derivative=derivative,
            second_derivative=second_derivative,
            function_class=multiply(self.function_class, other.function_class),
            real_on_real=self.real_on_real and other.real_on_real,
            region=self._common(other),
        )

    def __repr__(self) -> str:
        return f"<{self.formula}, {self.function_class.value}, |z| < {self.region.radius}>"

    def _at_zero(self) -> ComplexTensor:
        return self(torch.zeros(1, dtype=torch.complex128))

    def _common(self, other: "LocalFunction") -> Disc:
        return Disc(0, min(self.region.radius, other.region.radius))

    def _shifted(self, outer: HolomorphicFunction) -> "LocalFunction":
        """F + c, a multiple of 1/8 that brings f(0) near the base point of `outer`, if needed."""
        middle = self._at_zero()
        gap = outer.base_point - complex(middle.item())
        if outer.clearance(middle) >= _ROOM and abs(gap) <= _SPREAD:
            return self
        shift = complex(round(gap.real * 8) / 8, round(gap.imag * 8) / 8)
        return replace(
            self,
            formula=f"{self.formula} + {write_number(shift)}",
            value=lambda z: self(z) + shift,
            real_on_real=self.real_on_real and shift.imag == 0,
        )


def _substitute(outer: str, inner: str) -> str:
    """A formula in another, for z."""
    return outer if inner == "z" else re.sub(r"\(z\)|\bz\b", lambda _: f"({inner})", outer)


def _factor(formula: str) -> str:
    return formula if re.fullmatch(r"\w+(\(z\))?", formula) else f"({formula})"


IDENTITY = LocalFunction(
    name="identity",
    formula="z",
    value=lambda z: z,
    derivative=torch.ones_like,
    second_derivative=torch.zeros_like,
    function_class=FunctionClass.AFFINE,
)
"""z on the unit disc."""
