"""One ascent that chooses its own steps: the engine of Auto-PGD."""

import torch
from torch import Tensor

from holonet._types import BoolTensor, Points, RealTensor
from holonet.attacks.search import Ascent, Evaluator, where_examples
from holonet.calculus.examples import per_example
from holonet.threats import ThreatModel

__all__ = ["adaptive_ascent"]

ALPHA = 0.75  # of a step; the rest is momentum
RHO = 0.75  # a step is too long if a smaller share of the steps improves


def adaptive_ascent(
    evaluate: Evaluator, start: Points, x: Points, threat: ThreatModel, steps: int
) -> Ascent:
    """One ascent from `start` in the threat set about x, with the margin of every iterate.

    An example whose gradient is not finite waits where it is, until it goes back to its best point
    with shorter steps.
    """
    pace = (_Sparse if threat.norm == "L1" else _Momentum)(start, x, threat, steps)
    point, now = start, evaluate(start)
    ascent, best = Ascent(point, now), now
    for k in range(1, steps + 1):
        point = where_examples(now.finite, pace.move(point, now.gradient), point)
        before, now = now.loss, evaluate(point)
        best = best.updated(ascent.add(point, now), now)
        back = pace.check(k, now.loss > before, ascent.top, best.loss)
        if back is not None:
            point, now = where_examples(back, ascent.top, point), now.updated(back, best)
    return ascent


class _Momentum:
    """Steps with momentum, halved at checkpoints where they do not improve enough."""

    def __init__(self, start: Tensor, x: Tensor, threat: ThreatModel, steps: int) -> None:
        self.x, self.threat, self.last = x, threat, start
        self.step = x.real.new_full((len(x),), 2 * threat.eps)
        self.rises = torch.zeros_like(self.step)
        self.halved = torch.ones_like(self.step, dtype=torch.bool)
        self.known = torch.full_like(self.step, torch.inf)
        self.window, self.since, self.first = max(round(0.22 * steps), 1), 0, True
        self.shorter, self.shortest = max(round(0.03 * steps), 1), max(round(0.06 * steps), 1)

    def move(self, point: Tensor, gradient: Tensor) -> Tensor:
        if self.first:
            self.first = False
            return self.threat.maximizer(gradient, self.x)
        step = per_example(self.step, point) * self.threat.steepest(gradient)
        moved = self.threat.project(point + step, self.x)
        moved = point + ALPHA * (moved - point) + (1 - ALPHA) * (point - self.last)
        self.last = point
        return self.threat.project(moved, self.x)

    def check(self, k: int, rose: Tensor, top: Tensor, loss: Tensor) -> BoolTensor | None:
        self.rises += rose
        self.since += 1
        if self.since < self.window:
            return None
        stuck = (self.rises < RHO * self.since) | (~self.halved & (loss <= self.known))
        self.step = torch.where(stuck, self.step / 2, self.step)
        self.halved, self.known = stuck, loss
        self.rises, self.since = torch.zeros_like(self.rises), 0
        self.window = max(self.window - self.shorter, self.shortest)
        return stuck


class _Sparse:
    """Steps in L1 that move few entries, fewer as the best point has fewer moved ones."""

    def __init__(self, start: Tensor, x: Tensor, threat: ThreatModel, steps: int) -> None:
        self.x, self.threat = x, threat
        self.step = x.new_full((len(x),), threat.eps)
        self.moved = self._count(start)
        self.entries = self.moved / 1.5
        self.window = max(round(0.04 * steps), 1)

    def move(self, point: Tensor, gradient: Tensor) -> Tensor:
        size = gradient.abs().flatten(1)
        rank = size.argsort(1, descending=True).argsort(1)
        signs = gradient.sign() * (rank < self.entries.clamp(min=1)[:, None]).view(point.shape)
        signs = signs / per_example(signs.abs().flatten(1).sum(1).clamp(min=1), signs)
        return self.threat.project(point + per_example(self.step, point) * signs, self.x)

    def check(self, k: int, rose: Tensor, top: Tensor, loss: Tensor) -> BoolTensor | None:
        if k % self.window:
            return None
        moved = self._count(top)
        fewer = moved < 0.95 * self.moved
        shorter = (self.step / 1.5).clamp(min=self.threat.eps / 10)
        self.step = torch.where(fewer, self.threat.eps, shorter)
        self.moved, self.entries = moved, moved / 1.5
        return fewer

    def _count(self, point: Tensor) -> RealTensor:
        return (point != self.x).flatten(1).sum(1).to(self.x.dtype)
