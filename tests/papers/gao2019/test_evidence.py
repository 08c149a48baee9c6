"""Verdicts from made-up results with known answers."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from cases import each
from holonet.papers.gao2019 import evidence
from holonet.papers.gao2019.networks import KINDS
from holonet.studies.evidence import Evidence, Verdict
from holonet.studies.results import Results, by_seed, mean_of

SEEDS, WIDTHS = range(4), (16, 64, 256)


def results(**changes: Any) -> dict[str, Any]:
    """Results that confirm all claims but for what is changed; seeds differ by a little."""
    s = {
        "gap": 0.01,
        "weak": -0.2,
        "zero": 0.05,
        "exponent": -0.5,
        "rank": 1.0,
        "complex": 0.0,
        "factor": 2,
        "square": 8,
        "sin z": 3,
        "below": 0,
        "free": 0.9,
    } | changes
    cells: list[dict[str, Any]] = []
    for seed in SEEDS:
        noise = 1e-3 * seed
        for network in KINDS:
            of = {"network": network, "seed": seed}
            distance = {str(w): w ** s["exponent"] for w in WIDTHS}
            rank = s["rank"] + 0 * noise
            cells.append({"part": "kernel", **of, "distance": distance, "rank": rank})
        for network in evidence.TRAINED:
            of = {"network": network, "seed": seed}
            for width in WIDTHS:
                for attack in (10, 1, 0):
                    shift = s["complex"] * (network == "sin z")
                    lower = dict.fromkeys(("5", "15"), 0.3)
                    gap = s["gap"] if attack == 10 else s["weak"]
                    cells.append(
                        {"part": "training", **of, "width": width, "attack": attack}
                        | {"lower": lower, "surrogate": dict.fromkeys(lower, 0.3 + gap + noise)}
                        | {"robust": dict.fromkeys(lower, 0.4 + shift + noise / 2 * (shift != 0))}
                        | {"moved": {"60": width ** s["exponent"]}}
                        | {"kernel_moved": {"15": (1 + noise) * width ** s["exponent"]}}
                    )
            losses = {"16": 0.6, "256": s["zero"] + noise}
            cells.append({"part": "wide", **of, "robust_loss": losses})
            robust = {"x^2": s["square"], "sin z": s["sin z"]}.get(network, 8 + seed)
            standard = max(1, int(robust / s["factor"]))
            for n in (10, 40):
                cells.append(
                    {"part": "capacity", **of, "examples": n, "cap": 64}
                    | {"standard": standard, "robust": robust}
                )
    ball = {"labellings": 8, "above": 8, "below": s["below"], "threshold": 0.8}
    balls = {
        "part": "balls",
        "dimensions": {"3": {**ball, "antipodal_error": 0.0, "free": s["free"]}},
    }
    return {"balls": balls} | {str(k): cell for k, cell in enumerate(cells)}


SQUARES = evidence.kernel_definite("x^2", "z^2")

CASES: list[tuple[Callable[[Results], Evidence], dict[str, Any], Verdict]] = [
    (evidence.surrogate_optimal, {}, Verdict.CONFIRMED),
    (evidence.surrogate_optimal, {"gap": 0.2}, Verdict.REFUTED),
    (evidence.surrogate_optimal, {"gap": 0.05}, Verdict.UNDECIDED),
    (evidence.any_attacker, {}, Verdict.CONFIRMED),
    (evidence.any_attacker, {"weak": 0.1}, Verdict.REFUTED),
    (evidence.near_zero, {}, Verdict.CONFIRMED),
    (evidence.near_zero, {"zero": 0.3}, Verdict.REFUTED),
    (evidence.lazy, {}, Verdict.CONFIRMED),
    (evidence.lazy, {"exponent": 0.1}, Verdict.REFUTED),
    (evidence.kernel_limit, {}, Verdict.CONFIRMED),
    (evidence.kernel_limit, {"exponent": -1.0}, Verdict.REFUTED),
    (evidence.kernel_limit, {"exponent": -0.2}, Verdict.REFUTED),
    (SQUARES, {}, Verdict.CONFIRMED),
    (SQUARES, {"rank": 55 / 60}, Verdict.REFUTED),
    (evidence.complex_lazy, {}, Verdict.CONFIRMED),
    (evidence.complex_lazy, {"complex": -0.1}, Verdict.REFUTED),
    (evidence.complex_lazy, {"complex": 0.1}, Verdict.REFUTED),
    (evidence.capacity_ratio, {}, Verdict.CONFIRMED),
    (evidence.capacity_ratio, {"factor": 0.5}, Verdict.REFUTED),
    (evidence.capacity_polynomial, {"square": 65}, Verdict.REFUTED),
    (evidence.capacity_polynomial, {}, Verdict.CONFIRMED),
    (evidence.capacity_complex, {}, Verdict.CONFIRMED),
    (evidence.capacity_complex, {"sin z": 20}, Verdict.REFUTED),
    (evidence.two_balls, {}, Verdict.CONFIRMED),
    (evidence.two_balls, {"below": 1}, Verdict.REFUTED),
    (evidence.two_balls_free, {}, Verdict.CONFIRMED),
    (evidence.two_balls_free, {"free": 0.7}, Verdict.REFUTED),
]


@each(("read", "changes", "verdict"), CASES)
def test_verdict_is_that_of_the_planted_effect(
    read: Callable[[Results], Evidence], changes: dict[str, Any], verdict: Verdict
) -> None:
    assert read(results(**changes)).verdict is verdict


def test_values_are_paired_by_seed() -> None:
    cells = results()
    robust = by_seed(cells, "robust", part="capacity", network="relu", examples=10)
    assert robust == {0: 8, 1: 9, 2: 10, 3: 11}
    assert mean_of(cells, "rank", part="kernel", network="relu").count == 4


def test_a_seed_that_failed_is_left_out_of_both_sides() -> None:
    cells = {
        k: r for k, r in results().items() if (r.get("seed"), r.get("network")) != (3, "sin x")
    }
    gap = evidence.complex_lazy(cells).tests[0].intervals["radius 5"]
    assert gap.count == 3


def test_logarithm_of_one_doubling_is_one() -> None:
    cells = results(factor=2)
    interval = evidence.capacity_ratio(cells).tests[0].intervals["relu, 40 examples"]
    assert interval.estimate == pytest.approx(1, abs=0.15)


def test_a_complex_weight_counts_as_two_real_parameters() -> None:
    cells = results(**{"sin z": 8})
    interval = evidence.capacity_complex(cells).tests[0].intervals["10 examples"]
    assert interval.estimate == pytest.approx(
        sum(1 + 3 - math.log2(8 + seed) for seed in SEEDS) / len(SEEDS)
    )
