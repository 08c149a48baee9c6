"""Weights that change during training."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

from holonet._arguments import checked
from holonet.errors import ConfigError

__all__ = ["CosineRamp", "LinearRamp", "Schedule", "Weight", "weight_at"]


@checked
class Schedule(ABC):
    """A weight as a function of training progress, from 0 at the first step to 1 at the end.

    Law: finite and >= 0 on [0, 1]. Its repr says what it is: a run is resumed only under a rule
        that reads the same.
    """

    @abstractmethod
    def __call__(self, progress: float) -> float:
        """The weight when that fraction of training is done."""


Weight = float | int | Schedule
"""A number >= 0, or a schedule of them."""


@checked
@dataclass(frozen=True)
class LinearRamp(Schedule):
    """Linear from `initial` to `final` between the moments `start` and `end`, else level.

    Args:
        final: the weight from `end` on.
        initial: the weight up to `start`.
        start, end: fractions of training.

    Law: monotone; `final` at the end of training.

    Raises:
        ConfigError: a weight is negative or not finite, or not 0 <= start < end <= 1.

    Example:
        >>> warm_up = LinearRamp(0.3, end=0.5)
        >>> [warm_up(progress) for progress in (0.0, 0.25, 0.5, 1.0)]
        [0.0, 0.15, 0.3, 0.3]
    """

    final: float | int
    initial: float | int = 0.0
    start: float | int = 0.0
    end: float | int = 1.0

    def __post_init__(self) -> None:
        if not all(0 <= weight < math.inf for weight in (self.initial, self.final)):
            raise ConfigError(f"{self}: choose finite weights >= 0")
        if not 0 <= self.start < self.end <= 1:
            raise ConfigError(f"{self}: 0 <= start < end <= 1, fractions of training")

    def __call__(self, progress: float) -> float:
        """The weight when that fraction of training is done."""
        share = min(max((progress - self.start) / (self.end - self.start), 0.0), 1.0)
        share = self._bend(share)
        return (1 - share) * self.initial + share * self.final

    def _bend(self, share: float) -> float:
        """Where between `initial` and `final`, from 0 to 1."""
        return share


@checked
class CosineRamp(LinearRamp):
    """Half a cosine wave from `initial` to `final`: `LinearRamp` with level ends.

    Example:
        >>> round(CosineRamp(1.0)(0.5), 6), round(CosineRamp(1.0)(0.25), 6)
        (0.5, 0.146447)
    """

    def _bend(self, share: float) -> float:
        return (1 - math.cos(math.pi * share)) / 2


def weight_at(weight: Weight, progress: float, asked: str) -> float:
    """The weight when that fraction of training is done; a number is its own.

    Raises:
        ConfigError: the fraction is not in [0, 1], or a weight is negative or not finite.

    Example:
        >>> weight_at(LinearRamp(2.0), 0.25, "beta"), weight_at(3, 0.25, "beta")
        (0.5, 3.0)
    """
    if not 0 <= progress <= 1:
        raise ConfigError(
            f"progress={progress}: give the fraction of training that is done, a number in [0, 1]"
        )
    value = float(weight(progress)) if isinstance(weight, Schedule) else float(weight)
    if not 0 <= value < math.inf:
        raise ConfigError(f"{asked}={value}: choose a finite weight >= 0")
    return value
