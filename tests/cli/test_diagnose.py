"""`holonet diagnose` and `holonet check` on models of every form."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from holonet.attacks import fgsm
from holonet.cli.main import app
from holonet.errors import ConfigError, HolonetError, UnknownNameError

SOURCE = """
import torch
from torch import nn

def net(activation):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), activation, nn.Linear(6, 3))

def tanh():
    return net(nn.Tanh())

def relu():
    return net(nn.ReLU())

def images():
    return nn.Sequential(nn.Conv2d(1, 2, 2), nn.GELU(), nn.Flatten(), nn.Linear(2, 3))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "diagnose_models.py").write_text(SOURCE)
    generator = np.random.default_rng(0)
    x, y = generator.random((30, 1, 2, 2), dtype=np.float32), np.arange(30) % 3
    np.savez(tmp_path / "data.npz", x=x, y=y)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.modules.pop("diagnose_models", None)


def invoke(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200"})


def failure(result: Any) -> HolonetError:
    assert isinstance(result.exception, HolonetError), result.output
    return result.exception


def test_a_report_and_all_numbers_are_written_and_a_second_call_resumes(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holonet.diagnostics.sections.robustness.ATTACKS", {"fgsm": fgsm})
    words = ["diagnose", "diagnose_models:tanh", "--data", "data.npz", "--out", "page"]
    words += ["--sections", "holomorphy,energy,robustness", "--attacked", "4"]
    result = invoke(*words)
    assert result.exit_code == 0, result.output
    assert "target: diagnose_models:tanh; place: object" in result.stdout
    assert "each example as a vector of 4 numbers" in result.stdout
    assert "The report is page/report.html." in result.stdout
    content = json.loads((folder / "page/diagnosis.json").read_text())
    assert list(content["sections"]) == ["holomorphy", "energy", "robustness"]
    assert content["provenance"]["seed"] == 0
    assert content["provenance"]["command"] == (
        "holonet diagnose diagnose_models:tanh --data data.npz "
        "--sections holomorphy,energy,robustness --attacked 4"
    )
    assert "<h2" in (folder / "page/report.html").read_text()
    kept = {path: path.stat().st_mtime_ns for path in folder.glob("page/sections/*/*.json")}
    assert len(kept) == 3
    again = invoke(*words, "--json")
    assert json.loads(again.stdout) == content
    assert kept == {path: path.stat().st_mtime_ns for path in kept}


def test_a_target_stands_beside_another(folder: Path) -> None:
    words = ["diagnose", "diagnose_models:tanh", "--data", "data.npz", "--sections", "energy"]
    result = invoke(*words, "--baseline", "diagnose_models:relu", "--json")
    assert result.exit_code == 0, result.output
    section = json.loads(result.stdout)["sections"]["energy"]
    assert section["numbers"]["energy"]["baseline"] > 0
    assert Path("reports/diagnose-diagnose_models-tanh/report.html").is_file()


@pytest.mark.parametrize(
    ("target", "code", "words"),
    [
        ("diagnose_models:tanh", 0, "real model with a holomorphic continuation"),
        ("diagnose_models:relu", 1, "1 (ReLU): torch.relu is made of pieces"),
    ],
)
def test_check_answers_by_its_exit_code(folder: Path, target: str, code: int, words: str) -> None:
    for data in ([], ["--data", "data.npz"]):
        result = invoke("check", target, *data)
        assert result.exit_code == code, result.output
        assert words in result.stdout
        assert ("try:" in result.stdout) == (code == 1)
    content = json.loads(invoke("check", target, "--json").stdout)
    assert content["answer"] == ("yes" if code == 0 else "no")


def test_check_of_images_needs_data_and_says_so(folder: Path) -> None:
    message = str(failure(invoke("check", "diagnose_models:images")))
    assert "--data" in message
    result = invoke("check", "diagnose_models:images", "--data", "data.npz")
    assert result.exit_code == 0, result.output


def test_files_are_targets(folder: Path) -> None:
    model, x = (
        nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.SiLU()).eval(),
        torch.rand(3, 1, 2, 2),
    )
    program = torch.export.export(model, (x,), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},))
    torch.export.save(program, "net.pt2")
    result = invoke("check", "net.pt2", "--data", "data.npz")
    assert result.exit_code == 0, result.output


def test_a_run_comes_with_its_data(folder: Path) -> None:
    small = ["--train-size", "100", "--test-size", "20", "--hidden", "4", "--epochs", "1"]
    assert invoke("train", "--run-dir", "run", *small, "--json").exit_code == 0
    assert invoke("check", "run").exit_code == 0
    words = ["--examples", "50", "--sections", "energy", "--baseline", "none", "--json"]
    content = json.loads(invoke("diagnose", "run", *words).stdout)
    assert content["subject"]["kind"] == "complex"
    assert len(content["sections"]["energy"]["numbers"]["examples"]["energy"]) == 20


def test_bad_calls_are_refused(folder: Path) -> None:
    assert "name a data set" in str(failure(invoke("diagnose", "diagnose_models:tanh")))
    assert isinstance(failure(invoke("check", "nothing")), ConfigError)
    words = ["diagnose", "diagnose_models:tanh", "--data", "data.npz"]
    assert isinstance(failure(invoke(*words, "--sections", "harmony")), UnknownNameError)
    assert invoke(*words, "--eps", "big").exit_code == 2
