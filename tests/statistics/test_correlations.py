"""Rank correlations against scipy, closed forms and simulated studies with known answers."""

import math
import statistics

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from holonet.errors import DataError, DomainError
from holonet.statistics import rank_correlation, rank_correlation_interval

numbers = st.floats(-100, 100) | st.integers(-3, 3)
pairs = st.lists(st.tuples(numbers, numbers), min_size=2, max_size=12)


@given(values=pairs, seed=st.integers(0, 9))
def test_the_interval_of_a_rank_correlation_is_a_bootstrap_over_pairs(values, seed):
    x, y = zip(*values, strict=True)
    assume(len(set(map(float, x))) > 1 and len(set(map(float, y))) > 1)
    found = rank_correlation_interval(x, y, resamples=200, seed=seed)
    assert found.estimate == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-9)
    assert -1 <= found.low <= found.high <= 1
    assert found == rank_correlation_interval(x, y, resamples=200, seed=seed)


def test_a_tight_relation_has_a_tight_interval_and_noise_has_none():
    generator = torch.Generator().manual_seed(0)
    x, noise = torch.randn(2, 60, generator=generator).tolist()
    tight = rank_correlation_interval(x, [a + 0.05 * b for a, b in zip(x, noise, strict=True)])
    loose = rank_correlation_interval(x, noise)
    assert tight.is_above(0.95)
    assert loose.low < 0 < loose.high
    assert 0.3 < loose.high - loose.low < 0.7  # near 4 / sqrt(60)


def test_resamples_of_two_pairs_that_are_constant_are_left_out():
    found = rank_correlation_interval([1, 2], [3, 5], resamples=50)
    assert (found.low, found.estimate, found.high) == (1, 1, 1)


def test_the_global_stream_is_left_alone():
    before = torch.get_rng_state(), np.random.get_state()[1].tolist()
    rank_correlation_interval([1, 2, 3], [1, 3, 2])
    rank_correlation(range(8), [3, 1, 2, 5, 4, 8, 7, 6], resamples=10)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.random.get_state()[1].tolist() == before[1]


def study(seed, effect=0.0, rows=42, groups=3):
    """x and y that follow their group and a common cause, and each other as far as effect says."""
    rng = np.random.default_rng(seed)
    group = np.arange(rows) % groups
    cause = rng.normal(size=rows)
    x = 3 * group + cause + rng.normal(size=rows)
    y = 5 * group + cause + effect * (x - 3 * group - cause) + rng.normal(size=rows)
    return x.tolist(), y.tolist(), cause.tolist(), [f"rule {g}" for g in group]


@given(st.integers(0, 10**6))
def test_without_given_and_groups_it_is_spearmans(seed):
    x, y, *_ = study(seed)
    found = rank_correlation(x, y, resamples=50)
    assert found.interval.estimate == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)


@given(st.integers(0, 10**6))
def test_given_one_quantity_it_is_the_formula_of_three_correlations(seed):
    x, y, z, _ = study(seed)
    xy, xz, yz = (stats.spearmanr(a, b).statistic for a, b in ((x, y), (x, z), (y, z)))
    expected = (xy - xz * yz) / math.sqrt((1 - xz**2) * (1 - yz**2))
    found = rank_correlation(x, y, [z], resamples=20)
    assert found.interval.estimate == pytest.approx(expected, abs=1e-9)


@settings(max_examples=5)
@given(st.integers(0, 10**6))
def test_ranks_within_groups_alone_matter_and_signs_mirror(seed):
    x, y, z, groups = study(seed)
    first = rank_correlation(x, y, [z], groups, resamples=99)
    other = rank_correlation(
        np.exp(np.array(x) / 9).tolist(), [v**3 for v in y], [z], groups, resamples=99
    )
    assert other == first
    shifted = [v + 100 * (g == "rule 1") for v, g in zip(x, groups, strict=True)]
    assert rank_correlation(shifted, y, [z], groups, resamples=99) == first
    mirrored = rank_correlation([-v for v in x], y, [z], groups, resamples=99)
    assert mirrored.interval.estimate == pytest.approx(-first.interval.estimate, abs=1e-9)
    assert (mirrored.interval.low, mirrored.interval.high) == pytest.approx(
        (-first.interval.high, -first.interval.low), abs=1e-9
    )
    assert (mirrored.test.above, mirrored.test.below) == (first.test.below, first.test.above)


def rates(effect, studies=200, **options):
    """How often the test is below 0.05 above 0, and the interval has 0 in it."""
    tests, covered = [], []
    for seed in range(studies):
        x, y, z, groups = study(seed, effect)
        chosen = {"given": [z], "groups": groups} | options
        found = rank_correlation(x, y, **chosen, resamples=199, seed=seed)
        tests.append(found.test.above <= 0.05)
        covered.append(found.interval.low <= 0 <= found.interval.high)
    return statistics.fmean(tests), statistics.fmean(covered)


def test_an_effect_is_found_and_what_groups_and_causes_share_is_none():
    assert rates(0.0, 2)[0] == 0
    for found in (rates(0.8, 2), rates(0.0, 2, groups=None), rates(0.0, 2, given=[])):
        assert found[0] == 1


@pytest.mark.slow
def test_null_studies_are_rarely_found_and_planted_effects_often():
    false_positives, coverage = rates(0.0)
    assert false_positives < 0.09  # 0.05 and two standard errors of 200 studies
    assert coverage > 0.9
    found, _ = rates(0.8, 40)
    assert found > 0.9


@pytest.mark.slow
def test_without_groups_or_the_common_cause_the_same_studies_give_false_positives():
    assert rates(0.0, 40, groups=None)[0] > 0.9
    assert rates(0.0, 60, given=[])[0] > 0.5


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: rank_correlation_interval([1.0], [1.0]), DataError, "at least 2 pairs"),
        (lambda: rank_correlation_interval([1.0, 2.0], [1.0, math.inf]), DataError, "finite"),
        (lambda: rank_correlation_interval([1, 1], [1, 2]), DataError, "undefined"),
        (lambda: rank_correlation_interval([1, 2], [1, 2], resamples=0), DomainError, "=0"),
        (lambda: rank_correlation([1, 2, 3], [1, 2, 3]), DataError, "at least 5 rows"),
        (
            lambda: rank_correlation(range(6), range(6), [[0, 1, 0, 1, 1, 0]], list("ababab")),
            DataError,
            "in 2 groups with 1 quantities given: at least 7 rows",
        ),
        (lambda: rank_correlation(range(6), range(5)), DataError, "6 and 5 values"),
        (lambda: rank_correlation(range(6), [1.0] * 6), DataError, "constant"),
        (lambda: rank_correlation(range(8), range(8), [list(range(8))]), DataError, "follows"),
        (lambda: rank_correlation(range(6), [math.nan] * 6), DataError, "finite"),
        (lambda: rank_correlation(range(6), range(6), resamples=0), DomainError, "resamples=0"),
        (lambda: rank_correlation(range(6), range(6), confidence=1.0), DomainError, "confidence"),
    ],
)
def test_bad_input_is_refused(call, error, match):
    with pytest.raises(error, match=match):
        call()
