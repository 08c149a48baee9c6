"""Verdicts follow from where intervals lie; that of several is the last in their order."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holonet.errors import DataError
from holonet.statistics import Interval, paired_difference
from holonet.studies.evidence import Criterion, Evidence, Verdict, judge, paired_by_seed

ends = st.tuples(st.floats(-9, 9), st.floats(-9, 9)).map(sorted)
INTERVALS = {
    Verdict.CONFIRMED: Interval(1.0, 0.5, 1.5, 5, "t"),
    Verdict.UNDECIDED: Interval(1.0, -0.5, 1.5, 5, "t"),
    Verdict.REFUTED: Interval(-1.0, -1.5, -0.5, 5, "t"),
    Verdict.NOT_TESTABLE: Interval(1.0, -math.inf, math.inf, 1, "one value"),
}
YES, OPEN = INTERVALS[Verdict.CONFIRMED], INTERVALS[Verdict.UNDECIDED]


def interval(low: float, high: float) -> Interval:
    return Interval((low + high) / 2, low, high, 5, "t")


@given(ends=ends, value=st.floats(-9, 9), side=st.sampled_from(["above", "below"]))
def test_the_side_of_the_whole_interval_decides(ends, value, side):
    low, high = ends
    verdict = judge(interval(low, high), side, value)
    there = low > value if side == "above" else high < value
    elsewhere = high < value if side == "above" else low > value
    assert (verdict is Verdict.CONFIRMED) == there
    assert (verdict is Verdict.REFUTED) == elsewhere
    assert (verdict is Verdict.UNDECIDED) == (not there and not elsewhere)


def test_one_value_is_not_testable():
    assert judge(INTERVALS[Verdict.NOT_TESTABLE], "above") is Verdict.NOT_TESTABLE


@given(st.lists(st.sampled_from(list(Verdict)), min_size=1, max_size=4))
def test_the_last_verdict_of_several_holds_for_all(verdicts):
    tests = [Criterion({f"i{n}": INTERVALS[v]}, "above") for n, v in enumerate(verdicts)]
    together = Criterion({f"i{n}": INTERVALS[v] for n, v in enumerate(verdicts)}, "above")
    last = max(verdicts, key=list(Verdict).index)
    finding = Evidence(tests, {"beside": OPEN}, "A remark.").finding("claim")
    assert finding.verdict is Evidence([together]).verdict is last
    assert finding.claim == "claim"
    assert finding.text.endswith("A remark.")
    assert set(finding.numbers) == {"beside", *(f"i{n}" for n in range(len(verdicts)))}
    for name, verdict in together.verdicts.items():
        assert f"{name}: " in together.text
        assert str(verdict) in together.text


def test_intervals_beside_decide_nothing() -> None:
    assert Evidence([Criterion({"a": YES}, "above")], {"b": OPEN}).verdict is Verdict.CONFIRMED


def test_the_side_and_the_value_count() -> None:
    assert Evidence([Criterion({"a": YES}, "below")]).verdict is Verdict.REFUTED
    assert Evidence([Criterion({"a": YES}, "below", 2.0)]).verdict is Verdict.CONFIRMED
    assert Evidence([Criterion({"a": YES}, "above", 0.7)]).verdict is Verdict.UNDECIDED


def test_without_an_interval_nothing_is_testable() -> None:
    finding = Evidence(remark="No number.").finding("c")
    assert (finding.verdict, finding.text) == (Verdict.NOT_TESTABLE, "No number.")
    assert not finding.numbers
    assert Evidence([Criterion({}, "above")]).verdict is Verdict.NOT_TESTABLE


def test_numbers_are_written_in_their_unit():
    text = Criterion({"a": interval(0.1, 0.3)}, "above", factor=100, unit=" points", digits=1).text
    assert "20.0 points (95% interval 10.0 to 30.0), confirmed" in text


def test_pairs_are_of_the_seeds_that_both_have():
    found = paired_by_seed({2: 7.0, 0: 3.0, 5: 1.0}, {0: 1.0, 1: 4.0, 2: 4.0})
    assert found == paired_difference([3.0, 7.0], [1.0, 4.0])
    with pytest.raises(DataError):
        paired_by_seed({0: 1.0}, {1: 1.0})
