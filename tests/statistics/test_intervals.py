"""Intervals against closed forms, scipy and simulated coverage."""

import math
import random
import statistics

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from holonet.errors import DataError, DomainError
from holonet.statistics import (
    Interval,
    bootstrap_interval,
    mean_interval,
    paired_difference,
    wilson_interval,
)

numbers = st.floats(-100, 100) | st.integers(-3, 3)
samples = st.lists(numbers, min_size=2, max_size=12)
pairs = st.lists(st.tuples(numbers, numbers), min_size=2, max_size=12)


@given(values=samples)
def test_the_interval_of_a_mean_is_scipys(values):
    found = mean_interval(values)
    spread = statistics.stdev(map(float, values))
    error = spread / math.sqrt(len(values))
    assert found.estimate == pytest.approx(statistics.fmean(values), abs=1e-9)
    low, high = stats.t.interval(0.95, len(values) - 1, found.estimate, error or 1e-300)
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-6, abs=1e-9)
    assert found.count == len(values)


def test_intervals_of_normal_values_cover_their_mean_as_often_as_they_say():
    draws = torch.randn(2000, 4, generator=torch.Generator().manual_seed(0)) + 3
    found = [mean_interval(row) for row in draws.tolist()]
    covered = statistics.fmean(i.low <= 3 <= i.high for i in found)
    assert 0.935 < covered < 0.965


def test_one_value_decides_nothing():
    found = mean_interval([0.7])
    assert (found.estimate, found.low, found.high) == (0.7, -math.inf, math.inf)
    assert not found.is_above(-1e9)
    assert not found.is_below(1e9)
    assert not found.is_finite
    assert "one value" in found.text()


@given(values=pairs)
def test_paired_differences_mirror(values):
    x, y = zip(*values, strict=True)
    one, other = paired_difference(x, y), paired_difference(y, x)
    assert one.estimate == pytest.approx(-other.estimate)
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low))


@given(values=pairs, shift=st.lists(st.integers(-50, 50), min_size=12, max_size=12))
def test_what_pairs_share_cancels(values, shift):
    x, y = zip(*values, strict=True)
    moved = [[a + b for a, b in zip(of, shift, strict=False)] for of in (x, y)]
    one, other = paired_difference(x, y), paired_difference(*moved)
    assert (one.low, one.high) == pytest.approx((other.low, other.high), abs=1e-6)


def test_the_bootstrap_of_a_mean_is_near_the_normal_interval():
    rows = np.random.default_rng(1).normal(size=(200, 1))
    found = bootstrap_interval(lambda r: r.mean((-2, -1)), rows, resamples=4000)
    error = float(rows.std(ddof=1)) / math.sqrt(200)
    assert found.estimate == pytest.approx(float(rows.mean()))
    assert found.low == pytest.approx(found.estimate - 1.96 * error, abs=0.2 * error)
    assert found.high == pytest.approx(found.estimate + 1.96 * error, abs=0.2 * error)
    assert found.count == 200


def test_resamples_on_which_nothing_is_defined_are_left_out():
    none = bootstrap_interval(
        lambda r: np.where((np.diff(r[..., 0]) == 1).all(-1), r[..., 0, 0], math.nan),
        np.arange(9.0)[:, None],
        resamples=5,
    )
    assert not none.is_finite


@given(low=numbers, width=st.floats(0, 10), value=numbers, factor=st.floats(0.01, 100))
def test_an_interval_lies_on_one_side_or_on_neither(low, width, value, factor):
    interval = Interval(low + width / 2, low, low + width, 3, "t")
    assert interval.is_above(value) == (value < low)
    assert interval.is_below(value) == (value > low + width)
    scaled = interval.scaled(factor)
    assert (scaled.low, scaled.high) == (factor * low, factor * (low + width))


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: mean_interval([]), DataError, "at least one value"),
        (lambda: mean_interval([1.0, math.nan]), DataError, "finite"),
        (lambda: paired_difference([1.0], [1.0, 2.0]), DataError, "1 and 2 values"),
        (lambda: mean_interval([1.0, 2.0], confidence=1.0), DomainError, "confidence=1.0"),
        (lambda: Interval(0, 0, 0, 1, "").scaled(-1), DomainError, "positive"),
    ],
)
def test_bad_input_is_refused(call, error, match):
    with pytest.raises(error, match=match):
        call()


