"""Evaluation to many digits, against mpmath, and its guards."""

import math
import time

import mpmath
import pytest
import sympy

from cases import each
from holonet.errors import NumericalError
from holonet.symbolic.evaluate import evaluate, random_points

Z = sympy.Symbol("z")
AT = {Z: sympy.Rational(3, 4) + sympy.I * sympy.Rational(5, 8)}


ONE = sympy.sin(1 + sympy.I) ** 2 + sympy.cos(1 + sympy.I) ** 2


@pytest.mark.parametrize("digits", [20, 30, 50, 80, 160])
def test_numbers_on_cuts_are_on_their_principal_side(digits):
    cube = (1 - sympy.I * sympy.sqrt(3)) ** 3  # -8
    turned = sympy.exp(3 * sympy.I) * sympy.exp(-3 * sympy.I, evaluate=False)
    for e, expected in (
        (sympy.sqrt(-ONE), sympy.I),
        (sympy.log(cube / 8), sympy.I * sympy.pi),
        (sympy.sign(ONE - 1), 0),
        (sympy.atan(2 * sympy.I * ONE), sympy.atan(2 * sympy.I)),
        (sympy.asinh(-2 * sympy.I * ONE), sympy.asinh(-2 * sympy.I)),
        (sympy.acosh(-2 * turned), sympy.acosh(-2)),
    ):
        got = evaluate(e, {}, digits)
        assert abs(sympy.N(got - expected, digits)) < sympy.Rational(10) ** (3 - digits)
    for divided in (1 / (ONE - 1), sympy.log(ONE - 1)):
        with pytest.raises(NumericalError):
            evaluate(divided, {}, digits)


def test_small_parts_of_fractions_are_no_rounding():
    tiny = sympy.Rational(1, 10**100)
    for sign in (1, -1):
        below = evaluate(sympy.log(-1 + sign * sympy.I * tiny), {})
        assert abs(complex(below) - sign * 1j * math.pi) < 1e-12
    assert evaluate(1 + tiny + sympy.Integer(-1) + Z, {Z: -tiny}) == 0
    assert evaluate(sympy.sign(Z - 1), {Z: 1 + sympy.I * tiny}).as_real_imag()[0] == 0


@each(
    "e",
    [
        Z,
        Z**5 - sympy.pi * Z + sympy.sqrt(2),
        sympy.tanh(Z) / (1 + Z**2),
        Z ** sympy.Rational(1, 3),
        sympy.acosh(Z) * sympy.erf(Z),
        Z**Z,
        sympy.re(Z) + sympy.Abs(Z) + sympy.arg(Z) + sympy.conjugate(Z),
        sympy.Integer(3),
    ],
)
@each("digits", [20, 50])
def test_the_value_has_the_digits_asked_for(e, digits):
    got = evaluate(e, AT, digits)
    with mpmath.workdps(70):
        expected = sympy.lambdify(Z, e, "mpmath")(mpmath.mpc("0.75", "0.625"))
        error = abs(mpmath.mpmathify(got.evalf(70)) - expected)
        assert error < abs(expected) * mpmath.mpf(10) ** (2 - digits)


@pytest.mark.parametrize(
    "e",
    [
        sympy.exp(sympy.exp(sympy.exp(sympy.exp(sympy.exp(sympy.exp(sympy.Abs(Z) + 2)))))),
        Z ** (10**9 * Z),
        1 / (Z - AT[Z]),
        sympy.log(Z - AT[Z]),
    ],
)
def test_what_runs_away_is_stopped(e):
    start = time.monotonic()
    with pytest.raises(NumericalError):
        evaluate(e, AT)
    assert time.monotonic() - start < 5


def test_the_deadline_counts():
    with pytest.raises(TimeoutError):
        evaluate(sympy.sin(Z), AT, deadline=time.monotonic() - 1)


def test_points_are_exact_off_the_axes_and_follow_the_seed():
    w = sympy.Symbol("w")
    points = random_points([Z, w], 6, 3)
    assert points == random_points([Z, w], 6, 3)
    assert points != random_points([Z, w], 6, 4)
    for at in points:
        for value in at.values():
            x, y = value.as_real_imag()
            assert x != 0
            assert y != 0
            assert sympy.Rational(complex(value).real) == x
