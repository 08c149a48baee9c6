"""Curvature on spheres, Lipschitz constants, maxima and their number, against closed forms."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cases import each
from holonet.papers.deng2020.ascent import on_sphere, outward_sine
from holonet.papers.deng2020.landscape import (
    distinct,
    lipschitz_below,
    local_maximum,
    maximize,
    top_curvature,
    zoomed_quotients,
)
from holonet.papers.deng2020.measure import spheres
from holonet.papers.deng2020.networks import NETS, Loss, loss_of

SMOOTH = [net for net in NETS if net != "real-relu"]


def quadratic(eigenvalues: list[float]) -> Loss:
    """Output sum_i eigenvalues_i x_i^2, target 0, so that maxima on spheres are axes."""
    outer = torch.tensor(eigenvalues, dtype=torch.float64)
    return Loss("square", torch.eye(len(outer), dtype=torch.float64), outer, 0.0)


def axis(k: int, radius: float = 0.7) -> torch.Tensor:
    return radius * torch.eye(3, dtype=torch.float64)[k : k + 1]


@each("k", [0, 1, 2])
def test_curvature_at_the_axes_of_a_quadratic_form(k: int) -> None:
    """Along a great circle the output is l_k cos^2 + l_j sin^2: second derivative 2 (l_j - l_k)."""
    values, radius = [3.0, 2.0, 1.0], 0.7
    loss, center = quadratic(values), torch.zeros(1, 3, dtype=torch.float64)
    delta = axis(k, radius)
    output, others = values[k] * radius**2, [v for v in values if v != values[k]]
    second = max(output * 2 * (v - values[k]) for v in others)  # in radii: times radius^2 below
    slope = output * 2 * values[k] * radius
    expected = second * radius / slope
    assert float(top_curvature(loss, center, delta)) == pytest.approx(expected)
    assert bool(local_maximum(loss, center, delta, 1e-6)) == (k == 0)


@each("net", SMOOTH)
def test_curvature_is_the_second_derivative_along_great_circles(net: str) -> None:
    loss, x = loss_of(net, 2, 3, 12)
    center, radius, delta = spheres(x, [(1.0, 0.5)], 2, 0)
    for row in range(2):
        r, point = float(radius[row]), delta[row]
        frame = torch.linalg.qr(torch.cat([point[:, None], torch.eye(3).double()], 1)).Q[:, 1:3]
        h, angles = 1e-3, torch.linspace(0, math.pi, 721, dtype=torch.float64)
        v = torch.stack([angles.cos(), angles.sin()], 1) @ frame.mT
        low, middle, high = (
            loss.value(center[:1] + math.cos(t / r) * point + r * math.sin(t / r) * v)
            for t in (-h, 0.0, h)
        )
        greatest = float((low - 2 * middle + high).max()) / h**2
        slope = float(loss.gradient(center[:1] + point).norm())
        own = float(top_curvature(loss, center[:1], point[None]))
        assert own == pytest.approx(greatest * r / slope, rel=1e-3, abs=1e-4)


def test_a_point_off_the_first_order_condition_is_no_maximum() -> None:
    loss, center = quadratic([3.0, 2.0, 1.0]), torch.zeros(1, 3, dtype=torch.float64)
    tilted = on_sphere(axis(0) + 0.05 * axis(1), torch.full((1,), 0.7).double())
    assert not local_maximum(loss, center, tilted, 1e-2)
    assert not local_maximum(loss, center, axis(1), 1e-2)


@each("net", SMOOTH)
def test_the_lipschitz_constants_are_in_order(net: str) -> None:
    loss, x = loss_of(net, 4, 5, 20)
    center, radius, delta = spheres(x, [(1.0, 0.5)], 20, 0)
    above = float(loss.lipschitz_bound(center, radius).max())
    below = lipschitz_below(loss, center, delta)
    assert 0 < float(below.max()) <= above
    zoomed = zoomed_quotients(loss, center[:1], delta[:1], delta[1:2])
    assert (zoomed <= above).all()
    # the change of the gradient along a tangent unit vector
    for k in range(5):
        tangents = torch.linalg.qr(torch.cat([delta[k][:, None], torch.eye(5).double()], 1)).Q[
            :, 1:
        ]
        moved = center[:1] + delta[k] + 1e-5 * tangents.mT
        back = center[:1] + delta[k] - 1e-5 * tangents.mT
        jacobian = (loss.gradient(moved) - loss.gradient(back)).mT / 2e-5
        expected = float(torch.linalg.matrix_norm(jacobian[:, :4], 2))
        assert float(below[k]) == pytest.approx(expected, rel=1e-4)


def test_quotients_settle_for_a_smooth_gradient_and_grow_at_a_kink() -> None:
    for net, grows in (("real-tanh", False), ("real-relu", True)):
        loss, x = loss_of(net, 0, 5, 20)
        center, _, delta = spheres(x, [(1.0, 0.5)], 2, 0)
        zoomed = zoomed_quotients(loss, center[:1], delta[:1], delta[1:2])
        ratio = float(zoomed[-1] / zoomed[0])
        assert (ratio > 1e4) if grows else (0.9 < ratio < 1.2)


def test_the_maximum_of_a_quadratic_form_is_its_first_axis() -> None:
    loss = quadratic([3.0, 2.0, 1.0])
    center, radius, delta = spheres(torch.ones(3).double(), [(0.7, 1.0)], 6, 0)
    ends = maximize(loss, 0 * center, delta)
    torch.testing.assert_close(ends.norm(dim=1), radius)
    torch.testing.assert_close(ends[:, 0].abs(), radius, rtol=1e-8, atol=0)
    assert distinct(ends, 0.1) == 2  # both ends of the axis


@each("net", SMOOTH)
def test_maxima_are_verified_in_first_and_second_order(net: str) -> None:
    loss, x = loss_of(net, 1, 10, 40)
    center, _, delta = spheres(x, [(1.0, 0.5)], 2, 0)
    ends = maximize(loss, center, delta)
    assert local_maximum(loss, center, ends, 1e-5).all()
    assert (loss.value(center + ends) >= loss.value(center + delta)).all()
    assert (outward_sine(loss.gradient(center + delta), delta) > 1e-2).all()


@given(
    angles=st.lists(st.integers(0, 359), min_size=1, max_size=8, unique=True),
    radius=st.floats(0.01, 100),
)
def test_groups_are_counted_on_a_circle(angles: list[int], radius: float) -> None:
    """A gap of two degrees or more between neighbors separates, of one degree joins."""
    turn = torch.tensor(angles).double().deg2rad()
    points = radius * torch.stack([turn.cos(), turn.sin()], 1)
    ordered = sorted(angles)
    gaps = [(b - a) % 360 for a, b in zip(ordered, ordered[1:] + ordered[:1], strict=True)]
    expected = max(1, sum(gap >= 2 for gap in gaps)) if len(angles) > 1 else 1
    assert distinct(points, 1.5 * math.radians(1)) == expected


def test_no_point_makes_no_group() -> None:
    assert distinct(torch.zeros(0, 3, dtype=torch.float64), 0.1) == 0


def test_groups_that_touch_at_a_large_distance_are_apart_at_a_small_one() -> None:
    points = torch.tensor([[1.0, 0.0], [1.0, 0.05], [0.0, 1.0], [-1.0, 0.0]], dtype=torch.float64)
    assert [distinct(points, t) for t in (0.01, 0.1, 1.5)] == [4, 3, 1]
