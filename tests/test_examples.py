"""The examples run and show what they claim."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from typer.testing import CliRunner

from holonet.cli.main import app
from holonet.data import load_digits

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


def test_self_map(capsys: Any, monkeypatch: Any) -> None:
    module = load("self_map")
    few = load_digits().subset(train=128, test=4)
    monkeypatch.setattr(module, "load_digits", lambda: few)
    module.main(quick=True)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[3:]] == [["2", "at"], ["2", "free"]]
    assert lines[2].split()[-3:] == ["intervals", "schwarz_pick", "tangents"]


def test_check_holomorphy(capsys: Any) -> None:
    load("check_holomorphy").main()
    rows = capsys.readouterr().out.splitlines()[1:]
    assert ["no violation found" in row for row in rows] == [True, True, False, False, False]


def rows_of_soft_holomorphy(module: ModuleType, capsys: Any) -> tuple[list[float], ...]:
    """Accuracies and residuals."""
    module.main(quick=True)
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[2:]]
    assert [row[0] for row in rows] == ["0", "1"]
    return tuple([float(row[k]) for row in rows] for k in (1, 4))


def test_soft_holomorphy_of_a_small_network(capsys: Any, monkeypatch: Any) -> None:
    module = load("soft_holomorphy")
    few = load_digits().subset(train=256, test=40)
    monkeypatch.setattr(module, "HIDDEN", 16)
    monkeypatch.setattr(module, "load_digits", lambda: few)
    _, residuals = rows_of_soft_holomorphy(module, capsys)
    assert residuals[1] < residuals[0]


@pytest.mark.slow
def test_soft_holomorphy(capsys: Any) -> None:
    accuracies, residuals = rows_of_soft_holomorphy(load("soft_holomorphy"), capsys)
    assert min(accuracies) > 80
    assert residuals[1] < residuals[0] / 2


def test_own_data(tmp_path: Path, monkeypatch: Any) -> None:
    """From the command line in the folder of the example: trained, listed by its place, loaded."""
    monkeypatch.chdir(EXAMPLES)
    run = str(tmp_path / "run")
    options = "--data own_data:TONES --readout modulus --rule standard --hidden 8 --epochs 5 --json"
    try:
        done = CliRunner().invoke(app, ["train", *options.split(), "--run-dir", run])
        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout)["test_accuracy"] > 0.8
        again = CliRunner().invoke(app, ["predict", run, "--json"])
        assert json.loads(again.stdout)["data"] == "own_data:TONES"
    finally:
        sys.modules.pop("own_data", None)


@pytest.mark.usefixtures("forked_processes")
def test_own_study(tmp_path: Path) -> None:
    """From the command line, in processes."""
    study = f"{EXAMPLES / 'own_study.py'}:WiderIsMoreRobust"
    options = ["--quick", "--seeds", "2", "--epochs", "1", "--processes", "2", "--json"]
    path = list(sys.path)
    try:
        done = CliRunner().invoke(app, ["reproduce", study, *options, "--out", str(tmp_path)])
    finally:
        sys.path[:] = path
        sys.modules.pop("own_study", None)
    assert done.exit_code == 0, done.output
    record = json.loads(done.stdout)
    assert record["study"] == "wider"
    assert len(record["cells"]) == 4
    assert record["findings"][0]["verdict"] in ("undecided", "confirmed", "refuted")
    assert "Is the wider network more robust?" in (tmp_path / "report.html").read_text()
