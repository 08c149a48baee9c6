"""`holonet export`: a run's network in a file, by one command."""

import json
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import holonet
from holonet.cli.export import Kind
from holonet.cli.main import app
from holonet.errors import CheckpointError
from holonet.interop.export import Format


def invoke(*arguments: object) -> Any:
    return CliRunner().invoke(app, list(map(str, arguments)))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "one"
    small = "--train-size 200 --test-size 30 --hidden 8 --epochs 1 --json"
    assert invoke("train", "--run-dir", folder, *small.split()).exit_code == 0
    return folder


def test_kinds_are_the_formats() -> None:
    assert [kind.value for kind in Kind] == list(get_args(Format))


@pytest.mark.slow
def test_onnx_gives_the_logits_of_the_loaded_network(run: Path, tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    out = tmp_path / "digits.onnx"
    shown = invoke("export", run, "--out", out)
    assert shown.exit_code == 0, shown.output
    assert "input x of shape (batch, 1, 8, 8), output logits" in shown.stdout
    x = torch.rand(3, 1, 8, 8)
    session = runtime.InferenceSession(str(out), providers=["CPUExecutionProvider"])
    found = session.run(["logits"], {"x": x.numpy()})[0]
    np.testing.assert_allclose(found, holonet.load(run)(x).detach().numpy(), atol=1e-5)


@pytest.mark.parametrize("kind", ["torch-export", "safetensors"])
def test_without_out_the_file_has_the_name_of_the_run(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = json.loads(invoke("export", run, "--to", kind, "--json").stdout)
    assert Path(result["file"]).exists()
    assert Path(result["file"]).stem == "one"
    assert result["difference"] <= 1e-5


@pytest.mark.parametrize(
    "options",
    [
        "--coefficients real --lift pair",
        pytest.param("--readout modulus", marks=pytest.mark.slow),
    ],
)
def test_a_run_of_complex_data_takes_both_parts(options: str, tmp_path: Path) -> None:
    x = np.exp(1j * np.arange(80)).reshape(40, 2).astype(np.complex64)
    np.savez(tmp_path / "iq.npz", x=x, y=np.arange(40) % 2)
    small = f"--data {tmp_path}/iq.npz --rule standard --hidden 3 --epochs 1 {options} --json"
    assert invoke("train", "--run-dir", tmp_path / "run", *small.split()).exit_code == 0
    out = tmp_path / "iq.pt2"
    shown = invoke("export", tmp_path / "run", "--to", "torch-export", "--out", out)
    assert shown.exit_code == 0, shown.output
    assert "input x of shape (batch, 2, 2), output logits" in shown.stdout
    z = torch.from_numpy(x[:3])
    found = torch.export.load(out).module()(torch.view_as_real(z))
    torch.testing.assert_close(found, holonet.load(tmp_path / "run")(z))


def test_an_unfinished_run_is_refused(run: Path, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text((run / "config.toml").read_text())
    refused = invoke("export", tmp_path, "--out", tmp_path / "n.onnx")
    assert isinstance(refused.exception, CheckpointError)
