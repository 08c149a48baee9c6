"""A claim reads its verdict and its figure off the results."""

from holonet._page import Section
from holonet.statistics import mean_interval
from holonet.studies.claims import Claim, Standing
from holonet.studies.evidence import Criterion, Evidence, Verdict
from holonet.studies.results import Results


def positive(results: Results) -> Evidence:
    mean = mean_interval([r["n"] for r in results.values()])
    return Evidence([Criterion({"mean": mean}, "above")])


def drawn(results: Results) -> Section:
    mean_interval([r["n"] for r in results.values()])
    return Section("A figure")


CLAIM = Claim("a", "It is positive.", "Page 1.", "Measured.", positive, drawn, Standing.ADDED)
RESULTS = {"x": {"n": 1.0}, "y": {"n": 1.1}, "z": {"n": 0.9}}


def test_the_finding_is_that_of_the_evidence() -> None:
    finding = CLAIM.finding(RESULTS)
    assert (finding.claim, finding.verdict) == ("a", Verdict.CONFIRMED)
    assert CLAIM.section(RESULTS).title == "A figure"


def test_too_little_is_not_testable_and_has_no_figure() -> None:
    finding = CLAIM.finding({})
    assert finding.verdict is Verdict.NOT_TESTABLE
    assert finding.text.startswith("Too little is left: ")
    assert CLAIM.section({}) == Section("a")


def test_a_claim_without_a_figure_has_its_key() -> None:
    assert Claim("b", "B.", "Here.", "None.", positive).section(RESULTS) == Section("b")


def test_the_texts_are_json() -> None:
    assert CLAIM.to_json() == {
        "key": "a",
        "statement": "It is positive.",
        "source": "Page 1.",
        "test": "Measured.",
        "standing": "not claimed by the paper",
    }
