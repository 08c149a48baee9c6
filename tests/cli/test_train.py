"""`holonet train`, and what it says to bad input."""

import json
import linecache
import re
import shlex
import shutil
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from holonet.cli.main import app
from holonet.errors import (
    CheckpointError,
    ConfigError,
    DataError,
    HolonetError,
    RunExistsError,
    UnknownNameError,
)
from holonet.training import RunConfig, build_model, load, load_run, read_journal
from holonet.training.state import RunState

SMALL = [
    "--train-size",
    "200",
    "--test-size",
    "50",
    "--hidden",
    "8,8",
    "--epochs",
    "2",
    "--batch-size",
    "256",
]


def invoke(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


def train(folder: Path, *more: str) -> Any:
    return invoke("train", "--run-dir", str(folder), *SMALL, *more)


def failure(result: Any) -> HolonetError:
    assert isinstance(result.exception, HolonetError), result.output
    return result.exception


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "one"
    assert train(folder, "--json").exit_code == 0
    return folder


@pytest.mark.parametrize("rank", ["x", "", "-1"])
def test_a_rank_that_is_no_number_is_refused(
    rank: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCAL_RANK", rank)
    result = train(tmp_path / "r", "--devices", "2", "--accelerator", "cpu")
    assert "LOCAL_RANK=" in str(failure(result))


def test_on_one_device_a_rank_in_the_environment_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("RANK", "LOCAL_RANK"):
        monkeypatch.setenv(name, "1")
    result = train(tmp_path / "r", "--epochs", "1", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["steps"] == 1
    load_run(tmp_path / "r")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ("--rule standard --beta 2", "rule.beta changes nothing with rule.name = 'standard'"),
        ("--rule pgd --weight 2 --probes 3", "rule.weight .*; rule.probes "),
        ("--warm-up 0.2", "rule.schedule = 'constant'"),
        ("--channels 3", "model.family = 'mlp'"),
        ("--coefficients real --activation relu --gain 2", "model.activation = 'relu'"),
        ("--match macs", "model.coefficients = 'complex'"),
        ("--data-root .", "data.name = 'digits'"),
        ("--backend gloo", "train.devices = 1"),
        ("--class-weights 1,-2", r"train.class_weights.1 = '-2': .* greater than or equal to 0"),
        (
            "--precision fp16",
            "train.precision = 'fp16': float16 needs a scaled loss .* choose bf16",
        ),
        ("--patience 3", "train.patience = 3: no examples are held out, set train.validation"),
    ],
)
def test_an_option_that_changes_nothing_is_refused(
    options: str, reason: str, tmp_path: Path
) -> None:
    error = failure(train(tmp_path / "r", *options.split()))
    assert isinstance(error, ConfigError)
    assert re.search(reason, str(error))
    assert not (tmp_path / "r").exists()


def test_a_setting_in_a_file_that_changes_nothing_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "c.toml"
    file.write_text("[rule]\nname = 'standard'\nbeta = 2.0\nsteps = 7\n")
    result = train(tmp_path / "r", "--config", str(file), "--epochs", "1")
    assert result.exit_code == 0, result.output
    (told,) = [r.message for r in caplog.records if "changes nothing" in r.message]
    assert "rule.beta = 2.0 changes nothing with rule.name = 'standard'" in told


def test_train_keeps_everything_in_the_run_folder(finished: Path) -> None:
    names = {p.name for p in finished.iterdir()}
    assert {
        "config.toml",
        "metrics.jsonl",
        "model.safetensors",
        "model.safetensors.sha256",
    } <= names
    config, data, _ = load_run(finished)
    assert config.model.hidden == (8, 8)
    assert len(data.x_train) == 200
    assert [
        r["epoch"] for r in read_journal(finished / "metrics.jsonl") if r["kind"] == "epoch"
    ] == [1, 2]


def test_train_prints_json_for_scripts(tmp_path: Path) -> None:
    result = train(tmp_path / "run", "--json")
    summary = json.loads(result.stdout)
    assert summary["steps"] == 2
    assert 0 <= summary["test_accuracy"] <= 1


def test_train_says_what_to_do_next(tmp_path: Path) -> None:
    result = train(tmp_path / "run")
    assert f"holonet evaluate {tmp_path / 'run'}" in result.stdout.replace("\n", "")


def test_existing_run_is_refused_and_loses_nothing(finished: Path) -> None:
    before = {p: p.read_bytes() for p in finished.rglob("*") if p.is_file()}
    error = failure(train(finished))
    assert isinstance(error, RunExistsError)
    assert "--resume" in str(error)
    assert "--overwrite" in str(error)
    assert before == {p: p.read_bytes() for p in finished.rglob("*") if p.is_file()}


def test_resume_of_a_finished_run_changes_no_weight(finished: Path) -> None:
    before = (finished / "model.safetensors").read_bytes()
    assert invoke("train", "--resume", "--run-dir", str(finished), "--json").exit_code == 0
    assert (finished / "model.safetensors").read_bytes() == before


def test_resume_of_a_finished_run_says_so_and_loses_nothing(finished: Path, tmp_path: Path) -> None:
    run = shutil.copytree(finished, tmp_path / "run")
    shutil.rmtree(run / "checkpoints")
    (run / "metrics.jsonl").write_text("")
    (run / "evaluation.json").write_text("what was found out")
    summary = json.loads(invoke("train", "--resume", "--run-dir", str(run), "--json").stdout)
    measured = [r for r in read_journal(finished / "metrics.jsonl") if r["kind"] == "epoch"]
    assert summary["test_accuracy"] == measured[-1]["test_accuracy"]
    result = invoke("train", "--resume", "--run-dir", str(run))
    assert "is finished: nothing was left to train" in result.stdout
    assert (run / "evaluation.json").exists()
    error = failure(invoke("train", "--resume", "--overwrite", "--run-dir", str(run)))
    assert isinstance(error, ConfigError)
    assert "choose one" in str(error)


def test_resume_after_an_edit_of_the_network_is_refused(finished: Path, tmp_path: Path) -> None:
    run = shutil.copytree(finished, tmp_path / "run")
    for name in ("model.safetensors", "model.safetensors.sha256"):
        (run / name).unlink()
    config = (run / "config.toml").read_text()
    (run / "config.toml").write_text(config.replace('readout = "real"', 'readout = "imag"'))
    error = failure(invoke("train", "--resume", "--run-dir", str(run)))
    assert isinstance(error, CheckpointError)
    assert "run.model.readout: real and imag" in str(error)


@pytest.mark.parametrize(
    ("end", "code", "steps"),
    [(KeyboardInterrupt(), 130, 2), (KeyboardInterrupt(), 130, 0), (SystemExit(143), 143, 1)],
)
def test_an_interrupted_run_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: BaseException, code: int, steps: int
) -> None:
    save = RunState.save

    def save_and_stop(self: RunState, folder: Path) -> None:
        if steps:
            save(self, folder)
        if self.step == max(steps, 1):
            raise end

    monkeypatch.setattr(RunState, "save", save_and_stop)
    folder = tmp_path / "my run"
    result = train(folder, "--checkpoint-every", "1")
    assert result.exit_code == code
    kept = f"kept up to step {steps}" if steps else "no step is kept yet"
    command = f"holonet train --resume --run-dir '{folder}'"
    assert f"{kept}; go on with {command}" in result.output
    monkeypatch.undo()
    assert invoke(*shlex.split(command)[1:]).exit_code == 0


