"""Clear discs: the largest circle inside of which a function is analytic."""

import math

import pytest
import torch

from holonet.singularities.discs import NODES, RATIO, RUNGS, circle, circle_modes_of, clear_discs
from line_functions import as_rows


def radii(functions, reach: float = 4.0, center: complex = 0.0) -> list[float]:
    rows = torch.arange(len(functions))
    centers = torch.full((len(rows),), center, dtype=torch.complex128)
    discs = clear_discs(as_rows(functions), rows, centers, torch.full((len(rows),), reach).double())
    return discs.radius.tolist()


def test_modes_on_a_turned_circle_are_the_coefficients() -> None:
    z = circle(16)
    modes = circle_modes_of((3 + 2 * z**3 - z**-2)[None])[0]
    expected = torch.zeros(16, dtype=torch.complex128)
    expected[0], expected[3], expected[-2] = 3, 2, -1
    torch.testing.assert_close(modes, expected)
    assert circle_modes_of(torch.zeros(0, 8, dtype=torch.complex128)).shape == (0, 8)


def test_what_is_analytic_within_reach_is_clear_up_to_it() -> None:
    functions = [torch.exp, torch.ones_like, lambda t: t**5 - t, lambda t: 1 / (36 + t * t)]
    assert radii(functions) == [4.0] * 4


@pytest.mark.parametrize("center", [0.0, 0.7, 0.3 - 0.2j])
def test_a_disc_ends_between_one_and_one_and_a_half_radii_from_the_nearest_pole(center) -> None:
    poles = [0.2 + 0.1j, 1j, 0.7 + 2j, -1.5 + 0.5j]

    def resolvent(p: complex):
        return lambda t: 1 / ((t - p) * (t - p.conjugate()))

    found = radii([resolvent(p) for p in poles], center=center)
    for p, radius in zip(poles, found, strict=True):
        nearest = min(abs(p - center), abs(p.conjugate() - center))
        assert nearest / 1.5 < radius < nearest / 1.1


def test_a_jump_across_a_cut_and_a_pole_at_the_center_are_not_clear() -> None:
    jumping, at_center = radii([lambda t: torch.sqrt(t + 1.0), lambda t: 1 / t])
    assert 0.6 < jumping < 1.0
    assert at_center == 0.0


def test_what_is_not_finite_is_not_clear() -> None:
    (radius,) = radii([lambda t: torch.exp(t.square().square() * 1e3)], reach=10.0)
    assert 0.0 < radius < 2.0


def test_the_radius_of_convergence_is_read_from_the_modes() -> None:
    functions = [lambda t: 1 / (4 + t * t), torch.exp, lambda t: t**3, lambda t: 1 / t]
    rows = torch.arange(4)
    zero = torch.zeros(4, dtype=torch.complex128)
    discs = clear_discs(as_rows(functions), rows, zero, torch.full((4,), 3.0).double())
    pole = discs.radius_of_convergence(0)
    assert pole.lower <= 2.0 <= pole.upper
    assert pole.value == pytest.approx(2.0, rel=0.02)
    assert discs.radius_of_convergence(1).value == math.inf
    assert discs.radius_of_convergence(2).upper == math.inf
    assert math.isnan(discs.radius_of_convergence(3).value)
    assert discs.modes.shape == (4, NODES)
    assert 3.0 * RATIO ** -(RUNGS - 1) < 0.03
