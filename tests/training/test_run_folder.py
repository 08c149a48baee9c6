"""Run folders: nothing is lost unasked, and what is read back is what was trained."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from holonet.errors import CheckpointError, ConfigError, DataError, RunExistsError
from holonet.training import (
    DataConfig,
    ModelConfig,
    RunConfig,
    TrainConfig,
    accuracy,
    build_model,
    fit,
    load_data,
    load_run,
    prepare_run,
)
from holonet.training.run_folder import forget_run

CONFIG = RunConfig(
    data=DataConfig(train=100, test=50),
    model=ModelConfig(hidden=(6,)),
    train=TrainConfig(epochs=1, batch_size=50, seed=3),
)
OTHER = CONFIG.model_copy(update={"train": TrainConfig(epochs=1, batch_size=50, lr=0.5)})


def run(folder: Path, config: RunConfig = CONFIG) -> tuple[nn.Module, list[dict[str, Any]]]:
    prepare_run(folder, config)
    data = load_data(config.data)
    model = build_model(config, data)
    return model, fit(model, data, config.rule.build(), config.train, run_dir=folder)


def content(folder: Path) -> dict[Path, bytes]:
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_finished_run_is_read_back(tmp_path: Path) -> None:
    model, records = run(tmp_path / "deep" / "run")
    config, data, loaded = load_run(tmp_path / "deep" / "run")
    assert config == CONFIG
    assert (len(data.x_train), len(data.x_test)) == (100, 50)
    for key, value in model.state_dict().items():
        assert torch.equal(value, loaded.state_dict()[key])
    assert accuracy(loaded, data.x_test, data.y_test) == records[-1]["test_accuracy"]


def test_weights_are_drawn_from_the_training_seed() -> None:
    data = load_data(CONFIG.data)
    expected = CONFIG.model.build(64, 10, seed=3)
    for a, b in zip(build_model(CONFIG, data).parameters(), expected.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("config", [CONFIG, OTHER])
def test_an_existing_run_is_refused_and_nothing_lost(tmp_path: Path, config: RunConfig) -> None:
    run(tmp_path)
    before = content(tmp_path)
    with pytest.raises(RunExistsError, match=r"--resume.*--overwrite.*--run-dir"):
        prepare_run(tmp_path, config)
    assert content(tmp_path) == before


def test_resuming_changes_nothing(tmp_path: Path) -> None:
    run(tmp_path)
    before = content(tmp_path)
    prepare_run(tmp_path, CONFIG, resume=True)
    assert content(tmp_path) == before
    with pytest.raises(ConfigError) as caught:
        prepare_run(tmp_path, OTHER, resume=True)
    assert "train.lr: 0.003 and 0.5; train.seed: 3 and 0" in str(caught.value)
    assert content(tmp_path) == before


def test_resuming_without_a_run_starts_one(tmp_path: Path) -> None:
    prepare_run(tmp_path / "new", CONFIG, resume=True)
    assert RunConfig.read(tmp_path / "new" / "config.toml") == CONFIG


def test_overwriting_removes_the_run_and_keeps_what_is_not_of_it(tmp_path: Path) -> None:
    run(tmp_path)
    foreign = [
        "notes.txt",
        "model.svg",
        "model.summary.txt",
        "checkpoints/mine.txt",
        "a/step-1.txt",
    ]
    for name in foreign:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "evaluation.json").write_text("of the old run")
    prepare_run(tmp_path, OTHER, overwrite=True)
    left = {str(p.relative_to(tmp_path)) for p in content(tmp_path)}
    assert left == {"config.toml", *foreign}
    assert RunConfig.read(tmp_path / "config.toml") == OTHER


def test_results_go_before_the_configuration_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path)

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("holonet.training.run_folder.write_atomically", crash)
    with pytest.raises(KeyboardInterrupt):
        prepare_run(tmp_path, OTHER, overwrite=True)
    assert RunConfig.read(tmp_path / "config.toml") == CONFIG
    assert not list(tmp_path.glob("checkpoints/*"))


def test_a_folder_with_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    for resume in (False, True):
        with pytest.raises(RunExistsError, match="not empty and holds no run"):
            prepare_run(tmp_path, CONFIG, resume=resume)
    prepare_run(tmp_path, CONFIG, overwrite=True)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"
    with pytest.raises(RunExistsError, match="is a file"):
        prepare_run(tmp_path / "thesis.tex", CONFIG)


def test_an_empty_folder_is_welcome(tmp_path: Path) -> None:
    prepare_run(tmp_path, CONFIG)
    assert (tmp_path / "config.toml").exists()


def test_an_unfinished_run_is_refused(tmp_path: Path) -> None:
    prepare_run(tmp_path, CONFIG)
    with pytest.raises(CheckpointError, match=r"not finished.*--resume --run-dir"):
        load_run(tmp_path)


def test_no_run_and_no_data(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no run"):
        load_run(tmp_path)
    with pytest.raises(DataError, match="subset"):
        load_data(DataConfig(train=10**6))


def test_weights_of_another_configuration_are_refused(tmp_path: Path) -> None:
    run(tmp_path)
    wider = CONFIG.model_copy(update={"model": ModelConfig(hidden=(7,))})
    (tmp_path / "config.toml").write_text(wider.to_toml())
    with pytest.raises(CheckpointError, match="another network"):
        load_run(tmp_path)


def test_forgetting_keeps_the_configuration(tmp_path: Path) -> None:
    run(tmp_path)
    forget_run(tmp_path)
    assert [p.name for p in content(tmp_path)] == ["config.toml"]
    forget_run(tmp_path / "nowhere")