@pytest.mark.parametrize(
    ("values", "box", "words"),
    [
        ([0.0, 1.0], [0, 1], "in [0, 1]: attacks stay in that box"),
        ([-2.5, 1.0], None, "from -2.5 to 1, not in [0, 1]: attacks have no box"),
        ([1j, 0.0], None, "complex: attacks have no box"),
    ],
)
def test_the_box_is_printed(
    tmp_path: Path, values: list[complex], box: list[int] | None, words: str
) -> None:
    x = np.array(values)[np.arange(20) % 2, None] * np.ones((20, 3))
    np.savez(tmp_path / "d.npz", x=x.astype(np.result_type(x, np.float32)), y=np.arange(20) % 2)
    more = ("train", "--data", str(tmp_path / "d.npz"), "--epochs", "1", "--hidden", "3")
    result = invoke(*more, "--rule", "standard", "--run-dir", str(tmp_path / "a"))
    assert words in result.stdout
    result = invoke(*more, "--rule", "standard", "--run-dir", str(tmp_path / "b"), "--json")
    assert json.loads(result.stdout)["box"] == box


def test_the_rule_of_complex_data_has_a_norm_of_theirs_unless_told(tmp_path: Path) -> None:
    x = np.exp(1j * np.arange(80)).reshape(40, 2).astype(np.complex64)
    np.savez(tmp_path / "d.npz", x=x, y=np.arange(40) % 2)
    own = ("train", "--data", str(tmp_path / "d.npz"), "--epochs", "1", "--hidden", "3")
    run = ("--run-dir", str(tmp_path / "r"))
    assert invoke(*own, "--rule", "pgd", "--eps", "0.1", "--steps", "1", *run).exit_code == 0
    assert RunConfig.read(tmp_path / "r" / "config.toml").rule.norm == "polydisc"
    assert invoke("train", "--resume", *run).exit_code == 0
    refused = failure(invoke(*own, "--rule", "pgd", "--norm", "linf", *run, "--overwrite"))
    assert "complex: choose rule.norm = 'polydisc'" in str(refused)


