"""`holonet reproduce` on a toy study, and on a tiny one that is real."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import holonet.cli.reproduce as module
from holonet.cli.main import app
from holonet.data import load_digits
from holonet.errors import DataError, NumericalError, UnknownNameError
from holonet.statistics import Interval
from holonet.studies.claims import Claim
from holonet.studies.evidence import Criterion, Evidence
from holonet.studies.results import Results
from holonet.studies.study import Cell, Study


@dataclass(frozen=True)
class Settings:
    """Of a seed."""

    seed: int
    quick: bool


def holds(results: Results) -> Evidence:
    yes = Interval(1.0, 0.5, 1.5, 5, "t")
    return Evidence([Criterion({"n": yes}, "above")], remark="The [whole] interval.")


class Toy(Study):
    name = "toy"
    title = "A [toy]"
    claims = (
        Claim("a", "A holds.", "Page 1.", "Tried.", holds),
        Claim("b", "B holds.", "Page 2.", "Tried.", lambda results: Evidence(remark="No.")),
    )

    def cells(self, quick: bool) -> list[Cell]:
        return [Cell(f"seed{n}", Settings(n, quick)) for n in range(self.seeds or 3)]

    def run_cell(self, cell: Cell, folder: Path, on_progress: Any) -> dict[str, Any]:
        if cell.settings.seed == 1:
            raise NumericalError("NaN [at] step 1")
        assert self.data is not None
        return {"data": self.data.name, "epochs": self.epochs}


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "study_named", lambda name: Toy)


def invoke(*arguments: str, processes: int | None = 1) -> Any:
    """In this process: others import torch anew."""
    line = ["reproduce", *arguments]
    line += [] if processes is None else ["--processes", str(processes)]
    return CliRunner().invoke(app, line, env={"COLUMNS": "200"})


@pytest.mark.usefixtures("toy")
def test_verdicts_failures_and_the_report_are_printed(tmp_path: Path) -> None:
    result = invoke("toy", "--out", str(tmp_path))
    assert result.exit_code == 0, result.output
    for text in ("A [toy]", "The [whole] interval.", "confirmed", "not testable"):
        assert text in result.stdout
    assert "seed1 failed: NumericalError: NaN [at] step 1" in result.stdout
    assert str((tmp_path / "report.html").resolve()) in result.stdout.replace("\n", "")
    assert "2/3" in result.stderr or "3/3" in result.stderr


@pytest.mark.usefixtures("toy")
def test_json_is_the_record_and_nothing_else(tmp_path: Path) -> None:
    arguments = ["toy", "--quick", "--seeds", "4", "--epochs", "7", "--out", str(tmp_path)]
    result = invoke(*arguments, "--json")
    assert result.exit_code == 0, result.output
    record = json.loads(result.stdout)
    assert not result.stderr
    assert record == json.loads((tmp_path / "results.json").read_text())
    assert record["quick"] is True
    assert record["cells"]["seed3"]["result"] == {"data": "digits", "epochs": 7}
    assert record["command"] == "holonet reproduce toy --quick --seeds 4 --epochs 7"


@pytest.mark.usefixtures("toy")
def test_folders_of_quick_and_full_runs_are_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert invoke("toy").exit_code == 0
    assert invoke("toy", "--quick").exit_code == 0
    assert (tmp_path / "reports" / "toy" / "results.json").exists()
    assert (tmp_path / "reports" / "toy-quick" / "results.json").exists()


@pytest.mark.usefixtures("toy")
@pytest.mark.parametrize(("given", "expected"), [(None, 7), (3, 3)])
def test_a_study_has_a_process_for_each_core_or_as_many_as_are_asked_for(
    monkeypatch: pytest.MonkeyPatch, given: int | None, expected: int
) -> None:
    def stop(*_: object, **options: Any) -> None:
        raise NumericalError(str(options["processes"]))

    monkeypatch.setattr(module, "reproduce_study", stop)
    monkeypatch.setattr(module.os, "cpu_count", lambda: 7)
    assert str(invoke("toy", processes=given).exception) == str(expected)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["shaham2016"], UnknownNameError),
        (["shaham2015", "--data", "mnist"], DataError),
    ],
)
def test_wrong_usage_is_a_holonet_error(arguments: list[str], error: type[Exception]) -> None:
    assert isinstance(invoke(*arguments).exception, error)


@pytest.mark.slow
def test_a_tiny_study_from_the_command_line(tmp_path: Path) -> None:
    digits = load_digits().subset(train=60, test=12)
    path = tmp_path / "small.npz"
    np.savez(
        path,
        x_train=digits.x_train.numpy(),
        y_train=digits.y_train.numpy(),
        x_test=digits.x_test.numpy(),
        y_test=digits.y_test.numpy(),
    )
    options = ["--quick", "--seeds", "1", "--epochs", "1", "--data", str(path), "--json"]
    result = invoke("shaham2015", *options, "--out", str(tmp_path / "out"))
    assert result.exit_code == 0, result.output
    record = json.loads(result.stdout)
    assert {f["verdict"] for f in record["findings"]} == {"not testable"}
    assert len(record["cells"]) == 4
