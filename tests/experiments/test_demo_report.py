"""The demo's verdict follows its numbers, whichever way they fall."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from holonet.diagnostics import HolomorphyCheck, RobustnessPoint
from holonet.experiments import DEMO, Certified, Outcome
from holonet.experiments.demo import EPS
from holonet.experiments.demo_report import (
    _certified_section,
    _effect,
    _headline,
    _holomorphy_section,
    _verdict,
)
from holonet.experiments.protocol import Protocol


def outcome(label: str, correct: int) -> Outcome:
    return Outcome(label, 0, 100, 0.95, (RobustnessPoint(EPS, correct, 400),), 1.0, 1.0, (), Path())


def check(dbar: float) -> HolomorphyCheck:
    return HolomorphyCheck(dbar, 0.0, 1e-14, 1e-12, torch.ones(4))


def outcomes(*correct: int) -> list[Outcome]:
    return [outcome(c.label, n) for c, n in zip(DEMO, correct, strict=True)]


@pytest.mark.parametrize(
    ("after", "said"), [(300, "adds 25.0 points"), (100, "costs 25.0 points"), (205, "overlap")]
)
def test_effect_is_more_less_or_neither(after: int, said: str) -> None:
    assert said in _effect(outcome("a", 200), outcome("b", after))


def test_verdict_says_the_effect_of_rule_activation_and_coefficients_in_its_first_sentence() -> (
    None
):
    first, _, rest = _verdict(outcomes(200, 300, 304, 200), check(0.0)).partition(". ")
    assert "rule adds 25.0 points" in first
    assert "an analytic activation makes no measurable difference" in first
    assert "complex coefficients costs 26.0 points" in first
    assert "50.0% of the test images" in rest
    first, *_ = _verdict(outcomes(200, 204, 300, 304), check(0.0)).partition(". ")
    assert "rule makes no measurable difference" in first
    assert "an analytic activation adds 24.0 points" in first
    assert "complex coefficients makes no measurable difference" in first


def test_verdict_does_not_hide_a_violation() -> None:
    assert "FAILED" in _verdict(outcomes(1, 2, 3, 4), check(0.1))
    assert "No violation" in _verdict(outcomes(1, 2, 3, 4), check(0.0))


def test_verdict_says_an_accuracy_that_all_have_once() -> None:
    same, other = outcomes(1, 2, 3, 4), outcomes(1, 2, 3, 4)
    assert "Their clean accuracy is 95.0%. A" in _verdict(same, check(0.0))
    other[3] = replace(other[3], clean=0.9)
    assert "is 95.0%, 95.0%, 95.0% and 90.0%. A" in _verdict(other, check(0.0))


def test_headline_shows_accuracy_under_attack_beside_the_name() -> None:
    table = _headline(outcomes(200, 300, 304, 308), Protocol())
    assert [row[:2] for row in table.rows][3] == ["complex square, linearized", "77.0"]


def test_all_three_witnesses_are_shown() -> None:
    table = _holomorphy_section(check(0.0)).table
    assert table is not None
    assert [row[1] for row in table.rows] == ["0.0e+00", "0.0e+00", "1.0e-14"]


def test_what_is_proved_stands_beside_what_the_attack_leaves() -> None:
    points = [RobustnessPoint(eps, n, 10) for eps, n in ((0.0, 9), (0.02, 8), (0.02, 7))]
    net = Certified("net", ("intervals", "tangents"), *points)
    section = _certified_section([net, replace(net, methods=(*net.methods, "second_order"))])
    assert section.table is not None
    assert section.table.rows == 2 * [["net", "70.0", "39.7 to 89.2", "80.0", "90.0"]]
    assert "0.02" in section.table.caption
    assert section.note == "Methods: intervals, tangents, and second_order for squares"
