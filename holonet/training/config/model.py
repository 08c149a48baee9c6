"""The section model: which network."""

import logging
import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Annotated, Any, Literal

import torch
from pydantic import Field, field_validator
from torch import nn

from holonet._named_object import is_object_name
from holonet._types import Points
from holonet.data.catalogue import absolute
from holonet.errors import ConfigError, HolonetError, MissingDependencyError
from holonet.functions import HolomorphicFunction, get_function
from holonet.nn import (
    HolomorphicClassifier,
    ImagPart,
    LogModulus,
    Modulus,
    RealPairs,
    RealPart,
    Threshold,
    calibrate,
    holomorphic_convnet,
    holomorphic_mlp,
    init,
    macs,
    matched_widths,
    real_convnet,
    real_mlp,
    real_parameter_count,
)
from holonet.training.config.section import Positive, PositiveInt, Section, Widths
from holonet.training.own_network import own_network

__all__ = ["ModelConfig", "activation_record"]

logger = logging.getLogger(__name__)

READOUTS: Mapping[str, type[nn.Module]] = {
    "real": RealPart,
    "imag": ImagPart,
    "modulus": Modulus,
    "log-modulus": LogModulus,
}

RELU = "relu"  # the one activation that is not holomorphic

CALIBRATION = 256  # examples that first scales are set on

MAX_PARAMETERS = 10**9
"""Weights of a network, complex ones counted once: 8 GB of them, three times that in training."""


@cache
def activation_record(text: str) -> HolomorphicFunction:
    """The record of an activation: of the catalogue by its name, or of a formula in one variable.

    Raises:
        UnknownNameError: there is no such name.
        MissingDependencyError: a formula, and sympy is not installed.
        NotHolomorphicError, ConfigError, DomainError, NumericalError: as `symbolic.from_sympy`.

    Example:
        >>> activation_record("tanh").formula, activation_record("z*exp(-z**2)").function_class
        ('tanh(z)', <FunctionClass.ENTIRE: 'entire'>)
    """
    if re.fullmatch(r"\w*", text):
        return get_function(text)
    from holonet.symbolic import from_sympy

    return from_sympy(text)


