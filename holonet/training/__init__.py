"""Rules, the loop that follows them, configuration and checkpoints."""

# ruff: noqa: E402 - what is missing is said before it is imported
from holonet._optional import require

for _package, _distribution in (("pydantic", "pydantic"), ("rich", "rich"), ("tomli_w", "tomli-w")):
    require(_package, _distribution, "train", "holonet.training")

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
from holonet.training.rules import (
    AnalyticRule,
    CosineRamp,
    EmpiricalRisk,
    IntervalRule,
    LinearizedRobustOptimization,
    LinearRamp,
    Mixture,
    Penalty,
    RobustOptimization,
    Rule,
    Schedule,
    Trades,
    fgsm_rs,
    first_order_loss,
    shaham,
)
from holonet.training.run_folder import build_model, load, load_data, load_run, open_run
from holonet.training.selection import Trial, WeightChoice, choose_weight
from holonet.training.timing import step_times

__all__ = [
    "AnalyticRule",
    "Checkpoint",
    "CosineRamp",
    "DataConfig",
    "EmpiricalRisk",
    "IntervalRule",
    "Journal",
    "LinearRamp",
    "LinearizedRobustOptimization",
    "Mixture",
    "ModelConfig",
    "Penalty",
    "RobustOptimization",
    "Rule",
    "RuleConfig",
    "RunConfig",
    "Schedule",
    "Trades",
    "TrainConfig",
    "Trial",
    "WeightChoice",
    "accuracy",
    "build_model",
    "choose_weight",
    "fgsm_rs",
    "first_order_loss",
    "fit",
    "latest_checkpoint",
    "load",
    "load_data",
    "load_run",
    "load_weights",
    "open_run",
    "read_checkpoint",
    "read_journal",
    "save_weights",
    "shaham",
    "step_times",
]
