"""Polynomials, in Horner's form."""

import math
from collections.abc import Sequence
from fractions import Fraction

import torch
from torch import Tensor

from holonet._types import TensorFunction
from holonet.errors import DomainError
from holonet.functions.classes import FunctionClass
from holonet.functions.record import HolomorphicFunction

__all__ = ["POLYNOMIALS", "polynomial", "write_number"]


def _horner(coefficients: list[complex]) -> TensorFunction:
    *lower, leading = coefficients

    def value(z: Tensor) -> Tensor:
        total = torch.full_like(z, leading)
        for c in reversed(lower):
            total = total * z + c
        return total

    return value


def _derived(coefficients: list[complex]) -> list[complex]:
    return [k * c for k, c in enumerate(coefficients)][1:] or [0j]


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
    return HolomorphicFunction(
        name="polynomial",
        formula=" + ".join(terms) or "0",
        value=_horner(c),
        derivative=_horner(_derived(c)),
        second_derivative=_horner(_derived(_derived(c))),
        function_class=FunctionClass.AFFINE if len(c) <= 2 else FunctionClass.POLYNOMIAL,
        real_on_real=all(x.imag == 0 for x in c),
        reference="DLMF 1.11(i)",
    )


POLYNOMIALS = (
    HolomorphicFunction(
        name="identity",
        formula="z",
        value=lambda z: z,
        derivative=torch.ones_like,
        second_derivative=torch.zeros_like,
        function_class=FunctionClass.AFFINE,
        reference="by definition",
    ),
    HolomorphicFunction(
        name="square",
        formula="z**2",
        value=lambda z: z * z,
        derivative=lambda z: 2 * z,
        second_derivative=lambda z: torch.full_like(z, 2),
        function_class=FunctionClass.POLYNOMIAL,
        reference="by definition",
    ),
    HolomorphicFunction(
        name="cube",
        formula="z**3",
        value=lambda z: z * z * z,
        derivative=lambda z: 3 * z * z,
        second_derivative=lambda z: 6 * z,
        function_class=FunctionClass.POLYNOMIAL,
        reference="by definition",
    ),
    polynomial((0, 1, 0.25)),
)
"""The records of this module; `polynomial` is z + z^2/4, near the identity at 0."""
