"""Preimages under affine maps and squares, against distances in the image."""

import pytest
import sympy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from holonet.domains import Obstacle, PeriodicPoints, PeriodicRays, PointSet, Ray
from holonet.symbolic.preimage import affine, degree, pull_back, square_slits

Z = sympy.Symbol("z")
SETS = [
    PointSet((1 + 1j, -2j)),
    PeriodicPoints(0.5j, 2 + 0j),
    Ray(1j, -1 + 2j),
    PeriodicRays(1j, 2j, 1 + 0j),
]


class Everywhere(Obstacle):
    def distance(self, z):
        return z.real * 0


parts = st.fractions(-3, 3, max_denominator=8)
numbers = st.builds(lambda x, y: sympy.Rational(x) + sympy.I * sympy.Rational(y), parts, parts)


@pytest.mark.parametrize("obstacle", SETS)
@settings(max_examples=5)
@given(slope=numbers.filter(bool), shift=numbers)
def test_distances_are_divided_by_the_modulus_of_the_slope(obstacle, slope, shift):
    z = torch.randn(20, dtype=torch.complex128)
    u = complex(slope) * z + complex(shift)
    found = pull_back(obstacle, slope, shift).distance(z)
    torch.testing.assert_close(found * abs(complex(slope)), obstacle.distance(u))


def test_affine_and_degree():
    assert affine(sympy.I * (Z - 2), Z) == (sympy.I, -2 * sympy.I)
    for e in (Z**2, sympy.exp(Z), 1 / Z, sympy.Integer(2), Z - Z):
        assert affine(e, Z) is None
    assert degree((Z + 1) ** 3, Z) == 3


@settings(max_examples=4)
@given(a=numbers.filter(bool), m=numbers, d=st.fractions(0, 3, max_denominator=8))
def test_slits_are_where_the_square_is_negative(a, m, d):
    slits = square_slits(sympy.expand(a * (Z - m) ** 2 + sympy.Rational(d)), Z)
    assert slits is not None
    t = torch.linspace(0, 3, 50).double()
    for slit in slits:
        on = slit.start + t * slit.direction
        u = complex(a) * (on - complex(m)) ** 2 + float(d)
        assert u.imag.abs().max() < 1e-9
        assert u.real.max() < 1e-9
    z = 2 * torch.randn(100, dtype=torch.complex128)
    u = complex(a) * (z - complex(m)) ** 2 + float(d)
    on_cut = (u.real <= 0) & (u.imag.abs() < 1e-3 * u.abs())
    near = torch.stack([s.distance(z) for s in slits]).amin(0)
    assert (near[on_cut] < 0.1 * (1 + z[on_cut].abs() + abs(complex(m)))).all()


def test_other_preimages_are_not_rays():
    for e in (Z**2 - 1, Z**2 + sympy.I, Z**3, Z + 1, sympy.exp(Z)):
        assert square_slits(e, Z) is None


def test_other_obstacles_have_no_rule():
    with pytest.raises(NotImplementedError, match="Everywhere"):
        pull_back(Everywhere(), sympy.Integer(1), sympy.Integer(0))
