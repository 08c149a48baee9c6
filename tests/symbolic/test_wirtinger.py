"""Exact d/dzbar and Laplacian against finite differences, and what the trees show."""

import mpmath
import pytest
import sympy

from holonet.symbolic.wirtinger import (
    UndecidedError,
    dbar_formulas,
    excluded_sets,
    is_harmonic_tree,
    is_holomorphic_tree,
    laplacian_formula,
    pair,
    specialize,
)

z, w = sympy.symbols("z w")
z_bar, w_bar = sympy.Dummy("z_bar"), sympy.Dummy("w_bar")
BARS = {z: z_bar, w: w_bar}
AT = {z: mpmath.mpc("0.7", "0.4"), w: mpmath.mpc("-0.3", "0.9")}
conj, re, im, Abs = sympy.conjugate, sympy.re, sympy.im, sympy.Abs

MIXED = [
    conj(z),
    z * conj(z),
    Abs(z) ** 3,
    Abs(sympy.sin(z) + w),
    re(z) ** 2 * im(w),
    sympy.exp(conj(z) * w),
    sympy.sign(z) * w,
    sympy.arg(z * w),
    sympy.log(Abs(z) + 1),
    sympy.log(Abs(z**2 + w)),
    sympy.sqrt(conj(z) + 3),
    (2 + sympy.I) ** conj(z),
    conj(z) ** sympy.Rational(1, 3),
    (z + 2) ** conj(w),
    sympy.tanh(re(z) + sympy.I * im(w) * 2),
    sympy.atan2(im(z), re(z)) * w,
    re(sympy.sqrt(z)),
    sympy.acosh(conj(z) + 1) + sympy.erf(conj(w)) * sympy.I,
    sympy.I * conj(sympy.I * z * w),
    im(z * w, evaluate=False) ** 2,
]


def by_differences(e, variable):
    """d/dzbar and the Laplacian in one variable by central differences."""
    f = sympy.lambdify([z, w], e, "mpmath")
    h = mpmath.mpf(10) ** -12

    def at(step):
        moved = {**AT, variable: AT[variable] + step}
        return f(moved[z], moved[w])

    along = (at(h) - at(-h)) / (2 * h)
    across = (at(1j * h) - at(-1j * h)) / (2 * h)
    total = at(h) + at(-h) + at(1j * h) + at(-1j * h) - 4 * at(mpmath.mpf(0))
    return (along + 1j * across) / 2, total / h**2


def at_point(e):
    with mpmath.workdps(40):
        f = sympy.lambdify([z, w, z_bar, w_bar], e, "mpmath")
        return f(AT[z], AT[w], mpmath.conj(AT[z]), mpmath.conj(AT[w]))


@pytest.mark.parametrize("e", MIXED, ids=str)
def test_formulas_agree_with_differences(e):
    with mpmath.workdps(50):
        found = dbar_formulas(e, BARS)
        laplacian = mpmath.mpf(0)
        for variable in (z, w):
            dbar, second = by_differences(e, variable)
            laplacian += second
            assert abs(at_point(found[variable]) - dbar) < 1e-10
        assert abs(at_point(laplacian_formula(e, BARS)) - laplacian) < 1e-8


@pytest.mark.parametrize("e", MIXED, ids=str)
def test_the_pair_is_the_function_and_its_conjugate(e):
    value, other = pair(e, BARS)
    with mpmath.workdps(40):
        exact = sympy.lambdify([z, w], e, "mpmath")(AT[z], AT[w])
        assert abs(at_point(value) - exact) < 1e-15
        assert abs(at_point(other) - mpmath.conj(exact)) < 1e-15


@pytest.mark.parametrize(
    "e", [sympy.floor(z), sympy.Max(re(z), 0), sympy.gamma(z), sympy.Function("f")(z)], ids=str
)
def test_other_functions_have_no_rule(e):
    with pytest.raises(UndecidedError, match="no rule"):
        pair(1 + e * w, BARS)


def test_holomorphic_trees():
    for e in (
        z,
        sympy.pi,
        z**w,
        sympy.exp(z) / (w + 1),
        sympy.acosh(sympy.sqrt(z)),
        z + Abs(2 + sympy.sqrt(-3)),
    ):
        assert is_holomorphic_tree(e)
        assert is_harmonic_tree(e)
        for part in (re, im, sympy.arg, lambda u: sympy.log(Abs(u, evaluate=False))):
            assert is_harmonic_tree(3 * part(e) + 1) or not e.free_symbols
    for e in (conj(z), re(z), Abs(z), z + 0 * w + im(w), sympy.gamma(z), sympy.Max(z, w)):
        assert not is_holomorphic_tree(e)


def test_harmonic_trees():
    for e in (
        conj(z) + z,
        re(z) * 3 + sympy.I * im(z * w, evaluate=False),
        re(conj(sympy.sin(z)), evaluate=False),
    ):
        assert is_harmonic_tree(e)
    for e in (
        re(z) ** 2,
        z * conj(z),
        re(z) * im(z),
        sympy.exp(re(z)),
        Abs(z),
        sympy.log(Abs(z) + 1),
        sympy.log(re(z)),
        sympy.arg(conj(z) + z * w),
    ):
        assert not is_harmonic_tree(e)


@pytest.mark.parametrize(
    ("e", "sets"),
    [
        (sympy.exp(z) + z**3, ()),
        (1 / (z - 1), ("z - 1 = 0",)),
        (sympy.sqrt(z + w), ("w + z in (-oo, 0]",)),
        (2**z, ()),
        ((-2) ** z, ("-2 in (-oo, 0]",)),
        (z**w, ("z in (-oo, 0]",)),
        (sympy.log(z), ("z in (-oo, 0]",)),
        (sympy.tan(2 * z), ("2*z in pi/2 + pi*k",)),
        (sympy.asin(z), ("z in (-oo, -1] or [1, oo)",)),
        (Abs(z - 1), ("z - 1 = 0",)),
    ],
)
def test_the_excluded_sets_are_listed(e, sets):
    assert excluded_sets(e) == sets


def test_cases_are_chosen_by_the_point():
    at = {z: sympy.Rational(1, 2) - sympy.I, w: sympy.Integer(-3) + sympy.I}
    e = sympy.Piecewise((z, re(w) > 0), (z**2, sympy.And(im(z) < 0, re(z) > 0)), (w, True))
    assert specialize(e + w, at) == z**2 + w
    assert specialize(sympy.Max(re(z), im(z), 0), at) == re(z)
    assert specialize(sympy.Min(re(z), im(z), 0), at) == im(z)
    assert specialize(z * sympy.Heaviside(re(w)), at) == 0
    assert specialize(z * sympy.Heaviside(re(z)), at) == z
    assert specialize(sympy.Piecewise((w, sympy.Eq(z, w)), (z, True)), at) == z
    assert specialize(sympy.Piecewise((w, sympy.Not(sympy.Ge(re(z), 2))), (z, True)), at) == w
    assert specialize(sympy.Piecewise((w, sympy.Or(re(z) > 2, im(w) > 0)), (z, True)), at) == w
    with pytest.raises(UndecidedError, match="not clear"):
        specialize(sympy.Max(re(z), sympy.Rational(1, 2)), at)
    with pytest.raises(UndecidedError, match="no case"):
        specialize(sympy.Piecewise((z, re(z) > 2)), at)
