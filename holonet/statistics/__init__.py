"""Intervals and tests: of proportions, means, paired differences and rank correlations."""

from holonet.statistics.correlations import (
    RankCorrelation,
    rank_correlation,
    rank_correlation_interval,
)
from holonet.statistics.intervals import (
    Interval,
    bootstrap_interval,
    mean_interval,
    paired_difference,
    wilson_interval,
)
from holonet.statistics.pairs import node_effects, pair_correlation, pair_test
from holonet.statistics.permutation import (
    PValues,
    fewest_pairs,
    holm,
    sign_flip_test,
    standardized_effect,
    student_test,
)

__all__ = [
    "Interval",
    "PValues",
    "RankCorrelation",
    "bootstrap_interval",
    "fewest_pairs",
    "holm",
    "mean_interval",
    "node_effects",
    "pair_correlation",
    "pair_test",
    "paired_difference",
    "rank_correlation",
    "rank_correlation_interval",
    "sign_flip_test",
    "standardized_effect",
    "student_test",
    "wilson_interval",
]
