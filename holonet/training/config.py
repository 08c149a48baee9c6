"""The configuration of a run: typed, validated, and kept beside its results as TOML."""

import difflib
import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tomli_w
import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from torch import nn

from holonet.errors import ConfigError
from holonet.nn import (
    HolomorphicClassifier,
    ImagPart,
    LogModulus,
    Modulus,
    RealPart,
    holomorphic_mlp,
    real_mlp,
    real_parameter_count,
    twin_width,
)
from holonet.training.rules import AnalyticRule, EmpiricalRisk, Rule

__all__ = ["DataConfig", "ModelConfig", "RuleConfig", "RunConfig", "TrainConfig"]

READOUTS: Mapping[str, type[nn.Module]] = {
    "real": RealPart,
    "imag": ImagPart,
    "modulus": Modulus,
    "log-modulus": LogModulus,
}

Positive = Annotated[int, Field(ge=1)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]


class _InvalidSettingsError(ConfigError):
    """What is wrong with a section: one (words before, dotted key, words after) for each fault."""

    def __init__(self, source: str, faults: Sequence[tuple[str, str, str]]) -> None:
        super().__init__(f"{source}: {'; '.join(map(''.join, faults))}")
        self.faults = tuple(faults)


class _Section(BaseModel):
    """Immutable settings that are right when they exist.

    Raises:
        ConfigError: at construction, with every fault by its dotted key, and near misses of
            unknown keys.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    if not TYPE_CHECKING:  # type checkers keep the fields as the arguments

        def __init__(self, **values: Any) -> None:
            try:
                super().__init__(**values)
            except ValidationError as error:
                raise _InvalidSettingsError(
                    type(self).__name__, _faults(type(self), error)
                ) from None

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_booleans(cls, value: object) -> object:
        if isinstance(value, bool):  # which pydantic would read as 0 or 1
            raise ValueError("no setting is true or false")
        return value


class DataConfig(_Section):
    """Which data, and how much of it."""

    name: str = "digits"
    root: Path | None = None
    train: Positive | None = None
    test: Positive | None = None
    seed: Seed = 0


class ModelConfig(_Section):
    """Which network. A "real-twin" has the real parameter count of the holomorphic one."""

    kind: Literal["holomorphic", "real", "real-twin"] = "holomorphic"
    hidden: tuple[Positive, ...] = (64, 64)
    activation: str = "square"
    readout: Literal["real", "imag", "modulus", "log-modulus"] = "real"
    gain: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.7

    def build(self, in_features: int, num_classes: int, *, seed: int = 0) -> nn.Module:
        """The network with weights drawn from the seed; torch's global stream is not touched.

        Raises:
            UnknownNameError: no such activation.
        """
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)  # torch.manual_seed reaches devices too
            holomorphic = self._holomorphic(in_features, num_classes)
            if self.kind == "holomorphic":
                return holomorphic
            hidden = self.hidden
            if self.kind == "real-twin":
                count, depth = real_parameter_count(holomorphic), len(hidden)
                hidden = (twin_width(count, in_features, depth, num_classes),) * depth
            return real_mlp(in_features, hidden, num_classes)

    def _holomorphic(self, in_features: int, num_classes: int) -> HolomorphicClassifier:
        return holomorphic_mlp(
            in_features,
            self.hidden,
            num_classes,
            activation=self.activation,
            readout=READOUTS[self.readout](),
            gain=self.gain,
        )


class RuleConfig(_Section):
    """Which training rule."""

    name: Literal["standard", "analytic"] = "analytic"
    weight: NonNegative = 0.3
    on: Literal["logits", "probabilities", "loss"] = "logits"
    probes: Positive | Literal["exact"] = 1
    mode: Literal["forward", "reverse"] = "reverse"

    def build(self) -> Rule:
        """The rule."""
        if self.name == "standard":
            return EmpiricalRisk()
        count = None if self.probes == "exact" else self.probes
        return AnalyticRule(self.weight, self.on, count, self.mode)


class TrainConfig(_Section):
    """How long, how fast, how often saved. Batches and rates are those of all processes."""

    epochs: Positive = 6
    batch_size: Positive = 256
    lr: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 3e-3
    clip: Annotated[float, Field(gt=0)] = 1.0
    """The norm that gradients are cut down to; inf (or None) for no limit."""
    seed: Seed = 0
    checkpoint_every: Positive = 200
    keep_checkpoints: Positive = 2
    log_every: Positive = 20
    accelerator: Literal["auto", "cpu", "cuda"] = "auto"
    devices: Positive = 1
    backend: Literal["auto", "gloo", "nccl"] = "auto"

    @field_validator("clip", mode="before")
    @classmethod
    def _none_is_no_limit(cls, value: object) -> object:
        return math.inf if value is None else value  # TOML has inf and no null


class RunConfig(_Section):
    """Everything that a run depends on."""

    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    rule: RuleConfig = RuleConfig()
    train: TrainConfig = TrainConfig()

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], source: str = "configuration") -> "RunConfig":
        """Validate nested sections.

        Raises:
            ConfigError: with every fault by its dotted key, and near misses of unknown keys.
        """
        try:
            return cls(**values)
        except _InvalidSettingsError as error:
            raise ConfigError(str(_InvalidSettingsError(source, error.faults))) from None

    @classmethod
    def read(cls, path: Path) -> "RunConfig":
        """From a TOML file with the sections data, model, rule, train.

        Raises:
            ConfigError: the file is missing, not TOML, or has a fault.
        """
        try:
            values = tomllib.loads(path.read_text())
        except FileNotFoundError:
            raise ConfigError(f"no configuration at {path}: give the path of a TOML file") from None
        except OSError as error:
            raise ConfigError(f"cannot read {path} ({error.strerror}): give a TOML file") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path} is not TOML: {error}") from None
        return cls.from_mapping(values, str(path))

    def to_toml(self) -> str:
        """The TOML text that `read` takes back."""
        return tomli_w.dumps(self.model_dump(mode="json", exclude_none=True))

    def differences(self, other: "RunConfig") -> list[str]:
        """Dotted keys with both values where two configurations differ."""
        mine, theirs = self.model_dump(), other.model_dump()
        return [
            f"{section}.{key}: {mine[section][key]} and {theirs[section][key]}"
            for section in mine
            for key in mine[section]
            if mine[section][key] != theirs[section][key]
        ]


def _faults(section: type[BaseModel], error: ValidationError) -> list[tuple[str, str, str]]:
    """The faults of one section in words, those of a union's alternatives as one."""
    found: dict[str, tuple[str, str, str]] = {}
    for fault in error.errors(include_url=False):
        key, *inner = map(str, fault["loc"])
        cause = fault.get("ctx", {}).get("error")
        if isinstance(cause, _InvalidSettingsError):
            found |= {
                f"{key}.{k}": (before, f"{key}.{k}", after) for before, k, after in cause.faults
            }
        elif fault["type"] == "extra_forbidden":
            found[key] = ("unknown key ", key, _near_misses(key, section.model_fields))
        else:
            dotted = ".".join([key, *(step for step in inner if step.isdecimal())])
            message = fault["msg"].removeprefix("Value error, ")
            message = f"{message[0].lower()}{message[1:]}"
            earlier = found.get(dotted)
            after = (
                f" = {fault['input']!r}: {message}"
                if earlier is None
                else (f"{earlier[2]}, or {message}")
            )
            found[dotted] = ("", dotted, after)
    return list(found.values())


def _near_misses(key: str, known: Iterable[str]) -> str:
    names = sorted(known)
    near = difflib.get_close_matches(key, names, n=2, cutoff=0.5)
    hint = f", did you mean {' or '.join(near)}?" if near else "."
    return f"{hint} Known: {', '.join(names)}"
