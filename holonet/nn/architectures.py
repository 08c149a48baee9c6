"""Ready networks: a holomorphic perceptron, and its real twin of equal parameter count."""

import itertools
import math
from collections.abc import Sequence

import torch
from torch import nn

from holonet.errors import ConfigError
from holonet.functions import HolomorphicFunction
from holonet.nn import init
from holonet.nn.activation import Activation
from holonet.nn.classifier import HolomorphicClassifier
from holonet.nn.container import Flatten, Sequential
from holonet.nn.linear import Linear

__all__ = ["holomorphic_mlp", "real_mlp", "real_parameter_count", "twin_width"]


def holomorphic_mlp(
    in_features: int,
    hidden: Sequence[int],
    num_classes: int,
    *,
    activation: str | HolomorphicFunction = "square",
    readout: nn.Module | None = None,
    gain: float | int = 0.7,
    generator: torch.Generator | None = None,
    dtype: torch.dtype = torch.complex64,
) -> HolomorphicClassifier:
    """Flatten, then affine maps with one holomorphic activation between them, then a readout.

    Args:
        in_features: entries of one example.
        hidden: widths of the hidden layers.
        num_classes: number of logits.
        activation: a catalogue name or a record.
        readout: complex to real; `RealPart` unless given.
        gain: E|w|^2 = gain^2 / fan_in. With z^2 and two hidden layers, gain 0.7 keeps the first
            logits of images in [0, 1] small enough to train at once.
        generator: source of the initial weights.
        dtype: complex64 or complex128.
    """
    widths = [in_features, *hidden, num_classes]
    layers: list[nn.Module] = [Flatten()]
    for k, (inner, outer) in enumerate(itertools.pairwise(widths)):
        if k:
            layers.append(Activation(activation))
        layers.append(Linear(inner, outer, dtype=dtype))
        init.kaiming_normal_(layers[-1].get_parameter("weight"), gain, generator=generator)
    return HolomorphicClassifier(Sequential(*layers), readout)


def real_mlp(
    in_features: int,
    hidden: Sequence[int],
    num_classes: int,
    *,
    activation: type[nn.Module] = nn.ReLU,
    generator: torch.Generator | None = None,
) -> nn.Sequential:
    """The plain real network: flatten, then affine maps with an activation between them.

    Weights start as torch's `kaiming_normal_` for ReLU, biases at zero.
    """
    widths = [in_features, *hidden, num_classes]
    layers: list[nn.Module] = [nn.Flatten()]
    for k, (inner, outer) in enumerate(itertools.pairwise(widths)):
        if k:
            layers.append(activation())
        layer = nn.Linear(inner, outer)
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
        nn.init.zeros_(layer.bias)
        layers.append(layer)
    return nn.Sequential(*layers)


def real_parameter_count(module: nn.Module) -> int:
    """Number of real parameters: a complex one counts as two.

    Example:
        >>> real_parameter_count(Linear(3, 2))
        16
    """
    return sum(p.numel() * (2 if p.is_complex() else 1) for p in module.parameters())


def twin_width(count: int, in_features: int, depth: int, num_classes: int) -> int:
    """Width of the real perceptron with `depth` equal hidden layers nearest to `count` parameters.

    Example:
        >>> net = holomorphic_mlp(784, [256, 256], 10)
        >>> width = twin_width(real_parameter_count(net), 784, 2, 10)
        >>> width, real_parameter_count(net), real_parameter_count(real_mlp(784, [width] * 2, 10))
        (437, 538644, 538831)
    """
    if depth < 1:
        raise ConfigError(f"depth {depth}: a perceptron's twin needs at least one hidden layer")
    quadratic = depth - 1
    linear = in_features + num_classes + depth
    constant = num_classes - count
    if quadratic == 0:
        return max(1, round(-constant / linear))
    root = math.sqrt(linear**2 - 4 * quadratic * constant)
    return max(1, round((root - linear) / (2 * quadratic)))
