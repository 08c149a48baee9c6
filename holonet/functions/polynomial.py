"""Polynomials, in Horner's form."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor

from holonet._arguments import checked
from holonet.errors import DomainError
from holonet.functions.classes import FunctionClass
from holonet.functions.parts import scaled
from holonet.functions.record import HolomorphicFunction

__all__ = ["POLYNOMIALS", "polynomial", "write_number"]


@dataclass(frozen=True)
class _Horner:
    """The polynomial with these coefficients, ascending; can be pickled."""

    coefficients: tuple[complex, ...]

    def __call__(self, z: Tensor) -> Tensor:
        *lower, leading = self.coefficients
        if not lower:
            return torch.full_like(z, leading)
        total = scaled(z, leading) + lower.pop()
        for c in reversed(lower):
            total = total * z + c
        return total

    def derived(self) -> "_Horner":
        """The derivative."""
        return _Horner(tuple(k * c for k, c in enumerate(self.coefficients))[1:] or (0j,))


def write_number(number: complex) -> str:
    """A number for a formula: exact as a fraction where that is short, else in decimals.

    Example:
        >>> write_number(0.25 - 1j), write_number(0.1 + 0j)
        ('(1/4-1*I)', '0.1')
    """

    def real(x: float) -> str:
        fraction = Fraction(x)
        return str(fraction) if fraction.denominator <= 1024 else repr(x)

    if number.imag == 0:
        return real(number.real)
    return f"({real(number.real)}{'+' if number.imag > 0 else '-'}{real(abs(number.imag))}*I)"


@checked
def polynomial(coefficients: Sequence[complex | float | int]) -> HolomorphicFunction:
    """c_0 + c_1 z + ... + c_n z^n.

    A constant derivative is returned as a constant, which autograd does not connect to z.

    Args:
        coefficients: c_0 to c_n, ascending.

    Raises:
        DomainError: no coefficient, or one that is not finite.

    Example:
        >>> polynomial([0, 1, 0.25]).formula
        'z + 1/4*z**2'
        >>> polynomial([0, 1, 0.25])(torch.tensor([2j]))
        tensor([-1.+2.j])
    """
    c = [complex(x) for x in coefficients]
    if not all(math.isfinite(abs(x)) for x in c) or not c:
        raise DomainError(
            f"polynomial({list(coefficients)}) is not a polynomial: "
            "give at least one coefficient, all finite, from the constant term upwards"
        )
    while len(c) > 1 and c[-1] == 0:
        c.pop()
    monomials = ["1", "z", *(f"z**{k}" for k in range(2, len(c)))]
    terms = [
        monomials[k] if x == 1 else f"{write_number(x)}*{monomials[k]}"
        for k, x in enumerate(c)
        if x != 0
    ]
    value = _Horner(tuple(c))
    return HolomorphicFunction(
        name="polynomial",
        formula=" + ".join(terms) or "0",
        value=value,
        derivative=value.derived(),
        second_derivative=value.derived().derived(),
        function_class=FunctionClass.AFFINE if len(c) <= 2 else FunctionClass.POLYNOMIAL,
        real_on_real=all(x.imag == 0 for x in c),
        reference="DLMF 1.11(i)",
    )


def _identity(z: Tensor) -> Tensor:
    return z


def _square(z: Tensor) -> Tensor:
    return z * z


def _double(z: Tensor) -> Tensor:
    return scaled(z, 2)


def _two(z: Tensor) -> Tensor:
    return torch.full_like(z, 2)


def _cube(z: Tensor) -> Tensor:
    return z * z * z


def _d_cube(z: Tensor) -> Tensor:
    return scaled(z * z, 3)


def _d2_cube(z: Tensor) -> Tensor:
    return scaled(z, 6)


POLYNOMIALS = (
    HolomorphicFunction(
        name="identity",
        formula="z",
        value=_identity,
        derivative=torch.ones_like,
        second_derivative=torch.zeros_like,
        function_class=FunctionClass.AFFINE,
        reference="by definition",
    ),
    HolomorphicFunction(
        name="square",
        formula="z**2",
        value=_square,
        derivative=_double,
        second_derivative=_two,
        function_class=FunctionClass.POLYNOMIAL,
        reference="by definition",
    ),
    HolomorphicFunction(
        name="cube",
        formula="z**3",
        value=_cube,
        derivative=_d_cube,
        second_derivative=_d2_cube,
        function_class=FunctionClass.POLYNOMIAL,
        reference="by definition",
    ),
    polynomial((0, 1, 0.25)),
)
"""The records of this module; `polynomial` is z + z^2/4, near the identity at 0."""
