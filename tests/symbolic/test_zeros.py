"""The zeros found are zeros, and all zeros are found."""

import math

import pytest
import sympy
import torch

from cases import each, some_of
from holonet.domains import PeriodicPoints, PointSet
from holonet.errors import DomainError
from holonet.symbolic.zeros import no_closed_form, zeros

Z = sympy.Symbol("z")
FORMULAS = [
    Z - 1,
    (Z - 1) ** 3 * (Z**2 + 1),
    Z**5 - Z + 1,
    sympy.expand((Z - 2) ** 3 * (Z + sympy.I)),
    Z**2 + sympy.pi * Z + sympy.sqrt(2),
    sympy.sin(2 * Z + 1),
    sympy.cosh(Z / 3),
    sympy.tan(Z),
    1 + sympy.exp(-Z),
    sympy.cos(Z) + 2,
    sympy.exp(2 * Z) + sympy.exp(Z) + 3,
    sympy.sin(Z) + sympy.cos(Z),
    sympy.sinh(Z) - sympy.I * sympy.cosh(2 * Z),
    sympy.exp(Z + 1) - 5,
    3 * Z * sympy.exp(Z) * sympy.sin(Z),
    sympy.sqrt(Z - 3),
    sympy.log(Z),
    sympy.acos(Z - 1),
    sympy.tanh(Z) + sympy.Rational(1, 2),
]


def points(places):
    found = []
    for place in places:
        if isinstance(place, PointSet):
            found += place.points
        else:
            assert isinstance(place, PeriodicPoints)
            found += [place.offset + k * place.period for k in range(-2, 3)]
    return torch.tensor(found, dtype=torch.complex128)


@some_of("e", FORMULAS, slice(None, None, 4))
def test_zeros_are_zeros(e):
    at = points(zeros(e, Z))
    assert len(at) > 0
    for z in at.tolist():
        value = complex(e.subs(Z, z).evalf(30))
        slope = abs(complex(e.diff(Z).subs(Z, z + 1e-3).evalf(30)))
        assert abs(value) < 1e-6 * (1 + abs(z)) * (1 + slope)


@some_of("e", FORMULAS[:-3], slice(None, None, 4))
def test_no_zero_is_missed(e):
    """The argument principle on a square that keeps away from the zeros found."""
    f = sympy.lambdify(Z, e, "mpmath")
    logarithmic = sympy.lambdify(Z, e.diff(Z) / e, "mpmath")
    import mpmath

    places = zeros(e, Z)
    for center in (0.31 + 0.17j, 2.4 - 1.9j):
        turn = [mpmath.expjpi(2 * (k + 0.5) / 200) for k in range(200)]
        on = [center + 1.37 * complex(t) for t in turn]
        z = torch.tensor(on, dtype=torch.complex128)
        if any((p.distance(z) < 0.05).any() for p in places) or abs(f(center)) < 1e-3:
            continue
        count = sum(logarithmic(mpmath.mpc(p)) * (p - center) for p in on) / 200
        inside = {
            (round(w.real, 6), round(w.imag, 6))
            for w in points(places).tolist()
            if abs(w - center) < 1.37
        }
        found = round(complex(count).real)
        if e.is_polynomial(Z):
            assert found >= len(inside)
            assert (found > 0) == (len(inside) > 0)
        elif not e.has(sympy.sqrt(Z - 3)) and not e.has(sympy.tan, sympy.tanh):
            assert math.isclose(complex(count).real, found, abs_tol=1e-2)
            assert (found > 0) == (len(inside) > 0)


@pytest.mark.parametrize(
    "e", [sympy.Integer(2), sympy.exp(Z), sympy.sech(Z), 1 / Z, sympy.exp(Z**2)]
)
def test_what_never_vanishes_has_no_zeros(e):
    assert zeros(e, Z) == ()


@each(
    "e",
    [
        sympy.erf(Z),
        Z + sympy.exp(Z),
        sympy.sin(Z**2),
        sympy.sin(Z) + sympy.sinh(Z),
        sympy.exp(1 / Z) + 1,
        sympy.sin(Z) + sympy.sin(sympy.sqrt(2) * Z),
        sympy.sqrt(Z) + 2,
        Z**101 + Z + 1,
    ],
    ids=str,
)
def test_what_has_no_closed_form_is_refused_by_name(e):
    with pytest.raises(DomainError, match="by hand") as raised:
        zeros(e, Z)
    assert str(e) in str(raised.value)


def test_the_error_names_the_subterm_and_the_way_out():
    assert "erf(z)" in str(no_closed_form(sympy.erf(Z), "where it vanishes"))
