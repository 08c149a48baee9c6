"""The section model: which network."""

import logging
import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import nn

from holonet._types import Points
from holonet.errors import ConfigError
from holonet.nn import (
    HolomorphicClassifier,
    ImagPart,
    LogModulus,
    Modulus,
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

__all__ = ["ModelConfig"]

logger = logging.getLogger(__name__)

READOUTS: Mapping[str, type[nn.Module]] = {
    "real": RealPart,
    "imag": ImagPart,
    "modulus": Modulus,
    "log-modulus": LogModulus,
}

CALIBRATION = 256  # examples that first scales are set on

MAX_PARAMETERS = 10**9
"""Weights of a network, complex ones counted once: 8 GB of them, three times that in training."""


class ModelConfig(Section):
    """Which network: a holomorphic one, a real one of its form, or a real one of its size."""

    kind: Literal["holomorphic", "real", "real-parameter-matched", "real-mac-matched"] = (
        "holomorphic"
    )
    """Holomorphic, real of the same widths, or real with as many real parameters (multiply-adds) as
    the holomorphic one."""
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
    activation: str = "square"
    """Holomorphic activation, one of holonet list activations."""
    readout: Literal["real", "imag", "modulus", "log-modulus"] = "real"
    """Real function of the complex outputs."""
    gain: Positive | Literal["data"] = 0.7
    """Gain g of first weights with E|w|^2 = g^2 / fan_in, or data: set on examples."""

    def ignored(self) -> dict[str, tuple[str, ...]]:
        """What the other family has, and what a real network has not."""
        windows = ("channels", "kernel_size", "stride", "pooling", "dense")
        ignored: dict[str, tuple[str, ...]]
        ignored = {f"family = {self.family!r}": windows if self.family == "mlp" else ("hidden",)}
        if self.kind != "holomorphic":
            counted = (
                () if "matched" in self.kind else ("normalizer",)
            )  # which has parameters of its own
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
                self._insert_threshold(holomorphic.get_submodule("backbone"), shape)
                return holomorphic
            widths = self._real_widths(holomorphic, shape, num_classes)
            real = self._real(shape, num_classes, widths)
            self._insert_threshold(real, shape)
            return real

    def _insert_threshold(self, layers: nn.Module, shape: tuple[int, ...]) -> None:
        """Put the threshold in front of the layers, where the settings ask for one."""
        if self.threshold != "none" and isinstance(layers, nn.Sequential):
            layers.insert(0, Threshold(channels=shape[0] if self.threshold == "channel" else None))

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
            "normalizer": self.normalizer,
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
        self, network: HolomorphicClassifier, examples: Points | None
    ) -> HolomorphicClassifier:
        """The network with its scales set on examples, where the settings ask for that."""
        if self.gain != "data" and self.normalizer != "frozen":
            return network
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
