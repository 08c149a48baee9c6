"""What the stochastic penalties share: which examples are probed, and along which directions."""

import math
from abc import abstractmethod

import torch
from torch import Tensor

from holonet._types import Labels, Numbers, Points, Scalar, TensorFunction, Values
from holonet.calculus import Probes
from holonet.errors import ConfigError, InputTypeError
from holonet.regularizers.regularizer import Regularizer

__all__ = [
    "SampledRegularizer",
    "ThinnedProbes",
    "require_complex_points",
    "require_complex_values",
    "sphere_directions",
    "unit_directions",
]


class SampledRegularizer(Regularizer):
    """The mean over the batch of a number for each example, exact or estimated without bias.

    Args:
        count: independent estimates, averaged; None for the exact mode, on every example.
        every: size of the groups of which one example, chosen at random, is probed; 1 for all.
            A batch smaller than that has one of its examples probed.

    Law: the mean over probes does not depend on `count` or `every`.

    Raises:
        ConfigError: `count` or `every` below 1.
    """

    at_complex_points = False
    """Whether real points are refused."""

    def __init__(self, count: int | None, every: int) -> None:
        name = type(self).__name__
        if count is not None and count < 1:
            raise ConfigError(f"{name}(count={count}): at least 1, or None for exact")
        if every < 1:
            raise ConfigError(
                f"{name}(every={every}): at least 1, which probes every example; k probes one of "
                "every k examples"
            )
        self.count = count
        self.every = every

    def value_and_penalty(
        self, f: TensorFunction, z: Points, probes: Probes | None = None
    ) -> tuple[Values, Scalar]:
        """f(z), and the penalty averaged over the batch."""
        penalty = self(f, z, probes)
        return f(z.clone()), penalty

    def _penalty(self, f: TensorFunction, z: Tensor, probes: Probes | None) -> Scalar:
        """The penalty averaged over the batch, 0 for no examples; f never sees all of z."""
        if self.at_complex_points:
            require_complex_points(z, type(self).__name__)
        if not len(z):
            return torch.zeros((), dtype=z.dtype.to_real(), device=z.device)
        if self.count is None:
            return self._exact(f, z).mean()
        probes = Probes() if probes is None else probes
        draws = [self._draw(f, z, probes) for _ in range(self.count)]
        return torch.stack(draws).mean()

    def _draw(self, f: TensorFunction, z: Points, probes: Probes) -> Scalar:
        thinned = ThinnedProbes(probes, len(z), self.every)
        rows, weights = thinned.choose()
        each = self._estimate(f, z[rows.to(z.device)], thinned)
        return (weights.to(each) * each).sum()

    @abstractmethod
    def _exact(self, f: TensorFunction, z: Points) -> Numbers:
        """The penalty of each example."""

    @abstractmethod
    def _estimate(self, f: TensorFunction, z: Points, probes: Probes) -> Numbers:
        """An unbiased estimate of the penalty of each example."""


class ThinnedProbes(Probes):
    """Directions for one example of every few, drawn for no more than those.

    Consecutive examples form groups of `every` (the last takes in the remainder), and one example
    stands for its group. The entries that a group's examples draw together are its direction.

    Law: directions and chosen examples do not depend on how the batch is split over processes,
        as long as each part is a multiple of `every`.

    Args:
        probes: the source for the whole batch.
        examples: how many the batch has.
        every: the size of a group.
    """

    def __init__(self, probes: Probes, examples: int, every: int) -> None:
        self._source = probes
        self._examples = examples
        self._size = max(1, min(every, examples))
        self._groups = examples // self._size

    def choose(self) -> tuple[Labels, Numbers]:
        """A random example of each group, and the share of the batch that the group is."""
        groups, size = self._groups, self._size
        full = groups * size
        turns = self._source.like(torch.empty(self._examples, dtype=torch.complex64)).angle()
        grid = torch.full((groups, size + self._examples - full), math.inf)
        grid[:, :size] = turns[:full].view(groups, size)
        grid[-1:, size:] = turns[full:]
        weights = torch.full((groups,), size / max(self._examples, 1), dtype=torch.float64)
        weights[-1:] += (self._examples - full) / max(self._examples, 1)
        return grid.argmin(1) + size * torch.arange(groups), weights

    def like(self, z: Points) -> Points:
        """One direction for each chosen example, in the shape, dtype and device of z."""
        entries = math.prod(z.shape[1:])
        width = -(-entries // self._size)
        drawn = self._source.like(z.new_empty(self._examples, width))
        together = drawn[: self._groups * self._size].reshape(self._groups, self._size * width)
        return together[:, :entries].reshape(z.shape)


def sphere_directions(z: Points, probes: Probes) -> Points:
    """A direction for each example, uniform on the unit sphere of all its real coordinates.

    Normal variates by Box and Muller from the random phases of the probes, normalized.

    Law: Euclidean norm 1, and a distribution that no rotation changes.

    References:
        Box and Muller (1958).
    """
    entries = math.prod(z.shape[1:])
    pairs = entries if z.is_complex() else -(-entries // 2)
    dtype = torch.complex128 if z.dtype in (torch.float64, torch.complex128) else torch.complex64
    template = torch.empty(len(z), pairs, dtype=dtype)
    share = probes.like(template).angle() / (2 * math.pi) + 0.5
    info = torch.finfo(share.dtype)
    radius = (-2 * share.clamp(info.tiny, 1 - info.eps).log()).sqrt()
    normal = torch.view_as_real(radius * probes.like(template)).flatten(1)
    if not z.is_complex():
        normal = normal[:, :entries]
    unit = normal / torch.linalg.vector_norm(normal, dim=1, keepdim=True)
    if z.is_complex():
        unit = torch.view_as_complex(unit.unflatten(1, (entries, 2)))
    return unit.view(z.shape).to(z)


def unit_directions(z: Points) -> list[Points]:
    """The coordinate directions, each for the whole batch."""
    entries = math.prod(z.shape[1:])
    units = torch.eye(entries, dtype=z.dtype, device=z.device).view(entries, 1, *z.shape[1:])
    return [unit.expand_as(z) for unit in units]


def require_complex_points(z: Points, asked: str) -> None:
    """Complex points are needed: there is no df/dzbar along the real axis alone.

    Raises:
        InputTypeError: z is not complex.
    """
    if not z.is_complex():
        raise InputTypeError(
            f"{asked} at real points ({z.dtype}): complex ones are needed. If the model takes "
            "complex inputs, lift the points: z.to(torch.complex64). If it keeps real and "
            "imaginary parts in channels, read it as a complex function: "
            "calculus.complex_from_channels(model, axis=1). For a real model on real data there "
            "are LaplacianPenalty and MeanValuePenalty"
        )


def require_complex_values(value: Values, asked: str) -> None:
    """Complex values are needed: a real function is holomorphic only if it is constant.

    Raises:
        InputTypeError: the value is not complex.
    """
    if not value.is_complex():
        raise InputTypeError(
            f"{asked} of a real-valued function (values in {value.dtype}): it is holomorphic only "
            "if it is constant. Give the map in front of the readout, or ask for "
            "PluriharmonicPenalty, which is 0 where a real function is the real part of a "
            "holomorphic one"
        )
