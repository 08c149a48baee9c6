"""What every attack searches with: evaluations, ascents, and the worst points so far."""

import pytest
import torch

from holonet.attacks import AlarmKind, ThreatModel, pgd
from holonet.attacks.objectives import Goal
from holonet.attacks.search import (
    Ascent,
    Evaluation,
    WorstPoints,
    evaluator,
    is_zero,
    where_examples,
)
from holonet.errors import AttackWarning


def at(loss: list[float], margin: list[float], gradient: float = 1.0) -> Evaluation:
    values = torch.tensor(loss)
    full = torch.full((len(loss), 2), gradient)
    return Evaluation(values, torch.tensor(margin), full, torch.ones_like(values) > 0)


def test_an_ascent_keeps_the_least_margin_and_the_largest_loss() -> None:
    points = [torch.full((2, 2), float(k)) for k in range(4)]
    ascent = Ascent(points[0], at([0.0, 5.0], [3.0, 1.0], gradient=0.0))
    assert ascent.add(points[1], at([2.0, 4.0], [2.0, 2.0], gradient=0.0)).tolist() == [True, False]
    assert ascent.evidence.zero.tolist() == [True, True]
    assert ascent.add(points[2], at([1.0, 4.0], [4.0, 0.5])).tolist() == [False, False]
    nan = torch.tensor([torch.nan, torch.nan])
    assert ascent.add_values(points[3], nan, torch.tensor([2.0, 0.5])).tolist() == [False, False]
    assert ascent.point[:, 0].tolist() == [1.0, 2.0]
    assert ascent.margin.tolist() == [2.0, 0.5]
    assert ascent.top[:, 0].tolist() == [1.0, 0.0]
    assert ascent.evidence.rose.tolist() == [True, False]
    assert ascent.evidence.zero.tolist() == [False, False]
    assert ascent.evidence.finite.all()


def test_worst_points_are_kept_example_by_example() -> None:
    x, y = torch.tensor([[0.2, 0.1], [0.5, 0.1], [0.1, 0.5]]), torch.zeros(3, dtype=torch.int64)
    worst = WorstPoints(lambda p: p, x, y, ThreatModel("Linf", 0.3))
    assert worst.robust.tolist() == [0, 1]
    index, start = worst.random_starts(torch.Generator().manual_seed(0))
    assert index.tolist() == [0, 1]
    assert bool(worst.threat.contains(start, x[index]).all())
    worst.update(index, x[index] + 0.1, torch.tensor([-0.5, 9.0]))
    torch.testing.assert_close(worst.margin, torch.tensor([-0.5, 0.4, -0.4]))
    torch.testing.assert_close(worst.x_adv, x + torch.tensor([[0.1], [0.0], [0.0]]))
    assert worst.robust.tolist() == [1]
    worst.add(worst.robust, Ascent(x[1:2], at([0.0], [1.0], gradient=0.0)))
    (evidence,) = worst.evidence
    assert evidence.zero.tolist() == [True, True, True]


def test_entries_that_no_gradient_saw_are_moved() -> None:
    """The first entry does not count, the second is seen, the third is hidden."""

    def hidden(x: torch.Tensor) -> torch.Tensor:
        score = x[:, 1] - 0.1 * (x[:, 2] > 0.5)
        return torch.stack([score, torch.zeros_like(score)], 1)

    x, y = torch.tensor([[0.2, 0.6, 0.45], [0.2, 0.6, 0.1]]), torch.zeros(2, dtype=torch.int64)
    with pytest.warns(AttackWarning, match="vanishing gradient for 1 of 2 examples"):
        result = pgd(hidden, x, y, ThreatModel("Linf", 0.1), steps=3)
    assert [(a.kind, a.count) for a in result.alarms] == [(AlarmKind.VANISHING_GRADIENT, 1)]
    without = lambda x: hidden(x * torch.tensor([1.0, 1.0, 0.0]))  # noqa: E731
    assert not pgd(without, x, y, ThreatModel("Linf", 0.1)).alarms


def test_a_set_of_radius_0_leaves_nothing_to_attack() -> None:
    x, y = torch.tensor([[0.2, 0.1]]), torch.zeros(1, dtype=torch.int64)
    worst = WorstPoints(lambda p: p, x, y, ThreatModel("Linf", 0.0))
    assert worst.robust.tolist() == []
    assert torch.equal(worst.result().x_adv, x)


def test_examples_are_chosen_by_a_mask() -> None:
    mask = torch.tensor([True, False])
    yes, no = torch.ones(2, 1, 2), torch.zeros(2, 1, 2)
    assert where_examples(mask, yes, no).tolist() == [[[1.0, 1.0]], [[0.0, 0.0]]]
    assert where_examples(mask, yes[:, 0, 0], no[:, 0, 0]).tolist() == [1.0, 0.0]
    assert is_zero(torch.tensor([[0.0, 0.0], [0.0, 1e-30]])).tolist() == [True, False]


def test_an_evaluation_holds_loss_margin_and_gradient() -> None:
    goal = Goal(torch.tensor([0, 1]))
    evaluate = evaluator(lambda p: p * torch.tensor([1.0, 3.0]), goal, lambda z: z[:, 1] ** 2)
    with torch.no_grad():
        seen = evaluate(torch.tensor([[1.0, 2.0], [float("nan"), 1.0]]))
    assert seen.loss.tolist() == [36.0, 9.0]
    assert seen.margin.tolist() == [-5.0, -torch.inf]
    assert seen.gradient.tolist() == [[0.0, 36.0], [0.0, 18.0]]
    assert not seen.loss.requires_grad