counts = st.integers(1, 10**6).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
levels = st.floats(0.01, 0.9999)


@given(count=counts, confidence=levels)
def test_wilson_ends_solve_the_score_equation(count, confidence):
    successes, trials = count
    with mpmath.workdps(50):
        p = mpmath.mpf(successes) / trials
        z = mpmath.sqrt(2) * mpmath.erfinv(mpmath.mpf(confidence))
        # |p - q| = z sqrt(q (1 - q) / n) is a quadratic equation in q
        a, b, c = 1 + z**2 / trials, -(2 * p + z**2 / trials), p**2
        root = mpmath.sqrt(b * b - 4 * a * c)
        expected = [float((-b + sign * root) / (2 * a)) for sign in (-1, 1)]
    found = wilson_interval(successes, trials, confidence).ends
    assert list(found) == pytest.approx(expected, rel=1e-7, abs=1e-12)


@given(count=counts, confidence=st.floats(0, 1, exclude_min=True, exclude_max=True))
def test_wilson_contains_the_proportion_and_lies_in_0_1(count, confidence):
    low, high = wilson_interval(count[0], count[1], confidence).ends
    assert 0 <= low <= count[0] / count[1] <= high <= 1


@given(count=counts, confidence=levels)
def test_wilson_of_failures_mirrors_that_of_successes(count, confidence):
    successes, trials = count
    low, high = wilson_interval(successes, trials, confidence).ends
    other = wilson_interval(trials - successes, trials, confidence).ends
    assert other == pytest.approx((1 - high, 1 - low), abs=1e-12)


@given(count=counts, a=levels, b=levels)
def test_wilson_with_more_confidence_is_wider(count, a, b):
    narrow, wide = (wilson_interval(count[0], count[1], c).ends for c in sorted((a, b)))
    assert wide[0] <= narrow[0] + 1e-12
    assert narrow[1] <= wide[1] + 1e-12


def test_wilson_of_published_counts() -> None:
    # Newcombe (1998), Statistics in Medicine 17, table I, method 3: 81 of 263, 15 of 148, 0 of 20
    for count, ends in [
        ((81, 263), (0.2553, 0.3662)),
        ((15, 148), (0.0624, 0.1605)),
        ((0, 20), (0.0, 0.1611)),
        ((1, 29), (0.0061, 0.1718)),
    ]:
        assert wilson_interval(*count).ends == pytest.approx(ends, abs=5e-5)


@pytest.mark.parametrize("p", [0.05, 0.5, 0.83])
def test_wilson_covers_as_often_as_it_says(p: float) -> None:
    generator, trials, repeats = random.Random(0), 200, 2000
    covered = 0
    for _ in range(repeats):
        successes = sum(generator.random() < p for _ in range(trials))
        low, high = wilson_interval(successes, trials).ends
        covered += low <= p <= high
    assert 0.93 < covered / repeats < 0.98


def test_wilson_with_confidence_next_to_1_is_wide_and_finite() -> None:
    low, high = wilson_interval(50, 100, 1 - 1e-16).ends
    assert 0 < low < 0.2
    assert 0.8 < high < 1


@pytest.mark.parametrize(
    ("successes", "trials", "confidence"),
    [(-1, 5, 0.9), (6, 5, 0.9), (0, 0, 0.9), (1, 5, 0.0), (1, 5, 1.0), (1, 5, math.nan)],
)
def test_wilson_refuses_counts_and_confidence_out_of_range(successes, trials, confidence):
    with pytest.raises(DomainError, match=f"confidence={confidence}"):
        wilson_interval(successes, trials, confidence)
