"""Verdicts on the plane follow the numbers, whichever way they fall."""

import pytest

from holonet.errors import DataError
from holonet.papers.barati2022.claims import CLAIMS
from holonet.papers.barati2022.evidence_plane import by_seed
from holonet.studies.evidence import Verdict

CLAIM = {claim.key: claim for claim in CLAIMS[:5]}


def verdict(claim, results):
    return CLAIM[claim].evidence(results).finding(claim).verdict


def spread(seed):
    return 0.001 * seed


NEAR_FAR = [(0.03, Verdict.CONFIRMED), (0.5, Verdict.REFUTED)]


@pytest.mark.parametrize(("distance", "expected"), NEAR_FAR)
@pytest.mark.parametrize(("risk", "gains"), [(0.8, True), (0.01, False)])
def test_the_principle_needs_both_nearness_and_a_gain(
    plane, distance, expected, risk, gains
) -> None:
    results = plane(
        energy={"distance": lambda s: distance + spread(s)},
        risk={"distance_hard": lambda s: risk + 2 * spread(s)},
    )
    holds = expected is Verdict.CONFIRMED and gains
    wanted = Verdict.CONFIRMED if holds else Verdict.REFUTED
    assert verdict("dirichlet-principle", results) is wanted


@pytest.mark.parametrize(("distance", "expected"), NEAR_FAR)
def test_risk_on_data_looks_at_the_own_distance(plane, distance, expected) -> None:
    results = plane(filled={"own_distance": lambda s: distance + spread(s)})
    assert verdict("risk-on-data", results) is expected


@pytest.mark.parametrize(("distance", "expected"), NEAR_FAR)
def test_the_ring_and_the_discs_are_judged_apart(plane, distance, expected) -> None:
    results = plane(one_variable={"distance_hard": 0.01})
    for key, result in results.items():
        if key.startswith("ring-one-variable"):
            result["distance_hard"] = distance + spread(result["seed"])
    assert verdict("ring-real-part", results) is expected
    assert verdict("holomorphic-harmonic", results) is Verdict.CONFIRMED
    text = CLAIM["ring-real-part"].evidence(results).finding("ring-real-part").text
    assert "0.500" in text
    assert "wind 4 times" in text


@pytest.mark.parametrize(("defect", "expected"), [(1e-6, True), (1e-2, False)])
def test_harmonic_means_no_defect(plane, defect, expected) -> None:
    wanted = Verdict.CONFIRMED if expected else Verdict.REFUTED
    values = {"defect": lambda s: defect * (1 + spread(s))}
    assert verdict("holomorphic-harmonic", plane(one_variable=values)) is wanted
    assert verdict("data-coordinates", plane(two_variables=values)) is wanted


def test_one_seed_is_not_testable(plane) -> None:
    for claim in CLAIM:
        assert verdict(claim, plane(seeds=1)) is Verdict.NOT_TESTABLE


def test_a_problem_that_fails_spoils_the_principle(plane) -> None:
    results = plane(risk={"distance_hard": 0.8}, problems=("disc-2", "disc-4", "ring"))
    assert verdict("dirichlet-principle", results) is Verdict.CONFIRMED
    for key, result in results.items():
        if key.startswith("disc-4-energy"):
            result["distance"] = 0.4
    assert verdict("dirichlet-principle", results) is Verdict.REFUTED


def test_seeds_are_paired_though_some_are_missing(plane) -> None:
    results = plane(seeds=4, risk={"distance_hard": 0.8})
    del results["ring-risk-2"], results["disc-2-energy-0"]
    assert verdict("dirichlet-principle", results) is Verdict.CONFIRMED


def test_a_missing_condition_is_an_error(plane) -> None:
    with pytest.raises(DataError, match="'filled'"):
        by_seed({k: r for k, r in plane().items() if "filled" not in k}, "filled", "distance")
