"""Obstacles under changes of variable: what a set in the u-plane is in the z-plane."""

import cmath

import sympy

from holonet.domains import Obstacle, PeriodicPoints, PeriodicRays, PointSet, Ray
from holonet.errors import NumericalError
from holonet.symbolic.evaluate import evaluate
from holonet.symbolic.formula import Expr, quote

__all__ = [
    "affine",
    "check_not_zero",
    "degree",
    "double",
    "polynomial_in",
    "pull_back",
    "square_slits",
]

_DIGITS = 50
_NOTHING = 1e-35


def double(number: Expr) -> complex:
    """An exact number in double precision; a part that is next to nothing beside it is 0.

    Raises:
        NumericalError: it is out of range, or takes functions of numbers that are.

    Example:
        >>> double(sympy.exp(sympy.I * sympy.pi / 4) ** 2)
        1j
    """
    value = complex(evaluate(number, {}, _DIGITS))
    if not cmath.isfinite(value):
        raise NumericalError(f"the number {quote(number)} is {value} in double precision")
    least = _NOTHING * abs(value)
    real, imag = (part if abs(part) > least else 0.0 for part in (value.real, value.imag))
    return complex(real, imag)


def polynomial_in(e: Expr, z: sympy.Symbol) -> sympy.Poly:
    """A formula as a polynomial in z, whose leading coefficient is not 0.

    Raises:
        NumericalError: it cannot be told from 0, though it is not written as 0.
    """
    polynomial = sympy.Poly(e, z)
    if not polynomial.is_zero:
        check_not_zero(polynomial.LC(), e)
    return polynomial


def check_not_zero(number: Expr, formula: Expr) -> None:
    """Whether a number in a formula is another one than 0, to 50 digits.

    Raises:
        NumericalError: it is not.
    """
    if not number.is_Rational and evaluate(number, {}, _DIGITS) == 0:
        raise NumericalError(
            f"the number {quote(number)} in {quote(formula)} is 0 to {_DIGITS} digits: "
            "leave its term out, or write the number otherwise"
        )


def degree(e: Expr, z: sympy.Symbol) -> int:
    """The degree of a polynomial in z, 0 for the zero polynomial too."""
    polynomial = polynomial_in(e, z)
    return 0 if polynomial.is_zero else int(polynomial.degree())


def affine(e: Expr, z: sympy.Symbol) -> tuple[Expr, Expr] | None:
    """(a, b) where e is a z + b with a not 0, else None.

    Example:
        >>> z = sympy.Symbol("z")
        >>> affine(3 * (z + 1), z), affine(z**2, z)
        ((3, 3), None)
    """
    if not e.is_polynomial(z) or degree(e, z) != 1:
        return None
    a, b = polynomial_in(e, z).all_coeffs()
    return a, b


def pull_back(obstacle: Obstacle, slope: Expr, shift: Expr) -> Obstacle:
    """The set of z with slope * z + shift in the obstacle.

    Example:
        >>> pull_back(PointSet((1, 3)), sympy.Integer(2), sympy.Integer(1))
        PointSet(points=(0j, (1+0j)))
    """
    a = double(slope)

    match obstacle:
        case PointSet(points):
            return PointSet(tuple(_back(p, slope, shift) for p in points))
        case PeriodicPoints(offset, period, without):
            return PeriodicPoints(_back(offset, slope, shift), period / a, without)
        case Ray(start, direction):
            return Ray(_back(start, slope, shift), direction / a)
        case PeriodicRays(offset, period, direction):
            return PeriodicRays(_back(offset, slope, shift), period / a, direction / a)
    raise NotImplementedError(f"no rule for {type(obstacle).__name__}")


def _back(u: complex | float | int, slope: Expr, shift: Expr) -> complex:
    # exact numbers are subtracted before they are rounded
    return double((sympy.sympify(u) - shift) / slope)


def square_slits(e: Expr, z: sympy.Symbol) -> tuple[Ray, Ray] | None:
    """The two rays on which a (z - m)^2 + d lies in (-oo, 0], for d >= 0; else None.

    Example:
        >>> z = sympy.Symbol("z")
        >>> square_slits(1 + z**2, z)
        (Ray(start=1j, direction=1j), Ray(start=-1j, direction=(-0-1j)))
    """
    if not e.is_polynomial(z) or degree(e, z) != 2:
        return None
    a, b, c = polynomial_in(e, z).all_coeffs()
    center, height = -b / (2 * a), sympy.simplify(c - b * b / (4 * a))
    if not height.is_nonnegative:
        return None
    direction = double(sympy.I / sympy.sqrt(a))
    step = sympy.I * sympy.sqrt(height) / sympy.sqrt(a)
    upper, lower = (double(center + s * step) for s in (1, -1))
    return Ray(upper, direction), Ray(lower, -direction)
