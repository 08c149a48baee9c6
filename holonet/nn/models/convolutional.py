"""Ready convolutional networks: a holomorphic one, and the real one of the same form."""

from collections.abc import Sequence

import torch
from torch import nn

from holonet._arguments import checked
from holonet.errors import ConfigError, ShapeError
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
from holonet.nn.models.perceptrons import dense_layers

__all__ = ["holomorphic_convnet", "real_convnet"]


@checked
def holomorphic_convnet(
    in_shape: Sequence[int],
    channels: Sequence[int],
    num_classes: int,
    *,
    kernel_size: int = 5,
    stride: int = 2,
    pooling: int = 1,
    dense: Sequence[int] = (100,),
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
    """Stages of convolution, activation, average pooling and residual blocks, then a perceptron.

    Images are made smaller by strides or by average pooling, both linear; there is no holomorphic
    maximum. A fixed gain suits only shallow networks and one scale of images: set the scales on
    examples with `nn.init.data_dependent_`.

    Args:
        in_shape: (channels, height, width) of one example.
        channels: of each stage.
        num_classes: number of logits.
        kernel_size, stride: of the convolutions, which are padded by kernel_size // 2.
        pooling: side of the averaged windows; 1 for none.
        dense: widths of the hidden layers behind the last stage.
        activation, readout, alpha, normalizer, generator, coefficients, dtype: as in
            `holomorphic_mlp`.
        residual: number of blocks z + alpha * phi(conv(z)) at the end of each stage (and of
            z + alpha * phi(W z + b) behind each dense layer).
        gain: E|w|^2 = gain^2 / fan_in.

    Raises:
        ShapeError: in_shape is not that of an image, or pooling leaves nothing of it.
        ConfigError: residual blocks with an even kernel; an unknown normalizer, a size below 1.
        UnknownNameError: no such activation.

    Example:
        >>> from holonet.nn import real_parameter_count
        >>> net = holomorphic_convnet((1, 28, 28), [16, 32], 10)
        >>> net(torch.rand(2, 1, 28, 28)).shape, real_parameter_count(net)
        (torch.Size([2, 10]), 342316)
    """
    field = dtype_of(coefficients, dtype)
    build = HolomorphicBuilder(activation, gain, normalizer, alpha, generator, field)
    layers = _conv_layers(
        build, in_shape, channels, num_classes, kernel_size, stride, pooling, dense, residual
    )
    return HolomorphicClassifier(Sequential(*layers), readout)


@checked
def real_convnet(
    in_shape: Sequence[int],
    channels: Sequence[int],
    num_classes: int,
    *,
    kernel_size: int = 5,
    stride: int = 2,
    pooling: int = 1,
    dense: Sequence[int] = (100,),
    activation: type[nn.Module] = nn.ReLU,
    residual: int = 0,
    alpha: float | int = 0.1,
    generator: torch.Generator | None = None,
) -> nn.Sequential:
    """The real network of the form of `holomorphic_convnet`, whose arguments it takes.

    Weights start as torch's `kaiming_normal_` for ReLU, biases at zero.

    Raises:
        ShapeError, ConfigError: as there.
    """
    build = RealBuilder(activation, alpha, generator)
    return nn.Sequential(
        *_conv_layers(
            build, in_shape, channels, num_classes, kernel_size, stride, pooling, dense, residual
        )
    )


def _conv_layers(
    build: LayerBuilder,
    in_shape: Sequence[int],
    channels: Sequence[int],
    num_classes: int,
    kernel_size: int,
    stride: int,
    pooling: int,
    dense: Sequence[int],
    residual: int,
) -> list[nn.Module]:
    _require_sizes(in_shape, kernel_size, stride, pooling, residual)
    inner, height, width = in_shape
    layers: list[nn.Module] = []
    for number, outer in enumerate(channels):
        height, width = (
            ((side + 2 * (kernel_size // 2) - kernel_size) // stride + 1) // pooling
            for side in (height, width)
        )
        if min(height, width) < 1:
            raise ShapeError(
                f"an image of shape {tuple(in_shape)} has no pixel left behind stage {number} of "
                f"{len(channels)} with stride {stride} and pooling {pooling}: take fewer stages, "
                "a smaller stride or pooling=1"
            )
        layers += [build.conv(inner, outer, kernel_size, stride), *build.activate(outer, -3)]
        layers += [build.pool(pooling)] if pooling > 1 else []
        layers += residual_blocks(
            build, lambda c=outer: build.conv(c, c, kernel_size), outer, -3, residual
        )
        inner = outer
    return layers + dense_layers(build, inner * height * width, dense, num_classes, residual)


def _require_sizes(
    in_shape: Sequence[int], kernel_size: int, stride: int, pooling: int, residual: int
) -> None:
    if len(in_shape) != 3:
        raise ShapeError(
            f"in_shape {tuple(in_shape)}: a convolutional network takes images (channels, height, "
            "width). Reshape the data, or build a perceptron"
        )
    if min(kernel_size, stride, pooling) < 1:
        raise ConfigError(f"{kernel_size=}, {stride=}, {pooling=}: choose numbers from 1 on")
    if residual > 0 and kernel_size % 2 == 0:
        raise ConfigError(
            f"{kernel_size=} with {residual=}: residual blocks keep the size of images, which "
            "takes an odd kernel"
        )
