"""The configuration of a run: its four sections, kept beside the results as TOML."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import field_validator

from holonet._files import read_bounded
from holonet.errors import ConfigError
from holonet.training.config.data import DataConfig
from holonet.training.config.model import ModelConfig
from holonet.training.config.rule import RuleConfig
from holonet.training.config.section import InvalidSettingsError, Section, differences
from holonet.training.config.train import TrainConfig

__all__ = ["RunConfig"]

LARGEST = 1 << 20  # bytes of a configuration file


class RunConfig(Section):
    """Everything that a run depends on."""

    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    rule: RuleConfig = RuleConfig()
    train: TrainConfig = TrainConfig()

    @field_validator("train")
    @classmethod
    def _patience_has_examples(cls, value: TrainConfig) -> TrainConfig:
        if value.patience is not None and value.validation == 0:
            fault = f" = {value.patience}: no examples are held out, set train.validation = 0.1"
            raise InvalidSettingsError("RunConfig", [("", "patience", fault)])
        return value

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], source: str = "configuration") -> "RunConfig":
        """Validate nested sections.

        Raises:
            ConfigError: with every fault by its dotted key, and near misses of unknown keys.
        """
        try:
            return cls(**values)
        except InvalidSettingsError as error:
            raise ConfigError(str(InvalidSettingsError(source, error.faults))) from None

    @classmethod
    def read(cls, path: str | Path) -> "RunConfig":
        """From a TOML file with the sections data, model, rule, train.

        Raises:
            ConfigError: the file is missing, not TOML, or has a fault.
        """
        content = read_bounded(Path(path), ConfigError, limit=LARGEST)
        try:
            values = tomllib.loads(content.decode("utf-8-sig"))  # editors leave a mark
        except ValueError as error:  # of TOML, of UTF-8, of integers with thousands of digits
            raise ConfigError(f"{path} is not TOML: {error}") from None
        except RecursionError:
            raise ConfigError(f"{path} is nested too deeply for a configuration") from None
        return cls.from_mapping(values, str(path))

    def to_toml(self) -> str:
        """The TOML text that `read` takes back."""
        return tomli_w.dumps(self.model_dump(mode="json", exclude_none=True))

    def unused(self) -> dict[str, str]:
        """Dotted keys of the settings that change nothing here, each with what ignores it."""
        return {
            f"{name}.{key}": f"{name}.{reason}"
            for name in type(self).model_fields
            for reason, keys in getattr(self, name).ignored().items()
            for key in keys
        }

    def differences(self, other: "RunConfig") -> list[str]:
        """Dotted keys with both values where two configurations differ."""
        return differences(self.model_dump(), other.model_dump())
