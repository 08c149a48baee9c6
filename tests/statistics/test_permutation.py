"""Permutation tests against all arrangements, and Holm's correction against its definition."""

import itertools
import math
import statistics

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from holonet.errors import DataError, DomainError
from holonet.statistics import fewest_pairs, holm, sign_flip_test, standardized_effect, student_test
from holonet.statistics.permutation import share_beyond

samples = st.lists(st.floats(-9, 9) | st.integers(-2, 2), min_size=5, max_size=8)


@given(samples)
def test_the_p_value_counts_all_choices_of_signs(values):
    found = sign_flip_test(values)
    sums = [
        math.fsum(s * v for s, v in zip(signs, values, strict=True))
        for signs in itertools.product((1, -1), repeat=len(values))
    ]
    own, slack = math.fsum(values), 1e-9 * sum(map(abs, values))
    assert found.above == pytest.approx(statistics.fmean(s >= own - slack for s in sums))
    assert found.below == pytest.approx(statistics.fmean(s <= own + slack for s in sums))
    mirrored = sign_flip_test([-v for v in values])
    assert (mirrored.above, mirrored.below) == (found.below, found.above)


def test_many_pairs_are_drawn_and_the_draws_repeat():
    values = np.random.default_rng(0).normal(0.3, 1, 30).tolist()
    assert sign_flip_test(values) == sign_flip_test(values)
    assert 0 < sign_flip_test(values).above < 0.2


@pytest.mark.slow
def test_false_positives_are_at_the_level_for_differences_that_are_not_normal():
    rng = np.random.default_rng(1)
    found = [sign_flip_test(rng.standard_t(2, 8).tolist()).above <= 0.05 for _ in range(400)]
    assert statistics.fmean(found) < 0.075


@pytest.mark.parametrize("level", [0.05, 0.05 / 8, 0.01, 0.25])
def test_too_few_pairs_are_refused_with_the_number_that_is_enough(level):
    enough = fewest_pairs(level)
    assert sign_flip_test([1.0] * enough, level=level).above <= level
    with pytest.raises(DataError, match=f"at least {enough} pairs"):
        sign_flip_test([1.0] * (enough - 1), level=level)


@given(
    st.dictionaries(st.text(max_size=3), st.floats(0, 1), min_size=1, max_size=8), st.integers(0, 3)
)
def test_holm_rejects_what_its_step_down_procedure_rejects(p_values, more):
    count = len(p_values) + more
    found = holm(p_values, count)
    assert all(p <= found[name] <= 1 for name, p in p_values.items())
    for level in (0.01, 0.05, 0.3, 0.9):
        rejected = set()
        for rank, name in enumerate(sorted(p_values, key=lambda name: p_values[name])):
            if p_values[name] > level / (count - rank):
                break
            rejected.add(name)
        close = {n for n in found if math.isclose(found[n], level, rel_tol=1e-12)}
        assert {n for n in found if found[n] <= level} | close == rejected | close
    if count == 1:
        assert found == p_values


@given(st.lists(st.floats(-9, 9), min_size=3, max_size=9))
def test_student_is_scipys(values):
    assume(np.std(values) > 1e-3)
    found = student_test(values)
    for side, p in (("greater", found.above), ("less", found.below)):
        expected = stats.ttest_1samp(values, 0, alternative=side).pvalue
        assert p == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_an_effect_is_in_standard_deviations():
    assert standardized_effect([1.0, 2.0, 3.0]) == pytest.approx(2.0)
    assert standardized_effect([2.0, 2.0]) == math.inf
    assert standardized_effect([-2.0, -2.0]) == -math.inf
    assert standardized_effect([0.0, 0.0]) == 0.0


def test_the_observed_arrangement_counts_and_ties_count_on_both_sides():
    found = share_beyond(1.0, np.array([0.0, 1.0, 2.0]), "three")
    assert (found.above, found.below) == (0.75, 0.75)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: sign_flip_test([]), DataError, "at least one value"),
        (lambda: sign_flip_test([1.0, math.nan] * 4), DataError, "finite"),
        (lambda: standardized_effect([1.0]), DataError, "at least 2"),
        (lambda: student_test([1.0]), DataError, "at least 2"),
        (lambda: holm({"a": 1.2}), DomainError, "p-values"),
        (lambda: holm({"a": 0.1, "b": 0.2}, 1), DomainError, "count=1"),
        (lambda: fewest_pairs(0.0), DomainError, "between 0 and 1"),
    ],
)
def test_bad_input_is_refused(call, error, match):
    with pytest.raises(error, match=match):
        call()
