"""The demo's verdict follows its numbers, whichever way they fall."""

from pathlib import Path

import torch

from holonet.diagnostics import HolomorphyCheck, RobustnessPoint
from holonet.experiments import Outcome
from holonet.experiments.demo import EPS
from holonet.experiments.demo_report import _verdict


def outcome(label: str, correct: int) -> Outcome:
    return Outcome(label, 0, 100, 0.95, (RobustnessPoint(EPS, correct, 400),), 1.0, 1.0, (), Path())


def check(dbar: float) -> HolomorphyCheck:
    return HolomorphyCheck(dbar, 0.0, 0.0, 1e-12, torch.zeros(4))


def test_verdict_says_more_less_or_neither() -> None:
    plain = outcome("plain", 200)
    assert "withstands more" in _verdict(plain, outcome("h", 300), check(0.0))
    assert "withstands less" in _verdict(plain, outcome("h", 100), check(0.0))
    assert "cannot be told apart" in _verdict(plain, outcome("h", 205), check(0.0))


def test_verdict_does_not_hide_a_violation() -> None:
    assert "FAILED" in _verdict(outcome("p", 1), outcome("h", 2), check(0.1))
    assert "no violation" in _verdict(outcome("p", 1), outcome("h", 2), check(0.0))
