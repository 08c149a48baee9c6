"""What every attack searches with: the model at points, one ascent, the worst points so far."""

from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from jaxtyping import Float, Inexact, Int, Shaped
from torch import Tensor

from holonet._types import Labels, Logits, Mask, Numbers, Points
from holonet.attacks.alarms import Evidence, alarms_from, warn_about
from holonet.attacks.objectives import (
    Goal,
    Model,
    input_gradient,
    logits_of,
    require_examples,
    require_targets,
)
from holonet.attacks.result import AttackResult
from holonet.calculus.examples import per_example
from holonet.nn.modes import evaluating
from holonet.threats import ThreatModel

__all__ = [
    "Ascent",
    "Evaluation",
    "Evaluator",
    "Objective",
    "WorstPoints",
    "evaluator",
    "is_zero",
    "where_examples",
]

MOVES = 4
"""How often the entries that no gradient saw are moved."""

Objective = Callable[[Logits], Numbers]
"""Logits -> a number for each example, to be made large."""


@dataclass(frozen=True)
class Evaluation:
    """The model at one point for each example: loss, margin, gradient, where that is finite."""

    loss: Numbers
    margin: Numbers
    gradient: Points
    finite: Mask

    def updated(self, mask: Mask, new: "Evaluation") -> "Evaluation":
        """With the examples of the mask as in `new`."""
        return Evaluation(
            *(
                where_examples(mask, getattr(new, f.name), getattr(self, f.name))
                for f in fields(Evaluation)
            )
        )


Evaluator = Callable[[Points], Evaluation]


def evaluator(model: Model, goal: Goal, objective: Objective) -> Evaluator:
    """The function points -> the objective of the logits there, and its gradient."""

    def evaluate(point: Tensor) -> Evaluation:
        with torch.enable_grad():
            point = point.detach().requires_grad_()
            logits = logits_of(model, point, goal.y)
            loss = objective(logits)
            gradient, finite = input_gradient(loss, point)
        loss = loss.detach().nan_to_num(-torch.inf, torch.inf, -torch.inf)
        return Evaluation(loss, goal.margin(logits.detach()), gradient, finite)

    return evaluate


class Ascent:
    """One ascent, iterate by iterate: the point of least margin, that of largest loss, evidence."""

    def __init__(self, point: Points, start: Evaluation) -> None:
        self.point, self.margin = point, start.margin
        self.top, self.first, self.last = point, start.loss, start.loss
        self.blind, self.finite = start.gradient == 0, start.finite

    def add(self, point: Points, found: Evaluation) -> Mask:
        """Count one more iterate; which examples have their largest loss there."""
        self.blind, self.finite = self.blind & (found.gradient == 0), self.finite & found.finite
        return self.add_values(point, found.loss, found.margin)

    def add_values(self, point: Points, loss: Numbers, margin: Numbers) -> Mask:
        """The same for a point that was not differentiated at."""
        self.point = where_examples(margin < self.margin, point, self.point)
        self.margin = self.margin.minimum(margin)
        higher = loss > self.last
        self.top = where_examples(higher, point, self.top)
        self.last = torch.where(higher, loss, self.last)
        return higher

    @property
    def evidence(self) -> Evidence:
        """Of all iterates."""
        return Evidence(self.first, self.last, self.blind, self.finite)


