"""Exact d/dzbar and Laplacian against finite differences, and what the trees show."""

import mpmath
import pytest
import sympy

from cases import each, some_of
from holonet.symbolic.wirtinger import (
    Pairs,
    UndecidedError,
    check_constant,
    dbar_formulas,
    is_harmonic_tree,
    is_holomorphic_tree,
    laplacian_formula,
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
    (-2) ** (conj(z) * w),
    sympy.asin(2) * conj(z) + conj(sympy.acosh(-3)) * w,
    Abs(z * w, evaluate=False) ** z,
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


@some_of("e", MIXED, slice(None, None, 4))
def test_formulas_agree_with_differences(e):
    with mpmath.workdps(50):
        formula = Pairs(BARS).both(e)[0]
        found = dbar_formulas(formula, BARS)
        laplacian = mpmath.mpf(0)
        for variable in (z, w):
            dbar, second = by_differences(e, variable)
            laplacian += second
            assert abs(at_point(found[variable]) - dbar) < 1e-10
        assert abs(at_point(laplacian_formula(formula, BARS)) - laplacian) < 1e-8


@some_of("e", MIXED, slice(None, None, 4))
def test_the_pair_is_the_function_and_its_conjugate(e):
    value, other = Pairs(BARS).both(e)
    with mpmath.workdps(40):
        exact = sympy.lambdify([z, w], e, "mpmath")(AT[z], AT[w])
        assert abs(at_point(value) - exact) < 1e-15
        assert abs(at_point(other) - mpmath.conj(exact)) < 1e-15


@pytest.mark.parametrize(
    "e", [sympy.floor(z), sympy.Max(re(z), 0), sympy.gamma(z), sympy.Function("f")(z)], ids=str
)
def test_other_functions_have_no_rule(e):
    with pytest.raises(UndecidedError, match="no rule"):
        Pairs(BARS).both(1 + e * w)


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


@each(
    ("e", "real"),
    [
        (z * conj(z), True),
        (re(z) + Abs(w), True),
        (z + conj(z), True),
        (sympy.exp(re(z)) * sympy.atan2(im(w), re(w)), True),
        ((z + 1) * (conj(z) + 1) - z * conj(z), True),
        (z, False),
        (z * conj(w), False),
        (sympy.I * re(z), False),
    ],
)
def test_what_is_real_by_construction_is_seen(e, real):
    assert Pairs(BARS).is_real(e) is real


def test_angles_of_what_may_not_be_real_have_no_rule():
    with pytest.raises(UndecidedError, match="real"):
        Pairs(BARS).both(sympy.atan2(z, re(z)))


@pytest.mark.parametrize(
    "e",
    [
        1 / (sympy.sin(1) ** 2 + sympy.cos(1) ** 2 - 1),
        sympy.log(sympy.exp(1) - sympy.E, evaluate=False),
    ],
)
def test_constants_without_a_value_are_found(e):
    with pytest.raises(UndecidedError):
        check_constant(e)


def test_constants_on_cuts_are_conjugated_by_their_values():
    for e in (sympy.asin(2), sympy.log(-2), sympy.sqrt(-3), sympy.acosh(-2), (-2) ** sympy.I):
        value, other = Pairs(BARS).both(e)
        assert abs(sympy.conjugate(check_constant(value)) - check_constant(other)) < 1e-40
