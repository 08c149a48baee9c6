"""Verdicts on simulated studies with known answers."""

import statistics
from typing import Any

import pytest

from holonet.errors import DataError
from holonet.statistics import Interval, PValues
from holonet.studies.evidence import Finding, Verdict
from holonet.studies.hypothesis import evidence
from holonet.studies.hypothesis.claims import TESTS
from holonet.studies.hypothesis.evidence import Effect, Effects, judged, paired
from simulated_hypothesis import simulated

PAIRED = ("H1a", "H1b", "H4")
SIZES = {"analytic": 0.04, "complex_": 0.04, "macs": 0.04, "mixture": 0.04}
PLANTED: dict[str, float] = {**SIZES, "measures": 6.0, "transfer": 3.0}


@pytest.fixture(autouse=True)
def few_permutations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "PERMUTATIONS", 499)
    monkeypatch.setattr(evidence, "RESAMPLES", 100)


def verdicts(results: Any, chosen: Any = tuple(TESTS)) -> dict[str, Finding]:
    return {f.claim: f for f in judged(TESTS, results, chosen)}


def test_planted_effects_are_confirmed() -> None:
    found = verdicts(simulated(0, **PLANTED))
    assert {key: f.verdict for key, f in found.items()} == dict.fromkeys(TESTS, Verdict.CONFIRMED)
    for finding in found.values():
        assert "Undecided if the corrected p-value had been above 0.05" in finding.otherwise
        assert finding.effect
    low, high = (found["H1a"].numbers["analytic minus piecewise"][end] for end in ("low", "high"))
    assert low < 0.04 < high
    assert "Controls: analytic, standard training" in found["H1a"].text


def test_effects_of_the_other_sign_are_refuted() -> None:
    found = verdicts(simulated(1, **{key: -value for key, value in PLANTED.items()}))
    assert {key: f.verdict for key, f in found.items()} == dict.fromkeys(TESTS, Verdict.REFUTED)
    assert all("Undecided if these intervals had reached" in f.otherwise for f in found.values())


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_without_effects_nothing_is_confirmed(seed: int) -> None:
    """What all networks of a seed, or of a rule, have in common counts for nothing."""
    found = verdicts(simulated(seed, shared=0.1))
    assert not [key for key, f in found.items() if f.verdict is Verdict.CONFIRMED]
    high = found["H1a"].numbers["analytic minus piecewise"]["high"]
    assert (found["H1a"].verdict is Verdict.REFUTED) == (high < 0.01)
    rules = found["H2-energy"].numbers
    assert rules["all networks"]["low"] > 0.1  # the confounder alone
    assert abs(rules["within rules"]["estimate"]) < 0.4


def test_one_of_the_two_sizes_is_not_enough() -> None:
    found = verdicts(simulated(2, complex_=0.04, macs=-0.01), ["H1b"])["H1b"]
    assert found.verdict is Verdict.REFUTED
    assert found.numbers["equal parameters"]["low"] > 0.01
    assert "equal multiply-adds, which ends at" in found.otherwise


def effects(p: float, low: float = 0.02, estimate: float = 0.03) -> Effects:
    interval = Interval(estimate, low, 2 * estimate - low, 8, "t")
    return Effects({"all": Effect(interval, PValues(p, 1 - p, "test"), 0.01)})


def test_p_values_are_corrected_for_all_claims_stated_whatever_is_chosen() -> None:
    """0.01 is enough for one claim and not for the first of seven."""
    own = {key: (lambda results: effects(0.01)) for key in TESTS}
    for chosen in (list(TESTS), ["H1a"]):
        found = {f.claim: f for f in judged(own, {}, chosen)}
        assert found["H1a"].verdict is Verdict.UNDECIDED
        assert "Corrected for 7 claims p is 0.07" in found["H1a"].text
        assert "a corrected p-value of at most 0.05 (it is 0.07)" in found["H1a"].otherwise
    left = [f for f in judged(own, {}, ["H1a"]) if f.claim != "H1a"]
    assert {f.verdict for f in left} == {Verdict.NOT_TESTABLE}
    assert all("not chosen" in f.text for f in left)
    sure = {**own, "H1a": lambda results: effects(0.0005)}
    assert {f.claim: f.verdict for f in judged(sure, {}, list(TESTS))}["H1a"] is Verdict.CONFIRMED


