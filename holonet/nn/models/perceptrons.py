"""Ready perceptrons: a holomorphic one, and the real one of the same form."""

from collections.abc import Sequence

import torch
from torch import nn

from holonet._arguments import checked
from holonet.functions import HolomorphicFunction
from holonet.nn.classifier import HolomorphicClassifier
from holonet.nn.coefficients import dtype_of
from holonet.nn.container import Sequential
from holonet.nn.models.builders import (
    HolomorphicBuilder,
    LayerBuilder,
    RealBuilder,
    residual_blocks,
)

__all__ = ["dense_layers", "holomorphic_mlp", "real_mlp"]


@checked
def holomorphic_mlp(
    in_features: int,
    hidden: Sequence[int],
    num_classes: int,
    *,
    activation: str | HolomorphicFunction = "square",
    readout: nn.Module | None = None,
    residual: int = 0,
    alpha: float | int = 0.1,
    normalizer: str = "none",
    gain: float | int = 0.7,
    generator: torch.Generator | None = None,
    coefficients: str = "complex",
    dtype: torch.dtype = torch.complex64,
) -> HolomorphicClassifier:
    """Flatten, then affine maps with one holomorphic activation between them, then a readout.

    Deep chains of z^2 are unstable at any gain: a relative error of the size of a pre-activation
    doubles at every layer. Make a deep network of few hidden layers with several `residual` blocks
    each, and set its scales on examples with `nn.init.data_dependent_`.

    Args:
        in_features: entries of one example.
        hidden: widths of the hidden layers.
        num_classes: number of logits.
        activation: a catalogue name or a record.
        readout: complex to real; `RealPart` unless given.
        residual: number of blocks z + alpha * phi(W z + b) behind each hidden layer.
        alpha: the first value of the learned factor of a block, one for each feature.
        normalizer: "frozen" puts a `FrozenNorm` in front of each activation; it does nothing before
            `calibrate` or `data_dependent_` has measured.
        gain: E|w|^2 = gain^2 / fan_in. With z^2 and two hidden layers, gain 0.7 keeps the first
            logits of images in [0, 1] small enough to train at once.
        generator: source of the initial weights.
        coefficients: "complex", or "real" for real weights, with which real images stay real.
        dtype: complex64 or complex128, the precision; real coefficients are of its real dtype.

    Raises:
        ConfigError: an unknown normalizer or field of coefficients, a real dtype, or a negative
            number of blocks.
        UnknownNameError: no such activation.
    """
    field = dtype_of(coefficients, dtype)
    build = HolomorphicBuilder(activation, gain, normalizer, alpha, generator, field)
    layers = dense_layers(build, in_features, hidden, num_classes, residual)
    return HolomorphicClassifier(Sequential(*layers), readout)


@checked
def real_mlp(
    in_features: int,
    hidden: Sequence[int],
    num_classes: int,
    *,
    activation: type[nn.Module] = nn.ReLU,
    residual: int = 0,
    alpha: float | int = 0.1,
    generator: torch.Generator | None = None,
) -> nn.Sequential:
    """The plain real network: flatten, then affine maps with an activation between them.

    Weights start as torch's `kaiming_normal_` for ReLU, biases at zero; `residual` and `alpha`
    are those of `holomorphic_mlp`.

    Raises:
        ConfigError: a negative number of blocks.
    """
    build = RealBuilder(activation, alpha, generator)
    return nn.Sequential(*dense_layers(build, in_features, hidden, num_classes, residual))


def dense_layers(
    build: LayerBuilder, in_features: int, hidden: Sequence[int], num_classes: int, residual: int
) -> list[nn.Module]:
    """Flatten, the hidden layers with their residual blocks, and the last affine map."""
    layers = [build.flatten()]
    inner = in_features
    for width in hidden:
        layers += [build.linear(inner, width), *build.activate(width, -1)]
        layers += residual_blocks(build, lambda w=width: build.linear(w, w), width, -1, residual)
        inner = width
    return [*layers, build.linear(inner, num_classes, hidden=False)]
