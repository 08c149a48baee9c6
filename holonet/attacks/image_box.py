"""Attacks in front of the body: behind monotone layers the Linf ball is a box, which is climbed.

A saturated threshold has gradients of exactly 0, so that attacks through it do not search. The
image of the ball under it is known exactly, and what stands behind it is attacked on that image.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import torch
from jaxtyping import Shaped
from torch import Tensor, nn

from holonet._types import Entries, Labels, Points, TensorFunction
from holonet.attacks.objectives import Model
from holonet.attacks.result import AttackResult
from holonet.attacks.search import WorstPoints
from holonet.calculus.examples import per_example
from holonet.nn.modes import evaluating
from holonet.threats import Box, ThreatModel

Found = TypeVar("Found", bound=AttackResult)

__all__ = ["ImageBox", "image_box", "on_image_box"]

SHARE = 0.1
"""Radius of a cube over the distance of two centers: some attacks look outside of the ball."""

HALVINGS = 80
"""Of the interval that holds the preimage of a coordinate."""


class Body(nn.Module):
    """What follows the monotone layers, as a function of coordinates of the examples' boxes.

    Each example has a cube of coordinates of its own, about `centers`, so that an attack may ask
    about any examples in any order and uses one ball and one radius for all.
    """

    center: Tensor
    radii: Tensor

    def __init__(self, body: TensorFunction, box: Box) -> None:
        super().__init__()
        self.body, self.count = body, len(box.center)
        self.register_buffer("center", box.center)
        self.register_buffer("radii", box.radii)

    @property
    def radius(self) -> float:
        """Of the cubes."""
        return SHARE / self.count

    def centers(self, shape: torch.Size, dtype: torch.dtype) -> Points:
        """The center of every example's cube, each coordinate in (0, 1)."""
        index = torch.arange(self.count, dtype=dtype, device=self.center.device)
        return per_example((index + 0.5) / self.count, torch.empty(shape)).expand(shape).clone()

    def image(self, coordinates: Points) -> Points:
        """The points of the boxes that have these coordinates."""
        index = (coordinates.detach().flatten(1).mean(1) * self.count).long()
        center = per_example((index + 0.5) / self.count, coordinates)
        share = (coordinates - center) / self.radius
        share = share.reshape(-1, *self.center.shape[1:]).to(self.center.dtype)
        return self.center[index] + self.radii[index] * share

    def forward(self, coordinates: Points) -> Shaped[Tensor, "batch *out"]:
        """The logits there."""
        return self.body(self.image(coordinates))


@dataclass(frozen=True)
class ImageBox:
    """An attack's problem in coordinates of the image box, and the way back.

    Args:
        layers: the monotone layers.
        body: what follows them, on coordinates.
        model, x, threat: the problem as it was given.
    """

    layers: nn.Sequential
    body: Body
    model: Model
    x: Points
    threat: ThreatModel

    @property
    def centers(self) -> Points:
        """The examples of the problem in coordinates."""
        return self.body.centers(self.x.shape, torch.float64)

    @property
    def cube(self) -> ThreatModel:
        """Its threat."""
        return ThreatModel("Linf", self.body.radius)

    def preimage(self, coordinates: Points, x: Points) -> Points:
        """Points of the threat set about x whose images have these coordinates, by bisection."""
        image = self.body.image(coordinates)
        whole = self.threat.image([], x)
        low, high = whole.low, whole.high
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            below = (self.layers(middle) < image).view_as(middle)
            low, high = torch.where(below, middle, low), torch.where(below, high, middle)
        return high

    def accept(self, found: Found, y: Labels, target: Labels | None = None) -> Found:
        """The result in the given problem: examples that stood as they were are judged anew."""
        worst = WorstPoints(self.model, self.x, y, self.threat, target)
        index = worst.robust
        with evaluating(self.model), torch.no_grad():
            points = self.preimage(found.x_adv[index], self.x[index])
        margin = worst.goal.at(index).margin(worst.logits_at(points, y[index]))
        worst.update(index, points, margin)
        return replace(found, x_adv=worst.x_adv, margin=worst.margin, searched_in=str(self))

    def __str__(self) -> str:
        names = " and ".join(
            type(layer).__name__ for layer in self.layers if getattr(layer, "monotone", False)
        )
        return f"the image box of {names}"


def image_box(model: Model, x: Entries, threat: ThreatModel) -> ImageBox | None:
    """The problem in front of the body, for an Linf threat to a model that begins monotonically."""
    layers, body = threat.front(model)
    if not layers or threat.eps == 0 or not len(x):
        return None
    with torch.no_grad():
        box = threat.image(layers, x.detach())
    return ImageBox(nn.Sequential(*layers), Body(body, box), model, x.detach(), threat)


def on_image_box(attack: Callable[..., AttackResult]) -> Callable[..., AttackResult]:
    """The attack, which climbs in the image box wherever the model begins with monotone layers."""

    @functools.wraps(attack)
    def climb(
        model: Model, x: Tensor, y: Tensor, threat: ThreatModel, **options: Any
    ) -> AttackResult:
        problem = image_box(model, x, threat)
        if problem is None:
            return attack(model, x, y, threat, **options)
        if options.get("alpha") is not None:  # a length in units of the data
            options["alpha"] *= problem.cube.eps / threat.eps
        found = attack(problem.body, problem.centers, y, problem.cube, **options)
        return problem.accept(found, y, options.get("target"))

    return climb
