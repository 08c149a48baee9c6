"""How far each example is from its nearest misclassified point, as far as attacks can tell."""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from holonet._arguments import checked
from holonet._types import (
    AnyTensor,
    GivenLabels,
    GivenPoints,
    IntTensor,
    Numbers,
    Points,
    RealTensor,
)
from holonet.attacks import ThreatModel
from holonet.attacks.objectives import (
    Model,
    input_gradient,
    logits_of,
    margin_of,
    require_examples,
    require_some,
)
from holonet.calculus.examples import per_example
from holonet.diagnostics.robustness import RobustnessPoint
from holonet.errors import ConfigError, DataError
from holonet.nn.modes import evaluating
from holonet.threats.norm_balls import Bounds

__all__ = ["MinimumNorms", "minimum_norm_perturbations"]


@dataclass(frozen=True, eq=False)
class MinimumNorms:
    """Upper bounds on the distance to the nearest misclassified point, example by example.

    Args:
        threat: the norm and the box; its radius is the largest distance that was looked at.
        distance: 0 for what is misclassified as it is, infinity where nothing was found.
        x_adv: the misclassified point at that distance; the example itself where there is none.
    """

    threat: ThreatModel
    distance: Numbers
    x_adv: Points

    @property
    def median(self) -> float:
        """Half of the examples are broken within it; infinity if fewer are."""
        return float(self.distance.sort().values[(len(self.distance) - 1) // 2])

    def curve(self, eps: Sequence[float]) -> list[RobustnessPoint]:
        """Accuracy left at each radius: the examples whose distance is larger.

        Raises:
            ConfigError: a radius is larger than the limit: nothing was looked for there.
        """
        if any(not 0 <= radius <= self.threat.eps for radius in eps):
            raise ConfigError(
                f"accuracy at {list(eps)} from distances that were looked for up to "
                f"{self.threat.eps}: stay in between, or search with a larger eps"
            )
        counts = [int((self.distance > radius).sum()) for radius in eps]
        return [RobustnessPoint(r, n, len(self.distance)) for r, n in zip(eps, counts, strict=True)]

    def to_json(self) -> dict[str, Any]:
        """The distances, with None for infinity."""
        distance = [d if math.isfinite(d) else None for d in self.distance.tolist()]
        median = self.median if math.isfinite(self.median) else None
        return {"threat": asdict(self.threat), "median": median, "distance": distance}

    def __str__(self) -> str:
        limit, total = f"{self.threat.eps:g}", len(self.distance)
        found = f"{int(self.distance.isfinite().sum())} of {total} found within {limit}"
        median = f"{self.median:.4g}" if math.isfinite(self.median) else f"above {limit}"
        return f"median {self.threat.norm} distance to a mistake: {median} ({found})"


@checked
def minimum_norm_perturbations(
    model: Model,
    x: GivenPoints,
    y: GivenLabels,
    threat: ThreatModel,
    *,
    targets: int = 9,
    steps: int = 20,
    rounds: int = 10,
    batch_size: int = 500,
    on_batch: Callable[[], None] | None = None,
) -> MinimumNorms:
    """The least distance at which an attack succeeds, by bisection for each example on its own.

    For each example and each other class, nearest to first order first, the logit of the class
    minus that of the label is driven up inside a ball; the ball shrinks where that succeeds and
    grows where it does not. A class that cannot beat the best distance so far costs one try. Each
    point found is then pulled back towards its example as far as it stays misclassified. Nothing
    is random. Under Linf the gradient is taken behind monotone layers in front of the model, whose
    own derivatives are positive but may be rounded to 0.

    Args:
        model: real inputs to real logits.
        x, y: examples and labels.
        threat: norm and box; its radius is the limit of the search.
        targets: classes tried for each example, those with the largest logits.
        steps: of ascent in each ball.
        rounds: of bisection; the resolution is limit / 2^rounds, finer where a point was found.
        batch_size: examples searched at once.
        on_batch: called after each batch.

    Law: each x_adv is in the set of radius `distance` and misclassified. For a linear model
        without box the distance is min_k (z_y - z_k) / ||w_y - w_k||*, in the dual norm, up to
        the resolution or a relative 2^-12, whichever is larger.

    Raises:
        DataError: there are no examples.
        ConfigError: radius 0, or targets, steps, rounds or batch_size below 1.

    References:
        Croce and Hein (2020) for targets and the first-order order of classes; Carlini and Wagner
        (2017) for the search of minimal norms.
    """
    require_examples(x, y, threat)
    require_some(y, "minimum_norm_perturbations")
    if not threat.eps > 0 or min(targets, steps, rounds, batch_size) < 1:
        raise ConfigError(
            f"minimum_norm_perturbations within {threat.eps} with "
            f"targets={targets}, steps={steps}, rounds={rounds}, batch_size={batch_size}: all are "
            "at least 1, and the radius positive"
        )
    distances, points = [], []
    with evaluating(model):
        for part, labels in zip(x.detach().split(batch_size), y.split(batch_size), strict=True):
            search = _Search(model, part, labels, threat, steps)
            search.run(targets, threat.eps / 2**rounds)
            distances.append(search.distance)
            points.append(search.x_adv)
            if on_batch is not None:
                on_batch()
    return MinimumNorms(threat, torch.cat(distances), torch.cat(points))


class _Search:
    """The search on one batch: the best point of each example, and its distance."""

    def __init__(self, model: Model, x: Tensor, y: Tensor, threat: ThreatModel, steps: int) -> None:
        self.model, self.x, self.y, self.steps = model, x, y.long(), steps
        self.threat, self.ball = threat, threat.ball
        layers, self.body = threat.front(model)
        self.front = nn.Sequential(*layers)
        margin = self.margin(x, self.y)
        self.distance = torch.where(margin > 0, math.inf, 0.0).to(margin)
        self.x_adv = x.clone()

    def run(self, targets: int, resolution: float) -> None:
        """Try the classes, nearest first, each by bisection."""
        classes, estimates = self.nearest_classes(targets)
        for target, estimate in zip(classes.unbind(1), estimates.unbind(1), strict=True):
            # a ball of the size to expect first: steps across the largest one may overshoot
            rows = self.distance.isinf().nonzero().squeeze(1)
            radius = (2 * estimate[rows]).clamp(resolution, float(self.threat.eps))
            self.ascend(rows, target[rows], radius, torch.zeros_like(self.x[rows]))
            rows = (self.distance > 0).nonzero().squeeze(1)
            self.bisect(rows, target[rows], resolution)
        self.pull_back()

    def nearest_classes(self, targets: int) -> tuple[IntTensor, RealTensor]:
        """The classes with the largest other logits, nearest to first order first; how near."""
        with torch.enable_grad():
            point = self.x.clone().requires_grad_()
            logits = logits_of(self.model, point, self.y)
            if logits.shape[1] < 2:
                raise DataError(
                    "the distance to another class, of a model that knows one class alone: give a "
                    "model with two logits or more"
                )
            others = logits.detach().scatter(1, self.y[:, None], -math.inf)
            classes = others.topk(min(targets, logits.shape[1] - 1), dim=1).indices
            label = logits.gather(1, self.y[:, None])
            gaps = label - logits.gather(1, classes)
            distances = []
            for gap in gaps.unbind(1):
                gradient, _ = input_gradient(gap, point, retain_graph=True)
                slope = self.threat.dual_norm(gradient)
                distances.append(gap.detach() / slope.to(gap).clamp(min=1e-30))
        nearest = torch.stack(distances, 1).nan_to_num(nan=math.inf).sort(dim=1)
        return classes.gather(1, nearest.indices), nearest.values

    def bisect(self, rows: IntTensor, target: IntTensor, resolution: float) -> None:
        """Bisection below the best distance, for those rows where the target beats it."""
        known = self.distance[rows]
        high = torch.where(known.isinf(), float(self.threat.eps), known - resolution)
        low = torch.zeros_like(high)
        delta = torch.zeros_like(self.x[rows])
        is_first = True
        while True:
            keep = high > resolution if is_first else high - low > resolution
            rows, target, low, high, delta = (v[keep] for v in (rows, target, low, high, delta))
            if not len(rows):
                return
            radius = high if is_first else (low + high) / 2
            found = self.ascend(rows, target, radius, delta)
            broken = found <= radius * (1 + 1e-5)
            high = torch.where(broken, found, high)
            low = torch.where(broken, low, radius)
            delta = torch.where(per_example(broken, delta), self.x_adv[rows] - self.x[rows], delta)
            if is_first:  # where the whole ball holds nothing, smaller ones do not either
                low = torch.where(broken, 0.0, high)
            is_first = False

    def ascend(
        self, rows: IntTensor, target: IntTensor, radius: RealTensor, delta: AnyTensor
    ) -> RealTensor:
        """The distance of the nearest misclassified point on the way up, kept if it is the best."""
        x, y = self.x[rows], self.y[rows]
        radius = per_example(radius, x)
        nearest = torch.full_like(self.distance[rows], math.inf)
        best = x.clone()
        point = self.inside(x, delta, radius)
        for k in range(self.steps + 1):
            with torch.no_grad():
                image = self.front(point)
            with torch.enable_grad():
                image = image.clone().requires_grad_(k < self.steps)
                logits = logits_of(self.body, image, y)
                gap = logits.gather(1, target[:, None]) - logits.gather(1, y[:, None])
            distance = self.threat.distance(point, x).to(nearest)
            closer = ~(margin_of(logits.detach(), y) > 0) & (distance < nearest)
            nearest = torch.where(closer, distance, nearest)
            best = torch.where(per_example(closer, x), point, best)
            if k < self.steps:
                gradient, _ = input_gradient(gap, image)
                point = self.step(x, point, gradient.view_as(x).to(x), radius, k)
        better = nearest < self.distance[rows]
        self.distance[rows] = torch.where(better, nearest, self.distance[rows])
        self.x_adv[rows] = torch.where(per_example(better, x), best, self.x_adv[rows])
        return nearest

    def step(
        self, x: AnyTensor, point: AnyTensor, gradient: AnyTensor, radius: RealTensor, k: int
    ) -> AnyTensor:
        """The points after step k, from across the whole ball down to nothing.

        In L1 the steepest direction is one entry, which would meet the wall of the box at once:
        there the points move towards those of the set where the linearization is largest.
        """
        delta = point - x
        if self.threat.norm == "L1":
            bounds = self.bounds(x, radius)
            corner = self.ball.linear_maximizer(gradient.flatten(1), 1.0, bounds)
            corner = corner.view(x.shape) * radius
            return self.inside(x, delta + 2 / (k + 2) * (corner - delta), radius)
        length = 2 * (1 - k / self.steps) * radius
        return self.inside(x, delta + length * self.threat.steepest(gradient), radius)

    def inside(self, x: AnyTensor, delta: AnyTensor, radius: RealTensor) -> AnyTensor:
        """The sum moved into the ball of each example's own radius cut with the box."""
        unit = self.ball.project((delta / radius).flatten(1), 1.0, self.bounds(x, radius))
        point = x + unit.view(x.shape) * radius
        return point if self.threat.bounds is None else point.clamp(*self.threat.bounds)

    def bounds(self, x: AnyTensor, radius: RealTensor) -> Bounds:
        """How far each entry may go, in units of the radius."""
        if self.threat.bounds is None:
            return None
        low, high = (((wall - x) / radius).flatten(1) for wall in self.threat.bounds)
        return low, high

    def pull_back(self) -> None:
        """Move each point towards its example, as far as it stays misclassified."""
        rows = (self.distance.isfinite() & (self.distance > 0)).nonzero().squeeze(1)
        x, y, far = self.x[rows], self.y[rows], self.x_adv[rows]
        low = torch.zeros_like(self.distance[rows])
        high = torch.ones_like(low)
        best = far.clone()
        for _ in range(12 if len(rows) else 0):
            middle = (low + high) / 2
            point = x + (far - x) * per_example(middle, x)
            broken = ~(self.margin(point, y) > 0)
            best = torch.where(per_example(broken, x), point, best)
            low, high = torch.where(broken, low, middle), torch.where(broken, middle, high)
        self.x_adv[rows] = best
        self.distance[rows] = self.threat.distance(best, x).to(self.distance)

    def margin(self, points: AnyTensor, y: IntTensor) -> RealTensor:
        with torch.no_grad():
            return margin_of(logits_of(self.model, points, y), y)
