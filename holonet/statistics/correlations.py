"""Rank correlations: plain, given other quantities, and within groups."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from holonet._arguments import checked
from holonet.errors import DataError, DomainError
from holonet.statistics.intervals import Interval, Number, bootstrap_interval, finite_values
from holonet.statistics.permutation import PValues, share_beyond

__all__ = ["RankCorrelation", "rank_correlation", "rank_correlation_interval"]

FEWEST = 4
"""Rows beyond one for each group and one for each quantity that is given."""

CHUNK = 1000  # permutations at once


@dataclass(frozen=True)
class RankCorrelation:
    """A correlation with its interval and its permutation test."""

    interval: Interval
    test: PValues


@checked
def rank_correlation(
    x: Sequence[Number],
    y: Sequence[Number],
    given: Sequence[Sequence[Number]] = (),
    groups: Sequence[str] | None = None,
    *,
    confidence: float = 0.95,
    resamples: int = 9999,
    seed: int = 0,
) -> RankCorrelation:
    """Spearman's correlation of what is left of two quantities when others are given.

    Values are ranked, the ranks centered, and their linear dependence on the centered ranks of
    what is given removed. With groups, ranks and centers are those within each group: what tells
    groups apart counts for nothing. The interval is that of Fisher's z with the variance
    (1 + r^2 / 2) / (n - g - k - 2), for n rows, g groups and k quantities given. The test permutes
    what is left of x, within groups.

    Args:
        x, y: one value a row.
        given: quantities whose influence is removed, one value a row each.
        groups: a name a row.
        confidence: of the interval.
        resamples: random permutations.
        seed: of them.

    Law: in [-1, 1]; unchanged by increasing functions of x, y or a quantity given, in each group;
        -x mirrors it; without given and groups the estimate is Spearman's.

    Raises:
        DataError: lengths differ, a value is not finite, nothing varies, or too few rows; the
            message has the number needed.
        DomainError: resamples below 1, a confidence that is not between 0 and 1.

    Example:
        >>> found = rank_correlation([1, 2, 3, 4, 5, 6, 7], [1, 4, 9, 16, 25, 36, 48])
        >>> found.interval.estimate, found.test.above < 0.01
        (1.0, True)

    References:
        Bonett and Wright (2000) for the variance; Freedman and Lane (1983) for the permutation of
        what is left.
    """
    caller = "rank_correlation"
    if resamples < 1 or not 0 < confidence < 1:
        raise DomainError(
            f"{caller}(resamples={resamples}, confidence={confidence}): at least 1, and between 0 "
            "and 1"
        )
    names = np.array([""] * len(x) if groups is None else list(groups))
    columns = [finite_values(caller, v) for v in (x, y, *given)]
    if {len(v) for v in (*columns, names)} != {len(x)}:
        raise DataError(
            f"{caller} of {len(x)} and {len(y)} values: every quantity and the groups have one "
            "value a row"
        )
    members = [np.flatnonzero(names == name) for name in sorted(set(names))]
    needed = FEWEST + len(members) + len(given)
    if len(x) < needed:
        raise DataError(
            f"{caller} of {len(x)} rows in {len(members)} groups with {len(given)} quantities "
            f"given: at least {needed} rows are needed"
        )
    ranks = np.stack([_centered_ranks(v, members) for v in columns])
    basis = _basis(ranks[2:])
    left = _without(ranks[:2], basis)
    if (np.square(left).sum(-1) < 1e-9 * len(x)).any():
        raise DataError(f"{caller}: a quantity is constant, or follows from what is given")
    estimate = float(_cosines(left[:1], left[1])[0])
    generator = np.random.default_rng(seed)
    draws = np.concatenate(
        [
            _cosines(_without(_permuted(left[0], members, count, generator), basis), left[1])
            for count in _portions(resamples)
        ]
    )
    z = math.atanh(min(max(estimate, -1 + 1e-12), 1 - 1e-12))
    freedom = len(x) - len(members) - len(given) - 2
    half = _normal((1 + confidence) / 2) * math.sqrt((1 + estimate**2 / 2) / freedom)
    low, high = min(estimate, math.tanh(z - half)), max(estimate, math.tanh(z + half))
    interval = Interval(estimate, low, high, len(x), "Fisher's z", confidence)
    return RankCorrelation(interval, share_beyond(estimate, draws, f"{resamples} permutations"))


@checked
def rank_correlation_interval(
    x: Sequence[Number], y: Sequence[Number], *, resamples: int = 2000, seed: int = 0
) -> Interval:
    """Spearman's rank correlation with the bootstrap interval over pairs.

    Ties share their mean rank.

    Law: in [-1, 1]; unchanged by increasing functions of x or of y; 1 of x with itself.

    Raises:
        DataError: the lengths differ, there are fewer than 2 pairs, a value is not finite, or x
            or y is constant.
        DomainError: resamples below 1.

    Example:
        >>> rank_correlation_interval([1, 2, 3], [10, 1000, 100]).estimate
        0.5

    References:
        Spearman (1904).
    """
    asked = "rank_correlation_interval"
    if len(x) != len(y) or len(x) < 2:
        raise DataError(
            f"{asked} of {len(x)} and {len(y)} values: give at least 2 pairs, a y for every x"
        )
    pairs = np.stack([finite_values(asked, x), finite_values(asked, y)], -1)
    return bootstrap_interval(_spearman, pairs, resamples=resamples, seed=seed)


def _centered_ranks(
    values: Float[np.ndarray, " rows"], members: Sequence[np.ndarray]
) -> Float[np.ndarray, " rows"]:
    """Within each group, over its size."""
    from scipy.stats import rankdata

    ranks = np.empty(len(values))
    for rows in members:
        ranks[rows] = (rankdata(values[rows]) - (len(rows) + 1) / 2) / len(rows)
    return ranks


def _basis(rows: Float[np.ndarray, "given rows"]) -> Float[np.ndarray, "some rows"]:
    """An orthonormal basis of their span."""
    _, sizes, basis = np.linalg.svd(rows, full_matrices=False)
    return basis[sizes > 1e-9 * max(1.0, float(sizes.max(initial=0.0)))]


def _without(
    rows: Float[np.ndarray, "count rows"], basis: Float[np.ndarray, "some rows"]
) -> Float[np.ndarray, "count rows"]:
    return rows - rows @ basis.T @ basis


def _cosines(
    rows: Float[np.ndarray, "count rows"], other: Float[np.ndarray, " rows"]
) -> Float[np.ndarray, " count"]:
    size = np.linalg.norm(rows, axis=-1) * np.linalg.norm(other)
    return np.clip(rows @ other / np.maximum(size, 1e-300), -1, 1)


def _permuted(
    values: Float[np.ndarray, " rows"],
    members: Sequence[np.ndarray],
    count: int,
    generator: np.random.Generator,
) -> Float[np.ndarray, "count rows"]:
    """Within each group."""
    drawn = np.repeat(values[None], count, 0)
    for rows in members:
        drawn[:, rows] = generator.permuted(drawn[:, rows], axis=1)
    return drawn


def _portions(count: int) -> list[int]:
    """Numbers of at most `CHUNK` with that sum."""
    return [min(CHUNK, count - first) for first in range(0, count, CHUNK)]


def _normal(probability: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf(probability)


def _spearman(pairs: Float[np.ndarray, "*batch rows 2"]) -> Float[np.ndarray, "*batch"]:
    from scipy.stats import rankdata

    ranks = rankdata(pairs, axis=-2)
    ranks -= ranks.mean(-2, keepdims=True)
    x, y = ranks[..., 0], ranks[..., 1]
    with np.errstate(invalid="ignore"):  # constant: 0 / 0
        correlation = (x * y).sum(-1) / np.sqrt((x * x).sum(-1) * (y * y).sum(-1))
    return np.asarray(np.clip(correlation, -1, 1))
