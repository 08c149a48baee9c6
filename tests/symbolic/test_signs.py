"""Signs that are read off the structure are the signs of the values."""

import mpmath
import sympy

from cases import each
from holonet.symbolic.signs import is_nonnegative, is_positive
from holonet.symbolic.wirtinger import Pairs

z, w = sympy.symbols("z w")
re, im, Abs, conj = sympy.re, sympy.im, sympy.Abs, sympy.conjugate
POSITIVE = [
    sympy.exp(re(z)),
    sympy.cosh(Abs(z)),
    1 + z * conj(z),
    2 + re(z) ** 2 + Abs(w),
    sympy.exp(z + conj(z)) * (1 + Abs(z)) ** sympy.Rational(-1, 3),
    sympy.pi,
    (1 + Abs(z)) ** re(w),
    sympy.erfc(im(z)),
]
NONNEGATIVE = [
    Abs(z),
    z * conj(z),
    (z + 1) * (conj(z) + 1) * re(w) ** 4,
    sympy.sqrt(Abs(z)) + im(w) ** 2,
    sympy.sin(z) * sympy.sin(conj(z)),
    z**2 * conj(z) ** 2 * Abs(w),
    sympy.Integer(0),
]
NEITHER = [z, re(z), -Abs(z), z * conj(w), Abs(z) - 1, re(z) ** 3, sympy.exp(z), z**2, -z * conj(z)]


def pairs():
    return Pairs({v: sympy.Dummy() for v in (z, w)})


@each("e", POSITIVE, ids=str)
def test_positive(e):
    assert is_positive(e, pairs())
    assert is_nonnegative(e, pairs())


@each("e", NONNEGATIVE, ids=str)
def test_nonnegative(e):
    assert is_nonnegative(e, pairs())
    assert not is_positive(e, pairs())


@each("e", NEITHER, ids=str)
def test_formulas_of_both_signs_are_neither(e):
    assert not is_nonnegative(e, pairs())
    assert not is_positive(e, pairs())


@each("e", [*POSITIVE, *NONNEGATIVE], ids=str)
def test_the_values_agree(e):
    f = sympy.lambdify([z, w], e, "mpmath")
    for k in range(8):
        value = mpmath.mpc(f(mpmath.expj(k) * (k + 0.3), mpmath.expj(2 * k) - 0.1 * k))
        assert abs(value.imag) <= 1e-10 * abs(value)
        assert value.real >= 0
