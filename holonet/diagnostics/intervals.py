"""Confidence intervals of proportions."""

from statistics import NormalDist

from holonet._arguments import checked
from holonet.errors import DomainError

__all__ = ["wilson_interval"]


@checked
def wilson_interval(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a proportion.

    Law: it contains successes / trials and lies in [0, 1], at the ends too.

    Raises:
        DomainError: counts or confidence out of range.

    Example:
        >>> low, high = wilson_interval(90, 100)
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
    return min(p, max(0.0, center - half)), max(p, min(1.0, center + half))
