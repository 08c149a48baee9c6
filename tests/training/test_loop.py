"""The loop: killed at any moment it loses nothing, and what goes wrong is said in time."""

import copy
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import fresh_python
from cases import each
from holonet.attacks import ThreatModel
from holonet.data import Dataset, load_digits, stratified_split
from holonet.errors import (
    CheckpointError,
    ConfigError,
    DomainError,
    InputTypeError,
    NumericalError,
    ShapeError,
)
from holonet.nn import holomorphic_mlp
from holonet.training import (
    AnalyticRule,
    EmpiricalRisk,
    LinearizedRobustOptimization,
    LinearRamp,
    ModelConfig,
    RunConfig,
    TrainConfig,
    accuracy,
    fit,
    load_weights,
    read_journal,
)
from holonet.training.checkpoint import load_tensors, save_tensors

SCRIPT = Path(__file__).parent / "killed_runs.py"


def run(script: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    return fresh_python.run(str(script), *arguments, env=environment)


def outcome(folder: Path) -> tuple[bytes, list[dict[str, Any]]]:
    """The weights to the bit, and all records but for the time they took."""
    records = read_journal(folder / "metrics.jsonl")
    for record in records:
        del record["seconds"]
    weights = sorted(folder.glob("*.safetensors"))  # the last ones beside the best ones
    return b"".join(path.read_bytes() for path in weights), records


@pytest.mark.parametrize(
    ("kind", "parts", "chains"),
    [
        ("holomorphic", 4, 1),
        pytest.param("holomorphic", 12, 3, marks=pytest.mark.slow),
        pytest.param("real", 12, 3, marks=pytest.mark.slow),
        pytest.param("stopped", 12, 3, marks=pytest.mark.slow),
    ],
)
def test_killed_runs_end_as_the_one_that_was_not(
    tmp_path: Path, kind: str, parts: int, chains: int
) -> None:
    shares = random.Random(kind)
    once = [[(k + shares.random()) / parts] for k in range(parts)]  # one kill, in each part
    often = [[shares.random() * 0.7 for _ in range(6)] for _ in range(chains)]
    done = run(SCRIPT, kind, str(tmp_path), json.dumps([*once, *often]))
    assert done.returncode == 0, done.stderr
    expected = outcome(tmp_path / "whole")
    steps = [r["step"] for r in expected[1] if r["kind"] == "step"]
    assert steps == list(range(1, len(steps) + 1))
    assert len(steps) < 36 if kind == "stopped" else len(steps) == 15
    for index in range(len(once) + len(often)):
        assert outcome(tmp_path / f"killed-{index}") == expected, index


DATA = load_digits().subset(train=90, test=20)
CONFIG = TrainConfig(
    epochs=2, batch_size=20, checkpoint_every=2, log_every=1, accelerator="cpu", lr=0.01
)
TOTAL = 10


LOADER = DataLoader(TensorDataset(DATA.x_train, DATA.y_train))
SINGLES = replace(DATA.subset(train=2), y_train=torch.tensor([0, 1]))
DOUBLE = replace(DATA, x_train=DATA.x_train.double(), x_test=DATA.x_test.double())


def network() -> nn.Module:
    return holomorphic_mlp(64, [5], 10, generator=torch.Generator().manual_seed(1))


class Stop(BaseException):
    pass


def stop_at(step: int) -> Callable[[int], None]:
    def on_step(finished: int) -> None:
        if finished == step:
            raise Stop

    return on_step


def train(
    folder: Path | None = None, config: TrainConfig | None = CONFIG, **more: Any
) -> list[Any]:
    return fit(network(), DATA, AnalyticRule(), config, run_dir=folder, **more)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    train(folder)
    return folder


class SelfCritical(EmpiricalRisk):
    """A rule that draws random numbers and leaves gradients while it diagnoses itself."""

    def diagnose(self, model: Any, x: Tensor, y: Tensor) -> dict[str, float]:
        self(model, x + 0 * torch.rand_like(x), y).backward()
        size = float(sum(p.detach().abs().sum() for p in model.parameters()))
        return {"size": size, "examples": float(len(x)), "step": -1.0}


def test_the_journal_has_the_diagnosis_of_each_epoch_and_training_is_as_without_it(
    tmp_path: Path,
) -> None:
    plain, critical = tmp_path / "plain", tmp_path / "critical"
    stream = torch.get_rng_state()
    fit(network(), DATA, SelfCritical(), CONFIG, run_dir=critical)
    assert torch.equal(torch.get_rng_state(), stream)
    fit(network(), DATA, EmpiricalRisk(), CONFIG, run_dir=plain)
    expected, found = (read_journal(f / "metrics.jsonl") for f in (plain, critical))
    epochs = [r for r in found if r["kind"] == "epoch"]
    assert [r["step"] for r in epochs] == [5, 10]  # which no diagnosis replaces
    assert [r.pop("examples") for r in epochs] == [20.0, 20.0]
    sizes = [r.pop("size") for r in epochs]
    assert sizes[0] != sizes[1]
    for record in (*expected, *found):
        del record["seconds"]
    assert found == expected


@pytest.mark.parametrize("stop", [4, 5, 7])
def test_a_resumed_run_has_the_same_diagnoses(tmp_path: Path, stop: int) -> None:
    rule = LinearizedRobustOptimization(
        ThreatModel("Linf", 0.1), at="random", radius=LinearRamp(1.0)
    )
    folders = tmp_path / "whole", tmp_path / "stopped"
    fit(network(), DATA, rule, CONFIG, run_dir=folders[0])
    with pytest.raises(Stop):
        fit(network(), DATA, rule, CONFIG, run_dir=folders[1], on_step=stop_at(stop))
    fit(network(), DATA, rule, CONFIG, run_dir=folders[1], resume=True)
    whole, resumed = map(outcome, folders)
    assert resumed == whole
    gaps = [r["prediction_gap"] for r in whole[1] if r["kind"] == "epoch"]
    assert len(gaps) == 2
    assert gaps[0] != gaps[1]


def test_an_epoch_that_was_lost_is_diagnosed_again(tmp_path: Path) -> None:
    rule = LinearizedRobustOptimization(ThreatModel("Linf", 0.1), radius=LinearRamp(1.0))
    fit(network(), DATA, rule, CONFIG, run_dir=tmp_path)
    path = tmp_path / "metrics.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if '"kind": "epoch"' not in line))
    records = fit(network(), DATA, rule, CONFIG, run_dir=tmp_path, resume=True)
    last = json.loads(lines[-1])
    assert records[-1]["train_loss"] is None
    assert records[-1]["prediction_gap"] == last["prediction_gap"] != 0


@pytest.mark.parametrize("stop", range(1, TOTAL + 1))
def test_stopped_after_any_step(whole: Path, tmp_path: Path, stop: int) -> None:
    with pytest.raises(Stop):
        train(tmp_path, on_step=stop_at(stop))
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"kind": "step", "st')  # as if killed while it wrote
    train(tmp_path, resume=True)
    assert outcome(tmp_path) == outcome(whole)


def test_a_killed_process_is_resumed_by_a_new_one(whole: Path, tmp_path: Path) -> None:
    code = f"""
import os, signal, sys, torch
torch.set_num_threads(1)
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_loop import train
from pathlib import Path
train(Path({str(tmp_path)!r}), on_step=lambda s: s == 7 and os.kill(os.getpid(), signal.SIGKILL))
"""
    (tmp_path / "kill.py").write_text(code)
    assert run(tmp_path / "kill.py").returncode == -signal.SIGKILL
    assert not (tmp_path / "model.safetensors").exists()
    train(tmp_path, resume=True)
    assert outcome(tmp_path) == outcome(whole)


def test_a_finished_run_is_not_trained_again(whole: Path) -> None:
    before = outcome(whole)
    seen: list[int] = []
    records = train(whole, resume=True, on_step=seen.append)
    assert seen == []
    assert outcome(whole) == before
    assert records[-1]["kind"] == "epoch"


@pytest.fixture
def done(whole: Path, tmp_path: Path) -> Path:
    """A copy of a finished run, to be damaged."""
    return shutil.copytree(whole, tmp_path / "done")


def test_a_finished_run_needs_no_checkpoints(whole: Path, done: Path) -> None:
    shutil.rmtree(done / "checkpoints")
    (done / "evaluation.json").write_text("what was found out")
    model, seen = network(), []
    records = fit(
        model, DATA, AnalyticRule(), CONFIG, run_dir=str(done), resume=True, on_step=seen.append
    )
    assert seen == []
    assert outcome(done) == outcome(whole)
    assert (done / "evaluation.json").exists()
    assert accuracy(model, DATA.x_test, DATA.y_test) == records[-1]["test_accuracy"]


def test_damaged_weights_are_written_again_from_the_checkpoint(whole: Path, done: Path) -> None:
    (done / "model.safetensors.sha256").write_text("0" * 64)
    train(done, resume=True)
    assert outcome(done) == outcome(whole)
    (done / "model.safetensors.sha256").write_text("0" * 64)
    shutil.rmtree(done / "checkpoints")
    before = (done / "model.safetensors").read_bytes()
    with pytest.raises(CheckpointError, match=r"model\.safetensors is damaged"):
        train(done, resume=True)
    assert (done / "model.safetensors").read_bytes() == before


@pytest.mark.parametrize("kept", [0, 40, -30])
def test_lost_records_of_a_finished_run_are_measured_anew(
    whole: Path, done: Path, kept: int, caplog: pytest.LogCaptureFixture
) -> None:
    metrics = done / "metrics.jsonl"
    metrics.write_bytes(metrics.read_bytes()[:kept])
    expected = outcome(whole)[1][-1]
    last = train(done, resume=True)[-1]
    assert "the records are lost" in caplog.text
    for key in ("kind", "epoch", "step", "test_accuracy"):
        assert last[key] == expected[key]
    assert read_journal(metrics)[-1] == last


def test_records_that_are_not_this_runs_are_said_and_measured_anew(
    whole: Path, done: Path, caplog: pytest.LogCaptureFixture
) -> None:
    metrics, expected = done / "metrics.jsonl", outcome(whole)[1][-1]
    records = read_journal(metrics)
    train(done, resume=True)
    assert not caplog.text
    records[-1]["test_accuracy"] = 1.0
    metrics.write_text("".join(json.dumps(record) + "\n" for record in records))
    last = train(done, resume=True)[-1]
    assert "is not what was recorded up to step 10" in caplog.text
    assert last["test_accuracy"] == expected["test_accuracy"]


def test_weights_of_another_run_are_not_resumed(done: Path) -> None:
    shutil.rmtree(done / "checkpoints")
    for change in ({"lr": 0.02}, {"seed": 1}):
        config = TrainConfig(**{**CONFIG.model_dump(), **change})
        key = next(iter(change))
        with pytest.raises(CheckpointError, match=rf"model\.safetensors is of .*train\.{key}: "):
            train(done, config, resume=True)


def test_checkpoints_are_believed_before_weights_beside_them(whole: Path, done: Path) -> None:
    weights, about = load_tensors(done / "model.safetensors")
    save_tensors(done / "model.safetensors", {k: v + 1 for k, v in weights.items()}, about)
    train(done, resume=True)
    assert outcome(done) == outcome(whole)


def test_the_model_section_counts_too(tmp_path: Path) -> None:
    settings = RunConfig(model=ModelConfig(hidden=(5,)), train=CONFIG)
    other = RunConfig(model=ModelConfig(hidden=(5,), readout="imag"), train=CONFIG)
    with pytest.raises(Stop):
        train(tmp_path, None, run=settings, on_step=stop_at(3))
    with pytest.raises(CheckpointError, match=r"run\.model\.readout: real and imag"):
        train(tmp_path, None, run=other, resume=True)
    with pytest.raises(ConfigError, match=r"config is not run\.train"):
        train(tmp_path, TrainConfig(epochs=3), run=settings)


def test_a_damaged_checkpoint_is_passed_over(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(Stop):
        train(tmp_path, on_step=stop_at(8))
    newest = tmp_path / "checkpoints" / "step-00000008.safetensors"
    newest.write_bytes(newest.read_bytes()[:-1])
    seen: list[int] = []
    train(tmp_path, resume=True, on_step=seen.append)
    assert seen == [7, 8, 9, 10]
    assert outcome(tmp_path) == outcome(whole)


def test_all_damaged_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Stop):
        train(tmp_path, on_step=stop_at(8))
    for path in tmp_path.glob("checkpoints/*.sha256"):
        path.write_text("0" * 64)
    before = read_journal(tmp_path / "metrics.jsonl")
    with pytest.raises(CheckpointError, match=r"every checkpoint in .* is damaged"):
        train(tmp_path, resume=True)
    assert read_journal(tmp_path / "metrics.jsonl") == before


@pytest.mark.parametrize("change", ["data", "rule", "config", "network"])
def test_another_run_is_not_resumed(tmp_path: Path, change: str) -> None:
    with pytest.raises(Stop):
        train(tmp_path, on_step=stop_at(3))
    model, data, rule, config = network(), DATA, AnalyticRule(), CONFIG
    if change == "data":
        data = replace(data, y_train=data.y_train.flip(0))
    elif change == "rule":
        rule = AnalyticRule(0.1)
    elif change == "config":
        config = TrainConfig(**{**CONFIG.model_dump(), "lr": 0.02})
    else:
        model = holomorphic_mlp(64, [6], 10)
    with pytest.raises(CheckpointError):
        fit(model, data, rule, config, run_dir=tmp_path, resume=True)


def test_a_new_run_forgets_the_old_one(whole: Path, tmp_path: Path) -> None:
    longer = TrainConfig(**{**CONFIG.model_dump(), "epochs": 4})
    train(tmp_path, longer)
    with pytest.raises(Stop):
        train(tmp_path, on_step=stop_at(1))
    assert not (tmp_path / "model.safetensors").exists()  # nothing of the old run is left
    train(tmp_path, resume=True)
    assert outcome(tmp_path) == outcome(whole)
    names = sorted(p.name for p in tmp_path.glob("checkpoints/*.safetensors"))
    assert names == ["step-00000008.safetensors", "step-00000010.safetensors"]


def test_nothing_is_kept_without_a_folder(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    records = train()
    for record in records:
        del record["seconds"]
    assert records == outcome(whole)[1]
    assert not list(tmp_path.iterdir())


def test_records(whole: Path, tmp_path: Path) -> None:
    _, records = outcome(whole)
    steps = [r for r in records if r["kind"] == "step"]
    epochs = [r for r in records if r["kind"] == "epoch"]
    assert [r["step"] for r in steps] == list(range(1, TOTAL + 1))
    for r in steps:
        assert r["loss"] == pytest.approx(r["risk"] + r["DirichletEnergy(logits)"])
    for e, r in enumerate(epochs):
        mean = sum(s["loss"] for s in steps[5 * e : 5 * e + 5]) / 5
        assert (r["epoch"], r["step"]) == (e + 1, 5 * e + 5)
        assert r["train_loss"] == pytest.approx(mean)
    model = network()
    load_weights(whole / "model.safetensors", model)
    assert accuracy(model, DATA.x_test, DATA.y_test) == epochs[-1]["test_accuracy"]


def test_the_first_loss_is_that_of_the_rule_on_the_first_batch() -> None:
    records = train(config=TrainConfig(epochs=1, batch_size=500, accelerator="cpu"))
    risk = EmpiricalRisk()(network(), DATA.x_train, DATA.y_train)
    assert records[0]["risk"] == pytest.approx(risk.item())


def test_training_learns() -> None:
    data = load_digits().subset(train=800)
    model = holomorphic_mlp(64, [24], 10, generator=torch.Generator().manual_seed(0))
    records = fit(model, data, EmpiricalRisk(), TrainConfig(epochs=6, batch_size=50, lr=0.01))
    assert records[-1]["test_accuracy"] > 0.9
    assert records[-1]["train_loss"] < 0.3 < records[0]["loss"]


def test_modes(tmp_path: Path) -> None:
    model = network().eval()
    fit(model, DATA, AnalyticRule(), CONFIG)
    assert all(m.training for m in model.modules())


def finite(model: nn.Module) -> bool:
    return all(bool(p.isfinite().all()) for p in model.parameters())


def test_a_loss_that_blows_up_is_named_and_the_last_checkpoint_whole(tmp_path: Path) -> None:
    config = TrainConfig(epochs=9, batch_size=20, lr=1e12, checkpoint_every=1, accelerator="cpu")
    model = network()
    with pytest.raises(NumericalError, match=r"at step \d+ the loss is .*risk.*lower train\.lr"):
        fit(model, DATA, AnalyticRule(), config, run_dir=tmp_path)
    assert finite(model)
    assert not (tmp_path / "model.safetensors").exists()
    kept = read_journal(tmp_path / "metrics.jsonl")[-1]["step"]
    seen: list[int] = []
    with pytest.raises(NumericalError):  # from the last checkpoint, the same again
        fit(
            network(),
            DATA,
            AnalyticRule(),
            config,
            run_dir=tmp_path,
            resume=True,
            on_step=seen.append,
        )
    assert seen == [] or seen[0] > kept


def test_weights_lost_in_the_last_step_are_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(self: torch.optim.Adam) -> None:
        self.param_groups[0]["params"][0].data[0] = torch.inf

    monkeypatch.setattr(torch.optim.Adam, "step", lose)
    config = TrainConfig(epochs=1, batch_size=90, accelerator="cpu")
    for folder in (None, tmp_path):
        with pytest.raises(NumericalError, match="after step 1 there are infinite or NaN"):
            fit(network(), DATA, EmpiricalRisk(), config, run_dir=folder)
    assert not list(tmp_path.rglob("*.safetensors"))


def test_a_batch_larger_than_the_data(tmp_path: Path) -> None:
    config = TrainConfig(epochs=3, batch_size=1000, log_every=1, accelerator="cpu")
    with pytest.raises(Stop):
        train(tmp_path, config, on_step=stop_at(2))
    records = train(tmp_path, config, resume=True)
    assert [(r["step"], r["epoch"]) for r in records if r["kind"] == "step"] == [
        (1, 1),
        (2, 2),
        (3, 3),
    ]


def test_missing_devices_are_refused() -> None:
    if not torch.cuda.is_available():
        with pytest.raises(ConfigError, match="cannot be had"):
            train(config=TrainConfig(accelerator="cuda"))


def test_progress_shows_the_diagnosis_of_the_latest_epoch(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rule = LinearizedRobustOptimization(ThreatModel("Linf", 0.1))
    fit(network(), DATA, rule, CONFIG, progress=True)
    assert re.search(r"loss \d\.\d{3}, prediction\s+gap -?\d\.\d{3}", capsys.readouterr().err)


def test_progress_is_drawn_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    train(progress=True)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "training" in captured.err
    train()
    assert capsys.readouterr().err == ""


def test_defaults() -> None:
    x, y = torch.rand(4, 3), torch.tensor([0, 1, 0, 1])
    data = Dataset(x, y, x, y, num_classes=2, name="toy")
    assert fit(nn.Linear(3, 2), data, EmpiricalRisk())[-1]["epoch"] == TrainConfig().epochs


class Constant(nn.Module):
    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.logits, self.modes = logits, []

    def forward(self, x: Tensor) -> Tensor:
        self.modes.append(self.training)
        return self.logits[x[:, 0].long()]


def test_accuracy_by_hand() -> None:
    nan = float("nan")
    logits = torch.tensor([[1.0, 2.0], [2.0, 1.0], [nan, 1.0], [1.0, nan], [0.0, 9.0]])
    y = torch.tensor([1, 0, 0, 1, 0])
    model, x = Constant(logits), torch.arange(5.0)[:, None]
    for batch_size in (1, 2, 5, 100):
        assert accuracy(model, x, y, batch_size) == 2 / 5


@each(
    ("changes", "error", "message"),
    [
        ({"y": torch.zeros(6, 1, dtype=torch.int64)}, ShapeError, r"shape \(6, 1\).*reshape\(6\)"),
        ({"y": torch.eye(6, dtype=torch.int64)}, ShapeError, "argmax"),
        ({"y": torch.zeros(5, dtype=torch.int64)}, ShapeError, "6 examples and 5 labels"),
        ({"y": torch.arange(3) % 2, "batch_size": 3}, ShapeError, "6 examples and 3 labels"),
        ({"y": torch.zeros(6)}, InputTypeError, "class indices are integers"),
        ({"y": [0] * 6}, InputTypeError, "y is a list and must be a tensor"),
        ({"y": torch.full((6,), 2)}, DomainError, "for logits of 2 classes"),
        ({"x": torch.rand(6, 3).double()}, InputTypeError, "one precision"),
        ({"x": np.ones((6, 3))}, InputTypeError, "x is a ndarray and must be a tensor"),
        ({"x": torch.rand(0, 3), "y": torch.arange(0)}, ShapeError, "no examples"),
        ({"batch_size": 0}, DomainError, "batch_size=0"),
        ({"batch_size": -4}, DomainError, "batch_size=-4"),
    ],
)
def test_accuracy_of_what_has_none(
    changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    given = {"x": torch.rand(6, 3), "y": torch.arange(6) % 2, **changes}
    with pytest.raises(error, match=message):
        accuracy(nn.Linear(3, 2), **given)


@each(
    ("changes", "message"),
    [
        ({"data": LOADER}, "data is a DataLoader and must be a Dataset"),
        (
            {"data": (DATA.x_train, DATA.y_train)},
            r"tuple of 2 \(Tensor, Tensor\) and must be a Data",
        ),
        ({"rule": nn.functional.cross_entropy}, "rule is a function and must be a Rule"),
        ({"rule": "standard"}, "rule is 'standard' and must be a Rule"),
        ({"rule": EmpiricalRisk}, "rule is the class EmpiricalRisk and must be a Rule"),
        ({"model": lambda x: x}, "model is a function and must be a torch.nn.Module"),
        ({"config": {"epochs": 3}}, "config is a dict and must be a TrainConfig or None"),
        ({"data": DOUBLE}, "the examples are torch.float64 and the model's parameters"),
    ],
)
def test_fit_refuses_what_it_does_not_take(changes: dict[str, Any], message: str) -> None:
    given = {"model": nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), "data": DATA}
    with pytest.raises(InputTypeError, match=message):
        fit(**{**given, "rule": EmpiricalRisk(), **changes})


def test_accuracy_restores_each_mode() -> None:
    frozen = nn.Dropout().eval()
    model = nn.Sequential(Constant(torch.eye(2)), frozen)
    accuracy(model, torch.zeros(3, 1), torch.zeros(3, dtype=torch.int64), 2)
    first = model[0]
    assert isinstance(first, Constant)
    assert first.modes == [False, False]
    assert (model.training, first.training, frozen.training) == (True, True, False)


@pytest.mark.parametrize("model", [nn.Flatten(), nn.Linear(64, 10).requires_grad_(False)], ids=str)
def test_fit_refuses_a_model_with_nothing_to_train(model: nn.Module) -> None:
    with pytest.raises(InputTypeError, match="nothing to train"):
        fit(model, DATA, EmpiricalRisk(), TrainConfig(epochs=1))


def test_fit_needs_gradients_and_takes_them_under_no_grad() -> None:
    def trained() -> Tensor:
        torch.manual_seed(0)
        linear = nn.Linear(64, 10)
        fit(nn.Sequential(nn.Flatten(), linear), DATA, EmpiricalRisk(), TrainConfig(epochs=1))
        return linear.weight.detach()

    with torch.no_grad():
        inside = trained()
    assert torch.equal(inside, trained())
    with torch.inference_mode(), pytest.raises(InputTypeError, match="inference_mode"):
        trained()


STOPPING = TrainConfig(
    epochs=9,
    batch_size=20,
    checkpoint_every=2,
    log_every=1,
    accelerator="cpu",
    lr=0.3,
    validation=0.2,
    patience=2,
)


def stopping(folder: Path | None, data: Dataset = DATA, **more: Any) -> tuple[nn.Module, list[Any]]:
    model = network()
    return model, fit(model, data, EmpiricalRisk(), STOPPING, run_dir=folder, **more)


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stopped")
    stopping(folder)
    return folder


def test_training_ends_when_the_held_out_loss_has_not_fallen(stopped: Path) -> None:
    epochs = [r for r in read_journal(stopped / "metrics.jsonl") if r["kind"] == "epoch"]
    losses = [r["validation_loss"] for r in epochs]
    best = losses.index(min(losses))
    assert 0 < best == len(losses) - 3 < 6  # later than at once, and before the last epoch
    _, held_out = stratified_split(DATA.y_train, test_fraction=0.2, seed=STOPPING.seed)
    x, y = DATA.x_train[held_out], DATA.y_train[held_out]
    for name, record in (("model", epochs[best]), ("last", epochs[-1])):
        model = network().eval()
        load_weights(stopped / f"{name}.safetensors", model)
        assert EmpiricalRisk()(model, x, y).item() == pytest.approx(record["validation_loss"])
        assert accuracy(model, x, y) == pytest.approx(record["validation_accuracy"])
        assert accuracy(model, DATA.x_test, DATA.y_test) == record["test_accuracy"]


def test_the_model_ends_with_the_best_weights_which_test_examples_do_not_decide(
    stopped: Path,
) -> None:
    best = load_tensors(stopped / "model.safetensors")[0]
    other = replace(DATA, x_test=DATA.x_test.flip(0))
    for folder, data, options in (
        (None, DATA, {}),
        (None, other, {}),
        (stopped, DATA, {"resume": True}),
    ):
        model, _ = stopping(folder, data, **options)
        assert all(torch.equal(v, best[k]) for k, v in model.state_dict().items())


@each("stop", [3, 4, 8, 13, 16])
def test_a_run_that_stops_early_is_resumed_after_any_step(
    stopped: Path, tmp_path: Path, stop: int
) -> None:
    folder = tmp_path / str(stop)
    assert outcome(stopped)[1][-1]["step"] == 16
    with pytest.raises(Stop):
        stopping(folder, on_step=stop_at(stop))
    stopping(folder, resume=True)
    assert outcome(folder) == outcome(stopped)
    shutil.rmtree(folder / "checkpoints")  # it is finished: its weights are all that is needed
    stopping(folder, resume=True)
    assert outcome(folder) == outcome(stopped)


def test_held_out_loss_that_is_never_finite_keeps_the_last_weights(tmp_path: Path) -> None:
    class Lost(EmpiricalRisk):
        def terms(self, model: Any, x: Tensor, y: Tensor, probes: Any = None) -> dict[str, Tensor]:
            terms = super().terms(model, x, y, probes)
            return terms if model.training else {"risk": terms["risk"] / 0}

    records = fit(network(), DATA, Lost(), STOPPING, run_dir=tmp_path)
    assert records[-1]["epoch"] == STOPPING.patience
    assert not (tmp_path / "last.safetensors").exists()
    assert "best" not in load_tensors(tmp_path / "model.safetensors")[1]


def test_a_third_loader_holds_the_examples_that_decide() -> None:
    train, held_out, test = (
        DataLoader(TensorDataset(x, y), batch_size=30)
        for x, y in ((DATA.x_train[:60], DATA.y_train[:60]), (DATA.x_train[60:], DATA.y_train[60:]),
                     (DATA.x_test, DATA.y_test))
    )  # fmt: skip
    config = TrainConfig(epochs=2, patience=1, accelerator="cpu")
    model = network()
    records = fit(model, (train, test, held_out), EmpiricalRisk(), config)
    best = min(r["validation_loss"] for r in records if r["kind"] == "epoch")
    found = EmpiricalRisk()(model.eval(), DATA.x_train[60:], DATA.y_train[60:])
    assert found.item() == pytest.approx(best)


@each(
    ("data", "settings", "message"),
    [
        (
            DATA,
            {"patience": 3},
            r"patience = 3, and no examples are held out: set train.validation",
        ),
        ((LOADER, LOADER), {"patience": 3}, r"or give a third loader \(train, test, validation\)"),
        ((LOADER, LOADER), {"validation": 0.1}, "no fraction of a loader can be held out"),
        (SINGLES, {"validation": 0.5}, "each class has one training example alone"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_held_out_examples_that_there_are_not(
    data: Any, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        fit(network(), data, EmpiricalRisk(), TrainConfig(**settings, accelerator="cpu"))


def test_balanced_class_weights_are_those_of_the_training_examples() -> None:
    labels = {"y_train": DATA.y_train.clamp(max=1), "y_test": DATA.y_test.clamp(max=1)}
    data = replace(DATA, **labels, num_classes=3)
    config = {"epochs": 1, "batch_size": 200, "accelerator": "cpu", "log_every": 1}
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    plain = [nn.functional.cross_entropy(model(data.x_train), data.y_train, reduction="none")]
    counts = data.y_train.bincount(minlength=3).tolist()
    assert counts[2] == 0
    weights = [90 / (3 * max(count, 1)) for count in counts]
    expected = (plain[0] * torch.tensor(weights)[data.y_train]).mean().item()
    for given in ("balanced", weights):
        settings = TrainConfig(class_weights=given, **config)
        (first, _) = fit(copy.deepcopy(model), data, EmpiricalRisk(), settings)
        assert first["loss"] == pytest.approx(expected)


@each(
    ("data", "weights", "message"),
    [
        (DATA, (1.0, 2.0), "class_weights has 2 numbers, and there are 10 classes"),
        ((LOADER, LOADER), "balanced", "'balanced' with loaders, whose examples are not counted"),
        ((LOADER, LOADER), (1.0, 2.0), "class_weights has 2 numbers, and there are 10 classes"),
        (DATA, (0.0,) * 10, "a finite number from 0 for each class, and one above 0"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_class_weights_that_do_not_fit(data: Any, weights: Any, message: str) -> None:
    config = TrainConfig(class_weights=weights, accelerator="cpu")
    with pytest.raises(ConfigError, match=message):
        fit(network(), data, EmpiricalRisk(), config)


BF16 = CONFIG.model_copy(update={"precision": "bf16"})


def test_a_run_in_16_bits_is_resumed_bit_by_bit_and_its_accuracy_is_that_of_the_weights(
    tmp_path: Path,
) -> None:
    model = network()
    records = fit(model, DATA, AnalyticRule(), BF16, run_dir=tmp_path / "whole")
    assert records[-1]["test_accuracy"] == accuracy(model, DATA.x_test, DATA.y_test)
    with pytest.raises(Stop):
        train(tmp_path / "stopped", BF16, on_step=stop_at(7))
    train(tmp_path / "stopped", BF16, resume=True)
    assert outcome(tmp_path / "stopped") == outcome(tmp_path / "whole")
    with pytest.raises(CheckpointError, match=r"train\.precision: bf16 and full"):
        train(tmp_path / "whole", CONFIG, resume=True)


def test_16_bits_of_double_precision_are_refused() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10)).double()
    with pytest.raises(ConfigError, match=r"'bf16' with parameters of torch\.float64"):
        fit(model, DOUBLE, EmpiricalRisk(), BF16)
