"""Confidence intervals: of proportions, of means and paired differences, and by the bootstrap."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
import torch
from jaxtyping import Float

from holonet._arguments import checked
from holonet.errors import DataError, DomainError

__all__ = [
    "Interval",
    "bootstrap_interval",
    "finite_values",
    "mean_interval",
    "paired_difference",
    "wilson_interval",
]

Number = float | int


@dataclass(frozen=True)
class Interval:
    """An estimate with its confidence interval.

    Args:
        estimate: the point estimate.
        low, high: the ends; infinite where a single value has no interval.
        count: the number of values behind it.
        method: how the ends were computed, for a reader.
        confidence: the share of such intervals that contain the truth.
    """

    estimate: Number
    low: Number
    high: Number
    count: int
    method: str
    confidence: Number = 0.95

    @property
    def ends(self) -> tuple[Number, Number]:
        """Both ends."""
        return self.low, self.high

    @property
    def is_finite(self) -> bool:
        """Whether both ends are finite: an infinite interval decides nothing."""
        return math.isfinite(self.low) and math.isfinite(self.high)

    def is_above(self, value: Number = 0.0) -> bool:
        """Whether the whole interval lies above a value."""
        return self.low > value

    def is_below(self, value: Number = 0.0) -> bool:
        """Whether the whole interval lies below a value."""
        return self.high < value

    def scaled(self, factor: Number) -> "Interval":
        """The interval of a positive multiple, of percent instead of fractions for example."""
        if not 0 < factor < math.inf:
            raise DomainError(f"Interval.scaled({factor}): the factor is positive and finite")
        low, high = factor * self.low, factor * self.high
        return replace(self, estimate=factor * self.estimate, low=low, high=high)

    def text(self, digits: int = 1, unit: str = "") -> str:
        """The estimate and the ends in words.

        Example:
            >>> Interval(2.04, 1.0, 3.0, 5, "t").text(unit=" points")
            '2.0 points (95% interval 1.0 to 3.0)'
        """
        if not self.is_finite:
            return f"{self.estimate:.{digits}f}{unit} (one value, no interval)"
        ends = f"{self.low:.{digits}f} to {self.high:.{digits}f}"
        return f"{self.estimate:.{digits}f}{unit} ({100 * self.confidence:.3g}% interval {ends})"


@checked
def wilson_interval(successes: int, trials: int, confidence: float = 0.95) -> Interval:
    """A proportion with Wilson's score interval.

    Law: it contains successes / trials and lies in [0, 1], at the ends too.

    Raises:
        DomainError: counts or confidence out of range.

    Example:
        >>> low, high = wilson_interval(90, 100).ends
        >>> round(low, 4), round(high, 4)
        (0.8256, 0.9448)

    References:
        Wilson (1927), Journal of the American Statistical Association 22.
    """
    if not (0 <= successes <= trials and trials > 0 and 0 < confidence < 1):
        raise DomainError(
            f"wilson_interval({successes}, {trials}, confidence={confidence}): "
            "needs 0 <= successes <= trials, trials > 0 and 0 < confidence < 1"
        )
    z = -NormalDist().inv_cdf((1 - confidence) / 2)
    p = successes / trials
    shrink = 1 + z * z / trials
    center = (p + z * z / (2 * trials)) / shrink
    half = z / shrink * (p * (1 - p) / trials + z * z / (4 * trials * trials)) ** 0.5
    low, high = min(p, max(0.0, center - half)), max(p, min(1.0, center + half))
    return Interval(p, low, high, trials, "Wilson", confidence)


@checked
def mean_interval(values: Sequence[Number], confidence: float = 0.95) -> Interval:
    """The mean with Student's interval: exact for values that are normal.

    Law: the interval of a single value is the whole line; a shift of all values shifts it.

    Raises:
        DataError: no value, or one that is not finite.
        DomainError: a confidence that is not between 0 and 1.

    Example:
        >>> interval = mean_interval([1.0, 2.0, 3.0])
        >>> round(interval.low, 3), interval.estimate, round(interval.high, 3)
        (-0.484, 2.0, 4.484)

    References:
        Student (1908).
    """
    from scipy.special import stdtrit

    if not 0 < confidence < 1:
        raise DomainError(f"mean_interval(confidence={confidence}): between 0 and 1")
    v = finite_values("mean_interval", values)
    n, mean = len(v), float(v.mean())
    if n == 1:
        return Interval(mean, -math.inf, math.inf, 1, "one value", confidence)
    half = float(stdtrit(n - 1, (1 + confidence) / 2)) * float(v.std(ddof=1)) / math.sqrt(n)
    return Interval(mean, mean - half, mean + half, n, "Student's t", confidence)


@checked
def paired_difference(
    first: Sequence[Number], second: Sequence[Number], confidence: float = 0.95
) -> Interval:
    """The mean of first - second over pairs, those of one seed for example, by Student's t.

    What the members of a pair share, weights at the start or batches, cancels.

    Law: swapping the two mirrors the interval at 0.

    Raises:
        DataError: the lengths differ, there is no pair, or a value is not finite.

    Example:
        >>> paired_difference([0.95, 0.91, 0.93], [0.90, 0.87, 0.88]).is_above(0)
        True
    """
    if len(first) != len(second):
        raise DataError(
            f"paired_difference of {len(first)} and {len(second)} values: "
            "give one partner for each, in the same order"
        )
    return mean_interval([a - b for a, b in zip(first, second, strict=True)], confidence)


@checked
def bootstrap_interval(
    statistic: Callable[[Float[np.ndarray, "*batch rows columns"]], Float[np.ndarray, "*batch"]],
    rows: Float[np.ndarray, "rows columns"],
    *,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """A statistic of rows with its percentile bootstrap interval at 95%.

    Resamples on which the statistic is undefined (NaN) are left out, where scipy's bootstrap gives
    no interval. With fewer than about 20 rows the interval is known to be too short: prefer
    `mean_interval` for means over seeds.

    Raises:
        DataError: the statistic of the rows themselves is undefined.
        DomainError: resamples below 1.

    References:
        Efron (1979).
    """
    if resamples < 1:
        raise DomainError(f"bootstrap_interval(resamples={resamples}): at least 1")
    estimate = float(statistic(rows))
    if math.isnan(estimate):
        raise DataError(
            f"the statistic of {len(rows)} rows is undefined (NaN): are all values of a column "
            "equal? It needs at least two different ones"
        )
    generator = torch.Generator().manual_seed(seed)
    draws = torch.randint(len(rows), (resamples, len(rows)), generator=generator).numpy()
    values = statistic(rows[draws])
    values = values[~np.isnan(values)]
    if not len(values):
        return Interval(estimate, -math.inf, math.inf, len(rows), "no resample was defined")
    low, high = np.quantile(values, (0.025, 0.975)).tolist()
    return Interval(estimate, low, high, len(rows), f"bootstrap, {resamples} resamples")


def finite_values(caller: str, values: Sequence[Number]) -> Float[np.ndarray, " values"]:
    """The values as an array.

    Raises:
        DataError: there is none, or one is not finite; the message names the caller.
    """
    v = np.array([float(a) for a in values])
    if not len(v) or not np.isfinite(v).all():
        raise DataError(
            f"{caller} of {list(values)}: needs at least one value and finite ones only; leave "
            "out what failed, and say so"
        )
    return v