def test_a_claim_has_the_largest_p_value_of_its_effects() -> None:
    both = Effects({**effects(0.0001).tested, "other": effects(0.2).tested["all"]})
    found = {f.claim: f for f in judged({"H1a": lambda results: both}, {}, ["H1a"])}
    assert found["H1a"].verdict is Verdict.UNDECIDED


def test_an_effect_too_small_to_count_is_not_confirmed() -> None:
    small = {"H1a": lambda results: effects(0.0001, low=0.001, estimate=0.008)}
    (found,) = judged(small, {}, ["H1a"])
    assert found.verdict is Verdict.UNDECIDED
    assert "all of at least 1.00 points (it is 0.80 points)" in found.otherwise
    tiny = {"H1a": lambda results: effects(0.0001, low=0.004, estimate=0.005)}
    assert judged(tiny, {}, ["H1a"])[0].verdict is Verdict.REFUTED


def test_three_seeds_are_tested_by_student_and_one_is_refused() -> None:
    found = verdicts(simulated(3, seeds=3, **SIZES), PAIRED)
    assert found["H1a"].verdict is Verdict.CONFIRMED
    assert "Student's t of 3 pairs" in found["H1a"].text
    assert "needs 8 seeds, so that normal differences are assumed" in found["H1a"].text
    assert paired([0.1] * 8).test.method == "signs of 8 pairs"
    with pytest.raises(DataError, match=r"at least 2, and a permutation test .* 8"):
        paired([0.1])
    one = {k: r for k, r in simulated(3).items() if not k.endswith(tuple("1234567"))}
    assert "1 seeds have both" in verdicts(one)["H1a"].text


def test_what_failed_is_left_out_by_seed() -> None:
    results = simulated(4, **PLANTED)
    lost = "real-relu-32x32-linearized-seed3"
    found = verdicts({key: r for key, r in results.items() if key != lost}, ["H1a"])["H1a"]
    assert found.numbers["analytic minus piecewise"]["count"] == 7
    assert verdicts({})["H3"].verdict is Verdict.NOT_TESTABLE
    assert all(f.verdict is Verdict.NOT_TESTABLE for f in verdicts({}).values())


def test_activations_that_were_not_run_are_named() -> None:
    """The rest decides; without any of one kind nothing is tested."""
    results = simulated(5, **PLANTED)
    wanted = {"square", "relu", "maxout"}
    some = {k: r for k, r in results.items() if r.get("activation") in wanted}
    found = verdicts(some, ["H1a", "H1b"])
    assert found["H1a"].verdict is Verdict.CONFIRMED
    assert "Stated and not run: gelu, softplus, tanh, sin, erf, leaky-relu." in found["H1a"].text
    assert "Stated and not run: gelu, softplus, tanh, sin, erf." in found["H1b"].text
    assert found["H1a"].effect.startswith("square minus relu, maxout +")
    assert found["H1b"].effect.startswith("equal parameters (square alone) +")
    assert "Stated and not run" not in verdicts(results)["H1a"].text
    one = {k: r for k, r in some.items() if r["activation"] == "square"}
    assert verdicts(one, ["H1a"])["H1a"].verdict is Verdict.NOT_TESTABLE


@pytest.mark.slow
def test_false_confirmations_of_whole_studies_are_rare(monkeypatch: pytest.MonkeyPatch) -> None:
    """tests/benchmarks/false_confirmations.py counts 1,000."""
    monkeypatch.setattr(evidence, "PERMUTATIONS", 199)
    monkeypatch.setattr(evidence, "POINT", 1e-9)
    tests = {key: TESTS[key] for key in PAIRED}
    found = [
        any(f.verdict is Verdict.CONFIRMED for f in judged(tests, simulated(seed), PAIRED))
        for seed in range(30)
    ]
    assert statistics.fmean(found) <= 0.1
