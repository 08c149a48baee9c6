"""Wilson's interval against its definition, and its coverage."""

import math
import random

import mpmath
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holonet.diagnostics import wilson_interval
from holonet.errors import DomainError

counts = st.integers(1, 10**6).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
levels = st.floats(0.01, 0.9999)


@given(count=counts, confidence=levels)
def test_ends_solve_the_score_equation(count, confidence):
    successes, trials = count
    with mpmath.workdps(50):
        p = mpmath.mpf(successes) / trials
        z = mpmath.sqrt(2) * mpmath.erfinv(mpmath.mpf(confidence))
        # |p - q| = z sqrt(q (1 - q) / n) is a quadratic equation in q
        a, b, c = 1 + z**2 / trials, -(2 * p + z**2 / trials), p**2
        root = mpmath.sqrt(b * b - 4 * a * c)
        expected = [float((-b + sign * root) / (2 * a)) for sign in (-1, 1)]
    found = wilson_interval(successes, trials, confidence)
    assert list(found) == pytest.approx(expected, rel=1e-7, abs=1e-12)


@given(count=counts, confidence=st.floats(0, 1, exclude_min=True, exclude_max=True))
def test_it_contains_the_proportion_and_lies_in_0_1(count, confidence):
    low, high = wilson_interval(count[0], count[1], confidence)
    assert 0 <= low <= count[0] / count[1] <= high <= 1


@given(count=counts, confidence=levels)
def test_symmetry(count, confidence):
    successes, trials = count
    low, high = wilson_interval(successes, trials, confidence)
    other = wilson_interval(trials - successes, trials, confidence)
    assert other == pytest.approx((1 - high, 1 - low), abs=1e-12)


@given(count=counts, a=levels, b=levels)
def test_more_confidence_is_wider(count, a, b):
    narrow, wide = (wilson_interval(count[0], count[1], c) for c in sorted((a, b)))
    assert wide[0] <= narrow[0] + 1e-12
    assert narrow[1] <= wide[1] + 1e-12


def test_published_value() -> None:
    # Newcombe (1998), Statistics in Medicine 17, table I, method 3: 81 of 263, 15 of 148, 0 of 20
    for count, ends in [
        ((81, 263), (0.2553, 0.3662)),
        ((15, 148), (0.0624, 0.1605)),
        ((0, 20), (0.0, 0.1611)),
        ((1, 29), (0.0061, 0.1718)),
    ]:
        assert wilson_interval(*count) == pytest.approx(ends, abs=5e-5)


@pytest.mark.parametrize("p", [0.05, 0.5, 0.83])
def test_coverage(p: float) -> None:
    generator, trials, repeats = random.Random(0), 200, 2000
    covered = 0
    for _ in range(repeats):
        successes = sum(generator.random() < p for _ in range(trials))
        low, high = wilson_interval(successes, trials)
        covered += low <= p <= high
    assert 0.93 < covered / repeats < 0.98


def test_confidence_next_to_1_is_wide_and_finite() -> None:
    low, high = wilson_interval(50, 100, 1 - 1e-16)
    assert 0 < low < 0.2
    assert 0.8 < high < 1


@pytest.mark.parametrize(
    ("successes", "trials", "confidence"),
    [(-1, 5, 0.9), (6, 5, 0.9), (0, 0, 0.9), (1, 5, 0.0), (1, 5, 1.0), (1, 5, math.nan)],
)
def test_out_of_range(successes: int, trials: int, confidence: float) -> None:
    with pytest.raises(DomainError, match=f"confidence={confidence}"):
        wilson_interval(successes, trials, confidence)
