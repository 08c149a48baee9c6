"""The configuration of a run: typed, validated, and kept beside its results as TOML."""

import logging
import math
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tomli_w
import torch
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
)
from torch import Tensor, nn

from holonet._files import read_bounded
from holonet.attacks.threat import ThreatModel
from holonet.data.catalogue import DATASETS, absolute, canonical_name
from holonet.errors import ConfigError, DomainError, near_misses
from holonet.nn import (
    HolomorphicClassifier,
    ImagPart,
    LogModulus,
    Modulus,
    RealPart,
    calibrate,
    data_dependent_,
    holomorphic_convnet,
    holomorphic_mlp,
    macs,
    matched_widths,
    real_convnet,
    real_mlp,
    real_parameter_count,
)
from holonet.training.rules import (
    AnalyticRule,
    CosineRamp,
    EmpiricalRisk,
    LinearizedRobustOptimization,
    LinearRamp,
    RobustOptimization,
    Rule,
    Trades,
    Weight,
    analytic_penalties,
    fgsm_rs,
    shaham,
)

__all__ = ["DataConfig", "ModelConfig", "RuleConfig", "RunConfig", "TrainConfig"]

logger = logging.getLogger(__name__)

READOUTS: Mapping[str, type[nn.Module]] = {
    "real": RealPart,
    "imag": ImagPart,
    "modulus": Modulus,
    "log-modulus": LogModulus,
}

LARGEST = 1 << 20  # bytes of a configuration file
CALIBRATION = 256  # examples that first scales are set on

MAX_PARAMETERS = 10**9
"""Weights of a network, complex ones counted once: 8 GB of them, three times that in training."""

Positive = Annotated[int, Field(ge=1, lt=2**31)]
Widths = Annotated[tuple[Positive, ...], Field(max_length=1000)]
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

    def ignored(self) -> dict[str, tuple[str, ...]]:
        """The settings that change nothing, by the choice that makes them so."""
        raise NotImplementedError

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_booleans(cls, value: object) -> object:
        if isinstance(value, bool):  # which pydantic would read as 0 or 1
            raise ValueError("no setting is true or false")
        return value


def _storable(path: str) -> str:
    """The path, if a configuration can hold it.

    Raises:
        ValueError: it is not UTF-8.
    """
    path.encode()
    return path


class DataConfig(_Section):
    """Which data, and how much of it. Paths are made absolute, so that they hold anywhere."""

    name: str = "digits"
    root: Path | None = None
    train: Positive | None = None
    test: Positive | None = None
    seed: Seed = 0

    @field_validator("name")
    @classmethod
    def _name_holds_anywhere(cls, value: str) -> str:
        return _storable(canonical_name(value))

    @field_validator("root")
    @classmethod
    def _root_holds_anywhere(cls, value: Path | None) -> Path | None:
        return None if value is None else Path(_storable(absolute(value)))

    def ignored(self) -> dict[str, tuple[str, ...]]:
        """The root, for data that are no files in it."""
        entry = DATASETS.get(self.name)
        needed = entry is not None and entry.needs_root
        return {} if needed else {f"name = {self.name!r}": ("root",)}


