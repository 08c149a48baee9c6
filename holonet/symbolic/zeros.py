"""Where formulas vanish: the poles of their reciprocals."""

import math
from dataclasses import dataclass

import sympy
from sympy.polys.polyerrors import BasePolynomialError

from holonet.domains import Obstacle, PeriodicPoints, PointSet
from holonet.errors import DomainError
from holonet.symbolic.evaluate import evaluate
from holonet.symbolic.formula import Expr, quote
from holonet.symbolic.known_functions import FUNCTIONS
from holonet.symbolic.preimage import affine, degree, double, polynomial_in

__all__ = ["Points", "exact_points", "exact_zeros", "no_closed_form", "zeros"]

_HIGHEST_DEGREE = 100
_DIGITS = 30


@dataclass(frozen=True)
class Points:
    """Points as exact numbers, or the progression of one point with a period.

    Only the roots of irreducible polynomials of degree 3 and above are known to 30 digits alone.
    """

    points: tuple[Expr, ...]
    period: Expr | None = None

    def obstacle(self) -> Obstacle:
        """The set in double precision."""
        if self.period is None:
            return PointSet(tuple(double(p) for p in self.points))
        return PeriodicPoints(double(self.points[0]), double(self.period))


def zeros(e: Expr, z: sympy.Symbol) -> tuple[Obstacle, ...]:
    """A set that holds all zeros of e: points and progressions.

    Known are rational functions, polynomials in exponentials (and circular and hyperbolic
    functions) of commensurable affine arguments, the other elementary functions of affine
    arguments, and products and powers of these.

    Raises:
        DomainError: e is none of these.

    Example:
        >>> z = sympy.Symbol("z")
        >>> zeros(z**2 - 4, z)
        (PointSet(points=((-2+0j), (2+0j))),)
    """
    return tuple(points.obstacle() for points in exact_zeros(e, z))


def exact_zeros(e: Expr, z: sympy.Symbol) -> tuple[Points, ...]:
    """The same set in exact numbers.

    Raises:
        DomainError: e is none of these.

    Example:
        >>> z = sympy.Symbol("z")
        >>> exact_zeros(sympy.sin(2 * z), z)
        (Points(points=(0,), period=pi/2),)
    """
    if z not in e.free_symbols:
        return ()
    if e.is_Mul:
        return tuple(o for factor in e.args for o in exact_zeros(factor, z))
    if e.is_Pow and z not in e.exp.free_symbols:
        return () if e.exp.is_negative else exact_zeros(e.base, z)
    if e.is_Pow or isinstance(e, sympy.exp):
        return ()
    if e.is_polynomial(z):
        roots = _roots(e, z, e)
        return (Points(tuple(roots)),) if roots else ()
    if e.is_rational_function(z):
        return exact_zeros(sympy.fraction(sympy.together(e))[0], z)
    known, line = FUNCTIONS.get(type(e)), affine(e.args[0], z)
    if known is not None and known.zeros is not None and line is not None:
        return tuple(exact_points(o, *line) for o in known.zeros)
    return _periodic_zeros(e, z)


def exact_points(obstacle: Obstacle, slope: Expr, shift: Expr) -> Points:
    """The z with slope z + shift in a set of `FUNCTIONS`: multiples of 1/2 or pi/2.

    Example:
        >>> exact_points(PointSet((1j,)), sympy.Integer(2), sympy.Integer(0))
        Points(points=(I/2,), period=None)
    """
    match obstacle:
        case PointSet(points):
            return Points(tuple((_exact(p) - shift) / slope for p in points))
        case PeriodicPoints(offset, period):
            return Points(((_exact(offset) - shift) / slope,), _exact(period) / slope)
    raise NotImplementedError(f"no rule for {type(obstacle).__name__}")


def _exact(number: complex | float | int) -> Expr:
    """The number that a record means by a double."""

    def part(x: float) -> Expr:
        if float(2 * x).is_integer():
            return sympy.Rational(x)
        return sympy.Rational(round(2 * x / math.pi), 2) * sympy.pi

    return part(complex(number).real) + sympy.I * part(complex(number).imag)


