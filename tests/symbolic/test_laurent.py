"""Laurent series against mpmath's contour integrals, exact and in floating-point numbers."""

import mpmath
import pytest
import sympy

from cases import each, some_of
from holonet.symbolic.formula import parse_formula
from holonet.symbolic.known_functions import FUNCTIONS
from holonet.symbolic.laurent import UndecidedSeriesError, laurent

Z = sympy.Symbol("z")
CASES = [
    ("1/z - 1/sin(z)", "0"),
    ("z/(exp(z) - 1)", "2*pi*I"),
    ("tan(z)/z", "pi/2"),
    ("exp(sin(z)/z)*cos(z)", "0"),
    ("log(1 + z)/z**3 + z**5", "0"),
    ("(z**2 - 1)/(z - 1)**3", "1"),
    ("sqrt(1 + z)*(2 + z)**I + 2**z", "1/3"),
    ("(z + 3)**z/(z - 1)", "1"),
]


def check(e, at, series):
    """The coefficients are the contour integrals."""
    f = sympy.lambdify(Z, e, "mpmath")
    with mpmath.workdps(30):
        point, n, r = mpmath.mpmathify(at.evalf(30)), 64, mpmath.mpf(1) / 8
        turns = [mpmath.expjpi(mpmath.mpf(2) * k / n) for k in range(n)]
        values = [f(point + r * turn) for turn in turns]
        for order, got in enumerate(series.coefficients[:4], series.order):
            whole = sum(v * turn**-order for v, turn in zip(values, turns, strict=True))
            assert abs(whole / n / r**order - complex(got)) < 1e-12 * (1 + abs(complex(got)))


@each("floating", [False, True])
@some_of(("text", "at"), CASES, slice(None, None, 3))
def test_series_are_contour_integrals(text, at, floating):
    e, at = parse_formula(text), parse_formula(at)
    check(e, at, laurent(e, Z, at, 8, floating=floating))


@pytest.mark.parametrize(
    ("floating", "step"),
    [
        (True, 4),
        (False, 8),
        *(pytest.param(floating, 1, marks=pytest.mark.slow) for floating in (True, False)),
    ],
)
def test_every_known_function_has_a_series(floating, step):
    for head in [*FUNCTIONS][::step]:
        e, at = head(Z / 3), sympy.Rational(4, 5) + sympy.I
        check(e, at, laurent(e, Z, at, 6, floating=floating))


@each("text", ["exp(1/z)", "log(z)", "sqrt(z)", "asin(z + 1)", "acosh(z + 1)"])
@each("floating", [False, True])
def test_where_there_is_no_series_it_says_so(text, floating):
    with pytest.raises(UndecidedSeriesError):
        laurent(parse_formula(text), Z, sympy.Integer(0), 8, floating=floating)


def test_a_small_coefficient_is_not_zero():
    tiny = sympy.Rational(1, 10**60)
    assert laurent((sympy.sin(Z) + tiny) / Z, Z, sympy.Integer(0), 8).order == -1
    with pytest.raises(UndecidedSeriesError, match="may be 0"):
        laurent((sympy.sin(Z) + tiny * sympy.sqrt(2)) / Z, Z, sympy.Integer(0), 8)


def test_without_coefficients_only_a_bound_is_known():
    series = laurent(sympy.sin(Z) - sympy.sinh(Z) / 1, Z, sympy.Integer(0), 2)
    assert (series.order, series.coefficients, series.end) == (2, (), 2)
