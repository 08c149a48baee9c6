"""Distances to points, lattices and rays."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from holonet.domains import Obstacle, PeriodicPoints, PeriodicRays, PointSet, Ray
from holonet.errors import DomainError

POINTS = st.lists(st.complex_numbers(max_magnitude=50), min_size=1, max_size=20).map(
    lambda zs: torch.tensor(zs, dtype=torch.complex128)
)
INTEGERS = torch.arange(-60, 61, dtype=torch.float64)
STEPS = torch.linspace(0, 200, 200_001, dtype=torch.float64)

# each obstacle with a dense sample of itself near the origin
SETS: list[tuple[Obstacle, torch.Tensor, float]] = [
    (PointSet((1, -2j, 3 + 1j)), torch.tensor([1, -2j, 3 + 1j], dtype=torch.complex128), 0.0),
    (PeriodicPoints(0.5j * math.pi, 1j * math.pi), 1j * math.pi * (INTEGERS + 0.5), 0.0),
    (PeriodicPoints(1 + 1j, 1 - 2j), 1 + 1j + (1 - 2j) * INTEGERS, 0.0),
    (Ray(1j, 1 + 2j), 1j + STEPS * (1 + 2j) / math.sqrt(5), 1e-3),
    (
        PeriodicRays(1j, 3j, 2),
        (1j + 3j * INTEGERS[:, None] + STEPS[None, ::100]).flatten(),
        0.11,
    ),
]


@pytest.mark.parametrize(("obstacle", "members", "spacing"), SETS)
@given(z=POINTS)
def test_distance_is_that_to_the_nearest_member(obstacle, members, spacing, z):
    nearest = torch.stack([(p - members).abs().amin() for p in z])
    d = obstacle.distance(z)
    assert (d <= nearest + 1e-12).all()
    assert (nearest <= d + spacing + 1e-12).all()


@pytest.mark.parametrize("obstacle", [s[0] for s in SETS])
@given(z=POINTS, step=st.complex_numbers(max_magnitude=5))
def test_distance_is_one_lipschitz(obstacle, z, step):
    change = obstacle.distance(z + step) - obstacle.distance(z)
    assert (change.abs() <= abs(step) + 1e-12).all()


@pytest.mark.parametrize(("obstacle", "members"), [s[:2] for s in SETS])
def test_distance_vanishes_on_the_set_only(obstacle, members):
    some = members[:: max(1, len(members) // 500)]
    assert (obstacle.distance(some) <= 1e-13 * (1 + some.abs())).all()
    assert obstacle.distance(torch.tensor([-0.7 + 0.3j])).item() > 0.1


def test_distance_keeps_the_precision():
    for obstacle, _, _ in SETS:
        assert obstacle.distance(torch.zeros(2, dtype=torch.complex64)).dtype is torch.float32
        assert obstacle.distance(torch.zeros(2, dtype=torch.complex128)).dtype is torch.float64


@pytest.mark.parametrize(
    "build",
    [
        lambda: PointSet(()),
        lambda: PeriodicPoints(1, 0),
        lambda: Ray(0, 0),
        lambda: PeriodicRays(0, 1, 0),
        lambda: PeriodicRays(0, 1 + 1j, 1),
    ],
)
def test_degenerate_obstacles_are_refused(build):
    with pytest.raises(DomainError, match=r"give|choose"):
        build()
