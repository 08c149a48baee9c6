"""The configuration of a run: typed, validated, and kept beside its results as TOML."""

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import tomli_w
import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import nn

from holonet.errors import ConfigError, HolonetError
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


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DataConfig(_Section):
    """Which data, and how much of it."""

    name: str = "digits"
    root: Path | None = None
    train: Positive | None = None
    test: Positive | None = None
    seed: int = 0


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
            torch.manual_seed(seed)
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
    clip: Annotated[float, Field(gt=0)] | None = 1.0
    seed: int = 0
    checkpoint_every: Positive = 200
    keep_checkpoints: Positive = 2
    log_every: Positive = 20
    accelerator: Literal["auto", "cpu", "cuda"] = "auto"
    devices: Positive = 1
    backend: Literal["auto", "gloo", "nccl"] = "auto"


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
            return cls.model_validate(dict(values))
        except ValidationError as error:
            faults = "; ".join(_explain(cls, e["loc"], e["type"], e["msg"]) for e in error.errors())
            raise ConfigError(f"{source}: {faults}") from None

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


def _explain(root: type[BaseModel], path: tuple[Any, ...], kind: str, message: str) -> str:
    """One fault in words."""
    dotted = ".".join(str(p) for p in path)
    if kind != "extra_forbidden":
        return f"{dotted}: {message[0].lower()}{message[1:]}"
    owner: type[BaseModel] = root
    for step in path[:-1]:
        annotation = owner.model_fields[step].annotation
        if annotation is None or not issubclass(annotation, BaseModel):
            raise HolonetError(f"{dotted} is not a section")
        owner = annotation
    known = sorted(owner.model_fields)
    near = difflib.get_close_matches(str(path[-1]), known, n=2, cutoff=0.5)
    hint = f", did you mean {' or '.join(near)}?" if near else "."
    return f"unknown key {dotted}{hint} Known: {', '.join(known)}"
