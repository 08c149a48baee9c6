"""Adversarial training in a ball around the start, with a lower bound of the optimal robust loss.

Projected gradient descent: attack, step on the loss at the attack's points, projection of the
weights onto a Frobenius ball around the start. The loss at the attack's points is the surrogate
loss. Where the network is linear in its weights, a point's loss is convex in them, so that

    robust loss(V) >= mean over t of L_t(W_t) + Re <G_t, V - W_t>       for every V,

with the surrogate loss L_t at the points of step t and G_t its gradient. The least value of the
right side in the ball is a lower bound of the optimal robust loss, at any points of any attack. For
a network of finite width it holds up to curvature, which the movement of the kernel measures.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from holonet.papers.gao2019.networks import KINDS, TwoLayer, antisymmetric

__all__ = ["Problem", "Training", "attack", "points", "strong_attack", "train"]

RealBatch = Float[Tensor, "networks examples features"]
Outputs = Float[Tensor, "networks examples"]
Examples = Float[Tensor, "examples features"]
Signs = Float[Tensor, " examples"]


@dataclass(frozen=True)
class Problem:
    """Random unit vectors, half of them with the label 1 and half with -1.

    Args:
        examples, features: how many, in how many dimensions.
        ratio: radius of the l2 attack over half of the least distance of different labels.
    """

    examples: int
    features: int
    ratio: float


@dataclass(frozen=True)
class Training:
    """Of one network in balls of several radii, against an attack of that many steps."""

    network: str
    width: int
    attack: int
    seed: int
    problem: Problem
    radii: tuple[float, ...]
    steps: int
    rate: float = 5.0
    starts: int = 6


def points(problem: Problem, generator: torch.Generator) -> tuple[Examples, Signs, float]:
    """The vectors, their labels and the radius of the attack."""
    n = problem.examples
    x = torch.randn(n, problem.features, generator=generator, dtype=torch.float64)
    x = functional.normalize(x, dim=1)
    y = torch.ones(n, dtype=torch.float64)
    y[torch.randperm(n, generator=generator)[: n // 2]] = -1
    distance = torch.cdist(x, x)[y.unsqueeze(1) != y].min()
    return x, y, problem.ratio * float(distance) / 2


def attack(
    net: TwoLayer, x: RealBatch, y: Signs, eps: float, steps: int, start: RealBatch | None = None
) -> RealBatch:
    """Points of low margin within eps in l2: normalized steps of length eps, then projection."""
    points = x if start is None else start
    for _ in range(steps):
        downhill = functional.normalize(-y.unsqueeze(1) * net.input_gradient(points), dim=2)
        points = x + _within(points + eps * downhill - x, eps, 2)
    return points


def strong_attack(
    net: TwoLayer,
    x: Float[Tensor, "*batch examples features"],
    y: Signs,
    eps: float,
    starts: int,
    generator: torch.Generator,
) -> Outputs:
    """The least margin y f after 50 steps from x itself and from random points.

    x may be the points of one network, for all.
    """
    x = x.expand(len(net.weights), -1, -1)
    lowest = y * net.layer(attack(net, x, y, eps, 50))[0]
    for _ in range(starts - 1):
        offset = torch.randn(x.shape, generator=generator, dtype=x.dtype)
        start = x + eps * functional.normalize(offset, dim=2)
        lowest = torch.minimum(lowest, y * net.layer(attack(net, x, y, eps, 50, start))[0])
    return lowest


def train(settings: Training) -> dict[str, Any]:
    """What the training in each ball comes to, by radius.

    Returns:
        "surrogate", the least surrogate loss; "lower", a bound of the optimal robust loss;
        "robust", the robust loss of the weights with the least surrogate loss; "moved" and
        "kernel_moved", relative movements by the last step. And "eps" of the attack, "start", the
        norm of the weights at the start.
    """
    generator = torch.Generator().manual_seed(settings.seed)
    x, y, eps = points(settings.problem, generator)
    kind, n = KINDS[settings.network], len(x)
    first = antisymmetric(kind, settings.width, x.shape[1], generator)
    count = len(settings.radii)
    radii = torch.tensor(settings.radii, dtype=torch.float64).view(-1, 1, 1)
    net = TwoLayer(kind, first.weights.repeat(count, 1, 1), first.signs.repeat(count, 1))
    batch = x.repeat(count, 1, 1)
    best = torch.full((count,), torch.inf, dtype=torch.float64)
    best_weights = net.weights
    constant, slope = torch.zeros(count, dtype=torch.float64), torch.zeros_like(net.weights)
    late = settings.steps // 2  # of the steps, those behind the lower bound
    for step in range(settings.steps):
        offset = net.weights - first.weights
        adversarial = attack(net, batch, y, eps, settings.attack)
        outputs, slopes = net.layer(adversarial)
        loss = functional.softplus(-y * outputs).mean(1)
        gradient = net.weight_gradient(adversarial, slopes, -y * torch.sigmoid(-y * outputs) / n)
        best_weights = torch.where((loss < best).view(-1, 1, 1), net.weights, best_weights)
        best = torch.minimum(best, loss)
        if step >= late:
            constant += (loss - (gradient.conj() * offset).real.sum((1, 2))) / (
                settings.steps - late
            )
            slope += gradient / (settings.steps - late)
        offset = _within(offset - settings.rate * gradient, radii, (1, 2))
        net = replace(net, weights=first.weights + offset)
    lower = (constant - radii.flatten() * slope.abs().square().sum((1, 2)).sqrt()).clamp(min=0)
    start_kernel = first.kernel(x.unsqueeze(0))
    best_net = replace(net, weights=best_weights)
    margins = strong_attack(best_net, batch, y, eps, settings.starts, generator)
    measured = {
        "surrogate": best,
        "lower": lower,
        "robust": functional.softplus(-margins).mean(1),
        "moved": _size(net.weights - first.weights) / _size(first.weights),
        "kernel_moved": _size(net.kernel(batch) - start_kernel) / _size(start_kernel),
    }
    return {"eps": eps, "start": _size(first.weights).item()} | {
        name: dict(zip((f"{r:g}" for r in settings.radii), values.tolist(), strict=True))
        for name, values in measured.items()
    }


def _size(batch: Tensor) -> Float[Tensor, " networks"]:
    return torch.linalg.vector_norm(batch, dim=(1, 2))


def _within(offset: Tensor, radius: float | Tensor, axes: int | tuple[int, ...]) -> Tensor:
    """Offsets projected onto balls."""
    size = torch.linalg.vector_norm(offset, dim=axes, keepdim=True)
    return offset * (radius / size.clamp(min=1e-300)).clamp(max=1)
