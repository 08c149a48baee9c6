"""Rules, the loop that follows them, configuration and checkpoints."""

from holonet.training.checkpoint import (
    Checkpoint,
    latest_checkpoint,
    load_weights,
    read_checkpoint,
    save_weights,
)
from holonet.training.config import DataConfig, ModelConfig, RuleConfig, RunConfig, TrainConfig
from holonet.training.journal import Journal, read_journal
from holonet.training.loop import accuracy, fit
from holonet.training.rules import AnalyticRule, EmpiricalRisk, Penalty, Rule
from holonet.training.run_folder import build_model, load_data, load_run, prepare_run

__all__ = [
    "AnalyticRule",
    "Checkpoint",
    "DataConfig",
    "EmpiricalRisk",
    "Journal",
    "ModelConfig",
    "Penalty",
    "Rule",
    "RuleConfig",
    "RunConfig",
    "TrainConfig",
    "accuracy",
    "build_model",
    "fit",
    "latest_checkpoint",
    "load_data",
    "load_run",
    "load_weights",
    "prepare_run",
    "read_checkpoint",
    "read_journal",
    "save_weights",
]
