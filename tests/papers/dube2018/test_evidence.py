"""Verdicts from made-up numbers."""

from typing import Any

import numpy as np
import pytest

from cases import each
from holonet.papers.dube2018 import evidence
from holonet.papers.dube2018.claims import CLAIMS
from holonet.papers.dube2018.evidence import input_points, norm_table
from holonet.studies.evidence import Verdict

AS_EXPECTED = {
    "random-rms": Verdict.CONFIRMED,
    "random-euclidean": Verdict.REFUTED,
    "resampled": Verdict.REFUTED,
    "fields": Verdict.REFUTED,
    "best-linear": Verdict.CONFIRMED,
    "random-matrices": Verdict.CONFIRMED,
    "weights": Verdict.UNDECIDED,
    "inputs": Verdict.UNDECIDED,
    "holomorphic-index": Verdict.CONFIRMED,
    "pairs": Verdict.CONFIRMED,
}


@pytest.fixture(autouse=True)
def small_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of random matrices."""
    monkeypatch.setattr(evidence, "ORDERS", (1, 2, 3))


def verdicts(results: dict[str, dict[str, Any]]) -> dict[str, Verdict]:
    return {claim.key: claim.finding(results).verdict for claim in CLAIMS}


def text(results: dict[str, dict[str, Any]], key: str) -> str:
    return next(claim.finding(results).text for claim in CLAIMS if claim.key == key)


def test_every_claim_is_judged_by_made_up_numbers(made_up: Any) -> None:
    found = verdicts(made_up(weight_index=(0, 1), real_index=(0, 1)))
    assert found == AS_EXPECTED


@each(
    ("claim", "change", "verdict"),
    [
        ("random-rms", {"random": -0.4}, Verdict.REFUTED),
        ("random-euclidean", {"random": -1.0}, Verdict.CONFIRMED),
        ("resampled", {"trained": -0.5}, Verdict.CONFIRMED),
        ("fields", {"trained": -0.5}, Verdict.CONFIRMED),
        ("best-linear", {"rough": -0.3}, Verdict.REFUTED),
        ("best-linear", {"smooth": -0.3}, Verdict.REFUTED),
        ("best-linear", {"smooth": -0.8}, Verdict.REFUTED),
        ("random-matrices", {"minima": 200}, Verdict.REFUTED),
        ("weights", {"weight_index": (1, 2, 3)}, Verdict.CONFIRMED),
        ("weights", {"weight_index": (0,)}, Verdict.REFUTED),
        ("inputs", {"real_index": (1, 2, 3)}, Verdict.CONFIRMED),
        ("inputs", {"real_index": (0,)}, Verdict.REFUTED),
        ("holomorphic-index", {"complex_index": (3, 5)}, Verdict.REFUTED),
        ("pairs", {"gap": 0.1}, Verdict.REFUTED),
    ],
)
def test_each_claim_follows_its_own_numbers(
    made_up: Any, claim: str, change: dict[str, Any], verdict: Verdict
) -> None:
    (own,) = (c for c in CLAIMS if c.key == claim)
    assert own.finding(made_up(**change)).verdict is verdict


def test_maxima_are_neither_minima_nor_saddles(made_up: Any) -> None:
    assert "real-square, 15 points: 0.00" in text(made_up(real_index=(4, 2)), "inputs")


def test_slopes_are_of_the_logarithms(made_up: Any) -> None:
    found = CLAIMS[0].finding(made_up()).numbers["real-relu"]
    assert found["estimate"] == pytest.approx(-0.5, abs=1e-3)
    n, rows = norm_table(made_up(), "random")["real-relu"]
    assert np.shape(rows) == (5, len(n))


def test_few_seeds_have_an_interval_of_student_and_many_one_of_the_bootstrap(made_up: Any) -> None:
    few = CLAIMS[0].finding(made_up()).numbers
    assert few["real-relu"]["method"] == "Student's t"
    assert few["real-relu, bootstrap over seeds"]["method"].startswith("bootstrap")
    many = CLAIMS[0].finding(made_up(seeds=20)).numbers
    assert many["real-relu"]["method"].startswith("bootstrap")


def test_one_seed_decides_nothing_about_slopes(made_up: Any) -> None:
    found = verdicts(made_up(seeds=1))
    assert {
        found[key] for key in ("random-rms", "resampled", "fields", "best-linear", "pairs")
    } == {Verdict.NOT_TESTABLE}


def test_the_search_is_in_the_finding(made_up: Any) -> None:
    assert "closed form: 0.20%" in text(made_up(), "random-rms")
    assert "real-relu 2.00" in text(made_up(), "resampled")
    assert "Perturbations not found: 15." in text(made_up(), "resampled")


def test_the_exact_probability_is_beside_the_measured_one(made_up: Any) -> None:
    assert "n = 3: 0.024 (0.01 to 0.055), exactly 0.0249, inside" in text(
        made_up(minima=1), "random-matrices"
    )


def test_controls_are_in_the_findings(made_up: Any) -> None:
    assert "real-square, 60 points 0.25" in text(made_up(), "holomorphic-index")
    assert "Near minima: real-tanh, 5 points 1.00" in text(made_up(), "weights")
    assert "Control on R^n: real-square -0.30" in text(made_up(), "pairs")


def test_what_is_lost_is_not_testable(made_up: Any) -> None:
    assert set(verdicts({}).values()) == {Verdict.NOT_TESTABLE}
    assert verdicts(made_up(weight_index=()))["weights"] is Verdict.NOT_TESTABLE


def test_points_are_told_apart_by_space(made_up: Any) -> None:
    found = input_points(made_up(seeds=1), "C^n")
    assert found["complex-square"] == [(4, 8)] * 12
