"""A verdict is the worst of its tests, and needs one."""

from hypothesis import given
from hypothesis import strategies as st

from holonet.statistics import Interval
from holonet.studies.claims import Verdict
from holonet.studies.evidence import Criterion, Evidence, of_part

YES, NO, LONE = (
    Interval(1.0, 0.5, 1.5, 5, "t"),
    Interval(1.0, -0.5, 1.5, 5, "t"),
    Interval(1.0, float("-inf"), float("inf"), 1, "one value"),
)
EXPECTED = {"yes": Verdict.CONFIRMED, "no": Verdict.NOT_CONFIRMED, "lone": Verdict.NOT_TESTABLE}
KINDS = {"yes": YES, "no": NO, "lone": LONE}


@given(st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=4))
def test_all_tests_must_agree(kinds) -> None:
    tests = [Criterion({f"{k}{n}": KINDS[k]}, "above") for n, k in enumerate(kinds)]
    finding = Evidence(tests, {"beside": NO}, "A remark.").finding("claim")
    worst = next(k for k in ("lone", "no", "yes") if k in kinds)
    assert finding.verdict is EXPECTED[worst]
    assert finding.claim == "claim"
    assert finding.text.endswith("A remark.")
    assert set(finding.numbers) == {"beside", *(f"{k}{n}" for n, k in enumerate(kinds))}


def test_what_is_beside_does_not_decide() -> None:
    assert (
        Evidence([Criterion({"a": YES}, "above")], {"b": NO}).finding("c").verdict
        is Verdict.CONFIRMED
    )


def test_the_side_and_the_value_are_heard() -> None:
    assert Evidence([Criterion({"a": YES}, "below")]).finding("c").verdict is Verdict.NOT_CONFIRMED
    assert Evidence([Criterion({"a": YES}, "below", 2.0)]).finding("c").verdict is Verdict.CONFIRMED
    assert (
        Evidence([Criterion({"a": YES}, "above", 0.7)]).finding("c").verdict
        is Verdict.NOT_CONFIRMED
    )


def test_without_a_test_nothing_is_testable() -> None:
    finding = Evidence(remark="No number.").finding("c")
    assert (finding.verdict, finding.text, finding.numbers) == (
        Verdict.NOT_TESTABLE,
        "No number.",
        {},
    )


def test_parts_are_told_apart() -> None:
    results = {"a": {"part": "planar"}, "b": {"part": "energy"}, "c": {"part": "planar"}}
    assert of_part(results, "planar") == [results["a"], results["c"]]