def _periodic_zeros(e: Expr, z: sympy.Symbol) -> tuple[Points, ...]:
    """The zeros of a rational function of exp(slope z)."""
    rewritten = e.rewrite(_PERIODIC, sympy.exp)
    base: Expr | None = None
    frequencies: dict[Expr, tuple[Expr, Expr]] = {}
    for exponential in rewritten.atoms(sympy.exp):
        if z not in exponential.free_symbols:
            continue
        line = affine(exponential.args[0], z)
        if line is None:
            raise no_closed_form(e, "where it vanishes")
        slope, shift = line
        base = slope if base is None else base
        ratio = sympy.simplify(slope / base)
        if not ratio.is_Rational:
            raise no_closed_form(e, "where it vanishes")
        frequencies[exponential] = (ratio, shift)
    if base is None:
        raise no_closed_form(e, "where it vanishes")
    common = math.lcm(*(int(ratio.q) for ratio, _ in frequencies.values()))
    power = sympy.Dummy("E")
    in_power = rewritten.xreplace(
        {
            exponential: sympy.exp(shift) * power ** (ratio * common)
            for exponential, (ratio, shift) in frequencies.items()
        }
    )
    numerator, _ = sympy.fraction(sympy.together(in_power))
    if z in numerator.free_symbols or not numerator.is_polynomial(power):
        raise no_closed_form(e, "where it vanishes")
    slope = base / common
    period = 2 * sympy.pi * sympy.I / slope
    return tuple(
        Points((sympy.log(root) / slope,), period)
        for root in _roots(numerator, power, e)
        if double(root) != 0
    )


_PERIODIC = (
    sympy.sin,
    sympy.cos,
    sympy.tan,
    sympy.cot,
    sympy.sec,
    sympy.csc,
    sympy.sinh,
    sympy.cosh,
    sympy.tanh,
    sympy.coth,
    sympy.sech,
    sympy.csch,
)


def _roots(e: Expr, z: sympy.Symbol, denominator: Expr) -> list[Expr]:
    """The distinct roots: of factors of degree up to 2 exact, of others to 30 digits.

    Args:
        denominator: the formula that the polynomial stands for.
    """
    if degree(e, z) > _HIGHEST_DEGREE:
        raise no_closed_form(e, f"where a polynomial of degree above {_HIGHEST_DEGREE} vanishes")
    roots: list[Expr] = []
    polynomial = polynomial_in(e, z)
    if polynomial.is_zero:
        raise DomainError(f"{quote(denominator)} is 0 everywhere, and it is divided by")
    rational = polynomial.domain.is_ZZ or polynomial.domain.is_QQ
    try:
        parts = (polynomial.factor_list() if rational else polynomial.sqf_list())[1]
    except BasePolynomialError as error:  # of numbers that sympy does not see to be equal
        raise no_closed_form(denominator, "where it vanishes") from error
    for part, _ in parts:
        coefficients = part.all_coeffs()
        if len(coefficients) == 2:
            roots.append(-coefficients[1] / coefficients[0])
        elif len(coefficients) == 3:
            a, b, c = coefficients
            half, split = -b / (2 * a), sympy.sqrt(sympy.expand(b * b - 4 * a * c)) / (2 * a)
            roots += [half - split, half + split]
        else:
            numeric = sympy.Poly([evaluate(c, {}, 2 * _DIGITS) for c in coefficients], z)
            roots += numeric.nroots(n=_DIGITS, maxsteps=500)
    return sorted(roots, key=lambda root: (double(root).real, double(root).imag))


def no_closed_form(e: Expr, question: str) -> DomainError:
    """The error for a subterm whose singular set has no closed form here."""
    return DomainError(
        f"cannot work out {question}: {quote(e)}. Build the record by hand, "
        "functions.HolomorphicFunction(...), and declare its singularities there"
    )
