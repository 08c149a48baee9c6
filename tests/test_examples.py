"""The examples run and show what they claim."""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

EXAMPLES = Path(__file__).parents[1] / "examples"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_example_is_tested() -> None:
    assert {p.stem for p in EXAMPLES.glob("*.py")} == {"own_loop", "check_holomorphy"}


def test_own_loop(capsys: Any) -> None:
    load("own_loop").main(epochs=3)
    lines = capsys.readouterr().out.splitlines()
    clean, attacked = (float(line.split()[-1].rstrip("%")) for line in lines)
    assert clean > 50
    assert attacked < clean


def test_check_holomorphy(capsys: Any) -> None:
    load("check_holomorphy").main()
    rows = capsys.readouterr().out.splitlines()[1:]
    assert ["no violation found" in row for row in rows] == [True, True, False, False, False]
