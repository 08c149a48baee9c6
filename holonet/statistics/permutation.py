"""Tests by permutation and of means, the size of an effect, and what several claims cost."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from holonet._arguments import checked
from holonet.errors import DataError, DomainError
from holonet.statistics.intervals import Number, finite_values

__all__ = [
    "PValues",
    "fewest_pairs",
    "holm",
    "share_beyond",
    "sign_flip_test",
    "standardized_effect",
    "student_test",
]


@dataclass(frozen=True)
class PValues:
    """One-sided p-values.

    Args:
        above: that the quantity is not above 0.
        below: that it is not below 0.
        method: for a reader.
    """

    above: Number
    below: Number
    method: str


@checked
def sign_flip_test(differences: Sequence[Number], *, level: float = 0.05) -> PValues:
    """Whether paired differences are centered at 0, by flipping their signs.

    Exact for differences that are independent and symmetric about their center: every one of the
    2^n choices of signs is as likely. Above 14 pairs 9,999 random choices are taken.

    Args:
        differences: one for each pair.
        level: the one-sided level that the test is to reach.

    Law: the p-values are at least 2^-n; those of -d are exchanged.

    Raises:
        DataError: so few pairs that no p-value is as small as the level; the message has the number
            needed.

    Example:
        >>> sign_flip_test([1.0, 2.0, 1.5, 0.5, 1.2]).above
        0.03125

    References:
        Fisher (1935), chapter 3.
    """
    from scipy.stats import permutation_test

    d = finite_values("sign_flip_test", differences)
    if 0.5 ** len(d) > level:
        raise DataError(
            f"a permutation test at the level {level:.3g} of {len(d)} pairs: no p-value is below "
            f"1/{2 ** len(d)}, at least {fewest_pairs(level)} pairs are needed"
        )
    above, below = (
        float(
            permutation_test(
                (d,),
                _mean,
                permutation_type="samples",
                vectorized=True,
                n_resamples=2**14,
                alternative=side,
                rng=0,
            ).pvalue
        )
        for side in ("greater", "less")
    )
    return PValues(above, below, f"signs of {len(d)} pairs")


@checked
def student_test(differences: Sequence[Number]) -> PValues:
    """Whether the mean of paired differences is 0, by Student's t: exact for normal ones.

    Raises:
        DataError: fewer than 2 differences, or one that is not finite.

    References:
        Student (1908).
    """
    from scipy.special import stdtr

    effect = standardized_effect(differences)
    count = len(differences)
    t = max(min(effect * math.sqrt(count), 1e300), -1e300)
    method = f"Student's t of {count} pairs"
    return PValues(float(stdtr(count - 1, -t)), float(stdtr(count - 1, t)), method)


@checked
def fewest_pairs(level: float) -> int:
    """The number of pairs from which on `sign_flip_test` can reach a one-sided level.

    Raises:
        DomainError: a level that is not between 0 and 1.

    Example:
        >>> fewest_pairs(0.05), fewest_pairs(0.05 / 8)
        (5, 8)
    """
    if not 0 < level < 1:
        raise DomainError(f"fewest_pairs({level}): a level lies between 0 and 1")
    return math.ceil(-math.log2(level))


@checked
def standardized_effect(differences: Sequence[Number]) -> float:
    """The mean over the standard deviation, of paired differences; infinite where none deviates.

    Raises:
        DataError: fewer than 2 differences, or one that is not finite.

    References:
        Cohen (1988), d for pairs.
    """
    d = finite_values("standardized_effect", differences)
    if len(d) < 2:
        raise DataError(f"standardized_effect of {len(d)} differences: at least 2 are needed")
    deviation, mean = float(d.std(ddof=1)), float(d.mean())
    return mean / deviation if deviation else math.copysign(math.inf, mean) if mean else 0.0


@checked
def holm(p_values: Mapping[str, Number], count: int | None = None) -> dict[str, float]:
    """p-values that are corrected for their number, by Holm's method.

    The chance that any true null hypothesis has one below a level is at most that level, whatever
    their dependence.

    Args:
        p_values: by name.
        count: the number of hypotheses that were stated, where not all are here.

    Law: at least the p-value, at most 1, and in the order of the p-values; one alone is unchanged.

    Raises:
        DomainError: a value outside of [0, 1], or a count below their number.

    Example:
        >>> holm({"a": 0.01, "b": 0.04, "c": 0.03})
        {'a': 0.03, 'b': 0.06, 'c': 0.06}

    References:
        Holm (1979).
    """
    total = len(p_values) if count is None else count
    if total < len(p_values) or not all(0 <= p <= 1 for p in p_values.values()):
        raise DomainError(f"holm({dict(p_values)}, count={count}): p-values, and at least as many")
    corrected, largest = {}, 0.0
    for rank, name in enumerate(sorted(p_values, key=lambda name: p_values[name])):
        largest = max(largest, min(1.0, (total - rank) * p_values[name]))
        corrected[name] = largest
    return {name: corrected[name] for name in p_values}


def share_beyond(observed: float, draws: Float[np.ndarray, " draws"], method: str) -> PValues:
    """The test of a statistic beside its values under random permutations, itself counted too.

    References:
        Phipson and Smyth (2010).
    """
    slack = 1e-12 * max(1.0, abs(observed))  # equal but for rounding
    above, below = (
        float((1 + np.sum(sign * draws >= sign * observed - slack)) / (1 + len(draws)))
        for sign in (1, -1)
    )
    return PValues(above, below, method)


def _mean(values: Float[np.ndarray, "*some pairs"], axis: int) -> Float[np.ndarray, "*some"]:
    return np.asarray(values.mean(axis))
