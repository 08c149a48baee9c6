"""Accuracy under attack against the size of the attack."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import nn

from holonet._arguments import checked
from holonet._types import GivenLabels, GivenPoints
from holonet.attacks import ThreatModel, pgd
from holonet.attacks.objectives import require_examples, require_some
from holonet.calculus.checks import require_count
from holonet.errors import ConfigError
from holonet.statistics import wilson_interval

__all__ = ["RobustnessPoint", "robustness_curve"]


@dataclass(frozen=True)
class RobustnessPoint:
    """Accuracy at one radius, with its Wilson interval at 95%.

    Args:
        eps: the radius.
        correct: number of examples that withstood.
        examples: number of examples attacked.
        searched_in: where the attacks searched, if not in the threat set itself.

    Raises:
        ConfigError: more examples are correct than there are, or there are none.
    """

    eps: float
    correct: int
    examples: int
    searched_in: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.correct <= self.examples or self.examples < 1:
            raise ConfigError(
                f"RobustnessPoint({self.correct} correct of {self.examples} examples): at least "
                "one example, and at most all of them correct"
            )

    @property
    def accuracy(self) -> float:
        """The fraction that withstood."""
        return self.correct / self.examples

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's interval of it."""
        return wilson_interval(self.correct, self.examples).ends

    def to_json(self) -> dict[str, Any]:
        """Counts, accuracy and interval, and where the attacks searched."""
        return {**asdict(self), "accuracy": self.accuracy, "interval": list(self.interval)}

    def __str__(self) -> str:
        low, high = self.interval
        share = f"{100 * self.accuracy:.1f} ({100 * low:.1f} to {100 * high:.1f})"
        where = f", searched in {self.searched_in}" if self.searched_in else ""
        return f"{share}, {self.correct} of {self.examples}{where}"


@checked
def robustness_curve(
    model: nn.Module,
    x: GivenPoints,
    y: GivenLabels,
    eps: Sequence[float],
    *,
    threat: ThreatModel | None = None,
    steps: int = 40,
    restarts: int = 1,
    seed: int = 0,
    batch_size: int = 500,
    on_batch: Callable[[], None] | None = None,
) -> list[RobustnessPoint]:
    """Accuracy under PGD on the margin at each radius, radius 0 being the clean accuracy.

    An example broken at a radius counts as broken at every larger one: the point found lies in
    those sets too. So the curve never rises.

    Args:
        model: real inputs to real logits.
        x, y: examples and labels.
        eps: the radii.
        threat: norm and box; its own radius is not used. l_inf on [0, 1] unless given.
        steps, restarts, seed: of `attacks.pgd`.
        batch_size: examples attacked at once.
        on_batch: called after each batch at each different radius.

    Law: not increasing in eps.

    Raises:
        ShapeError, InputTypeError: not one class index for each example.
        DataError: there are no examples.
        DomainError: some are outside the box.
        ConfigError: a radius is negative or not finite, batch_size is below 1, or `attacks.pgd`
            refuses.
    """
    threat = ThreatModel() if threat is None else threat
    require_examples(x, y, threat)
    require_some(y, "robustness_curve")
    require_count("batch_size", batch_size, 1, "robustness_curve")
    threats = {radius: replace(threat, eps=radius) for radius in eps}  # refused before any work
    robust = torch.ones(len(y), dtype=torch.bool)
    points, searched = {}, set[str]()
    for radius, at_radius in sorted(threats.items()):
        for batch in torch.arange(len(y)).split(batch_size):
            index = batch[robust[batch]]
            if len(index):
                result = pgd(
                    model, x[index], y[index], at_radius, steps=steps, restarts=restarts, seed=seed
                )
                robust[index] = ~result.success.cpu()
                searched.add(result.searched_in)
            if on_batch is not None:
                on_batch()
        points[radius] = RobustnessPoint(
            radius, int(robust.sum()), len(y), " and ".join(sorted(searched - {""}))
        )
    return [points[radius] for radius in eps]
