"""Only a proof is truthy."""

import dataclasses

import pytest

from holonet.symbolic import Proved, Refuted, Unknown, Verdict

VERDICTS = [
    Proved("holomorphic", "structure", ("a step",)),
    Refuted("holomorphic", {"z": 1j}, 1 + 0j),
    Unknown("holomorphic", "no idea"),
]


def test_only_proved_is_truthy():
    assert [bool(v) for v in VERDICTS] == [True, False, False]


@pytest.mark.parametrize("verdict", VERDICTS)
def test_verdicts_are_frozen_and_carry_the_claim(verdict):
    assert isinstance(verdict, Verdict)
    assert verdict.claim == "holomorphic"
    with pytest.raises(dataclasses.FrozenInstanceError):
        verdict.claim = "harmonic"


def test_the_base_is_no_answer():
    with pytest.raises(TypeError):
        Verdict("holomorphic")