class WorstPoints:
    """The worst point found so far for each example, the clean one to begin with.

    Args:
        model: examples (batch, *event) to real logits (batch, classes).
        x: examples, in the box of the threat model.
        y: labels.
        threat: the set.
        target: the class to be reached for each example; None for any but the label.

    Raises:
        DomainError, InputTypeError, ShapeError: no attack can start from these examples.
    """

    def __init__(
        self,
        model: Model,
        x: Points,
        y: Labels,
        threat: ThreatModel,
        target: Labels | None = None,
    ) -> None:
        require_examples(x, y, threat)
        self.model, self.x, self.threat = model, x.detach(), threat
        self.logits = self.logits_at(self.x, y)
        require_targets(target, y, self.logits.shape[1])
        self.goal = Goal(y, target)
        self.x_adv, self.margin = self.x.clone(), self.goal.margin(self.logits)
        self.evidence: list[Evidence] = []

    def logits_at(self, points: Points, y: Labels) -> Logits:
        """In eval mode, with no gradient."""
        with evaluating(self.model), torch.no_grad():
            return logits_of(self.model, points, y)

    @property
    def robust(self) -> Int[Tensor, " robust"]:
        """The indices of the examples that are classified correctly so far; none at radius 0."""
        return ((self.margin > 0) & (self.threat.eps > 0)).nonzero().squeeze(1)

    def random_starts(
        self, generator: torch.Generator
    ) -> tuple[Int[Tensor, " robust"], Inexact[Tensor, "robust *event"]]:
        """The examples that are classified correctly so far, and a random point about each.

        Numbers are drawn for all examples, so that no example depends on the others.
        """
        start = self.threat.random_point(self.x, generator)
        return self.robust, start[self.robust]

    def update(
        self,
        index: Int[Tensor, " some"],
        points: Inexact[Tensor, "some *event"],
        margin: Float[Tensor, " some"],
    ) -> None:
        """Keep the points found for these examples where they are worse."""
        worse = margin < self.margin[index]
        self.x_adv[index] = where_examples(worse, points, self.x_adv[index])
        self.margin[index] = torch.where(worse, margin, self.margin[index])

    def add(self, index: Int[Tensor, " some"], ascent: Ascent) -> None:
        """Keep the worst points of an ascent from these examples, and its evidence."""
        self.update(index, ascent.point, ascent.margin)
        nothing = torch.zeros_like(self.margin)  # of examples that were not in it
        unmoved = Evidence(nothing, nothing, self.x == self.x, nothing == 0)
        seen = (
            getattr(unmoved, f.name).index_copy(0, index, getattr(ascent.evidence, f.name))
            for f in fields(Evidence)
        )
        self.evidence.append(Evidence(*seen))

    def result(self) -> AttackResult:
        """The worst points, with the alarms; warns about the serious ones."""
        alarms = alarms_from(self.evidence, self.margin > 0, self._unseen())
        warn_about(alarms)
        return AttackResult(self.x_adv, self.margin, alarms)

    def _unseen(self) -> Mask:
        """Which examples lose a hundredth of their margin by entries that no gradient saw.

        All of these are moved at once, by random signs, as far as the set reaches.
        """
        lost = torch.zeros_like(self.margin, dtype=torch.bool)
        if not self.evidence:
            return lost
        blind = torch.stack([e.blind for e in self.evidence]).all(0)
        index = (blind.flatten(1).any(1) & (self.margin > 0)).nonzero().squeeze(1)
        x, goal = self.x[index], self.goal.at(index)
        before = goal.margin(self.logits_at(x, goal.y)) if len(index) else self.margin[index]
        generator = torch.Generator().manual_seed(0)
        for _ in range(MOVES if len(index) else 0):
            signs = 2 * torch.randint(2, self.x.shape, generator=generator) - 1
            steps = 2 * self.threat.eps * (signs.to(x.device) * blind)[index]
            moved = self.threat.project(x + steps, x)
            lost[index] |= goal.margin(self.logits_at(moved, goal.y)) < 0.99 * before
        return lost


def where_examples(
    mask: Mask, yes: Shaped[Tensor, "batch *event"], no: Shaped[Tensor, "batch *event"]
) -> Shaped[Tensor, "batch *event"]:
    """The rows of `yes` where the mask says so, and those of `no` elsewhere."""
    return torch.where(per_example(mask, yes), yes, no)


def is_zero(gradient: Points) -> Mask:
    """For which examples every entry is exactly 0."""
    return (gradient == 0).flatten(1).all(1)
