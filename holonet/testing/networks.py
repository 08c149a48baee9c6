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
from holonet.nn.coefficients import real_dtype
from holonet.nn.module import forward_hooks
from holonet.nn.normalization import measure_input

__all__ = ["BLOCKS", "COEFFICIENTS", "random_network"]

BLOCKS = ("plain", "norm", "residual", "product", "convolution")
"""Kinds of blocks, each with one activation; convolutions stand at the front."""

COEFFICIENTS = ("complex", "real", "mixed")
"""Fields of the coefficients; mixed: real in the first blocks and complex in the others."""

_POINTS = 12
_SCALE = 0.7  # of the pre-activations about their base point, root mean square
_CLEARANCE = 0.25  # kept from singularities and cuts at the points, in front of every activation
_DTYPE = torch.complex128  # everything is drawn in, or in its real dtype, and then rounded
_FAMILIES = ("polynomial", "moebius", "blaschke")


@checked
def random_network(
    seed: int,
    *,
    depth: int | None = None,
    dtype: torch.dtype = torch.complex64,
    coefficients: str = "complex",
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
        dtype: of the points, and of the parameters where they are complex.
        coefficients: one of `COEFFICIENTS`. Activations behind real coefficients are real on the
            real axis.
        activations: names in the catalogue or records to draw from; None is the whole catalogue
            and random members of its families (polynomials, Moebius maps, Blaschke products).
        blocks: kinds to draw from, of `BLOCKS`; None is all of them.

    Law: the same for the same arguments; in complex64 the rounding of that in complex128.
        `network.margin(points)` is at least 0.25, to rounding, and values are finite. With real
        coefficients real points have real values.

    Raises:
        ConfigError: depth below 1, nothing to draw from, or unknown coefficients.
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
    if coefficients not in COEFFICIENTS:
        raise ConfigError(
            f"random_network({coefficients=}): choose one of {', '.join(COEFFICIENTS)}"
        )
    draw = _Draw(seed, coefficients, activations, blocks)
    depth = draw.below(6) + 1 if depth is None else depth
    if depth < 1:
        raise ConfigError(f"random_network(depth={depth}): at least 1 block is needed")
    layers, shape = draw.layers(depth)
    network = nn.Sequential(*layers)
    points = _SCALE * draw.normal(_POINTS, *shape)
    draw.fill(network)
    with forward_hooks(layer.register_forward_hook(_scale) for layer in draw.unfollowed):
        nn.init.data_driven_(
            network, points, scale=_SCALE, clearance=_CLEARANCE, before=measure_input
        )
    return nn.to_precision(network, dtype), points.to(dtype)


class _Draw:
    """A stream of random choices, numbers, layers and weights.

    The layers that no activation follows are remembered in `unfollowed`.
    """

    def __init__(
        self,
        seed: int,
        coefficients: str,
        activations: Sequence[str | HolomorphicFunction] | None,
        blocks: Sequence[str] | None,
    ) -> None:
        self._generator = torch.Generator().manual_seed(seed)
        self._coefficients = coefficients
        self._real = coefficients != "complex"
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
        real_blocks = self.below(depth) + 1 if self._coefficients == "mixed" else depth
        vector = [block for block in self._blocks if block != "convolution"]
        wanted = "convolution" in self._blocks and (not vector or self.below(3) == 0)
        convolutions = (1 + self.below(min(depth, 2)) if vector else depth) if wanted else 0
        layers: list[torch_nn.Module] = []
        width = self.below(5) + 1
        shape: tuple[int, ...] = (width,)
        if convolutions:
            channels, side = self.below(2) + 1, 4
            shape = (channels, side, side)
            for number in range(convolutions):
                self._start_block(number, real_blocks)
                after = self.below(2) + 1
                layers += [self._convolution(channels, after), self._activation()]
                channels = after
            layers += [nn.AvgPool2d(2), nn.Flatten()]
            width = channels * (side // 2) ** 2
        for number in range(convolutions, depth):
            self._start_block(number, real_blocks)
            added, width = self._block(vector[self.below(len(vector))], width)
            layers += added
        self._start_block(depth, real_blocks)
        return [*layers, self._end(width, self.below(3) + 1)], shape

    def _start_block(self, number: int, real_blocks: int) -> None:
        """Mixed coefficients are complex from the block of number `real_blocks` on."""
        if self._coefficients == "mixed" and number == real_blocks:
            self._real = False

    @property
    def _dtype(self) -> torch.dtype:
        return real_dtype(_DTYPE) if self._real else _DTYPE

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
            return [self._linear(width, after), self._activation()], after
        if kind == "norm":
            norm = nn.FrozenNorm(after, dtype=self._dtype)
            return [self._linear(width, after), norm, self._activation()], after
        if kind == "residual":
            body = (self._linear(width, after), self._activation(), self._end(after, width))
            return [nn.Residual(nn.Sequential(*body))], width
        gate = nn.Sequential(self._linear(width, after), self._activation())
        return [nn.Product(gate, self._end(width, after))], after

    def _end(self, width: int, after: int) -> nn.Linear:
        self.unfollowed.append(self._linear(width, after))
        return self.unfollowed[-1]

    def _convolution(self, channels: int, after: int) -> nn.Conv2d:
        size = self.below(2) * 2 + 1
        layer = nn.Conv2d(
            channels, after, size, padding=size // 2, dtype=self._dtype, device="meta"
        )
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
        phase = float(turn[3])
        if self._real:
            a, b, c, d, phase = a.real, b.real, c.real, d.real, 0.0
        if family == "polynomial":
            return polynomial([a, 1 + b, c, d][: 3 + self.below(2)])
        if family == "moebius":
            return moebius(1 + a, b, c, 1)
        return blaschke([a, b + 0.3][: 1 + self.below(2)], phase)

    def _linear(self, before: int, after: int) -> nn.Linear:
        """A layer in empty memory: on the meta device no random number is drawn."""
        return nn.Linear(before, after, dtype=self._dtype, device="meta").to_empty(device="cpu")


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