class ModelConfig(Section):
    """Which network: complex or real coefficients, activation, widths; or one's own."""

    module: str | None = None
    """Network of one's own, module:function or file.py:function, which is called without arguments;
    none for one of the settings below."""
    coefficients: Literal["complex", "real"] = "complex"
    """Field of the weights."""
    activation: str = "square"
    """Activation, one of holonet list activations, or a formula in z such as z*exp(-z**2); real
    coefficients may have relu too."""
    match: Literal["none", "parameters", "macs"] = "none"
    """What a network with real coefficients has as many of as the complex one of these widths."""
    lift: Literal["none", "pair"] = "none"
    """What real coefficients do with complex data: none, they multiply complex numbers; pair, they
    get real and imaginary parts as real numbers, so that no holomorphic network is left."""
    family: Literal["mlp", "convnet"] = "mlp"
    """Perceptron or convolutional network."""
    hidden: Widths = (64, 64)
    """Widths of a perceptron's hidden layers."""
    channels: Widths = (16, 32)
    """Channels of a convnet's stages."""
    kernel_size: PositiveInt = 5
    """Side of a convnet's kernels."""
    stride: PositiveInt = 2
    """Stride of a convnet's convolutions."""
    pooling: PositiveInt = 1
    """Side of a convnet's averaged windows; 1 for none."""
    threshold: Literal["none", "shared", "channel"] = "none"
    """Soft threshold (1 + erf(a (x - b))) / 2 in front of the network, with one learned pair a, b
    or one for each channel."""
    dense: Widths = (100,)
    """Widths of a convnet's dense layers."""
    residual: Annotated[int, Field(ge=0, le=1000)] = 0
    """Residual blocks behind each hidden layer or stage."""
    alpha: Positive = 0.1
    """First value of the factor that a residual block learns."""
    normalizer: Literal["none", "frozen"] = "none"
    """Normalizer in front of activations: none, or one that is measured once on examples."""
    readout: Literal["real", "imag", "modulus", "log-modulus"] = "real"
    """Real function of the outputs."""
    gain: Positive | Literal["data", "intervals"] = 0.7
    """Gain g of first weights with E|w|^2 = g^2 / fan_in, or data: set on examples, or intervals:
    keeping the widths of intervals, for the rule interval."""

    @field_validator("module")
    @classmethod
    def _name_holds_anywhere(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if not is_object_name(value):
            raise ValueError("write module:function, or path/to/file.py:function")
        place, _, attribute = value.rpartition(":")
        return f"{absolute(place)}:{attribute}" if place.endswith(".py") else value

    @field_validator("activation")
    @classmethod
    def _require_known(cls, value: str, info: Any) -> str:
        if value != RELU:
            try:
                activation_record(value)
            except MissingDependencyError:
                raise
            except HolonetError as error:
                raise ValueError(str(error)) from None
        elif info.data.get("coefficients") == "complex":
            raise ValueError(
                "relu is piecewise and has no holomorphic form: choose coefficients = 'real', or "
                "an activation of holonet list activations"
            )
        return value

    @field_validator("readout")
    @classmethod
    def _require_imaginary_part(cls, value: str, info: Any) -> str:
        real = info.data.get("coefficients") == "real"
        if value == "imag" and real and info.data.get("activation") != RELU:
            raise ValueError(
                "with real coefficients outputs are real at real data, and their imaginary part "
                "is 0: choose readout = 'real', or coefficients = 'complex'"
            )
        return value

    @property
    def is_holomorphic(self) -> bool:
        """Whether the layers are holomorphic, and not those of a ReLU or own network."""
        return self.activation != RELU and self.module is None

    @property
    def takes_pairs(self) -> bool:
        """Whether the network takes complex numbers apart."""
        return self.lift == "pair" and self.coefficients == "real"

    def ignored(self) -> dict[str, tuple[str, ...]]:
        """What the other family has, and what complex coefficients or ReLU have not."""
        if self.module is not None:
            others = (name for name in type(self).model_fields if name != "module")
            return {f"module = {self.module!r}": tuple(others)}
        windows = ("channels", "kernel_size", "stride", "pooling", "dense")
        ignored: dict[str, tuple[str, ...]]
        ignored = {f"family = {self.family!r}": windows if self.family == "mlp" else ("hidden",)}
        if self.coefficients == "complex":
            ignored["coefficients = 'complex'"] = ("match", "lift")
        if not self.is_holomorphic:  # a match counts the parameters of the complex normalizer
            counted = ("normalizer",) if self.match == "none" else ()
            scaled = () if self.gain == "intervals" else ("gain",)
            ignored[f"activation = {self.activation!r}"] = ("readout", *scaled, *counted)
        if not self.residual:
            ignored["residual = 0"] = ("alpha",)
        return ignored

    def build(
        self,
        in_shape: int | Sequence[int],
        num_classes: int,
        *,
        seed: int = 0,
        examples: Points | None = None,
    ) -> nn.Module:
        """The network with weights drawn from the seed; torch's global stream is not touched.

        Args:
            in_shape: of one example, or the number of its entries.
            num_classes: number of logits.
            seed: of the weights.
            examples: training inputs. A frozen norm and the gain "data" are measured on
                `CALIBRATION` of them, spread over the whole.

        Raises:
            ConfigError: examples are needed and were not given; settings that do not fit; the
                network of one's own cannot be made.
            ShapeError: a convolutional network for examples that are not images.
        """
        network = self.blank(in_shape, num_classes, seed=seed)
        if self.module is not None:
            return network
        if self.family == "convnet" and _channels_look_last(in_shape):
            logger.warning(
                "images of shape %s are read as (channels, height, width): where the channels are "
                "last, save x.transpose(0, 3, 1, 2)",
                in_shape,
            )
        inner = network
        if self.takes_pairs:
            pairs, inner = network.children()
            examples = None if examples is None else pairs(examples)
        if isinstance(inner, HolomorphicClassifier):
            self._measured(inner, examples)
        return network

    def blank(self, in_shape: int | Sequence[int], num_classes: int, *, seed: int = 0) -> nn.Module:
        """The network before anything is measured on examples: to load weights into.

        Raises:
            ConfigError, ShapeError: as `build`.
        """
        shape = (in_shape,) if isinstance(in_shape, int) else tuple(in_shape)
        parts = (2 * shape[0], *shape[1:]) if self.takes_pairs else shape
        if self.module is None:
            self._require_size(parts, num_classes)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)  # torch.manual_seed reaches devices too
            if self.module is not None:
                return own_network(self.module)
            widths = self.hidden if self.family == "mlp" else self.channels + self.dense
            network = self._network("complex", widths, shape, num_classes)
            if self.coefficients == "real":
                size = self._measure(shape)(network)
                widths = self._matched(size, widths, parts, num_classes)
                network = self._network("real", widths, parts, num_classes)
            if self.gain == "intervals":
                init.interval_widths_(network)
        layers = network.get_submodule("backbone") if self.is_holomorphic else network
        if self.threshold != "none" and isinstance(layers, nn.Sequential):
            layers.insert(0, Threshold(channels=parts[0] if self.threshold == "channel" else None))
        return nn.Sequential(RealPairs(), network) if self.takes_pairs else network

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

    def _network(
        self,
        coefficients: Literal["complex", "real"],
        widths: tuple[int, ...],
        shape: tuple[int, ...],
        num_classes: int,
    ) -> nn.Module:
        """The network with these widths of hidden layers; its complex form has z^2 for ReLU."""
        options: dict[str, Any] = {"residual": self.residual, "alpha": self.alpha}
        holomorphic = coefficients == "complex" or self.is_holomorphic
        if holomorphic:
            options |= {
                "coefficients": coefficients,
                "activation": activation_record(
                    self.activation if self.is_holomorphic else "square"
                ),
                "readout": READOUTS[self.readout](),
                "normalizer": self.normalizer,
                "gain": 1.0 if isinstance(self.gain, str) else self.gain,
            }
        if self.family == "mlp":
            perceptron = holomorphic_mlp if holomorphic else real_mlp
            return perceptron(math.prod(shape), widths, num_classes, **options)
        convnet = holomorphic_convnet if holomorphic else real_convnet
        stages = len(self.channels)
        return convnet(
            shape,
            widths[:stages],
            num_classes,
            dense=widths[stages:],
            kernel_size=self.kernel_size,
            stride=self.stride,
            pooling=self.pooling,
            **options,
        )

    def _matched(
        self,
        size: int,
        widths: tuple[int, ...],
        shape: tuple[int, ...],
        num_classes: int,
    ) -> tuple[int, ...]:
        """The widths with which real coefficients make a network of this size."""
        if self.match == "none":
            return widths

        def build(tried: tuple[int, ...]) -> nn.Module:
            return self._network("real", tried, shape, num_classes)

        return matched_widths(size, widths, build, self._measure(shape))

    def _measure(self, shape: tuple[int, ...]) -> Callable[[nn.Module], int]:
        """What is counted for a match."""
        return partial(macs, in_shape=shape) if self.match == "macs" else real_parameter_count

    def _measured(self, network: HolomorphicClassifier, examples: Points | None) -> None:
        """Set the scales of the network on examples, where the settings ask for that."""
        if self.gain != "data" and self.normalizer != "frozen":
            return
        if examples is None:
            raise ConfigError(
                f"gain = {self.gain!r}, normalizer = {self.normalizer!r} is measured on examples: "
                "build(..., examples=x_train), or choose a number and 'none'"
            )
        chosen = examples[:: max(1, len(examples) // CALIBRATION)][:CALIBRATION]
        if self.gain == "data":
            init.data_dependent_(network, chosen)
        else:
            calibrate(network, chosen)


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
