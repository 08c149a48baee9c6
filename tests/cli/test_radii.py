"""Radii beside each other: means, medians, ratios, and contradictions."""

import math

import pytest
import torch
from rich.console import Console

from holonet.attacks import ThreatModel
from holonet.cli.radii import compared_radii, radii_table
from holonet.diagnostics import MinimumNorms


def distances(*values: float) -> MinimumNorms:
    return MinimumNorms(
        ThreatModel("L2", 2.0, None), torch.tensor(values), torch.zeros(len(values), 1)
    )


def test_what_the_attack_did_not_find_counts_with_the_limit_and_has_no_ratio() -> None:
    found = compared_radii([0.0, 0.5, 1.5, 0.4], distances(0.0, 1.0, math.inf, 0.5))
    assert found["certified"] == {"mean": pytest.approx(0.6), "median": pytest.approx(0.4)}
    assert found["attacked"] == {"mean": pytest.approx(3.5 / 4), "median": 0.5}
    assert found["ratio"] == {
        "mean": pytest.approx(0.65),
        "median": pytest.approx(0.5),
        "examples": 2,
    }
    assert found["beyond"] == 1
    assert found["contradictions"] == []


def test_a_radius_above_the_distance_of_a_mistake_is_a_contradiction() -> None:
    found = compared_radii([0.0, 0.1, 0.5 * (1 + 1e-7), 0.6], distances(0.0, 0.0, 0.5, 0.5))
    assert found["contradictions"] == [1, 3]


def test_without_a_mistake_there_is_no_ratio_and_the_title_says_so() -> None:
    found = compared_radii([2.0, 1.0], distances(math.inf, math.inf))
    assert found["ratio"] == {"mean": None, "median": None, "examples": 0}
    console = Console(width=80, record=True)
    console.print(radii_table(found, "L2", 2))
    text = " ".join(console.export_text().split())
    assert "L2 radii of 2 examples, up to 2; the attack found nothing up to there for 2" in text
    assert "mean │ 1.5 │ 2 │ - │" in text