def test_resume_with_another_configuration_names_the_difference(finished: Path) -> None:
    error = failure(invoke("train", "--resume", "--run-dir", str(finished), "--lr", "0.5"))
    assert isinstance(error, ConfigError)
    assert "train.lr: 0.01 and 0.5" in str(error)


def test_resume_without_a_run_does_not_start_one(tmp_path: Path) -> None:
    error = failure(invoke("train", "--resume", "--run-dir", str(tmp_path / "none")))
    assert isinstance(error, ConfigError)
    assert "without --resume" in str(error)
    assert not (tmp_path / "none").exists()


def test_options_go_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text("[train]\nepochs = 7\nlr = 0.1\n[model]\nhidden = [4]\n[data]\ntrain = 99\n")
    run = tmp_path / "run"
    result = invoke(
        "train", "--config", str(file), "--epochs", "1", "--run-dir", str(run), "--json"
    )
    assert result.exit_code == 0
    config, _, _ = load_run(run)
    assert (config.train.epochs, config.train.lr, config.model.hidden) == (1, 0.1, (4,))


def test_unknown_key_in_the_file_gets_near_misses(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text("[train]\nepoch = 7\n")
    error = failure(invoke("train", "--config", str(file), "--run-dir", str(tmp_path / "run")))
    assert isinstance(error, ConfigError)
    assert "train.epoch" in str(error)
    assert "did you mean epochs" in str(error)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "kind", "hint"),
    [
        (["--activation", "tahn"], ConfigError, "model.activation = 'tahn': unknown activation"),
        (["--data", "digit"], UnknownNameError, "digits"),
        (["--data", "mnist"], DataError, "root"),
        (["--data", "mnist", "--data-root", "/no/such/folder"], DataError, "/no/such/folder"),
        (["--epochs", "0"], ConfigError, "train.epochs"),
        (["--weight", "-1"], ConfigError, "rule.weight"),
        (["--rule", "anlytic"], ConfigError, "rule.name"),
        (["--hidden", "8,x"], ConfigError, "model.hidden"),
    ],
)
def test_bad_options_get_a_holonet_error(
    tmp_path: Path, options: list[str], kind: type[HolonetError], hint: str
) -> None:
    error = failure(invoke("train", "--run-dir", str(tmp_path / "run"), *options))
    assert isinstance(error, kind)
    assert hint in str(error)
    assert not (tmp_path / "run").exists()  # so that the corrected command runs


@pytest.mark.parametrize(
    ("key", "value", "hint"),
    [
        ("x", np.nan, "nan"),
        ("x", np.inf, "inf"),
        ("y", -1, "label"),
    ],
)
def test_bad_data_gets_a_holonet_error(tmp_path: Path, key: str, value: float, hint: str) -> None:
    rng = np.random.default_rng(0)
    arrays = {
        "x_train": rng.random((20, 4), dtype=np.float32),
        "y_train": np.arange(20) % 2,
        "x_test": rng.random((6, 4), dtype=np.float32),
        "y_test": np.arange(6) % 2,
    }
    arrays[f"{key}_test"][3] = value
    path = tmp_path / "data.npz"
    np.savez(path, **arrays)
    error = failure(invoke("train", "--data", str(path), "--run-dir", str(tmp_path / "run")))
    assert isinstance(error, DataError)
    assert hint in str(error).lower()


def test_rules_with_a_radius_and_convolutions(tmp_path: Path) -> None:
    arguments = [
        "train", "--run-dir", str(tmp_path / "run"), "--train-size", "64", "--test-size", "20",
        "--epochs", "1", "--batch-size", "32", "--family", "convnet", "--channels", "2,3",
        "--dense", "8", "--gain", "data", "--rule", "linearized", "--eps", "0.05",
        "--weight-decay", "0.001", "--json",
    ]  # fmt: skip
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    config = RunConfig.read(tmp_path / "run" / "config.toml")
    assert (config.rule.name, config.rule.eps) == ("linearized", 0.05)
    assert (config.model.channels, config.model.dense) == ((2, 3), (8,))
    assert config.model.gain == "data"
    assert config.train.weight_decay == 0.001


