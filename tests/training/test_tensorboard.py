"""TensorBoard shows what the journal has, and nothing that a killed process wrote beyond it."""

import sys
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from holonet.data import load_digits
from holonet.errors import ConfigError, MissingDependencyError
from holonet.training import EmpiricalRisk, TrainConfig, fit, read_journal
from holonet.training.run_folder import forget_run

DATA = load_digits().subset(train=60, test=20)
CONFIG = TrainConfig(epochs=2, batch_size=20, log_every=1, checkpoint_every=2, accelerator="cpu")


class Stop(BaseException):
    pass


def train(folder: Path | None, stop: int = 0, **options: Any) -> None:
    def on_step(step: int) -> None:
        if step == stop:
            raise Stop

    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    fit(model, DATA, EmpiricalRisk(), CONFIG, run_dir=folder, on_step=on_step, **options)


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder / "tensorboard")).Reload()
    names = events.Tags()["scalars"]
    return {name: [(e.step, e.value) for e in events.Scalars(name)] for name in names}


def expected(folder: Path) -> dict[str, list[tuple[int, float]]]:
    found: dict[str, list[tuple[int, float]]] = {}
    for record in read_journal(folder / "metrics.jsonl"):
        for name in record.keys() - {"kind", "step", "epoch"}:
            points = found.setdefault(f"{record['kind']}/{name}", [])
            points.append((record["step"], pytest.approx(record[name], rel=1e-6)))
    return found


def test_scalars_are_those_of_the_journal_after_a_kill_and_a_resume(tmp_path: Path) -> None:
    (tmp_path / "config.toml").touch()
    with pytest.raises(Stop):
        train(tmp_path, stop=5, tensorboard=True)
    assert [step for step, _ in scalars(tmp_path)["step/loss"]] == [1, 2, 3, 4, 5]
    train(tmp_path, resume=True, tensorboard=True)
    found = scalars(tmp_path)
    assert [step for step, _ in found["step/loss"]] == [1, 2, 3, 4, 5, 6]
    assert found == expected(tmp_path)
    (tmp_path / "tensorboard/notes.txt").touch()
    forget_run(tmp_path)
    assert [p.name for p in (tmp_path / "tensorboard").iterdir()] == ["notes.txt"]


def test_without_the_package_or_a_folder_nothing_is_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match="no folder to write into: give run_dir"):
        train(None, tensorboard=True)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'holonet\[tensorboard\]'"):
        train(tmp_path, tensorboard=True)
    assert not list(tmp_path.iterdir())
