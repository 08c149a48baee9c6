"""The sets off which a formula is smooth: all of them, and none with interior."""

import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from cases import each
from holonet.symbolic.excluded import conditions, excluded_sets
from holonet.symbolic.wirtinger import Pairs, UndecidedError

z, w = sympy.symbols("z w")
conj, re, im, Abs, arg = sympy.conjugate, sympy.re, sympy.im, sympy.Abs, sympy.arg
sqrt, log = sympy.sqrt, sympy.log


def sets_of(e):
    variables = sorted(e.free_symbols, key=str)
    return excluded_sets(e, Pairs({v: sympy.Dummy() for v in variables}))


@each(
    ("e", "sets"),
    [
        (sympy.exp(z) + z**3, ()),
        (1 / (z - 1), ("z - 1 = 0",)),
        (sqrt(z + w), ("w + z in (-oo, 0]",)),
        (2**z, ()),
        ((-2) ** z, ()),
        ((-1) ** z, ()),
        (z**w, ("z in (-oo, 0]",)),
        (log(z), ("z in (-oo, 0]",)),
        (sympy.tan(2 * z), ("2*z in pi/2 + pi*k",)),
        (sympy.asin(z), ("z in (-oo, -1] or [1, oo)",)),
        (Abs(z - 1), ("z - 1 = 0",)),
        (arg(z), ("z in (-oo, 0]",)),
        (log(Abs(z)) + sympy.I * arg(z), ("z in (-oo, 0]",)),
        (sympy.atan2(im(z), re(z)), ("re(z) + I*im(z) in (-oo, 0]",)),
        (sqrt(z * conj(z)), ("z = 0",)),
        (sqrt(1 + z * conj(z)), ()),
        (log(sympy.exp(re(z))), ()),
        (sympy.acosh(2 + z * conj(z)), ()),
        (sympy.acosh(1 + Abs(w)), ("Abs(w) + 1 = 1", "w = 0")),
        (sympy.atan(re(z)), ("re(z) in I*[1, oo) or -I*[1, oo)",)),
        (arg(Abs(z)), ("z = 0",)),
        (log(5 + sqrt(z**2) / z), ("5 + sqrt(z**2)/z in (-oo, 0]", "z**2 in (-oo, 0]", "z = 0")),
    ],
)
def test_the_excluded_sets_are_listed(e, sets):
    found = tuple(s.words for s in sets_of(e))
    assert set(found) == set(sets)


@each(
    "e",
    [
        arg(-z * conj(z)),
        arg(re(z)),
        arg(-Abs(z)),
        sqrt(-z * conj(z)),
        sympy.asin(2 + z * conj(z)),
        log(re(z) + im(w)),
        sympy.atan(sympy.I * re(z)),
        sympy.atanh(Abs(z)),
        1 / (sympy.sin(z) ** 2 + sympy.cos(z) ** 2 - 1),
        1 / (re(z) - z / 2 - conj(z) / 2),
        1 / (sqrt(z**2) - z),
        1 / (log(sympy.exp(z)) - z),
        log(sqrt(z**2) - z),
        log(sqrt(z**2) / z),
        sympy.tan(sqrt(z**2) / z * sympy.pi / 2),
        Abs(Abs(re(z)) - re(z)),
        1 / (z * conj(z) - Abs(z) ** 2),
        1 / (sympy.sin(1) ** 2 + sympy.cos(1) ** 2 - 1) + z,
        sympy.Piecewise((z, re(z) > 0), (w, True)),
    ],
    ids=str,
)
def test_what_may_be_excluded_on_an_open_set_is_undecided(e):
    with pytest.raises(UndecidedError):
        sets_of(e)


coordinates = st.floats(-3, 3).filter(lambda x: abs(x) > 1e-6)


@given(x=coordinates, y=coordinates)
def test_contains_decides_whether_a_point_is_excluded(x, y):
    (cut,) = sets_of(log(z**2 + 1))
    assert cut.contains({"z": 1j * y}) is (abs(y) >= 1)
    assert not cut.contains({"z": x + 1j * y})
    (poles,) = sets_of(sympy.tan(z))
    assert poles.contains({"z": float(sympy.pi / 2) + 7 * float(sympy.pi)})
    assert not poles.contains({"z": x + 1j * y})


def test_a_value_out_of_range_is_not_far():
    (pole,) = sets_of(1 / (sympy.exp(sympy.exp(z)) - 3))
    assert pole.distance({"z": 60}) == 0
    assert str(pole) == "exp(exp(z)) - 3 = 0"


def test_conditions_are_of_every_node_once():
    assert len(conditions(log(z) + log(z) * sqrt(log(z)) / (w - 1))) == 3
