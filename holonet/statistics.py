"""What can be said from few seeds: paired differences, means and rank correlations as intervals."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from holonet._types import RealTensor
from holonet.errors import DataError, DomainError

__all__ = [
    "Interval",
    "bootstrap_interval",
    "mean_interval",
    "paired_difference",
    "rank_correlation",
    "rank_correlation_interval",
    "t_quantile",
]

Number = float | int


@dataclass(frozen=True)
class Interval:
    """An estimate with its confidence interval.

    An interval that is infinite, that of a single value for example, decides nothing.

    Args:
        estimate: the point estimate.
        low, high: the ends.
        count: how many values it rests on.
        method: how the ends were computed, for a reader.
    """

    estimate: Number
    low: Number
    high: Number
    count: int
    method: str

    @property
    def is_finite(self) -> bool:
        """Whether it can decide anything."""
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
        return replace(
            self,
            estimate=factor * self.estimate,
            low=factor * self.low,
            high=factor * self.high,
        )

    def text(self, digits: int = 1, unit: str = "") -> str:
        """The estimate and the ends in words.

        Example:
            >>> Interval(2.04, 1.0, 3.0, 5, "t").text(unit=" points")
            '2.0 points (95% interval 1.0 to 3.0)'
        """
        if not self.is_finite:
            return f"{self.estimate:.{digits}f}{unit} (one value, no interval)"
        ends = f"{self.low:.{digits}f} to {self.high:.{digits}f}"
        return f"{self.estimate:.{digits}f}{unit} (95% interval {ends})"


def mean_interval(values: Sequence[Number]) -> Interval:
    """The mean with Student's interval at 95%: exact for values that are normal.

    Law: the interval of a single value is the whole line; a shift of all values shifts it.

    Raises:
        DataError: no value, or one that is not finite.

    Example:
        >>> found = mean_interval([1.0, 2.0, 3.0])
        >>> round(found.low, 3), found.estimate, round(found.high, 3)
        (-0.484, 2.0, 4.484)

    References:
        Student (1908).
    """
    v = _finite("mean_interval", values)
    n, mean = len(v), float(v.mean())
    if n == 1:
        return Interval(mean, -math.inf, math.inf, 1, "one value")
    half = t_quantile(n - 1) * float(v.std()) / math.sqrt(n)
    return Interval(mean, mean - half, mean + half, n, "Student's t")


def paired_difference(first: Sequence[Number], second: Sequence[Number]) -> Interval:
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
    return mean_interval([a - b for a, b in zip(first, second, strict=True)])


def rank_correlation(x: Sequence[Number], y: Sequence[Number]) -> float:
    """Spearman's rank correlation, ties sharing their mean rank; NaN where x or y is constant.

    Law: in [-1, 1]; unchanged by increasing functions of x or of y; 1 of x with itself.

    Raises:
        DataError: the lengths differ, there are fewer than 2 pairs, or a value is not finite.

    Example:
        >>> rank_correlation([1, 2, 3], [10, 1000, 100])
        0.5

    References:
        Spearman (1904).
    """
    return float(_spearman(_pairs("rank_correlation", x, y)))


def rank_correlation_interval(
    x: Sequence[Number], y: Sequence[Number], *, resamples: int = 2000, seed: int = 0
) -> Interval:
    """Spearman's rank correlation with the bootstrap interval over pairs.

    Raises:
        DataError: as `rank_correlation`, or x or y is constant.
        DomainError: resamples below 1.
    """
    pairs = _pairs("rank_correlation_interval", x, y)
    return bootstrap_interval(_spearman, pairs, resamples=resamples, seed=seed)


def bootstrap_interval(
    statistic: Callable[[Tensor], Tensor], rows: Tensor, *, resamples: int = 2000, seed: int = 0
) -> Interval:
    """A statistic of rows with its percentile bootstrap interval at 95%.

    Resamples on which the statistic is undefined (NaN) are left out. With fewer than about 20
    rows the interval is known to be too short: prefer `mean_interval` for means over seeds.

    Args:
        statistic: rows (..., n, columns) to numbers (...).
        rows: what is resampled, (n, columns).
        resamples: how many.
        seed: of the draws.

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
    drawn = torch.randint(len(rows), (resamples, len(rows)), generator=generator)
    found = statistic(rows[drawn])
    found = found[~found.isnan()]
    if not len(found):
        return Interval(estimate, -math.inf, math.inf, len(rows), "no resample was defined")
    low, high = found.quantile(torch.tensor([0.025, 0.975], dtype=found.dtype)).tolist()
    return Interval(estimate, low, high, len(rows), f"bootstrap, {resamples} resamples")


def t_quantile(freedom: int, confidence: float = 0.95) -> float:
    """The t with P(|T| <= t) = confidence for Student's T with integer degrees of freedom.

    Raises:
        DomainError: freedom below 1, or confidence not strictly between 0 and 1.

    Example:
        >>> round(t_quantile(4), 4)
        2.7764

    References:
        Abramowitz and Stegun (1964), 26.7.3 and 26.7.4, for the finite sums.
    """
    if freedom < 1 or not 0 < confidence < 1:
        raise DomainError(
            f"t_quantile({freedom}, confidence={confidence}): needs freedom >= 1 and a confidence "
            "between 0 and 1"
        )
    low, high = 0.0, math.pi / 2  # the angle, atan(t / sqrt(freedom)), by bisection
    for _ in range(80):
        middle = (low + high) / 2
        if _within(middle, freedom) < confidence:
            low = middle
        else:
            high = middle
    return math.sqrt(freedom) * math.tan((low + high) / 2)


def _within(angle: float, freedom: int) -> float:
    """P(|T| <= sqrt(freedom) tan angle)."""
    square = math.cos(angle) ** 2
    odd = freedom % 2
    term = math.cos(angle) if odd else 1.0
    total = 0.0
    for k in range(freedom // 2):
        total += term
        term *= square * (2 * k + 1 + odd) / (2 * k + 2 + odd)
    inner = math.sin(angle) * total
    return 2 / math.pi * (angle + inner) if odd else inner


def _spearman(pairs: Tensor) -> RealTensor:
    """Of the pairs (..., n, 2)."""
    ranks = _ranks(pairs.mT.contiguous())
    ranks = ranks - ranks.mean(-1, keepdim=True)
    x, y = ranks.unbind(-2)
    product = (x * y).sum(-1) / (x.square().sum(-1) * y.square().sum(-1)).sqrt()
    return product.clamp(-1, 1)


def _ranks(values: Tensor) -> RealTensor:
    """Ranks from 1 along the last axis, equal values sharing their mean rank."""
    ordered = values.sort(-1).values
    below = torch.searchsorted(ordered, values)
    up_to = torch.searchsorted(ordered, values, right=True)
    return (below + up_to + 1).double() / 2


def _pairs(caller: str, x: Sequence[Number], y: Sequence[Number]) -> RealTensor:
    if len(x) != len(y) or len(x) < 2:
        raise DataError(
            f"{caller} of {len(x)} and {len(y)} values: give at least 2 pairs, a y for every x"
        )
    return torch.stack([_finite(caller, x), _finite(caller, y)], -1)


def _finite(caller: str, values: Sequence[Number]) -> RealTensor:
    v = torch.tensor([float(a) for a in values], dtype=torch.float64)
    if not len(v) or not v.isfinite().all():
        raise DataError(
            f"{caller} of {list(values)}: needs at least one value and finite ones only; leave "
            "out what failed, and say so"
        )
    return v
