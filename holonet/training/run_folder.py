"""The folder of a run: config.toml, metrics.jsonl, checkpoints/, model.safetensors."""

import shutil
from pathlib import Path

from torch import nn

from holonet._files import write_atomically
from holonet.data import Dataset, load_dataset
from holonet.errors import CheckpointError, ConfigError, RunExistsError
from holonet.training.checkpoint import load_weights, remove_checkpoints
from holonet.training.config import DataConfig, RunConfig

__all__ = ["build_model", "forget_run", "load_data", "load_run", "prepare_run"]

CONFIG = "config.toml"
CHECKPOINTS = "checkpoints"
WEIGHTS = "model.safetensors"


def prepare_run(
    folder: Path, config: RunConfig, *, resume: bool = False, overwrite: bool = False
) -> None:
    """Make the folder ready and write config.toml.

    Args:
        folder: made if it does not exist.
        config: of the run.
        resume: the folder holds a run with the same configuration, to go on with.
        overwrite: forget a run that the folder holds; files that are not a run's are kept.

    Raises:
        RunExistsError: the folder holds a run, and neither resume nor overwrite was asked.
        ConfigError: resume with another configuration; the message says what differs.
    """
    stored = folder / CONFIG
    if resume and stored.exists():
        differing = RunConfig.read(stored).differences(config)
        if differing:
            raise ConfigError(
                f"cannot resume {folder}: it was started with another configuration (stored and "
                f"asked: {'; '.join(differing)}). Drop those options, or choose a new folder"
            )
        return
    if folder.exists() and not folder.is_dir():
        raise RunExistsError(f"{folder} is a file: choose a folder for the run")
    if stored.exists() and not overwrite:
        raise RunExistsError(
            f"{folder} already holds a run: go on with it (--resume), replace it (--overwrite), "
            "or choose another folder (--run-dir)"
        )
    if not stored.exists() and folder.is_dir() and any(folder.iterdir()) and not overwrite:
        raise RunExistsError(
            f"{folder} is not empty and holds no run: choose a new folder (--run-dir), or add a "
            "run to what is there (--overwrite)"
        )
    forget_run(folder)  # before the configuration: a crash in between must not mix two runs
    write_atomically(stored, config.to_toml())


def forget_run(folder: Path) -> None:
    """Remove the results of a run, the weights first; its configuration and other files stay."""
    weights = folder / WEIGHTS
    for name in (weights, weights.with_suffix(".sha256")):
        name.unlink(missing_ok=True)
    remove_checkpoints(folder / CHECKPOINTS)
    for name in ("metrics.jsonl", "evaluation.json", "evaluation.png"):
        (folder / name).unlink(missing_ok=True)
    for name in ("evaluation", "attacks"):
        shutil.rmtree(folder / name, ignore_errors=True)


def load_data(config: DataConfig) -> Dataset:
    """The data set that a configuration names, cut to size."""
    data = load_dataset(config.name, config.root, seed=config.seed)
    return data.subset(train=config.train, test=config.test)


def build_model(config: RunConfig, data: Dataset) -> nn.Module:
    """The untrained network for a data set, its weights drawn from the training seed."""
    return config.model.build(
        data.x_train.shape[1:], data.num_classes, seed=config.train.seed, examples=data.x_train
    )


def load_run(folder: Path) -> tuple[RunConfig, Dataset, nn.Module]:
    """The configuration, the data and the trained network of a finished run.

    Raises:
        ConfigError: the folder holds no run.
        CheckpointError: the run is not finished, or its weights are damaged.
    """
    if not (folder / CONFIG).exists():
        raise ConfigError(
            f"{folder} holds no run, it has no {CONFIG}: give the folder that a run was told to "
            f"use, or train one with holonet train --run-dir {folder}"
        )
    config = RunConfig.read(folder / CONFIG)
    weights = folder / WEIGHTS
    if not weights.exists():
        raise CheckpointError(
            f"{folder} is not finished, it has no {weights.name}: "
            f"holonet train --resume --run-dir {folder}"
        )
    data = load_data(config.data)
    model = build_model(config, data)
    load_weights(weights, model)
    return config, data, model
