"""Polynomials, in Horner's form."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import torch

from holonet._arguments import checked
from holonet._types import InexactEntries
from holonet.errors import DomainError
from holonet.functions.classes import FunctionClass
from holonet.functions.parts import scaled
from holonet.functions.record import HolomorphicFunction

__all__ = ["POLYNOMIALS", "Horner", "Monomial", "polynomial", "write_number"]


@dataclass(frozen=True)
class Horner:
    """The polynomial with these coefficients, ascending; can be pickled."""

    coefficients: tuple[complex, ...] | tuple[float, ...]

    def __call__(self, z: InexactEntries) -> InexactEntries:
        """The value at every entry."""
        *lower, leading = self.coefficients
        if not lower:
            return torch.full_like(z, leading)
        total = scaled(z, leading) + lower.pop()
        for c in reversed(lower):
            total = total * z + c
        return total

    def derived(self) -> "Horner":
        """The derivative."""
        return Horner(tuple(k * c for k, c in enumerate(self.coefficients))[1:] or (0j,))


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

    A constant derivative is returned as a constant, which autograd does not connect to z. Declared
    monotone are sums of odd powers with positive coefficients, and a constant; others are not
    decided.

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
    rises = len(c) > 1 and not any(c[2::2]) and all(x.real >= 0 for x in c[1::2])
    value = Horner(tuple(c))
    real_on_real = all(x.imag == 0 for x in c)
    return HolomorphicFunction(
        name="polynomial",
        formula=" + ".join(terms) or "0",
        value=value,
        derivative=value.derived(),
        second_derivative=value.derived().derived(),
        function_class=FunctionClass.AFFINE if len(c) <= 2 else FunctionClass.POLYNOMIAL,
        real_on_real=real_on_real,
        monotone=real_on_real and rises,
        reference="DLMF 1.11(i)",
        real=Horner(tuple(x.real for x in c)) if real_on_real else None,
    )


@dataclass(frozen=True)
class Monomial:
    """factor * z^power; can be pickled."""

    factor: int
    power: int

    def __call__(self, z: InexactEntries) -> InexactEntries:
        """The value at every entry."""
        if self.power == 0:
            return torch.full_like(z, self.factor)
        total = z
        for _ in range(self.power - 1):
            total = total * z
        return scaled(total, self.factor)


def _monomial(name: str, formula: str, n: int) -> HolomorphicFunction:
    return HolomorphicFunction(
        name=name,
        formula=formula,
        value=Monomial(1, n),
        derivative=Monomial(n, n - 1),
        second_derivative=Monomial(n * (n - 1), max(n - 2, 0)),
        function_class=FunctionClass.AFFINE if n == 1 else FunctionClass.POLYNOMIAL,
        monotone=n % 2 == 1,
        reference="by definition",
        real=Monomial(1, n),
    )


POLYNOMIALS = (
    _monomial("identity", "z", 1),
    _monomial("square", "z**2", 2),
    _monomial("cube", "z**3", 3),
    polynomial((0, 1, 0.25)),
)
"""The records of this module; `polynomial` is z + z^2/4, near the identity at 0."""
