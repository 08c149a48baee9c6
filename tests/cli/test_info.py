"""`holonet info`: what a run is of, from its folder alone."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

import holonet
from holonet.cli.main import app
from holonet.data import load_dataset
from holonet.errors import ConfigError


def invoke(*arguments: object) -> Any:
    return CliRunner().invoke(app, list(map(str, arguments)))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "one"
    small = "--train-size 200 --test-size 30 --hidden 8,5 --activation tanh --epochs 2 --seed 4"
    options = [*small.split(), "--rule", "pgd", "--json"]
    assert invoke("train", "--run-dir", folder, *options).exit_code == 0
    return folder


def test_a_finished_run_tells_network_rule_data_seed_accuracy_and_versions(run: Path) -> None:
    facts = json.loads(invoke("info", run, "--json").stdout)
    network = holonet.load(run)
    weights = sum(p.numel() * (1 + p.is_complex()) for p in network.parameters())
    data = load_dataset("digits").subset(train=200, test=30)
    right = (network(data.x_test).argmax(1) == data.y_test).float().mean().item()
    assert facts["finished"] is True
    assert facts["network"] == "mlp, complex, tanh, widths 8, 5"
    assert facts["function_class"] == "harmonic"
    assert facts["parameters"] == f"{weights} real numbers"
    assert facts["takes"] == "(1, 8, 8), 10 classes"
    assert facts["rule"].startswith("RobustOptimization(")
    assert facts["data"] == f"digits, fingerprint {data.fingerprint()}"
    assert (facts["seed"], facts["steps"]) == (4, 8)
    assert facts["test_accuracy"] == pytest.approx(right)
    assert facts["versions"]["torch"] == torch.__version__
    assert {"config.toml", "metrics.jsonl", "model.safetensors"} <= set(facts["files"])
    shown = invoke("info", run).stdout
    for name, value in facts.items():
        assert name.replace("_", " ") in shown
        assert not isinstance(value, str) or value in shown
    assert re.search(r"^finished +yes$", shown, re.MULTILINE)


def test_an_unfinished_run_tells_how_to_finish_it(run: Path, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text((run / "config.toml").read_text())
    facts = json.loads(invoke("info", tmp_path, "--json").stdout)
    assert facts["finished"] is False
    assert facts["steps"] == 0
    assert facts["next"] == f"holonet train --resume --run-dir {tmp_path}"
    assert facts["rule"].startswith("RobustOptimization(")


def test_a_lost_journal_takes_only_the_accuracy(run: Path, tmp_path: Path) -> None:
    for name in ("config.toml", "model.safetensors", "model.safetensors.sha256"):
        (tmp_path / name).write_bytes((run / name).read_bytes())
    (tmp_path / "metrics.jsonl").write_text("damaged\n")
    facts = json.loads(invoke("info", tmp_path, "--json").stdout)
    assert facts["test_accuracy"] is None
    assert facts["network"].startswith("mlp")


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    assert isinstance(invoke("info", tmp_path).exception, ConfigError)
