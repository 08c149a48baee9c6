"""What an attack reports."""

import math

import pytest
import torch

from holonet.attacks import Alarm, AlarmKind, AttackResult


def test_results_by_hand() -> None:
    margin = torch.tensor([1.0, 0.0, -1.0, math.nan])
    result = AttackResult(torch.zeros(4, 1), margin)
    assert result.success.tolist() == [False, True, True, True]
    assert result.accuracy == 0.25
    assert result.alarms == ()


def test_a_result_prints_its_verdict_and_doubts() -> None:
    margin = torch.tensor([1.0, 0.0, -1.0, math.nan])
    alarm = Alarm(AlarmKind.FLAT_LOSS, 1, 4, "look again")
    assert str(AttackResult(torch.zeros(4, 1), margin, (alarm,))).splitlines() == [
        "25.0% withstand (1 of 4), as far as this attack found",
        "  doubt: flat loss for 1 of 4 examples: look again",
    ]


@pytest.mark.parametrize("kind", list(AlarmKind))
def test_alarms_say_how_many_and_what_to_do(kind: AlarmKind) -> None:
    alarm = Alarm(kind, 3, 10, "look again")
    assert str(alarm) == f"{kind.value} for 3 of 10 examples: look again"
