"""What holds on one sheet is not taken to hold on the others."""

import sympy

from cases import each, some_of
from holonet.symbolic.known_functions import FUNCTIONS
from holonet.symbolic.sheets import (
    _VALUES,
    constant_values,
    vanishes_nowhere_dense,
    varies_everywhere,
)

z, w = sympy.symbols("z w")
sqrt, log, exp = sympy.sqrt, sympy.log, sympy.exp
ONE = sympy.sin(1) ** 2 + sympy.cos(1) ** 2
FIRM = [
    z,
    z * w - 1,
    1 + exp(z),
    sqrt(z) + z,
    log(z) + z,
    log(z) * log(z + 1) + 1,
    sqrt(1 + sqrt(z)) * w - sympy.asin(z),
    sympy.erf(z) - w,
    z**w + 1,
    sympy.acosh(z) / z + 2,
]
ZERO_SOMEWHERE = [
    sympy.Integer(0),
    sympy.sin(z) ** 2 + sympy.cos(z) ** 2 - 1,
    sqrt(z**2) - z,
    sqrt(z**2) + z,
    sqrt(z) * sqrt(w) + sqrt(z * w),
    log(exp(z)) - z,
    log(exp(z)) - z + 40 * sympy.I * sympy.pi,
    sympy.asin(sympy.sin(z)) - z + 2 * sympy.pi,
    sympy.acos(z) + sympy.acos(-z) - 3 * sympy.pi,
    (z**3) ** sympy.Rational(1, 3) - z,
    w * (sqrt(z**2) - z),
    z * log(exp(z)) - z**2 - 2 * sympy.I * sympy.pi * z,
    (log(exp(z)) - z) / z + 6 * sympy.I * sympy.pi / z,
    (log(exp(z)) - z) / z - 40 * sympy.I * sympy.pi / z,
    (sympy.asin(sympy.sin(z)) + z) / w - 11 * sympy.pi / w,
    (sympy.acos(sympy.cos(z)) + z) / w - 6 * sympy.pi / w,
    exp(z) ** sympy.pi - exp(sympy.pi * z) * exp(6 * sympy.I * sympy.pi**2),
    (z**9) ** sympy.Rational(1, 9) - z * exp(8 * sympy.I * sympy.pi / 9),
    (z**29) ** sympy.Rational(1, 29) - z * exp(28 * sympy.I * sympy.pi / 29),
    sum(sqrt((z + k) ** 2) + z + k for k in range(10)),
    (sympy.atanh(sympy.tanh(z)) - z) * w - (sympy.atanh(sympy.tanh(w)) - w) * z,
    sympy.sin(sqrt(z**2) - z) + sympy.tan(sqrt(w**2) - w),
]
CONSTANT_SOMEWHERE = [
    sqrt(z**2) / z,
    sqrt(z**2) - z + 1,
    log(exp(z)) - z + 5,
    sqrt(z) * sqrt(1 / z) + 1,
    sympy.atan(z) + sympy.atan(1 / z),
    ONE**z,
    z ** (ONE - 1),
    (ONE - 1) * z,
    (ONE - 1) * z + 2,
    w ** (ONE - 1) / z**0,
]


@each("e", FIRM, ids=str)
def test_what_vanishes_on_no_open_set(e):
    assert vanishes_nowhere_dense(e)


@some_of("e", ZERO_SOMEWHERE, slice(None, None, 4))
def test_what_vanishes_on_some_sheet(e):
    assert not vanishes_nowhere_dense(e)
    assert not vanishes_nowhere_dense(1 / (1 / (e + 1) - 1)) or e.free_symbols == set()


@each("e", FIRM, ids=str)
def test_what_varies_everywhere(e):
    assert varies_everywhere(e)
    assert varies_everywhere(sympy.tanh(2 * e + 1))


@some_of("e", CONSTANT_SOMEWHERE, slice(None, None, 3))
def test_what_is_constant_on_some_sheet(e):
    assert not varies_everywhere(e)
    assert not varies_everywhere(log(3 * e))


def test_sheets_that_are_out_of_range_far_off_do_not_count():
    assert vanishes_nowhere_dense(exp(-(log(z) ** 2)) - w)


def test_the_constants_of_finitely_many_sheets_are_known():
    assert set(constant_values(sqrt(z**2) / z) or ()) == {1, -1}
    assert constant_values(z + sqrt(z)) == ()
    assert constant_values(log(exp(z)) - z) is None
    assert constant_values(sympy.Integer(2) / 4) == (0.5,)
    assert constant_values(sympy.zoo) is None


def test_every_function_has_values_and_all_its_branches():
    assert set(_VALUES) == set(FUNCTIONS)
    for f in (sympy.asin, sympy.acos, sympy.atan, sympy.asinh, sympy.acosh, sympy.atanh, log):
        inverse = f(z).inverse()
        assert not varies_everywhere(f(inverse(z)) - z)
