"""Which floor takes what, and the reasons given."""

import pytest
import torch

from holonet.ops import floors, use
from holonet.ops.floors import choose, interpreted, transforms_are_active

Z = torch.zeros(8, dtype=torch.complex64)


def test_what_runs_on_the_cpu():
    assert choose(8, Z)[0] == "compiled"
    assert choose(9, Z) == (None, "8 entries, and compiled code pays from 9")
    assert choose(0, Z, Z.to(torch.complex128))[0] is None
    assert choose(0, Z.real)[1] == "torch.float32 has no other"
    assert choose(0, Z.to("meta"))[1] == "meta has no other"
    with use("reference"):
        assert choose(0, Z) == (None, "asked for")
    with use("compiled"):
        assert choose(9, Z)[0] == "compiled"


def test_without_triton_the_way_to_it_is_said(monkeypatch):
    monkeypatch.setattr(floors, "_triton_is_installed", lambda: False)
    with use("fused"):
        assert "pip install 'holonet[triton]'" in choose(0, Z)[1]


def test_triton_on_the_cpu_needs_its_interpreter(monkeypatch):
    monkeypatch.setattr(floors, "_triton_is_installed", lambda: True)
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    with use("fused"):
        assert "TRITON_INTERPRET=1" in choose(0, Z)[1]


def test_transforms_are_seen():
    seen = []
    torch.func.vmap(lambda z: seen.append(transforms_are_active()) or z)(Z)
    assert seen == [True]
    assert not transforms_are_active()


@pytest.mark.parametrize(("value", "expected"), [("1", True), ("0", False), (None, False)])
def test_the_interpreter_is_known_by_its_variable(value, expected, monkeypatch):
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    if value is not None:
        monkeypatch.setenv("TRITON_INTERPRET", value)
    assert interpreted() is expected