class ModelConfig(_Section):
    """Which network: a holomorphic one, a real ReLU one of the same form, or a real one of matched size.

    "real-parameter-matched" is the real network with as many real parameters as the holomorphic one
    has, "real-mac-matched" the one with as many multiply-adds. `hidden` is for the family "mlp";
    `channels`, `kernel_size`, `stride`, `pooling` and `dense` are for "convnet". The gain "data"
    sets the first scales on examples (`nn.data_dependent_`), a number draws weights of that gain;
    neither `gain` nor `norm` nor `activation` nor `readout` is for real networks.
    """

    kind: Literal["holomorphic", "real", "real-parameter-matched", "real-mac-matched"] = (
        "holomorphic"
    )
    family: Literal["mlp", "convnet"] = "mlp"
    hidden: Widths = (64, 64)
    channels: Widths = (16, 32)
    kernel_size: Positive = 5
    stride: Positive = 2
    pooling: Positive = 1
    dense: Widths = (100,)
    residual: Annotated[int, Field(ge=0, le=1000)] = 0
    alpha: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.1
    norm: Literal["none", "frozen"] = "none"
    activation: str = "square"
    readout: Literal["real", "imag", "modulus", "log-modulus"] = "real"
    gain: Annotated[float, Field(gt=0, allow_inf_nan=False)] | Literal["data"] = 0.7

    def ignored(self) -> dict[str, tuple[str, ...]]:
        """What the other family has, and what a real network has not."""
        windows = ("channels", "kernel_size", "stride", "pooling", "dense")
        ignored: dict[str, tuple[str, ...]]
        ignored = {f"family = {self.family!r}": windows if self.family == "mlp" else ("hidden",)}
        if self.kind != "holomorphic":
            counted = () if "matched" in self.kind else ("norm",)  # which has parameters of its own
            ignored[f"kind = {self.kind!r}"] = ("activation", "readout", "gain", *counted)
        if not self.residual:
            ignored["residual = 0"] = ("alpha",)
        return ignored

    def build(
        self,
        in_shape: int | Sequence[int],
        num_classes: int,
        *,
        seed: int = 0,
        examples: Tensor | None = None,
    ) -> nn.Module:
        """The network with weights drawn from the seed; torch's global stream is not touched.

        Args:
            in_shape: of one example, or the number of its entries.
            num_classes: number of logits.
            seed: of the weights.
            examples: training inputs. A frozen norm and the gain "data" are measured on
                `CALIBRATION` of them, spread over the whole.

        Raises:
            ConfigError: examples are needed and were not given; settings that do not fit.
            ShapeError: a convolutional network for examples that are not images.
            UnknownNameError: no such activation.
        """
        network = self.blank(in_shape, num_classes, seed=seed)
        if self.family == "convnet" and _channels_look_last(in_shape):
            logger.warning(
                "images of shape %s are read as (channels, height, width): where the channels are "
                "last, save x.transpose(0, 3, 1, 2)",
                in_shape,
            )
        if not isinstance(network, HolomorphicClassifier):
            return network
        return self._measured(network, examples)

    def blank(self, in_shape: int | Sequence[int], num_classes: int, *, seed: int = 0) -> nn.Module:
        """The network before anything is measured on examples: to load weights into.

        Raises:
            ConfigError, ShapeError, UnknownNameError: as `build`.
        """
        shape = (in_shape,) if isinstance(in_shape, int) else tuple(in_shape)
        self._require_size(shape, num_classes)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)  # torch.manual_seed reaches devices too
            holomorphic = self._holomorphic(shape, num_classes)
            if self.kind == "holomorphic":
                return holomorphic
            widths = self._real_widths(holomorphic, shape, num_classes)
            return self._real(shape, num_classes, widths)

    def _require_size(self, shape: tuple[int, ...], num_classes: int) -> None:
        """Refuse a network that no memory holds, before any of it is made."""
        count, inner = 0, math.prod(shape)
        if self.family == "convnet" and len(shape) == 3:
            inner, *sides = shape
            for outer in self.channels:
                count += (inner + self.residual * outer) * outer * self.kernel_size**2
                pad = self.kernel_size // 2
                sides = [((s + 2 * pad - self.kernel_size) // self.stride + 1) for s in sides]
                sides = [max(1, s // self.pooling) for s in sides]
                inner = outer
            inner *= math.prod(sides)
        for outer in self.hidden if self.family == "mlp" else self.dense:
            count += (inner + self.residual * outer) * outer
            inner = outer
        count += inner * num_classes
        if count > MAX_PARAMETERS:
            raise ConfigError(
                f"a network of this model and {num_classes} classes has about {count:.2g} weights, "
                f"and at most {MAX_PARAMETERS:.0e} are built: choose smaller widths (model.hidden, "
                "channels, dense, kernel_size, residual)"
            )

    def _holomorphic(self, shape: tuple[int, ...], num_classes: int) -> HolomorphicClassifier:
        options: dict[str, Any] = {
            "activation": self.activation,
            "readout": READOUTS[self.readout](),
            "residual": self.residual,
            "alpha": self.alpha,
            "norm": self.norm,
            "gain": 1.0 if self.gain == "data" else self.gain,
        }
        if self.family == "mlp":
            return holomorphic_mlp(math.prod(shape), self.hidden, num_classes, **options)
        return holomorphic_convnet(
            shape, self.channels, num_classes, dense=self.dense, **self._windows(), **options
        )

    def _real(
        self, shape: tuple[int, ...], num_classes: int, widths: tuple[int, ...]
    ) -> nn.Sequential:
        options: dict[str, Any] = {"residual": self.residual, "alpha": self.alpha}
        if self.family == "mlp":
            return real_mlp(math.prod(shape), widths, num_classes, **options)
        channels, dense = widths[: len(self.channels)], widths[len(self.channels) :]
        return real_convnet(shape, channels, num_classes, dense=dense, **self._windows(), **options)

    def _windows(self) -> dict[str, int]:
        return {"kernel_size": self.kernel_size, "stride": self.stride, "pooling": self.pooling}

    def _real_widths(
        self, holomorphic: HolomorphicClassifier, shape: tuple[int, ...], num_classes: int
    ) -> tuple[int, ...]:
        """Of all hidden layers of the real network."""
        widths = self.hidden if self.family == "mlp" else self.channels + self.dense
        if self.kind == "real":
            return widths
        by_macs = self.kind == "real-mac-matched"
        measure = partial(macs, in_shape=shape) if by_macs else real_parameter_count
        build = partial(self._real, shape, num_classes)
        return matched_widths(measure(holomorphic), widths, build, measure)

    def _measured(
        self, network: HolomorphicClassifier, examples: Tensor | None
    ) -> HolomorphicClassifier:
        """The network with its scales set on examples, where the settings ask for that."""
        if self.gain != "data" and self.norm != "frozen":
            return network
        if examples is None:
            raise ConfigError(
                f"gain = {self.gain!r} with norm = {self.norm!r} is measured on training inputs: "
                "build(..., examples=x_train), or choose a number and 'none'"
            )
        chosen = examples[:: max(1, len(examples) // CALIBRATION)][:CALIBRATION]
        if self.gain == "data":
            data_dependent_(network, chosen)
        else:
            calibrate(network, chosen)
        return network


def _channels_look_last(shape: int | Sequence[int]) -> bool:
    """Whether this is rather the shape of an image with its channels behind it.

    Example:
        >>> _channels_look_last((28, 28, 3)), _channels_look_last((3, 28, 28))
        (True, False)
    """
    return (
        not isinstance(shape, int)
        and len(shape) == 3
        and shape[2] in (1, 3, 4)
        and shape[0] == shape[1] > 4
    )


def _threat(norm: str, eps: float, bounds: tuple[float, float] | str) -> ThreatModel:
    """The threat model of a rule; complex data have no box."""
    if isinstance(bounds, str) or norm in ("polydisc", "complex_ball"):
        return ThreatModel(norm, eps, None)
    return ThreatModel(norm, eps, bounds)


_PENALTY = ("weight", "on", "probes", "mode", "norm", "directions", "cauchy_riemann", "harmonic")


class RuleConfig(_Section):
    """Which training rule.

    The fields from `weight` to `harmonic` are for "analytic" and "analytic+fgsm-rs"; `threat`,
    `eps` and `bounds` (the box of valid data) for the rules that perturb, `steps` for "pgd" and
    "trades", `beta` for "trades". Under a schedule the weights of penalties and the radii rise from
    0 until the fraction `warm_up` of training is done.
    """

    name: Literal[
        "standard",
        "analytic",
        "fgsm",
        "fgsm-rs",
        "pgd",
        "trades",
        "linearized",
        "analytic+fgsm-rs",
    ] = "analytic"
    weight: NonNegative = 0.3
    on: Literal["logits", "probabilities", "loss"] = "logits"
    probes: Positive | Literal["exact"] = 1
    mode: Literal["forward", "reverse"] = "reverse"
    norm: Literal["L1", "L2"] = "L2"
    directions: Literal["real", "complex"] = "real"
    cauchy_riemann: NonNegative = 0.0
    harmonic: NonNegative = 0.0
    threat: Literal["Linf", "L2", "L1", "polydisc", "complex_ball"] = "Linf"
    eps: NonNegative = 0.1
    bounds: Annotated[tuple[float, float] | Literal["none"], Field(validate_default=True)] = (
        0.0,
        1.0,
    )
    steps: Positive = 7
    beta: NonNegative = 1.0
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    warm_up: Annotated[float, Field(gt=0, le=1)] = 0.5

    @field_validator("bounds")
    @classmethod
    def _box_fits_the_radius(cls, value: Any, info: Any) -> Any:
        if {"threat", "eps"} <= info.data.keys():  # else they have faults of their own
            try:
                _threat(info.data["threat"], info.data["eps"], value)
            except DomainError as error:
                raise ValueError(f"{error}; 'none' is for no box") from None
        return value

    def ignored(self) -> dict[str, tuple[str, ...]]:
        """What the rule of this name has not."""
        penalty = "analytic" in self.name
        ball = self.name not in ("standard", "analytic")
        without = {
            _PENALTY: not penalty,
            ("threat", "eps"): not ball,
            ("bounds",): not ball,
            ("steps",): self.name not in ("pgd", "trades"),
            ("beta",): self.name != "trades",
            ("schedule",): self.name == "standard",
            ("warm_up",): self.name == "standard",
        }
        ignored = {f"name = {self.name!r}": sum((k for k, no in without.items() if no), ())}
        if ball and self.threat in ("polydisc", "complex_ball"):
            ignored[f"threat = {self.threat!r}"] = ("bounds",)
        if self.name != "standard" and self.schedule == "constant":
            ignored["schedule = 'constant'"] = ("warm_up",)
        return ignored

    def build(self) -> Rule:
        """The rule."""
        threat = _threat(self.threat, self.eps, self.bounds)
        radius = self._scheduled(1.0)
        rules: Mapping[str, Callable[[], Rule]] = {
            "standard": EmpiricalRisk,
            "analytic": lambda: AnalyticRule(**self._analytic()),
            "fgsm": lambda: shaham(threat, radius=radius),
            "fgsm-rs": lambda: fgsm_rs(threat, radius=radius),
            "pgd": lambda: RobustOptimization(threat, radius=radius, steps=self.steps),
            "trades": lambda: Trades(threat, radius=radius, beta=self.beta, steps=self.steps),
            "linearized": lambda: LinearizedRobustOptimization(threat, radius=radius),
            "analytic+fgsm-rs": lambda: fgsm_rs(
                threat, radius=radius, penalties=analytic_penalties(**self._analytic())
            ),
        }
        return rules[self.name]()

    def _analytic(self) -> dict[str, Any]:
        return {
            "weight": self._scheduled(self.weight),
            "on": self.on,
            "count": None if self.probes == "exact" else self.probes,
            "mode": self.mode,
            "norm": self.norm,
            "directions": self.directions,
            "cauchy_riemann": self._scheduled(self.cauchy_riemann),
            "harmonic": self._scheduled(self.harmonic),
        }

    def _scheduled(self, value: float) -> Weight:
        if self.schedule == "constant" or value == 0:
            return value
        ramp = LinearRamp if self.schedule == "linear" else CosineRamp
        return ramp(value, end=self.warm_up)


class TrainConfig(_Section):
    """How long, how fast, how often saved. Batches and rates are those of all processes."""

    epochs: Positive = 6
    batch_size: Positive = 256
    lr: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 3e-3
    clip: Annotated[float, Field(gt=0)] = 1.0
    """The norm that gradients are cut down to; inf (or None) for no limit."""
    optimizer: Literal["adam", "sgd"] = "adam"
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Of SGD, without dampening; Adam has its own."""
    weight_decay: NonNegative = 0.0
    """What multiplies the weights where they are added to their gradients."""
    schedule: Literal["one-cycle", "constant"] = "one-cycle"
    seed: Seed = 0
    checkpoint_every: Positive = 200
    keep_checkpoints: Positive = 2
    log_every: Positive = 20
    accelerator: Literal["auto", "cpu", "cuda"] = "auto"
    devices: Positive = 1
    backend: Literal["auto", "gloo", "nccl"] = "auto"

    def ignored(self) -> dict[str, tuple[str, ...]]:
        """What other optimizers and several devices have."""
        ignored = {}
        if self.optimizer == "adam":
            ignored["optimizer = 'adam'"] = ("momentum",)
        if self.devices == 1:
            ignored["devices = 1"] = ("backend",)
        return ignored

    @field_validator("clip", mode="before")
    @classmethod
    def _none_is_no_limit(cls, value: object) -> object:
        return math.inf if value is None else value  # TOML has inf and no null

    @field_validator("momentum")
    @classmethod
    def _momentum_is_of_sgd(cls, value: float, info: Any) -> float:
        if value and info.data.get("optimizer") == "adam":
            raise ValueError("adam takes none, set optimizer to sgd or leave momentum out")
        return value


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
            if message.split()[0][1:].islower():  # a word, not the name of a class
                message = f"{message[0].lower()}{message[1:]}"
            message += _choice(fault)
            earlier = found.get(dotted)
            after = (
                f" = {fault['input']!r}: {message}"
                if earlier is None
                else (f"{earlier[2]}, or {message}")
            )
            found[dotted] = ("", dotted, after)
    return list(found.values())


def _near_misses(key: str, known: Iterable[str]) -> str:
    near = near_misses(key, known, 2)
    hint = f", did you mean {' or '.join(near)}?" if near else "."
    return f"{hint} Known: {', '.join(sorted(known))}"


def _choice(fault: Mapping[str, Any]) -> str:
    """The names most like a value that is none of them."""
    if fault["type"] != "literal_error":
        return ""
    near = near_misses(str(fault["input"]), re.findall("'([^']*)'", fault["ctx"]["expected"]), 2)
    return f", did you mean {' or '.join(map(repr, near))}?" if near else ""