OWN = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 10))

    def forward(self, x):
        return self.body(x)

def no_net():
    return "a net"
"""

OWN_OPTIONS = [option for option in SMALL if option not in ("--hidden", "8,8")]


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a run of a network of one's own, in the working folder."""
    (tmp_path / "own_train.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    result = invoke("train", "--model", "own_train:Net", "--run-dir", "r", *OWN_OPTIONS, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["parameters"] == 65 * 8 + 9 * 10
    yield tmp_path / "r"
    sys.modules.pop("own_train", None)


def test_a_network_of_ones_own_is_trained_and_read_back_by_the_commands(
    own: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert tomllib.loads((own / "config.toml").read_text())["model"]["module"] == "own_train:Net"
    config, data, model = load_run(own)
    assert type(model).__name__ == "Net"
    assert build_model(config, data)(data.x_test).shape == (50, 10)
    predicted = json.loads(invoke("predict", str(own), "--json").stdout)
    expected = model(data.x_test).argmax(1).tolist()
    assert [row["predicted"] for row in predicted["answers"]] == expected
    told = json.loads(invoke("info", str(own), "--json").stdout)
    assert (told["network"], told["function_class"]) == ("own_train:Net", None)
    line = ["evaluate", str(own), "--eps", "0.05", "--examples", "10", "--steps", "2"]
    assert invoke(*line, "--attack", "pgd").exit_code == 0
    assert invoke("train", "--resume", "--run-dir", str(own)).exit_code == 0
    assert not caplog.records


def test_changed_code_of_an_own_network_is_told_and_a_run_is_not_resumed(
    own: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = own.parent / "own_train.py"
    source.write_text(OWN.replace("return self.body(x)", "return -self.body(x)"))
    sys.modules.pop("own_train")
    linecache.clearcache()
    load(own)
    assert "the code of own_train:Net is not that which" in caplog.text
    for path in (own / "checkpoints").iterdir():
        path.unlink()
    error = failure(invoke("train", "--resume", "--run-dir", str(own)))
    assert "code: " in str(error)


def test_an_own_network_that_is_gone_is_told(own: Path) -> None:
    (own.parent / "own_train.py").unlink()
    sys.modules.pop("own_train")
    with pytest.raises(
        CheckpointError, match=r"weights of own_train:Net, which .* no module own_t"
    ):
        load(own)


def test_what_is_no_own_network_is_refused(own: Path) -> None:
    assert "let it return a" in str(failure(invoke("train", "--model", "own_train:no_net")))
    more = invoke("train", "--model", "own_train:Net", "--hidden", "3")
    assert "model.hidden changes nothing with model.module = 'own_train:Net'" in str(failure(more))


def test_a_formula_is_an_activation_and_is_read_back(tmp_path: Path) -> None:
    result = train(tmp_path / "r", "--activation", "z*exp(-z**2)", "--json")
    assert result.exit_code == 0, result.output
    config, _, model = load_run(tmp_path / "r")
    assert config.model.activation == "z*exp(-z**2)"
    assert "z*exp(-z**2)" in repr(model)
    assert invoke("cite", str(tmp_path / "r")).exit_code == 0
    refused = failure(train(tmp_path / "s", "--activation", "abs(z)"))
    assert "'Abs(z)' is not holomorphic" in str(refused)
    assert not (tmp_path / "s").exists()


def test_the_command_says_which_weights_are_kept(tmp_path: Path) -> None:
    line = ["--epochs", "4", "--lr", "0.5", "--validation", "0.2", "--batch-size", "64"]
    result = train(tmp_path / "r", *line)
    assert result.exit_code == 0, result.output
    epochs = [r for r in read_journal(tmp_path / "r/metrics.jsonl") if r["kind"] == "epoch"]
    best = min(epochs, key=lambda r: r["validation_loss"])
    assert best["epoch"] < 4
    words = (
        f"test accuracy {100 * best['test_accuracy']:.2f}% .* weights of epoch {best['epoch']} of 4"
    )
    assert re.search(words, " ".join(result.output.split()))
    told = json.loads(invoke("info", str(tmp_path / "r"), "--json").stdout)
    assert told["test_accuracy"] == best["test_accuracy"]
    assert told["weights"].startswith(f"of epoch {best['epoch']}, least loss")
    again = invoke("train", "--resume", "--run-dir", str(tmp_path / "r"), "--json")
    assert json.loads(again.stdout)["kept_epoch"] == best["epoch"]
