"""Verdicts and figures from made-up numbers.

Each claim follows its own, and cut-off runs are not guessed.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cases import each
from holonet.papers.deng2020 import figures
from holonet.papers.deng2020.claims import CLAIMS
from holonet.papers.deng2020.evidence import COUNTERPARTS, HOMOGENEOUS, trend
from holonet.papers.deng2020.measure import KINDS, PAPER, SCALES, STEPS, TOLERANCES
from holonet.papers.deng2020.networks import NETS
from holonet.studies.evidence import Verdict

CAP = 500
Made = dict[str, dict[str, Any]]


def made_up(seeds: int = 4) -> Made:
    """Results that confirm every claim."""
    results: Made = {}
    for seed in range(seeds):
        for net in NETS:
            analytic = net != "real-relu"
            rows = [[20 * (k + 1) + seed + start for start in range(3)] for k in range(len(SCALES))]
            run = {
                "iterations": [
                    [[v + t for v in row] for row in rows] for t, _ in enumerate(TOLERANCES)
                ],
                "movement": rows,
                "maximum": [[analytic] * 3 for _ in SCALES],
            }
            named = {"net": net, "seed": seed, "cap": CAP}
            results[f"{net}-ascent-seed{seed}"] = {
                "part": "ascent",
                **named,
                "steps": {f"{kind} {step:g}": run for kind in KINDS for step in STEPS},
                "ratios": {"iterations": [rows[:4] for _ in TOLERANCES]},
                "widths": [{"iterations": [rows[:1] for _ in TOLERANCES]} for _ in range(3)],
                "apart": 1e-12 if net in HOMOGENEOUS else 0.1 + 0.01 * seed,
            }
            results[f"{net}-landscape-seed{seed}"] = {
                "part": "landscape",
                **named,
                "places": [
                    {
                        "verified": 5,
                        "distinct": [k + 2, k + 1, 1],
                        "lipschitz": 1.0 + k,
                        "bound": 100.0 if analytic else None,
                        "relative": 0.1 * (k + 1) + 0.01 * seed,
                        "zoomed": [1.0, 1.0, 1.0, 1.0, 1.1 if analytic else 1e7],
                    }
                    for k in range(len(SCALES))
                ],
            }
            ball = {"starts": 200, "on sphere": 200, "inside": 0, "concave": 0}
            real = {"starts": 200, "on sphere": 100, "inside": 90 + seed, "concave": 3}
            results[f"{net}-ball-seed{seed}"] = {"part": "ball", **named, "real": real} | (
                {"complex": ball} if net in COUNTERPARTS else {}
            )
    return json.loads(json.dumps(results))  # runs are shared above, and no longer


def verdicts(results: Made) -> dict[str, Verdict]:
    return {claim.key: claim.finding(results).verdict for claim in CLAIMS}


def test_made_up_results_confirm_every_claim() -> None:
    assert set(verdicts(made_up()).values()) == {Verdict.CONFIRMED}


def ascents(results: Made, *nets: str) -> list[dict[str, Any]]:
    return [r for r in results.values() if r["part"] == "ascent" and r["net"] in (nets or NETS)]


def nothing_arrives(results: Made) -> None:
    for r in ascents(results, "real-tanh"):
        r["steps"]["raw 0.1"]["maximum"] = [[False] * 3 for _ in SCALES]


def scales_are_reversed(kind: str, *nets: str) -> Callable[[Made], None]:
    def change(results: Made) -> None:
        for r in ascents(results, *nets):
            for table in (run := r["steps"][f"{kind} 0.1"])["iterations"]:
                table.reverse()
            run["movement"].reverse()

    return change


def iterations_explode(results: Made) -> None:
    for r in ascents(results, "real-softplus"):
        for factor, run in zip((1, 8, 64), r["widths"], strict=True):
            run["iterations"] = [[[factor * 5] * 3] for _ in TOLERANCES]


def maxima_shrink(results: Made) -> None:
    for r in results.values():
        if r["part"] == "landscape" and r["net"] == "real-tanh":
            for k, place in enumerate(r["places"]):
                place["distinct"][1] = 10 - k


def scale_matters(results: Made) -> None:
    for r in ascents(results, "complex-square"):
        r["apart"] = 0.5


def gradient_jumps(results: Made) -> None:
    for r in results.values():
        if r["part"] == "landscape" and r["net"] == "complex-sin":
            r["places"][SCALES.index(1.0)]["zoomed"][-1] = 1e5


def inside(results: Made) -> None:
    for r in results.values():
        if "complex" in r:
            r["complex"]["inside"] = 20


@each(
    ("claim", "change"),
    [
        ("local-maximum", nothing_arrives),
        ("polynomial", iterations_explode),
        ("input-scale", scales_are_reversed("normalised", *PAPER)),
        ("input-scale-raw", scales_are_reversed("raw", *PAPER)),
        ("counterparts", scales_are_reversed("normalised", "complex-sin")),
        ("regular-landscape", maxima_shrink),
        ("homogeneous", scale_matters),
        ("analytic-piecewise", gradient_jumps),
        ("maximum-principle", inside),
    ],
)
def test_each_claim_is_refuted_by_its_own_numbers(
    claim: str, change: Callable[[Made], None]
) -> None:
    results = made_up()
    change(results)
    assert [k for k, v in verdicts(results).items() if v is Verdict.REFUTED] == [claim]


def test_every_claim_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "_slice", lambda ax, scale: None)  # it has no results in it
    results = made_up(2)
    for claim in CLAIMS:
        section = claim.section(results)
        assert section.figure is not None, claim.key
        assert section.caption


def test_the_control_must_have_maxima_inside() -> None:
    results = made_up()
    for r in results.values():
        if r["part"] == "ball":
            r["real"]["inside"] = 0
    assert verdicts(results)["maximum-principle"] is Verdict.UNDECIDED


def test_an_exponent_of_medians_beyond_the_cap_is_not_testable() -> None:
    results = made_up()
    for r in ascents(results, "real-tanh"):
        r["widths"][2]["iterations"] = [[[CAP, CAP, 3]] for _ in TOLERANCES]
    assert verdicts(results)["polynomial"] is Verdict.NOT_TESTABLE


def test_one_seed_decides_nothing_and_no_result_raises_nothing() -> None:
    one = verdicts(made_up(1))
    assert one.pop("maximum-principle") is Verdict.NOT_TESTABLE
    assert set(one.values()) == {Verdict.NOT_TESTABLE}
    assert set(verdicts({}).values()) == {Verdict.NOT_TESTABLE}


def test_other_steps_stand_beside_the_one_that_decides() -> None:
    finding = {c.key: c for c in CLAIMS}["input-scale"].finding(made_up())
    assert "Beside it: real-softplus, step 0.03: 1.00" in finding.text
    assert finding.numbers["real-tanh, step 1"]["estimate"] == 1


@given(
    st.lists(st.lists(st.integers(0, 50), min_size=3, max_size=3), min_size=2, max_size=5),
    st.integers(20, 50),
)
def test_a_trend_is_odd_and_a_higher_cap_can_only_break_ties(
    rows: list[list[int]], cap: int
) -> None:
    assert trend(rows) == pytest.approx(-trend(rows[::-1]))
    assert -1 <= trend(rows) <= 1
    capped = [[min(v, cap) for v in row] for row in rows]
    pairs = [(a, b, j) for a in range(len(rows)) for b in range(a + 1, len(rows)) for j in range(3)]
    ties = sum(capped[a][j] == capped[b][j] for a, b, j in pairs)
    assert abs(trend(rows) - trend(capped)) <= ties / len(pairs) + 1e-12


def test_trends_of_short_tables_are_counted_by_hand() -> None:
    assert trend([[1], [2], [2]]) == pytest.approx(2 / 3)
    assert trend([[5, 1], [4, 3]]) == 0
    assert trend([[CAP], [CAP]]) == 0
    assert trend([[CAP - 1], [CAP]]) == 1
