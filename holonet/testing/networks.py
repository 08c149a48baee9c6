"""Random holomorphic networks, well scaled and off their singularities, from a seed alone."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch import nn as torch_nn

from holonet import nn
from holonet._arguments import checked
from holonet._types import ComplexPoints, ComplexTensor
from holonet.errors import ConfigError, InputTypeError, UnknownNameError
from holonet.functions import (
    CATALOGUE,
    HolomorphicFunction,
    blaschke,
    moebius,
    polynomial,
)
from holonet.nn.module import forward_hooks
from holonet.nn.normalization import measure_input

__all__ = ["BLOCKS", "random_network"]

BLOCKS = ("plain", "norm", "residual", "product", "convolution")
"""Kinds of blocks, each with one activation; convolutions stand at the front."""

_POINTS = 12
_SCALE = 0.7  # of the pre-activations about their base point, root mean square
_CLEARANCE = 0.25  # kept from singularities and cuts at the points, in front of every activation
_DTYPE = torch.complex128  # everything is drawn in, and then rounded
_FAMILIES = ("polynomial", "moebius", "blaschke")


@checked
def random_network(
    seed: int,
    *,
    depth: int | None = None,
    dtype: torch.dtype = torch.complex64,
    activations: Sequence[str | HolomorphicFunction] | None = None,
    blocks: Sequence[str] | None = None,
) -> tuple[nn.Sequential, ComplexPoints]:
    """A random holomorphic network and 12 points that it is holomorphic about.

    Blocks of affine layers and activations, on vectors of 1 to 5 entries or on small images, end
    in an affine layer. The pre-activations are brought about the base points of the activations
    on the given points: centered, of order 1.

    Args:
        seed: of everything that is drawn; torch's global stream is left as it is.
        depth: number of blocks; None draws 1 to 6.
        dtype: of the parameters and points.
        activations: names in the catalogue or records to draw from; None is the whole catalogue
            and random members of its families (polynomials, Moebius maps, Blaschke products).
        blocks: kinds to draw from, of `BLOCKS`; None is all of them.

    Law: the same for the same arguments; in complex64 the rounding of that in complex128.
        `network.margin(points)` is at least 0.25, to rounding, and values are finite.

    Raises:
        ConfigError: depth below 1, or nothing to draw from.
        InputTypeError: a real dtype.
        UnknownNameError: a name that is not in the catalogue or in `BLOCKS`.
        DomainError: a record with a clearance below 0.25 at its base point.

    Example:
        >>> network, points = random_network(7, depth=2)
        >>> network.function_class.is_holomorphic, bool((network.margin(points) > 0.2).all())
        (True, True)
    """
    if dtype not in (torch.complex64, torch.complex128):
        raise InputTypeError(
            f"random_network(dtype={dtype}): choose torch.complex64 or torch.complex128, the dtype "
            "of the points"
        )
    draw = _Draw(seed, activations, blocks)
    depth = draw.below(6) + 1 if depth is None else depth
    if depth < 1:
        raise ConfigError(f"random_network(depth={depth}): at least 1 block is needed")
    layers, shape = draw.layers(depth)
    network = nn.Sequential(*layers)
    points = _SCALE * draw.normal(_POINTS, *shape)
    draw.fill(network)
    with (
        forward_hooks(m.register_forward_pre_hook(measure_input) for m in network.modules()),
        forward_hooks(layer.register_forward_hook(_scale) for layer in draw.unfollowed),
    ):
        nn.init.data_driven_(network, points, scale=_SCALE, clearance=_CLEARANCE)
    return nn.to_precision(network, dtype), points.to(dtype)


class _Draw:
    """A stream of random choices, numbers, layers and weights.

    The layers that no activation follows are remembered in `unfollowed`.
    """

    def __init__(
        self,
        seed: int,
        activations: Sequence[str | HolomorphicFunction] | None,
        blocks: Sequence[str] | None,
    ) -> None:
        self._generator = torch.Generator().manual_seed(seed)
        self.unfollowed: list[nn.Linear] = []
        self._activations = activations
        self._blocks = BLOCKS if blocks is None else tuple(blocks)
        if (activations is not None and not activations) or not self._blocks:
            raise ConfigError(
                f"random_network(activations={activations}, blocks={blocks}) has nothing to draw "
                "from: give at least one of each, or None for all of them"
            )
        for block in self._blocks:
            if block not in BLOCKS:
                raise UnknownNameError("block", block, BLOCKS)

    def below(self, n: int) -> int:
        """A number from 0 to n - 1."""
        return int(torch.randint(n, (), generator=self._generator))

    def normal(self, *shape: int) -> ComplexTensor:
        """Circular normal numbers."""
        return torch.randn(*shape, generator=self._generator, dtype=_DTYPE)

    def layers(self, depth: int) -> tuple[list[torch_nn.Module], tuple[int, ...]]:
        """Blocks and a last affine layer, and the shape of one example."""
        vector = [block for block in self._blocks if block != "convolution"]
        wanted = "convolution" in self._blocks and (not vector or self.below(3) == 0)
        convolutions = (1 + self.below(min(depth, 2)) if vector else depth) if wanted else 0
        layers: list[torch_nn.Module] = []
        width = self.below(5) + 1
        shape: tuple[int, ...] = (width,)
        if convolutions:
            channels, side = self.below(2) + 1, 4
            shape = (channels, side, side)
            for _ in range(convolutions):
                after = self.below(2) + 1
                layers += [self._convolution(channels, after), self._activation()]
                channels = after
            layers += [nn.AvgPool2d(2), nn.Flatten()]
            width = channels * (side // 2) ** 2
        for _ in range(depth - convolutions):
            added, width = self._block(vector[self.below(len(vector))], width)
            layers += added
        return [*layers, self._end(width, self.below(3) + 1)], shape

    def fill(self, network: torch_nn.Module) -> None:
        """Draw the weights of every affine layer, and set its biases to 0."""
        for layer in network.modules():
            if isinstance(layer, nn.Linear | nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, generator=self._generator)
                torch_nn.init.zeros_(layer.get_parameter("bias"))

    def _block(self, kind: str, width: int) -> tuple[list[torch_nn.Module], int]:
        """The layers of a block and the width after it."""
        after = self.below(5) + 1
        if kind == "plain":
            return [_linear(width, after), self._activation()], after
        if kind == "norm":
            norm = nn.FrozenNorm(after, dtype=_DTYPE)
            return [_linear(width, after), norm, self._activation()], after
        if kind == "residual":
            body = (_linear(width, after), self._activation(), self._end(after, width))
            return [nn.Residual(nn.Sequential(*body))], width
        gate = nn.Sequential(_linear(width, after), self._activation())
        return [nn.Product(gate, self._end(width, after))], after

    def _end(self, width: int, after: int) -> nn.Linear:
        self.unfollowed.append(_linear(width, after))
        return self.unfollowed[-1]

    def _convolution(self, channels: int, after: int) -> nn.Conv2d:
        size = self.below(2) * 2 + 1
        layer = nn.Conv2d(channels, after, size, padding=size // 2, dtype=_DTYPE, device="meta")
        return layer.to_empty(device="cpu")

    def _activation(self) -> nn.Activation:
        if self._activations is not None:
            return nn.Activation(self._activations[self.below(len(self._activations))])
        names = (*CATALOGUE, *_FAMILIES)
        chosen = self.below(len(names))
        if chosen < len(CATALOGUE):
            return nn.Activation(names[chosen])
        return nn.Activation(self._member(names[chosen]))

    def _member(self, family: str) -> HolomorphicFunction:
        """A random member whose singularities are 1.4 away from 0 or more."""
        size = 0.4 * torch.rand(4, generator=self._generator, dtype=torch.float64)
        turn = 7 * torch.rand(4, generator=self._generator, dtype=torch.float64)
        a, b, c, d = torch.polar(size, turn).tolist()
        if family == "polynomial":
            return polynomial([a, 1 + b, c, d][: 3 + self.below(2)])
        if family == "moebius":
            return moebius(1 + a, b, c, 1)
        return blaschke([a, b + 0.3][: 1 + self.below(2)], float(turn[3]))


@torch.no_grad()
def _scale(layer: torch_nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
    """Bring what a layer without bias gives to root mean square 1.

    Left alone where that is absurd, as in the first of two passes of `data_driven_`, which only
    looks at the order of the layers.
    """
    del inputs
    size = output.abs().square().mean().sqrt()
    if not 1e-9 < size < 1e9:
        return output
    layer.get_parameter("weight").div_(size)
    return output / size


def _linear(before: int, after: int) -> nn.Linear:
    """A layer in empty memory: on the meta device no random number is drawn."""
    return nn.Linear(before, after, dtype=_DTYPE, device="meta").to_empty(device="cpu")
