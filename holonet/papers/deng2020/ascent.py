"""Projected gradient ascent on spheres and in balls about an input."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Int
from torch import Tensor

from holonet._types import Numbers
from holonet.errors import ConfigError
from holonet.papers.deng2020.networks import Inputs, Loss

__all__ = ["Ascent", "Rule", "ascend", "ascend_in_ball", "on_sphere", "outward_sine", "tangential"]


@dataclass(frozen=True)
class Rule:
    """A step rule, fixed before the ascent.

    Args:
        kind: "normalised" moves by step * radius along the gradient, "raw" by step * gradient.
        step: positive: a step of 0 would meet any tolerance on the movement.

    Raises:
        ConfigError: a step that is not positive.
    """

    kind: Literal["normalised", "raw"]
    step: float

    def __post_init__(self) -> None:
        if not self.step > 0:
            raise ConfigError(f"Rule({self.kind!r}, step={self.step}): choose a positive step")

    def move(self, delta: Inputs, gradient: Inputs, radius: Numbers) -> Inputs:
        """The next point, on the sphere."""
        step = on_sphere(gradient, radius) if self.kind == "normalised" else gradient
        return on_sphere(delta + self.step * step, radius)


@dataclass(frozen=True)
class Ascent:
    """What ascents came to.

    Args:
        iterations: steps before each tolerance on the sine was met first; the cap if it was not.
        movement: steps before a step was shorter than the absolute tolerance; the cap likewise.
        delta: the last points.
    """

    iterations: Int[Tensor, "tolerances batch"]
    movement: Int[Tensor, " batch"]
    delta: Inputs


def ascend(
    loss: Loss,
    center: Inputs,
    radius: Numbers,
    delta: Inputs,
    rule: Rule,
    *,
    tolerances: Sequence[float],
    cap: int,
    movement: float = 1e-3,
) -> Ascent:
    """Ascend on spheres until the last tolerance on `outward_sine` is met, or for `cap` steps.

    Args:
        loss: what is maximized.
        center, radius: of the spheres.
        delta: the starts, on the spheres.
        rule: the step rule.
        tolerances: falling.
        cap: the greatest number of steps.
        movement: the absolute tolerance on the length of a step.

    Law: `delta` is on the spheres.
    """
    bounds = torch.tensor(tolerances, dtype=delta.dtype)[:, None]
    iterations = torch.full((len(tolerances), len(delta)), cap)
    shorter = torch.full((len(delta),), cap)
    delta, active = delta.clone(), torch.arange(len(delta))
    for step in range(cap):
        here = delta[active]
        gradient = loss.gradient(center[active] + here)
        met = outward_sine(gradient, here) <= bounds
        iterations[:, active] = iterations[:, active].clamp(max=torch.where(met, step, cap))
        moved = rule.move(here, gradient, radius[active])
        short = (moved - here).norm(dim=1) <= movement
        shorter[active] = shorter[active].clamp(max=torch.where(short, step, cap))
        delta[active[~met[-1]]] = moved[~met[-1]]
        active = active[~met[-1]]
        if not len(active):
            break
    return Ascent(iterations, shorter, delta)


def ascend_in_ball(
    loss: Loss, center: Inputs, radius: Numbers, delta: Inputs, *, steps: int
) -> Inputs:
    """Monotone ascent in balls: a step that raises the loss is doubled next, else it is halved."""
    length, value = radius / 10, loss.value(center + delta)
    for _ in range(steps):
        moved = delta + on_sphere(loss.gradient(center + delta), length)
        moved = moved * (radius / moved.norm(dim=1)).clamp(max=1)[:, None]
        reached = loss.value(center + moved)
        higher = reached > value
        delta = torch.where(higher[:, None], moved, delta)
        value = torch.where(higher, reached, value)
        length = torch.where(higher, 2 * length, length / 2)
    return delta


def outward_sine(gradient: Inputs, delta: Inputs) -> Numbers:
    """Sine of the angle between gradient and perturbation; infinite where the gradient points in.

    It is 0 at a maximum on the sphere, and free of the scales of input, loss and step.
    """
    sine = tangential(gradient, delta).norm(dim=1) / gradient.norm(dim=1)
    return sine.where((gradient * delta).sum(1) > 0, torch.inf)


def tangential(vectors: Inputs, delta: Inputs) -> Inputs:
    """The part of each vector that is orthogonal to delta."""
    normal = delta / delta.norm(dim=1, keepdim=True)
    return vectors - (vectors * normal).sum(1, keepdim=True) * normal


def on_sphere(vectors: Inputs, radius: Numbers) -> Inputs:
    """The nearest points of spheres about 0."""
    return vectors * (radius / vectors.norm(dim=1))[:, None]
