"""The configuration of a run: typed, validated, one module a section."""

from holonet.training.config.data import DataConfig
from holonet.training.config.model import ModelConfig
from holonet.training.config.rule import RuleConfig
from holonet.training.config.run import RunConfig
from holonet.training.config.train import TrainConfig

__all__ = ["DataConfig", "ModelConfig", "RuleConfig", "RunConfig", "TrainConfig"]
