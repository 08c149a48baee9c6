"""The case that holds near a point."""

import pytest
import sympy

from holonet.symbolic.cases import has_cases, specialize
from holonet.symbolic.wirtinger import Pairs, UndecidedError

z, w = sympy.symbols("z w")
re, im, Abs = sympy.re, sympy.im, sympy.Abs
AT = {z: sympy.Rational(1, 2) - sympy.I, w: sympy.Integer(-3) + sympy.I}
PAIRS = Pairs({v: sympy.Dummy() for v in (z, w)})


def near(e):
    return specialize(e, AT, PAIRS)


def test_cases_are_chosen_by_the_point():
    e = sympy.Piecewise((z, re(w) > 0), (z**2, sympy.And(im(z) < 0, re(z) > 0)), (w, True))
    assert near(e + w) == z**2 + w
    assert near(sympy.Max(re(z), im(z), 0)) == re(z)
    assert near(sympy.Min(re(z), im(z), 0)) == im(z)
    assert near(z * sympy.Heaviside(re(w))) == 0
    assert near(z * sympy.Heaviside(re(z))) == z
    assert near(sympy.Piecewise((w, sympy.Eq(z, w)), (z, True))) == z
    assert near(sympy.Piecewise((w, sympy.Not(sympy.Ge(re(z), 2))), (z, True))) == w
    assert near(sympy.Piecewise((w, sympy.Or(re(z) > 2, im(w) > 0)), (z, True))) == w
    with pytest.raises(UndecidedError, match="not clear"):
        near(sympy.Max(re(z), sympy.Rational(1, 2)))
    with pytest.raises(UndecidedError, match="no case"):
        near(sympy.Piecewise((z, re(z) > 2)))


def test_an_argument_that_is_real_everywhere_is_on_one_side_of_the_cut():
    i_pi = sympy.I * sympy.pi
    assert near(z * sympy.arg(re(w), evaluate=False)) == z * sympy.pi
    assert near(sympy.arg(re(z), evaluate=False)) == sympy.arg(re(z), evaluate=False)
    assert near(sympy.log(re(w))) == sympy.log(-re(w)) + i_pi
    assert near(sympy.sqrt(-Abs(z))) == sympy.sqrt(Abs(z)) * sympy.I
    assert near(sympy.log(w)) == sympy.log(w)
    assert near(sympy.log(w * sympy.conjugate(w))) == sympy.log(w * sympy.conjugate(w))


def test_what_has_cases():
    assert has_cases(1 + sympy.Max(re(z), 0))
    assert not has_cases(Abs(z) + sympy.log(z))
