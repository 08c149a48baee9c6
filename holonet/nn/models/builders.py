"""The parts that ready networks are put together from, holomorphic or real, behind one interface.

`perceptrons` and `convolutional` join the parts, a builder makes them. A holomorphic network and
its real twin have the same form by construction.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from holonet._types import RealEntries
from holonet.errors import ConfigError
from holonet.functions import HolomorphicFunction
from holonet.nn import init
from holonet.nn.activation import Activation
from holonet.nn.container import Flatten, Residual, Sequential
from holonet.nn.conv import Conv2d
from holonet.nn.linear import Linear
from holonet.nn.normalization import FrozenNorm
from holonet.nn.pooling import AvgPool2d

__all__ = ["HolomorphicBuilder", "LayerBuilder", "RealBuilder", "ScaledResidual", "residual_blocks"]

NORMALIZERS = ("none", "frozen")


@dataclass(frozen=True)
class HolomorphicBuilder:
    """Holomorphic parts; affine maps start with E|w|^2 = gain^2 / fan_in.

    Args:
        activation, gain, normalizer, alpha, generator: as `holomorphic_mlp` takes them.
        dtype: of the parameters, complex or real.

    Raises:
        ConfigError: an unknown normalizer.
    """

    activation: str | HolomorphicFunction
    gain: float | int
    normalizer: str
    alpha: float | int
    generator: torch.Generator | None
    dtype: torch.dtype

    def __post_init__(self) -> None:
        if self.normalizer not in NORMALIZERS:
            raise ConfigError(
                f"normalizer={self.normalizer!r}: choose one of {', '.join(NORMALIZERS)}"
            )

    def linear(self, inner: int, outer: int, *, hidden: bool = True) -> nn.Module:
        """An affine map; its bias is left to the normalizer if one follows."""
        bias = not (hidden and self.normalizer == "frozen")
        return self._draw(lambda: Linear(inner, outer, bias, dtype=self.dtype))

    def conv(self, inner: int, outer: int, kernel_size: int, stride: int = 1) -> nn.Module:
        """A convolution; its bias is left to the normalizer if one follows."""
        return self._draw(
            lambda: Conv2d(
                inner,
                outer,
                kernel_size,
                stride,
                kernel_size // 2,
                bias=self.normalizer == "none",
                dtype=self.dtype,
            )
        )

    def activate(self, features: int, axis: int) -> list[nn.Module]:
        """The normalizer, if there is one, and the activation."""
        norms = (
            [FrozenNorm(features, axis, dtype=self.dtype)] if self.normalizer == "frozen" else []
        )
        return [*norms, Activation(self.activation)]

    def stem(self, features: int, axis: int) -> list[nn.Module]:
        """A normalizer."""
        return [FrozenNorm(features, axis, dtype=self.dtype)]

    def residual(self, body: Sequence[nn.Module], features: int, axis: int) -> nn.Module:
        """The block z + norm(body(z)); the norm's weights are alpha at first and learned.

        Once the norms are measured, blocks add parts of mean square alpha^2 to features of mean
        square 1, whatever the activation.
        """
        scale = FrozenNorm(features, axis, dtype=self.dtype)
        nn.init.constant_(scale.weight, self.alpha)
        return Residual(Sequential(*body, scale))

    def pool(self, size: int) -> nn.Module:
        """Average over windows: linear, hence holomorphic."""
        return AvgPool2d(size)

    def flatten(self) -> nn.Module:
        """All axes but the first as one."""
        return Flatten()

    def _draw(self, build: Callable[[], nn.Module]) -> nn.Module:
        layer = _built(build, self.generator)
        init.kaiming_normal_(layer.get_parameter("weight"), self.gain, generator=self.generator)
        return layer


@dataclass(frozen=True)
class RealBuilder:
    """Torch's own real parts; weights start as `kaiming_normal_` for ReLU, biases at zero."""

    activation: type[nn.Module]
    alpha: float | int
    generator: torch.Generator | None

    def linear(self, inner: int, outer: int, *, hidden: bool = True) -> nn.Module:
        """An affine map."""
        del hidden
        return self._draw(lambda: nn.Linear(inner, outer))

    def conv(self, inner: int, outer: int, kernel_size: int, stride: int = 1) -> nn.Module:
        """A convolution."""
        return self._draw(lambda: nn.Conv2d(inner, outer, kernel_size, stride, kernel_size // 2))

    def activate(self, features: int, axis: int) -> list[nn.Module]:
        """The activation."""
        del features, axis
        return [self.activation()]

    def stem(self, features: int, axis: int) -> list[nn.Module]:
        """Nothing: the initialization keeps the scale."""
        del features, axis
        return []

    def residual(self, body: Sequence[nn.Module], features: int, axis: int) -> nn.Module:
        """The block x + scale * body(x), the scale learned for each feature."""
        return ScaledResidual(nn.Sequential(*body), features, axis, self.alpha)

    def pool(self, size: int) -> nn.Module:
        """Average over windows."""
        return nn.AvgPool2d(size)

    def flatten(self) -> nn.Module:
        """All axes but the first as one."""
        return nn.Flatten()

    def _draw(self, build: Callable[[], nn.Module]) -> nn.Module:
        layer = _built(build, self.generator)
        weight = layer.get_parameter("weight")
        if weight.is_meta:  # drawing nothing takes long there, and searches for widths build many
            return layer
        nn.init.kaiming_normal_(weight, nonlinearity="relu", generator=self.generator)
        nn.init.zeros_(layer.get_parameter("bias"))
        return layer


class ScaledResidual(nn.Module):
    """The real x + scale * body(x) with one learned scale for each feature.

    Args:
        body: keeps the shape.
        features: size of the feature axis.
        axis: which axis that is, counted from the end.
        alpha: the first value of every scale.
    """

    def __init__(self, body: nn.Module, features: int, axis: int, alpha: float | int) -> None:
        super().__init__()
        self.body = body
        self.scale = nn.Parameter(torch.full((features, *[1] * (-axis - 1)), float(alpha)))

    def forward(self, input: RealEntries) -> RealEntries:
        """The input plus the scaled output of the body."""
        return input + self.scale * self.body(input)


LayerBuilder = HolomorphicBuilder | RealBuilder
"""What the ready networks are made by; `features` and `axis` are the feature axis of an output."""


def residual_blocks(
    build: LayerBuilder, affine: Callable[[], nn.Module], features: int, axis: int, count: int
) -> list[nn.Module]:
    """`count` blocks z + alpha * phi(affine(z)), each with an affine map of its own.

    A builder that normalizes does so in front of them, or alpha would have no fixed meaning.

    Raises:
        ConfigError: a negative count.
    """
    if count < 0:
        raise ConfigError(f"residual={count}: give the number of residual blocks, 0 for none")
    blocks = [
        build.residual([affine(), *build.activate(features, axis)], features, axis)
        for _ in range(count)
    ]
    return [*build.stem(features, axis), *blocks] if blocks else []


def _built(build: Callable[[], nn.Module], generator: torch.Generator | None) -> nn.Module:
    """A layer whose weights are drawn again; the constructor's own draw leaves no trace.

    Without a generator the global stream is the source, and is used.
    """
    with torch.random.fork_rng(devices=[], enabled=generator is not None):
        return build()
