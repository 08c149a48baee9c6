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
    names = {p.stem for p in EXAMPLES.glob("*.py")}
    assert {f"test_{name}" for name in names} <= set(globals())


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


def test_soft_holomorphy(capsys: Any) -> None:
    load("soft_holomorphy").main(quick=True)
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[2:]]
    assert [row[0] for row in rows] == ["0", "1"]
    accuracies, residuals = ([float(row[k]) for row in rows] for k in (1, 4))
    assert min(accuracies) > 80
    assert residuals[1] < residuals[0] / 2
