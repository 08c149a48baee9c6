"""Ascents stay on their spheres, meet tolerances only near maxima, and are counted rightly."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cases import each
from holonet.errors import ConfigError
from holonet.papers.deng2020.ascent import (
    Rule,
    ascend,
    ascend_in_ball,
    on_sphere,
    outward_sine,
    tangential,
)
from holonet.papers.deng2020.measure import spheres
from holonet.papers.deng2020.networks import NETS, Loss, loss_of

TOLERANCES = (1e-1, 1e-3)


def linear(w: torch.Tensor, target: float = -1.0) -> Loss:
    """(w . x - target)^2 / 2 near the origin, to second order in 1e-4."""
    return Loss("sin", 1e-4 * w[None], torch.tensor([1e4], dtype=torch.float64), target)


@each("step", [0.0, -0.1, float("nan")])
def test_a_step_that_is_not_positive_is_refused(step: float) -> None:
    with pytest.raises(ConfigError, match="positive step"):
        Rule("raw", step)


@each(("net", "kind"), [(net, kind) for net in NETS for kind in ("normalised", "raw")])
def test_every_point_is_on_its_sphere(net: str, kind: str) -> None:
    loss, x = loss_of(net, 0, 6, 20)
    center, radius, delta = spheres(x, [(0.2, 0.5), (3.0, 1.0)], 4, 0)
    for cap in (1, 2, 7):
        found = ascend(loss, center, radius, delta, Rule(kind, 0.3), tolerances=(1e-9,), cap=cap)
        torch.testing.assert_close(found.delta.norm(dim=1), radius, rtol=1e-12, atol=0)


@settings(max_examples=6)
@given(seed=st.integers(0, 10**6), step=st.floats(0.05, 3))
def test_a_linear_output_is_maximized_in_its_direction(seed: int, step: float) -> None:
    w = torch.randn(5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    center = torch.zeros(3, 5, dtype=torch.float64)
    radius = torch.full((3,), 0.1 / float(w.norm()), dtype=torch.float64)
    generator = torch.Generator().manual_seed(seed)
    delta = on_sphere(torch.randn(3, 5, generator=generator, dtype=torch.float64), radius)
    found = ascend(
        linear(w), center, radius, delta, Rule("normalised", step), tolerances=(1e-6,), cap=2000
    )
    assert (found.iterations < 2000).all()
    expected = on_sphere(w.expand(3, -1), radius)
    torch.testing.assert_close(found.delta, expected, rtol=0, atol=2e-6 * float(radius[0]))


def test_iterations_count_the_steps_before_each_tolerance_is_met() -> None:
    loss, x = loss_of("real-tanh", 0, 6, 40)
    center, radius, delta = spheres(x, [(1.0, 0.5)], 3, 0)
    rule = Rule("normalised", 0.1)
    found = ascend(loss, center, radius, delta, rule, tolerances=TOLERANCES, cap=500, movement=0.02)
    for start in range(3):
        point, first, short = delta[start : start + 1], {}, None
        at, r = center[:1], radius[:1]
        for step in range(500):
            sine = float(outward_sine(loss.gradient(at + point), point))
            for tolerance in TOLERANCES:
                if sine <= tolerance:
                    first.setdefault(tolerance, step)
            moved = rule.move(point, loss.gradient(at + point), r)
            if short is None and float((moved - point).norm()) <= 0.02:
                short = step
            if len(first) == len(TOLERANCES):
                break
            point = moved
        assert found.iterations[:, start].tolist() == [first[t] for t in TOLERANCES]
        assert int(found.movement[start]) == short
        torch.testing.assert_close(found.delta[start : start + 1], point)


def test_a_cap_is_what_was_not_met() -> None:
    loss, x = loss_of("real-relu", 0, 20, 60)
    center, radius, delta = spheres(x, [(1.0, 0.5)], 5, 0)
    rule = Rule("normalised", 0.1)
    found = ascend(loss, center, radius, delta, rule, tolerances=(1.0, 1e-12), cap=40)
    assert (found.iterations[0] < 40).any()
    assert (found.iterations[1] == 40).all()


def test_a_tiny_step_meets_no_tolerance_although_it_moves_less_than_any() -> None:
    loss, x = loss_of("real-tanh", 0, 6, 40)
    center, radius, delta = spheres(x, [(1.0, 0.5)], 4, 0)
    found = ascend(
        loss, center, radius, delta, Rule("normalised", 1e-12), tolerances=(1e-2,), cap=30
    )
    assert (found.iterations == 30).all()
    assert (found.movement == 0).all()


def test_a_minimum_on_the_sphere_meets_no_tolerance() -> None:
    w = torch.tensor([3.0, 4.0], dtype=torch.float64)
    center, radius = torch.zeros(1, 2, dtype=torch.float64), torch.tensor([0.01]).double()
    lowest = on_sphere(-w[None], radius)
    gradient = linear(w, -10.0).gradient(center + lowest)
    assert float(tangential(gradient, lowest).norm() / gradient.norm()) < 1e-12
    assert torch.isinf(outward_sine(gradient, lowest)).all()
    assert float(outward_sine(gradient, -lowest)) < 1e-12


@settings(max_examples=6)
@given(scale=st.floats(1e-3, 1e3))
def test_the_normalised_rule_does_not_see_the_scale_of_a_homogeneous_loss(scale: float) -> None:
    loss, x = loss_of("complex-square", 0, 5, 9)
    loss = replace(loss, target=0.0)
    center, radius, delta = spheres(x, [(1.0, 0.5), (scale, 0.5)], 3, 0)
    rule = Rule("normalised", 0.1)
    found = ascend(loss, center, radius, delta, rule, tolerances=(1e-9,), cap=40).delta
    directions = (found / radius[:, None]).view(2, 3, 5)
    torch.testing.assert_close(directions[0], directions[1], rtol=0, atol=1e-10)


def test_the_raw_rule_moves_by_the_gradient() -> None:
    delta = torch.tensor([[0.0, 1.0]], dtype=torch.float64)
    gradient, radius = torch.tensor([[2.0, 0.0]]).double(), torch.ones(1).double()
    raw, normalised = (Rule(k, 0.5).move(delta, gradient, radius) for k in ("raw", "normalised"))
    torch.testing.assert_close(raw, torch.tensor([[1.0, 1.0]]).double() / 2**0.5)
    torch.testing.assert_close(normalised, torch.tensor([[0.5, 1.0]]).double() / 1.25**0.5)


@each("net", NETS)
def test_ascent_in_a_ball_stays_inside_and_never_falls(net: str) -> None:
    loss, x = loss_of(net, 0, 3, 15)
    center, radius, delta = spheres(x, [(3.0, 0.5)], 6, 0)
    values = [loss.value(center + 0.3 * delta)]
    for steps in (1, 3, 30):
        end = ascend_in_ball(loss, center, radius, 0.3 * delta, steps=steps)
        assert (end.norm(dim=1) <= radius * (1 + 1e-12)).all()
        values.append(loss.value(center + end))
        assert (values[-1] >= values[-2]).all()
    assert (values[-1] > values[0]).all()


def test_ascent_in_a_ball_finds_a_maximum_inside() -> None:
    """-cos of x has its least value at 0, where (output - 2)^2 is greatest."""
    one = torch.ones(1, 1, dtype=torch.float64)
    loss = Loss("sin", one, torch.ones(1, dtype=torch.float64), 2.0)
    center = torch.full((4, 1), -torch.pi / 2, dtype=torch.float64)  # sin is -1 there
    start = torch.tensor([[-0.9], [-0.2], [0.3], [1.0]], dtype=torch.float64)
    end = ascend_in_ball(loss, center, torch.ones(4, dtype=torch.float64), start, steps=200)
    torch.testing.assert_close(end, torch.zeros_like(end), rtol=0, atol=1e-6)
