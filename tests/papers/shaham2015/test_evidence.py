"""Verdicts and figures from made-up numbers."""

import copy
import statistics
from typing import Any

import pytest
import torch

from cases import each
from holonet.papers.shaham2015.claims import CLAIMS
from holonet.papers.shaham2015.evidence import NETS, RADII
from holonet.statistics import paired_difference
from holonet.studies.evidence import Finding, Verdict


def made_up(seeds: int = 4) -> dict[str, dict[str, Any]]:
    """Results in which every network is like every other, up to noise that pairs do not share."""
    generator = torch.Generator().manual_seed(0)

    def number() -> float:
        return 0.5 + 0.01 * float(torch.rand((), generator=generator))

    return {
        f"{net}-seed{seed}": {
            "net": net,
            "seed": seed,
            "clean": number(),
            "alarms": {"flat loss": 1} if net == "l_inf" else {},
            **{
                quantity: {norm: number() for norm in RADII}
                for quantity in ("one_step", "pgd", "existing", "change")
            },
        }
        for seed in range(seeds)
        for net in NETS
    }


def raised(quantity: str, by: float, *, own: bool = True) -> dict[str, dict[str, Any]]:
    """The robust networks moved in one quantity, in their own set or in the others'."""
    results = copy.deepcopy(made_up())
    for result in results.values():
        own_norm = NETS[result["net"]]
        if own_norm and quantity == "clean":
            result["clean"] += by
        elif own_norm:
            for norm in RADII:
                if (norm == own_norm) == own:
                    result[quantity][norm] += by
    return results


def findings(results: dict[str, dict[str, Any]]) -> dict[str, Finding]:
    return {claim.key: claim.finding(results) for claim in CLAIMS}


def verdicts(results: dict[str, dict[str, Any]]) -> dict[str, Verdict]:
    return {key: finding.verdict for key, finding in findings(results).items()}


def test_noise_decides_nothing() -> None:
    assert set(verdicts(made_up()).values()) == {Verdict.UNDECIDED}


@each(
    ("claim", "quantity", "own", "sign"),
    [
        ("trained-attack", "one_step", True, 1),
        ("other-attacks", "one_step", False, 1),
        ("existing-examples", "existing", True, 1),
        ("clean-accuracy", "clean", True, 1),
        ("local-stability", "change", True, -1),
        ("survives-pgd", "pgd", True, 1),
    ],
)
def test_each_claim_is_judged_by_its_own_numbers(
    claim: str, quantity: str, own: bool, sign: int
) -> None:
    found = verdicts(raised(quantity, 0.2 * sign, own=own))
    assert [key for key, verdict in found.items() if verdict is Verdict.CONFIRMED] == [claim]
    opposite = verdicts(raised(quantity, -0.2 * sign, own=own))
    assert [key for key, verdict in opposite.items() if verdict is Verdict.REFUTED] == [claim]


def test_one_network_that_gains_nothing_is_enough() -> None:
    results = raised("clean", 0.2)
    for seed in range(4):
        results[f"l_1-seed{seed}"]["clean"] -= 0.2
    assert verdicts(results)["clean-accuracy"] is Verdict.UNDECIDED


def test_seeds_are_paired_and_lost_ones_left_out() -> None:
    results = made_up(5)
    del results["l_2-seed1"], results["baseline-seed3"]
    found = findings(results)["clean-accuracy"].numbers
    seeds = [0, 2, 4]
    expected = paired_difference(
        [results[f"l_2-seed{s}"]["clean"] for s in seeds],
        [results[f"baseline-seed{s}"]["clean"] for s in seeds],
    )
    assert (found["l_2"]["estimate"], found["l_2"]["low"]) == (expected.estimate, expected.low)
    assert found["l_inf"]["count"] == 4


def test_the_gap_between_one_step_and_pgd_is_in_the_finding() -> None:
    results = made_up()
    for result in results.values():
        result["one_step"] = dict.fromkeys(RADII, 0.9)
        result["pgd"] = dict.fromkeys(RADII, 0.4)
    finding = findings(results)["survives-pgd"]
    assert finding.numbers["l_inf, one step minus PGD"]["estimate"] == pytest.approx(0.5)
    assert "l_inf, one step minus PGD: 50.0 points" in finding.text
    assert "l_inf {'flat loss': 4}" in finding.text


def test_one_seed_is_not_testable() -> None:
    assert set(verdicts(made_up(1)).values()) == {Verdict.NOT_TESTABLE}


def test_figures_stand_for_claims() -> None:
    figures = {claim.key: claim.section(made_up()) for claim in CLAIMS}
    assert all(section.figure is not None for section in figures.values())
    results = made_up()
    for key, kind in (("other-attacks", "one_step"), ("survives-pgd", "pgd")):
        table = figures[key].table
        assert table is not None
        assert [row[0] for row in table.rows] == list(NETS)
        mean = statistics.fmean(results[f"l_1-seed{s}"][kind]["L2"] for s in range(4))
        assert str(table.rows[2][4]).startswith(f"{100 * mean:.1f} ± ")
        assert table.headers[4] == "l_2 %"
