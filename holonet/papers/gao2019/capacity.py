"""What robust fits need: the loss of wide networks, and the smallest width that fits.

Adversarial training by Adam on the hidden weights, far from the lazy regime, of several networks at
once, of which the best counts. That a width fits is shown by a fit under the strong attack; that
none fits means that this training found none.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from holonet.papers.gao2019.networks import KINDS, TwoLayer, normal_weights
from holonet.papers.gao2019.training import Problem, attack, points, strong_attack

__all__ = ["Capacity", "Fit", "Wide", "adversarial_adam", "capacity", "wide"]


@dataclass(frozen=True)
class Fit:
    """Of a training by Adam.

    Args:
        steps: of Adam.
        restarts: networks that start from different weights.
        attack: steps of the attack in training.
        starts: of the strong attack, which decides.
        rate: of the steps; for wide networks of the first, from which it falls linearly to 0.
    """

    steps: int
    restarts: int
    attack: int
    starts: int = 6
    rate: float = 0.1


@dataclass(frozen=True)
class Wide:
    """Networks of several widths, each trained to the end."""

    network: str
    seed: int
    problem: Problem
    widths: tuple[int, ...]
    fit: Fit


@dataclass(frozen=True)
class Capacity:
    """A search for the smallest widths, up to a cap."""

    network: str
    seed: int
    problem: Problem
    cap: int
    fit: Fit


def wide(settings: Wide) -> dict[str, Any]:
    """The least robust loss of each width, under the strong attack."""
    generator = torch.Generator().manual_seed(settings.seed)
    x, y, eps = points(settings.problem, generator)
    kind, fit, losses = settings.network, settings.fit, {}
    for width in settings.widths:
        *_, (net, _) = adversarial_adam(kind, width, x, y, eps, fit, generator, decay=True)
        margins = strong_attack(net, x, y, eps, fit.starts, generator)
        losses[str(width)] = functional.softplus(-margins).mean(1).min().item()
    return {"eps": eps, "robust_loss": losses}


def capacity(settings: Capacity) -> dict[str, Any]:
    """The smallest widths by bisection; one more than the cap where none up to it fits."""
    generator = torch.Generator().manual_seed(settings.seed)
    x, y, eps = points(settings.problem, generator)
    kind, fit, widths = settings.network, settings.fit, range(1, settings.cap + 1)

    def fits(width: int, eps: float) -> bool:
        return any(
            _separates(margins) and _separates(strong_attack(net, x, y, eps, fit.starts, generator))
            for net, margins in adversarial_adam(kind, width, x, y, eps, fit, generator)
        )

    standard, robust = (
        1 + bisect_left(widths, True, key=lambda width: fits(width, radius))
        for radius in (0.0, eps)
    )
    return {
        "examples": len(x),
        "cap": settings.cap,
        "eps": eps,
        "standard": standard,
        "robust": robust,
    }


def _separates(margins: Tensor) -> bool:
    """Whether all margins of one of the networks are positive."""
    return bool((margins > 0).all(1).any())


def adversarial_adam(
    network: str,
    width: int,
    x: Float[Tensor, "examples features"],
    y: Float[Tensor, " examples"],
    eps: float,
    fit: Fit,
    generator: torch.Generator,
    *,
    decay: bool = False,
) -> Iterator[tuple[TwoLayer, Float[Tensor, "networks examples"]]]:
    """The networks before each step and after the last, with their margins under the attack."""
    kind, count = KINDS[network], fit.restarts
    weights = normal_weights(kind, count, width, x.shape[1], generator=generator)
    signs = torch.ones(count, width, dtype=torch.float64) / width**0.5
    signs[:, 1::2] *= -1
    net, batch = TwoLayer(kind, weights, signs), x.repeat(count, 1, 1)
    optimizer = torch.optim.Adam([weights], lr=fit.rate)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 1.0 - decay, fit.steps)
    for step in range(fit.steps + 1):
        adversarial = attack(net, batch, y, eps, fit.attack if eps else 0)
        outputs, slopes = net.layer(adversarial)
        margins = y * outputs
        yield net, margins
        if step < fit.steps:
            weights.grad = net.weight_gradient(adversarial, slopes, -y * torch.sigmoid(-margins))
            optimizer.step()
            schedule.step()
