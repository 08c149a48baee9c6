"""`holonet predict`: the network's own answers, in every form of file."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import holonet
from holonet.cli.main import app
from holonet.data import load_dataset
from holonet.errors import CheckpointError, ConfigError, DataError, NumericalError


def invoke(*arguments: object) -> Any:
    return CliRunner().invoke(app, list(map(str, arguments)))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "one"
    small = "--train-size 200 --test-size 30 --hidden 8 --epochs 2 --json"
    assert invoke("train", "--run-dir", folder, *small.split()).exit_code == 0
    return folder


def expected(run: Path, x: torch.Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, margins and probabilities, from the logits alone."""
    logits = holonet.load(run)(x).detach().double().numpy()
    ordered = np.sort(logits)
    powers = np.exp(logits)
    return (
        logits.argmax(1),
        ordered[:, -1] - ordered[:, -2],
        powers / powers.sum(1, keepdims=True),
    )


def test_every_form_of_file_has_the_answers_of_the_loaded_network(
    run: Path, tmp_path: Path
) -> None:
    data = load_dataset("digits").subset(test=30)
    labels, margins, probabilities = expected(run, data.x_test)
    right = float(np.mean(labels == data.y_test.numpy()))
    for suffix in ("csv", "json", "npz"):
        out = tmp_path / f"answers.{suffix}"
        shown = invoke("predict", run, "--out", out)
        assert shown.exit_code == 0, shown.output
        assert f"accuracy {100 * right:.1f}% on 30 examples" in shown.stdout
        if suffix == "npz":
            found = dict(np.load(out))
            got = found["probabilities"]
        elif suffix == "json":
            content = json.loads(out.read_text())
            assert content["accuracy"] == right
            found = {k: [row[k] for row in content["answers"]] for k in content["answers"][0]}
            got = np.array(found["probabilities"])
        else:
            rows = list(csv.DictReader(out.read_text().splitlines()))
            found = {name: [row[name] for row in rows] for name in rows[0]}
            got = np.array([[float(row[f"probability_{k}"]) for k in range(10)] for row in rows])
        assert list(found["example"]) == [str(k) for k in range(30)]
        assert list(map(int, found["predicted"])) == labels.tolist()
        assert list(map(int, found["label"])) == data.y_test.tolist()
        np.testing.assert_allclose(list(map(float, found["margin"])), margins, rtol=1e-4)
        np.testing.assert_allclose(got, probabilities, rtol=1e-4, atol=1e-7)


def test_json_on_stdout_is_what_the_file_has(run: Path, tmp_path: Path) -> None:
    shown = invoke("predict", run, "--json", "--out", tmp_path / "a.json")
    assert json.loads(shown.stdout) == json.loads((tmp_path / "a.json").read_text())


def test_a_folder_of_images_is_answered_by_name_without_accuracy(run: Path, tmp_path: Path) -> None:
    x = load_dataset("digits").x_test[:3]
    for k, one in enumerate(x):
        pixels = (one[0] * 255).round().byte().numpy()
        Image.fromarray(pixels).save(tmp_path / f"{k}.png")
    shown = invoke("predict", run, "--data", tmp_path, "--json")
    result = json.loads(shown.stdout)
    assert [row["example"] for row in result["answers"]] == ["0.png", "1.png", "2.png"]
    labels, _, _ = expected(run, (x * 255).round() / 255)
    assert [row["predicted"] for row in result["answers"]] == labels.tolist()
    assert result["accuracy"] is None


@pytest.mark.parametrize("columns", ["60", "80"])
def test_the_table_fits_the_terminal_and_says_how_to_keep_all(run: Path, columns: str) -> None:
    shown = CliRunner().invoke(app, ["predict", str(run)], env={"COLUMNS": columns})
    assert max(map(len, shown.stdout.splitlines())) <= int(columns)
    assert "10 of 30 examples: --out answers.csv keeps all" in shown.stdout
    assert "\x1b" not in shown.stdout


def test_what_cannot_be_answered_is_refused_before_a_file_is_written(
    run: Path, tmp_path: Path
) -> None:
    np.savez(tmp_path / "far.npz", x=np.full((2, 1, 8, 8), 1e30, np.float32))
    out = tmp_path / "a.csv"
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun/config.toml").write_text((run / "config.toml").read_text())
    for arguments, kind, words in [
        ([run, "--out", tmp_path / "a.txt"], ConfigError, ".csv, .json, .npz"),
        ([run, "--data", tmp_path / "far.npz"], NumericalError, "example 0, and of 2 in all"),
        ([run, "--data", "photographs"], DataError, "(3, 16, 16), and the network takes (1, 8, 8)"),
        ([tmp_path / "begun"], CheckpointError, "--resume"),
        ([tmp_path], ConfigError, "holds no run"),
    ]:
        options = [] if "--out" in arguments else ["--out", out]
        refused = invoke("predict", *arguments, *options).exception
        assert isinstance(refused, kind), refused
        assert words in str(refused)
    assert not out.exists()
