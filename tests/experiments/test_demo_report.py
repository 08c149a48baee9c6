"""The demo's verdict follows its numbers, whichever way they fall."""

from pathlib import Path

import pytest
import torch

from holonet.diagnostics import HolomorphyCheck, RobustnessPoint
from holonet.experiments import Outcome
from holonet.experiments.demo import EPS
from holonet.experiments.demo_report import _effect, _headline, _holomorphy_section, _verdict
from holonet.experiments.protocol import Protocol


def outcome(label: str, correct: int) -> Outcome:
    return Outcome(label, 0, 100, 0.95, (RobustnessPoint(EPS, correct, 400),), 1.0, 1.0, (), Path())


def check(dbar: float) -> HolomorphyCheck:
    return HolomorphyCheck(dbar, 0.0, 1e-14, 1e-12, torch.ones(4))


def outcomes(*correct: int) -> list[Outcome]:
    labels = ("real, standard", "real, linearized", "holomorphic, linearized")
    return [outcome(*pair) for pair in zip(labels, correct, strict=True)]


@pytest.mark.parametrize(
    ("after", "said"), [(300, "adds 25.0 points"), (100, "costs 25.0 points"), (205, "overlap")]
)
def test_effect_is_more_less_or_neither(after: int, said: str) -> None:
    assert said in _effect(outcome("a", 200), outcome("b", after))


def test_verdict_credits_the_rule_and_holomorphy_apart() -> None:
    text = _verdict(outcomes(200, 300, 304), check(0.0))
    assert "the rule adds 25.0 points" in text
    assert "holomorphy makes no difference" in text
    text = _verdict(outcomes(200, 204, 300), check(0.0))
    assert "the rule makes no difference" in text
    assert "holomorphy adds 24.0 points" in text


def test_verdict_does_not_hide_a_violation() -> None:
    assert "FAILED" in _verdict(outcomes(1, 2, 3), check(0.1))
    assert "No violation" in _verdict(outcomes(1, 2, 3), check(0.0))


def test_headline_shows_accuracy_under_attack_beside_the_name() -> None:
    table = _headline(outcomes(200, 300, 304), Protocol())
    assert [row[:2] for row in table.rows][2] == ["holomorphic, linearized", "76.0"]


def test_all_three_witnesses_are_shown() -> None:
    table = _holomorphy_section(check(0.0)).table
    assert table is not None
    assert [row[1] for row in table.rows] == ["0.0e+00", "0.0e+00", "1.0e-14"]
