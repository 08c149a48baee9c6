"""Projected steepest ascent: the one step that attacks and robust training have in common."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from holonet._arguments import checked
from holonet._types import Numbers, Points
from holonet.attacks.objectives import input_gradient
from holonet.threats import ThreatModel

__all__ = ["ascend", "ascent_step"]

L1_SHARE = 0.02
"""The share of the entries that one step in L1 moves."""


@checked
def ascend(
    objective: Callable[[Points], Numbers],
    start: Points,
    x: Points,
    threat: ThreatModel,
    *,
    steps: int,
    alpha: float,
) -> Points:
    """The last iterate of `steps` projected steps of length alpha from `start`.

    Nothing is recorded. It costs as many forward and backward passes as there are steps. An example
    whose gradient is not finite stays where it is.

    Args:
        objective: points -> a number for each example, to be made large. It is called as it is: a
            model in it that counts statistics or drops units goes on doing so, unless it is put
            into eval mode around the call (`nn.modes.evaluating`), as the other attacks do.
        start: where to begin, in the threat set about x.
        x: the examples, centers of the threat set.
        threat: the set.
        steps: how many.
        alpha: length of a step in the threat's norm.

    Law: the result is in the threat set about x; with one step of length eps from x and no box,
        it is `threat.maximizer` in every norm but L1.

    Raises:
        InputTypeError: autograd cannot follow the objective back to the points.

    Example:
        >>> x = torch.full((1, 2), 0.5)
        >>> ascend(lambda p: p[:, 0] - p[:, 1], x, x, ThreatModel(eps=0.1), steps=3, alpha=0.05)
        tensor([[0.6000, 0.4000]])
    """
    point = start.detach()
    for _ in range(steps):
        with torch.enable_grad():
            point = point.requires_grad_()
            gradient, _ = input_gradient(objective(point), point)
        point = ascent_step(point.detach(), gradient, x, threat, alpha)
    return point


def ascent_step(
    point: Points, gradient: Points, x: Points, threat: ThreatModel, alpha: float
) -> Points:
    """One step of length alpha along the steepest direction, projected.

    In L1 the steepest direction moves a single entry, which takes as many steps as there are
    entries to be moved; here a fiftieth of the entries share the step, those of largest
    gradient among the ones that a wall of the box does not block.

    References:
        Tramer and Boneh (2019) and Croce and Hein (2021) for sparse steps in L1.
    """
    direction = _sparse(point, gradient, threat) if threat.norm == "L1" else None
    if direction is None:
        direction = threat.steepest(gradient)
    return threat.project(point + alpha * direction, x)


def _sparse(point: Tensor, gradient: Tensor, threat: ThreatModel) -> Tensor:
    """Equal steps in the entries of largest gradient that can move, adding up to 1."""
    free = gradient != 0
    if threat.bounds is not None:
        low, high = threat.bounds
        free &= torch.where(gradient > 0, point < high, point > low)
    size = gradient.abs().masked_fill(~free, 0).flatten(1)
    largest = size.argsort(dim=1, descending=True, stable=True)
    chosen = torch.zeros_like(size)
    count = math.ceil(L1_SHARE * size.shape[1])
    chosen.scatter_(1, largest[:, :count], 1.0)
    signs = gradient.flatten(1).sgn() * chosen * (size > 0)
    return (signs / signs.abs().sum(1, keepdim=True).clamp(min=1)).view(gradient.shape)
