"""The engine of Auto-PGD: its checkpoints, its steps, and what it keeps."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from holonet.attacks import ThreatModel
from holonet.attacks.adaptive_ascent import _Momentum, _Sparse, adaptive_ascent
from holonet.attacks.search import Evaluation

seeds = st.integers(0, 2**32)


def hill(center: Tensor, curvature: Tensor):
    """A concave quadratic with its top at `center`; the margin is minus the loss."""

    def evaluate(point: Tensor) -> Evaluation:
        delta = point - center
        loss = -(curvature * delta.square()).sum(1)
        finite = torch.ones(len(point), dtype=torch.bool)
        return Evaluation(loss, -loss, -2 * curvature * delta, finite)

    return evaluate


def test_checkpoints_come_closer() -> None:
    x = torch.zeros(1, 2)
    pace = _Momentum(x, x, ThreatModel(eps=0.1, bounds=None), 100)
    flat = torch.zeros(1), torch.zeros(1, dtype=torch.bool)
    due = [k for k in range(1, 101) if pace.check(k, flat[1], x, flat[0]) is not None]
    assert due == [22, 41, 57, 70, 80, 87, 93, 99]


def test_steps_are_halved_for_either_reason() -> None:
    x = torch.zeros(4, 2)
    pace = _Momentum(x, x, ThreatModel(eps=0.5, bounds=None), 100)
    assert pace.step.tolist() == [1.0] * 4
    rose = torch.tensor([True, True, False, True])  # the third never improves
    best = torch.tensor([1.0, 1.0, 1.0, 1.0])
    back = [pace.check(k, rose, x, best) for k in range(1, 23)][-1]
    assert back is not None
    assert back.tolist() == [False, False, True, False]
    assert pace.step.tolist() == [1.0, 1.0, 0.5, 1.0]
    later = torch.tensor([2.0, 1.0, 1.0, 2.0])  # the second's best loss is unchanged
    rises = [torch.tensor([True, True, True, k % 4 > 0]) for k in range(23, 42)]  # 14 of 19 < 3/4
    back = [pace.check(k, risen, x, later) for k, risen in enumerate(rises, 23)][-1]
    assert back is not None
    assert back.tolist() == [False, True, False, True]
    assert pace.step.tolist() == [1.0, 0.5, 0.5, 0.5]


@settings(max_examples=3)
@given(seed=seeds, norm=st.sampled_from(["Linf", "L2"]))
def test_a_top_inside_is_found(seed, norm):
    generator = torch.Generator().manual_seed(seed)
    threat = ThreatModel(norm, 0.5, None)
    x = torch.randn(5, 4, generator=generator, dtype=torch.float64)
    center = x + 0.5 * (threat.random_point(x, generator) - x)
    curvature = 0.5 + torch.rand(5, 4, generator=generator, dtype=torch.float64)
    found = adaptive_ascent(
        hill(center, curvature), threat.random_point(x, generator), x, threat, 60
    )
    # steps of constant length 2 eps would jump between distances of the order of eps
    assert float(found.margin.max()) < 2e-2 * 0.25
    assert torch.equal(found.margin, -found.evidence.last)
    assert bool(found.evidence.rose.all())
    assert bool(threat.contains(found.point, x).all())


@settings(max_examples=3)
@given(seed=seeds)
def test_sparse_steps_find_a_sparse_top(seed):
    generator = torch.Generator().manual_seed(seed)
    threat = ThreatModel("L1", 1.0, None)
    x = torch.randn(3, 30, generator=generator, dtype=torch.float64)
    center = x.clone()
    center[:, :2] += 0.3
    curvature = torch.ones_like(x)
    found = adaptive_ascent(
        hill(center, curvature), threat.random_point(x, generator), x, threat, 40
    )
    assert float(found.margin.max()) < 0.02
    assert bool(threat.contains(found.point, x).all())


def test_sparse_steps_have_length_eps_and_follow_the_sparsity_of_the_best() -> None:
    x, threat = torch.zeros(1, 12), ThreatModel("L1", 0.6, None)
    start = torch.zeros(1, 12)
    start[0, :9] = 0.01
    pace = _Sparse(start, x, threat, 25)
    gradient = torch.arange(12.0)[None] - 20.0
    moved = pace.move(x, gradient)
    assert int((moved != 0).sum()) == 6  # 9 / 1.5, those of largest gradient
    assert bool((moved[0, :6] < 0).all())
    torch.testing.assert_close(moved.abs().sum(), torch.tensor(0.6))
    fewer = torch.zeros(1, 12)
    fewer[0, :3] = 0.1
    nothing = torch.zeros(1)
    assert pace.check(1, nothing > 0, fewer, nothing).tolist() == [True]  # type: ignore
    assert int((pace.move(x, gradient) != 0).sum()) == 2
    assert pace.check(2, nothing > 0, fewer, nothing).tolist() == [False]  # type: ignore
    torch.testing.assert_close(pace.step, torch.tensor([0.4]))


def test_an_example_without_a_finite_gradient_waits() -> None:
    x = torch.zeros(2, 3)

    def evaluate(point: Tensor) -> Evaluation:
        finite = torch.tensor([True, False])
        return Evaluation(
            point.sum(1), -point.sum(1), torch.ones_like(point) * finite[:, None], finite
        )

    start = torch.full((2, 3), 0.05)
    found = adaptive_ascent(evaluate, start, x, ThreatModel(eps=0.1, bounds=None), 9)
    torch.testing.assert_close(found.point, torch.tensor([[0.1] * 3, [0.05] * 3]))
    assert found.evidence.finite.tolist() == [True, False]


def test_it_goes_back_to_the_best_point_with_half_the_step() -> None:
    x, seen = torch.zeros(1, 1, dtype=torch.float64), []

    def evaluate(point: Tensor) -> Evaluation:
        seen.append(float(point))
        loss = x[0] if seen[1:] else x[0] + 1  # never again as high as at the start
        return Evaluation(loss, -loss, torch.ones_like(point), torch.ones(1, dtype=torch.bool))

    found = adaptive_ascent(evaluate, x - 0.5, x, ThreatModel(eps=1.0, bounds=None), 30)
    assert float(found.top) == -0.5
    assert seen[1:8] == [1.0] * 7
    # from -0.5 a step of length 1, of which 3/4, and 1/4 of the way from the point before, 1.0
    assert seen[8] == pytest.approx(-0.5 + 0.75 * 1.0 + 0.25 * (-0.5 - 1.0))


def test_a_step_with_momentum_by_hand() -> None:
    x, threat = torch.zeros(1, 2), ThreatModel("L2", 10.0, None)
    pace = _Momentum(x + 1, x, threat, 100)
    gradient = torch.tensor([[3.0, 4.0]])
    first = pace.move(x + 1, gradient)
    torch.testing.assert_close(first, torch.tensor([[6.0, 8.0]]))
    pace.step = torch.tensor([1.0])
    second = pace.move(torch.zeros(1, 2), gradient)
    torch.testing.assert_close(second, torch.tensor([[0.75 * 0.6 - 0.25, 0.75 * 0.8 - 0.25]]))
