"""The factories of Möbius maps and Blaschke products."""

import cmath
import math

import mpmath
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from cases import each
from holonet.errors import DomainError
from holonet.functions import FunctionClass, blaschke, moebius

NUMBERS = st.complex_numbers(max_magnitude=3)
ZEROS = st.lists(st.complex_numbers(max_magnitude=0.9), min_size=1, max_size=4)


def at(z):
    return torch.tensor([z], dtype=torch.complex128)


def check_against_mpmath(record, formula, z):
    """Value and derivatives at a point that has room."""
    assume(record.clearance(at(z)).item() > 0.1)
    with mpmath.workdps(40):
        f, df, half = (complex(t) for t in mpmath.taylor(formula, mpmath.mpc(z), 2))
    scale = abs(f) + abs(df) + 2 * abs(half) + 1
    for got, expected in (
        (record(at(z)), f),
        (record.derivative(at(z)), df),
        (record.second_derivative(at(z)), 2 * half),
    ):
        assert abs(got.item() - expected) <= 1e-11 * scale


@given(a=NUMBERS, b=NUMBERS, c=NUMBERS, d=NUMBERS, z=NUMBERS)
def test_moebius_against_mpmath(a, b, c, d, z):
    assume(abs(a * d - b * c) > 0.1)
    record = moebius(a, b, c, d)
    check_against_mpmath(record, lambda t: (a * t + b) / (c * t + d), z)
    if c != 0:
        assert record.clearance(at(-d / c)).item() <= 1e-12 * abs(d / c)


@given(zeros=ZEROS, phase=st.floats(-4, 4), z=st.complex_numbers(max_magnitude=1))
def test_blaschke_against_mpmath(zeros, phase, z):
    def product(t):
        out = mpmath.expj(phase)
        for a in zeros:
            out *= (t - a) / (1 - a.conjugate() * t)
        return out

    check_against_mpmath(blaschke(zeros, phase), product, z)


@given(a=NUMBERS, b=NUMBERS, c=NUMBERS, d=NUMBERS, z=NUMBERS)
def test_moebius_inverts(a, b, c, d, z):
    assume(abs(a * d - b * c) > 0.1)
    there, back = moebius(a, b, c, d), moebius(d, -b, -c, a)
    assume(there.clearance(at(z)).item() > 0.1)
    w = there(at(z))
    assume(back.clearance(w).item() > 0.1)
    torch.testing.assert_close(back(w), at(z), rtol=1e-9, atol=1e-9)


@given(zeros=ZEROS, phase=st.floats(-4, 4), radius=st.floats(0, 1), angle=st.floats(0, 7))
def test_blaschke_keeps_circle_and_disc(zeros, phase, radius, angle):
    f = blaschke(zeros, phase)
    assert f(at(cmath.exp(1j * angle))).abs().item() == pytest.approx(1, abs=1e-13)
    assert f(at(cmath.rect(radius, angle))).abs().item() <= 1 + 1e-13
    assert all(f(at(a)).abs().item() <= 1e-15 for a in zeros)


@given(zeros=ZEROS)
def test_the_degree_of_a_blaschke_product_is_its_number_of_zeros(zeros):
    z = torch.polar(torch.ones(2001), torch.linspace(0, 2 * math.pi, 2001)).to(torch.complex128)
    w = blaschke(zeros)(z)
    assert round((w[1:] / w[:-1]).angle().sum().item() / (2 * math.pi)) == len(zeros)


@each(
    ("record", "function_class", "poles", "real"),
    [
        (moebius(2, 1, 0, 3), FunctionClass.AFFINE, 0, True),
        (moebius(1, -1j, 1, 1j), FunctionClass.RATIONAL, 1, False),
        (moebius(1j, 0, 2j, 3j), FunctionClass.RATIONAL, 1, True),
        (moebius(0, 1, 1, 0), FunctionClass.RATIONAL, 1, True),
        (blaschke([0.5, -0.5]), FunctionClass.RATIONAL, 2, True),
        (blaschke([0.5, 0.5]), FunctionClass.RATIONAL, 1, True),
        (blaschke([0.5j, -0.5j], math.pi), FunctionClass.RATIONAL, 2, True),
        (blaschke([0.5j]), FunctionClass.RATIONAL, 1, False),
        (blaschke([0.5], 1.0), FunctionClass.RATIONAL, 1, False),
        (blaschke([0, 0]), FunctionClass.POLYNOMIAL, 0, True),
    ],
)
def test_the_declaration_follows_from_the_parameters(record, function_class, poles, real):
    assert record.function_class is function_class
    assert sum(len(s.where.points) for s in record.singularities) == poles
    assert record.real_on_real is real
    x = torch.linspace(-0.9, 0.9, 7, dtype=torch.float64).to(torch.complex128) + 0.03
    assert bool((record(x).imag.abs() <= 1e-14).all()) is real
    assert record.clearance(at(record.base_point)).item() >= 0.5


def test_moebius_maps_without_a_pole_rise_where_their_slope_is_positive():
    rising = {
        (1, 5, 0, 2): True,
        (-1, 5, 0, -2): True,
        (1j, 5j, 0, 2j): False,  # real, and not decided
        (1, 0, 0, -1): False,
        (1, 1j, 0, 1): False,
        (0, -1, 1, 0): False,
    }
    assert {entries: moebius(*entries).monotone for entries in rising} == rising


@pytest.mark.parametrize("entries", [(1, 2, 2, 4), (0, 0, 0, 0), (math.nan, 0, 0, 1)])
def test_a_degenerate_moebius_map_is_refused(entries):
    with pytest.raises(DomainError, match="ad != bc"):
        moebius(*entries)


@pytest.mark.parametrize("zeros", [[], [1], [0.5, 2j], [math.nan]])
def test_zeros_outside_the_disc_are_refused(zeros):
    with pytest.raises(DomainError, match="modulus below 1"):
        blaschke(zeros)


def test_an_infinite_phase_is_refused():
    with pytest.raises(DomainError, match="finite phase"):
        blaschke([0], math.inf)


def test_formulas_are_the_values():
    sympy = pytest.importorskip("sympy")
    for record in (moebius(1, -1j, 0.3, 2), blaschke([0.5, -0.25 + 0.5j], 1.0)):
        expected = complex(sympy.lambdify("z", sympy.sympify(record.formula), "math")(0.2 + 0.7j))
        assert abs(record(at(0.2 + 0.7j)).item() - expected) < 1e-14
