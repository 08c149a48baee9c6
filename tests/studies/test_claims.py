"""Verdicts follow from where intervals lie."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holonet.statistics import Interval
from holonet.studies.claims import Verdict, judge, judge_all

ends = st.tuples(st.floats(-9, 9), st.floats(-9, 9)).map(sorted)


def interval(low: float, high: float) -> Interval:
    middle = (low + high) / 2 if math.isfinite(high - low) else 0.0
    return Interval(middle, low, high, 5, "t")


@given(ends=ends, value=st.floats(-9, 9), claimed=st.sampled_from(["above", "below"]))
def test_confirmed_only_if_the_whole_interval_lies_there(ends, value, claimed):
    low, high = ends
    verdict, reason = judge(interval(low, high), claimed, value)
    there = low > value if claimed == "above" else high < value
    elsewhere = high < value if claimed == "above" else low > value
    assert (verdict is Verdict.CONFIRMED) == there
    assert ("the opposite holds" in reason) == elsewhere
    assert ("undecided" in reason) == (not there and not elsewhere)


def test_one_value_tests_nothing():
    assert judge(interval(-math.inf, math.inf), "above")[0] is Verdict.NOT_TESTABLE


@given(
    intervals=st.dictionaries(st.sampled_from("abc"), ends, min_size=1),
    claimed=st.sampled_from(["above", "below"]),
)
def test_a_claim_about_several_needs_all_of_them(intervals, claimed):
    named = {name: interval(*found) for name, found in intervals.items()}
    verdict, text = judge_all(named, claimed)
    each = [judge(i, claimed)[0] for i in named.values()]
    assert (verdict is Verdict.CONFIRMED) == all(v is Verdict.CONFIRMED for v in each)
    for name in named:
        assert f"{name}: " in text


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(1, 2, Verdict.NOT_TESTABLE), (-1, 2, Verdict.NOT_TESTABLE)],
)
def test_one_without_an_interval_makes_all_not_testable(low, high, expected):
    named = {"a": interval(low, high), "b": interval(-math.inf, math.inf)}
    assert judge_all(named, "above")[0] is expected


def test_no_interval_confirms_nothing():
    assert judge_all({}, "above")[0] is Verdict.NOT_TESTABLE


def test_numbers_are_written_in_the_unit_that_was_asked():
    text = judge_all({"a": interval(0.1, 0.3)}, "above", factor=100, unit=" points")[1]
    assert "20.0 points (95% interval 10.0 to 30.0)" in text
