"""Plain ascent: what a step is, what it costs, and that it stays in the set."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from holonet.attacks.ascent import ascend, ascent_step
from holonet.errors import InputTypeError
from holonet.threats.threat_model import ThreatModel

REAL = ["Linf", "L2", "L1"]
COMPLEX = ["polydisc", "complex_ball"]
seeds = st.integers(0, 2**32)


def problem(norm: str, seed: int, entries: int = 8, eps: float = 0.3) -> tuple:
    """A quadratic objective with its maximum outside of the set."""
    generator = torch.Generator().manual_seed(seed)
    dtype = torch.complex128 if norm in COMPLEX else torch.float64
    center = torch.randn(5, entries, generator=generator, dtype=dtype)
    threat = ThreatModel(norm, eps, (0.0, 1.0) if norm in REAL else None)
    x = torch.rand(5, entries, generator=generator).to(dtype)
    return threat, x, lambda p: -(p - center).abs().square().sum(1), center


@pytest.mark.parametrize("norm", [*REAL, *COMPLEX])
@settings(max_examples=5)
@given(seed=seeds, steps=st.integers(0, 6), alpha=st.sampled_from([0.0, 0.02, 0.3]))
def test_iterates_stay_in_the_set(norm, seed, steps, alpha):
    threat, x, objective, _ = problem(norm, seed)
    found = ascend(objective, x, x, threat, steps=steps, alpha=alpha)
    assert bool(threat.contains(found, x).all())
    assert not found.requires_grad
    if steps == 0 or alpha == 0:
        torch.testing.assert_close(found, x)


@pytest.mark.parametrize("norm", [*REAL, *COMPLEX])
def test_a_quadratic_is_climbed_to_its_maximum(norm: str) -> None:
    """The maximum of minus a squared distance over a convex set is the nearest point."""
    threat, x, objective, center = problem(norm, 0)
    point = x
    for alpha in (0.1, 0.03, 0.01, 0.003):
        point = ascend(objective, point, x, threat, steps=10, alpha=alpha)
    best = objective(threat.project(center, x))
    torch.testing.assert_close(objective(point), best, rtol=0.01, atol=0.01)


@pytest.mark.parametrize("norm", ["Linf", "L2", *COMPLEX])
@settings(max_examples=5)
@given(seed=seeds)
def test_one_step_of_length_eps_is_the_maximizer(norm, seed):
    threat, x, objective, center = problem(norm, seed)
    threat = ThreatModel(norm, 0.3, None)
    found = ascend(objective, x, x, threat, steps=1, alpha=0.3)
    torch.testing.assert_close(found, threat.maximizer(2 * (center - x), x))


def test_it_costs_as_many_passes_as_steps() -> None:
    threat, x, objective, _ = problem("L2", 0)
    calls = []

    def counted(points: Tensor) -> Tensor:
        calls.append(points.requires_grad)
        return objective(points)

    with torch.no_grad():
        found = ascend(counted, x, x, threat, steps=7, alpha=0.1)
    assert calls == [True] * 7
    assert torch.equal(found, ascend(objective, x, x, threat, steps=7, alpha=0.1))


def test_an_example_without_a_finite_gradient_stays() -> None:
    threat, x, objective, _ = problem("Linf", 0)
    x[2, 0] = 0.0
    found = ascend(lambda p: objective(p) + p[:, 0].sqrt(), x, x, threat, steps=3, alpha=0.1)
    assert torch.equal(found[2], x[2])
    assert not bool((found == x).all(1)[[0, 1, 3, 4]].any())


def test_start_and_examples_are_left_alone() -> None:
    threat, x, objective, _ = problem("L1", 0)
    start = x.clone()
    ascend(objective, start, x, threat, steps=2, alpha=0.1)
    assert torch.equal(start, x)
    assert not start.requires_grad


def test_objectives_that_hide_their_gradient() -> None:
    threat, x, objective, _ = problem("Linf", 0)
    with pytest.raises(InputTypeError, match="autograd cannot follow"):
        ascend(lambda p: objective(p.detach()), x, x, threat, steps=1, alpha=0.1)


@given(seed=seeds, entries=st.sampled_from([1, 7, 50, 51, 120]))
def test_steps_in_l1_move_the_largest_entries_that_are_free(seed, entries):
    threat, x, _, _ = problem("L1", seed, entries, eps=1000.0)
    gradient = torch.randn(x.shape, generator=torch.Generator().manual_seed(seed)).double()
    wall = torch.rand(x.shape, generator=torch.Generator().manual_seed(seed + 1)) < 0.3
    point = torch.where(wall, (gradient > 0).double(), 0.5 * x + 0.25)
    moved = ascent_step(point, gradient, x, threat, 0.01) - point
    count = math.ceil(entries / 50)
    for k in range(len(x)):
        free = [j for j in range(entries) if not wall[k, j]]
        free.sort(key=lambda j: -abs(float(gradient[k, j])))
        chosen = free[:count]
        expected = torch.zeros(entries).double()
        for j in chosen:
            expected[j] = 0.01 / len(chosen) * float(gradient[k, j].sign())
        torch.testing.assert_close(moved[k], expected, rtol=0, atol=1e-12)
