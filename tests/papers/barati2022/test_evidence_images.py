"""Verdicts on robustness and transfer follow the numbers, whichever way they fall."""

from functools import partial

import pytest
import torch

from cases import each
from holonet.errors import DataError
from holonet.papers.barati2022 import evidence_images as module
from holonet.papers.barati2022.claims import CLAIMS
from holonet.papers.barati2022.evidence_images import (
    by_family,
    pair_matrices,
)
from holonet.studies.evidence import Verdict


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    correlation = partial(module.pair_correlation, resamples=100)
    monkeypatch.setattr(module, "pair_correlation", correlation)


CLAIM = {claim.key: claim for claim in CLAIMS[5:-1]}


def verdict(claim, results):
    return CLAIM[claim].evidence(results).finding(claim).verdict


YES, OPEN, NO = Verdict.CONFIRMED, Verdict.UNDECIDED, Verdict.REFUTED


@pytest.mark.parametrize(
    ("robust", "helps", "monotone"),
    [
        (lambda f, w: 0.4 + 0.2 * w, YES, YES),  # the less energy the better
        (lambda f, w: 0.6 - 0.2 * w, NO, NO),
        (lambda f, w: 0.4 + 0.3 * (w > 0) - 0.2 * (w > 0.5), YES, OPEN),  # best in the middle
        (lambda f, w: 0.4 + 0.2 * w * (f != "relu"), OPEN, OPEN),  # not for one family
    ],
)
def test_energy_and_robustness(energies, robust, helps, monotone) -> None:
    results = energies(lambda f, w: robust(f, w) + 0.01 * w, seeds=6)
    if helps is OPEN and robust("relu", 1.0) == robust("relu", 0.0):
        for r in results.values():  # a tie up to noise
            r["robust"] += 0.05 * (-1) ** r["seed"] * (r["weight"] > 0)
    assert verdict("energy-helps", results) is helps
    assert verdict("energy-robustness", results) is monotone


@pytest.mark.parametrize(
    ("robust", "clean", "expected"),
    [
        (lambda f: 0.6 if f == "holomorphic" else 0.4, lambda f: 0.95, YES),
        (lambda f: 0.4 if f == "holomorphic" else 0.6, lambda f: 0.95, NO),
        (lambda f: 0.6 if f != "softplus" else 0.7, lambda f: 0.95, NO),
    ],
)
def test_families_are_compared_with_both_real_ones(energies, robust, clean, expected) -> None:
    results = energies(
        lambda f, w: robust(f) * (w > 0), lambda f, w: clean(f) - 0.001 * (w > 0), seeds=5
    )
    assert verdict("holomorphic-robust", results) is expected


def test_more_robust_at_the_price_of_clean_accuracy_is_not_more_robust(energies) -> None:
    """Weight for weight it leads, at equal clean accuracy it does not."""
    results = energies(
        lambda f, w: 0.5 + (0.1 if f == "holomorphic" else 0.05) * w,
        lambda f, w: 0.95 - (0.2 if f == "holomorphic" else 0.0) * w,
        weights=(0.0, 0.5, 1.0),
    )
    numbers = CLAIM["holomorphic-robust"].evidence(results).finding("c").numbers
    assert numbers["minus relu, equal rule"]["low"] > 0
    assert numbers["minus relu, equal clean accuracy"]["high"] < 0
    assert verdict("holomorphic-robust", results) is NO


def test_seeds_that_lack_a_weight_are_left_out(energies) -> None:
    results = energies(lambda f, w: 0.4 + 0.2 * w, seeds=4)
    del results["relu-1.0-3"]
    numbers = CLAIM["energy-helps"].evidence(results).finding("c").numbers
    assert numbers["relu"]["count"] == 3
    assert numbers["softplus"]["count"] == 4
    assert len(by_family(results)["relu"]) == 11


PREDICTORS = {
    "transfer-distance": lambda distance, defect, shared: -distance,
    "transfer-harmonicity": lambda distance, defect, shared: -defect,
    "transfer-data": lambda distance, defect, shared: shared,
}


@each("cause", sorted(PREDICTORS))
@each("sign", [1, -1])
def test_transfer_is_explained_by_its_cause_alone(transfers, cause, sign) -> None:
    results = transfers(lambda *m: sign * PREDICTORS[cause](*m))
    for claim in PREDICTORS:
        expected = {YES if sign == 1 else NO} if claim == cause else {OPEN, NO}
        assert verdict(claim, results) in expected, claim


def test_the_text_of_a_finding_has_every_number(transfers) -> None:
    for claim, cause in PREDICTORS.items():
        finding = CLAIM[claim].evidence(transfers(cause)).finding(claim)
        assert all(name in finding.text for name in finding.numbers)
        assert all(f"{n['estimate']:.2f}" in finding.text for n in finding.numbers.values())


def test_sources_stand_in_rows(transfers) -> None:
    results = transfers(lambda d, f, s: torch.arange(14.0).double()[:, None].expand(14, 14))
    pairs = pair_matrices(results)
    assert pairs["rate"][13, 0] > pairs["rate"][0, 13] + 10
    own = pairs["rate"].diagonal()
    assert torch.equal(pairs["source"][3], own[3].expand(14))
    assert torch.equal(pairs["target"][:, 3], own[3].expand(14))
    networks = results["transfer"]["networks"]
    assert pairs["shared"][2, 5] == (networks[2]["half"] == networks[5]["half"])
    assert float(pairs["defect"][1, 2]) == pytest.approx(
        (networks[1]["defect"] + networks[2]["defect"]) / 2
    )


def test_fewer_than_12_networks_are_refused(transfers) -> None:
    with pytest.raises(DataError, match="11 networks are left, and 12 are needed"):
        pair_matrices(transfers(PREDICTORS["transfer-data"], count=11))
    with pytest.raises(DataError, match="0 networks"):
        pair_matrices({})
    with pytest.raises(DataError, match="no network"):
        by_family({})
