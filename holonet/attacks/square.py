"""The Square attack: random search with square windows, which asks for logits only."""

import math
from abc import ABC, abstractmethod

import torch
from torch.nn import functional

from holonet._arguments import checked
from holonet._types import AnyTensor, GivenLabels, GivenPoints, IntTensor, RealTensor
from holonet.attacks.image_box import on_image_box
from holonet.attacks.objectives import Model
from holonet.attacks.result import AttackResult
from holonet.attacks.search import WorstPoints, where_examples
from holonet.errors import ConfigError
from holonet.threats import ThreatModel

__all__ = ["square"]

HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)  # of p, in units of 1/10000 of queries


@checked
@on_image_box
@torch.no_grad()
def square(
    model: Model,
    x: GivenPoints,
    y: GivenLabels,
    threat: ThreatModel,
    *,
    queries: int = 5000,
    p_init: float | int = 0.8,
    seed: int = 0,
) -> AttackResult:
    """Change a random square of the perturbation, and keep the change if the margin falls.

    In Linf and the polydisc each channel of a square moves to one extreme value, plus or minus
    eps or a random phase of modulus eps. In L2, L1 and the complex ball a square takes the length
    of a second one, in the pattern of two opposite bumps. No gradient is used, so that masking
    one does not help. An example that is broken is left alone.

    The last two axes of an example are its height and width, those before them channels. A flat
    example is one row, and its squares are intervals.

    Args:
        model, x, y, threat: as in `pgd`.
        queries: perturbed points tried for each example, at most.
        p_init: share of the image that the first squares cover; it is halved on the paper's
            schedule, compressed to the number of queries.
        seed: of all random numbers, which are drawn for all examples of a batch at once: the
            result depends on the batch that an example is in.

    Law: x_adv is in the threat set; the margin is at most the clean one; the model is asked at
        most queries + 1 times.

    Raises:
        ConfigError: queries below 1, p_init not in (0, 1].
        DomainError, InputTypeError, ShapeError: as `pgd`.

    References:
        Andriushchenko et al. (2020); Croce and Hein (2021) for L1.
    """
    if queries < 1 or not 0 < p_init <= 1:
        raise ConfigError(
            f"square(queries={queries}, p_init={p_init}): at least 1 query, p_init in (0, 1]"
        )
    worst = WorstPoints(model, x, y, threat)
    generator = torch.Generator().manual_seed(seed)
    images = _images(worst.x)
    if threat.norm in ("Linf", "polydisc"):
        windows: _Windows = _Corners(images, threat.eps, generator)
    else:
        windows = _Bumps(images, threat.eps, generator, order=1 if threat.norm == "L1" else 2)
    point = threat.project(images + windows.start(), images)
    least = torch.full_like(worst.margin, torch.inf)  # of the perturbed points alone
    for query in range(queries):
        robust = worst.robust
        if not len(robust):
            break
        origin, goal, candidate = images[robust], worst.goal.at(robust), point[robust]
        if query:
            share = p_init / 2 ** sum(10000 * query > k * queries for k in HALVINGS)
            moved = windows.propose(candidate - origin, robust, share)
            candidate = threat.project(origin + moved, origin)
        perturbed = candidate.view(-1, *x.shape[1:])
        margin = goal.margin(worst.logits_at(perturbed, goal.y))
        point[robust] = where_examples(margin < least[robust], candidate, point[robust])
        least[robust] = least[robust].minimum(margin)
        worst.update(robust, perturbed, margin)
    return worst.result()


class _Windows(ABC):
    """Random changes of perturbations (batch, channels, height, width), drawn for all at once."""

    least = 1  # side of the smallest window

    def __init__(self, images: AnyTensor, eps: float, generator: torch.Generator) -> None:
        self.images, self.eps, self.generator = images, eps, generator
        self.count, self.channels, self.height, self.width = images.shape

    @abstractmethod
    def start(self) -> AnyTensor:
        """The first perturbation of every example."""

    @abstractmethod
    def propose(self, delta: AnyTensor, robust: IntTensor, share: float) -> AnyTensor:
        """A change of the perturbations of the examples `robust`, on that share of the image."""

    def units(self, height: int = 1, width: int = 1) -> AnyTensor:
        """Random signs, for complex examples phases, of this shape in each channel."""
        shape = (self.count, self.channels, height, width)
        if self.images.is_complex():
            turns = torch.rand(shape, generator=self.generator, dtype=torch.float64)
            return torch.polar(torch.ones_like(turns), 2 * math.pi * turns).to(self.images)
        return (torch.randint(2, shape, generator=self.generator) * 2 - 1).to(self.images)

    def sides(self, share: float) -> tuple[int, int]:
        """Height and width of a square that covers this share, of a rectangle if it must be."""
        area, short = share * self.height * self.width, min(self.height, self.width)
        side = max(round(math.sqrt(area)), self.least)
        if side <= short:
            return side, side
        long = min(max(round(area / short), self.least), max(self.height, self.width))
        return (short, long) if self.height <= self.width else (long, short)

    def place(self, robust: IntTensor, height: int, width: int) -> tuple[IntTensor, ...]:
        """The index of one random window of this size in each of the examples `robust`."""
        corners = [
            torch.randint(whole - side + 1, (self.count,), generator=self.generator)
            for whole, side in ((self.height, height), (self.width, width))
        ]
        top, start = (corner.to(robust.device)[robust] for corner in corners)
        rows = top[:, None] + torch.arange(height, device=robust.device)
        columns = start[:, None] + torch.arange(width, device=robust.device)
        example = torch.arange(len(robust), device=robust.device)[:, None, None, None]
        channel = torch.arange(self.channels, device=robust.device)[None, :, None, None]
        return example, channel, rows[:, None, :, None], columns[:, None, None, :]


class _Corners(_Windows):
    """Entries at their extreme values: vertical stripes first, then one value to each window."""

    def start(self) -> AnyTensor:
        return (self.eps * self.units(width=self.width)).expand_as(self.images)

    def propose(self, delta: AnyTensor, robust: IntTensor, share: float) -> AnyTensor:
        window = self.place(robust, *self.sides(share))
        moved = delta.clone()
        moved[window] = (self.eps * self.units()[robust]).expand_as(moved[window])
        return moved


class _Bumps(_Windows):
    """Length eps, spread over tiles of opposite bumps first, then moved between windows.

    The smallest window of the paper has side 3; on images of 8 x 8, side 2 breaks more.
    """

    least = 2

    def __init__(
        self, images: AnyTensor, eps: float, generator: torch.Generator, *, order: int
    ) -> None:
        super().__init__(images, eps, generator)
        self.order = order

    def start(self) -> AnyTensor:
        height, width = max(self.height // 5, 1), max(self.width // 5, 1)
        down, across = self.height // height, self.width // width
        signs = self.units(down, across)
        tiles = signs.repeat_interleave(height, 2).repeat_interleave(width, 3)
        tiles = tiles * _bumps(height, width).repeat(down, across).to(self.images)
        empty = self.height - tiles.shape[2], self.width - tiles.shape[3]
        margins = (empty[1] // 2, empty[1] - empty[1] // 2, empty[0] // 2, empty[0] - empty[0] // 2)
        delta = functional.pad(tiles, margins)
        return delta * (self.eps / self._root(self._mass(delta, (1, 2, 3))))

    def propose(self, delta: AnyTensor, robust: IntTensor, share: float) -> AnyTensor:
        height, width = self.sides(share)
        filled, emptied = self.place(robust, height, width), self.place(robust, height, width)
        rest, old = delta.clone(), delta[filled]
        rest[filled] = rest[emptied] = 0
        spare = self.eps**self.order - self._mass(delta, (1, 2, 3))
        freed = self._mass(delta, (2, 3)) - self._mass(rest, (2, 3))
        budget = freed.clamp(min=0) + spare.clamp(min=0) / self.channels
        pattern = _bumps(height, width)
        if height == width:
            turned = torch.randint(2, (self.count, 1, 1, 1), generator=self.generator) == 1
            pattern = torch.where(turned, pattern.mT, pattern)[robust.cpu()]
        bumps = self._unit(pattern.to(self.images)) * self.units()[robust]
        mixed = bumps + self._unit(old)
        opposite = self._mass(mixed, (-2, -1)) < 1e-6  # then they turn over
        rest[filled] = self._unit(torch.where(opposite, bumps, mixed)) * self._root(budget)
        return rest

    def _mass(self, delta: AnyTensor, axes: tuple[int, ...]) -> RealTensor:
        return delta.abs().pow(self.order).sum(axes, keepdim=True)

    def _root(self, mass: RealTensor) -> RealTensor:
        return mass ** (1 / self.order)

    def _unit(self, windows: AnyTensor) -> AnyTensor:
        """Each channel at length 1, or 0 if it is."""
        return windows / self._root(self._mass(windows, (-2, -1))).clamp(min=1e-12)


def _bumps(height: int, width: int) -> RealTensor:
    """A positive and a negative bump side by side, along the longer side."""
    if height > width:
        return _bumps(width, height).mT
    left, right = _bump(height, width // 2), -_bump(height, width - width // 2)
    return torch.cat([left, right], 1)


def _bump(height: int, width: int) -> RealTensor:
    """Squares about the center on top of each other, the k-th of them of weight 1/k^2."""
    down = (torch.arange(height) - height // 2).abs()
    across = (torch.arange(width) - width // 2).abs()
    largest = max(height, width) // 2
    weights = 1 / torch.arange(1, largest + 2, dtype=torch.float64).square()
    return weights.flip(0).cumsum(0).flip(0)[torch.maximum(down[:, None], across[None])]


def _images(x: AnyTensor) -> AnyTensor:
    """The examples as (batch, channels, height, width)."""
    channels = math.prod(x.shape[1:-2])
    return x.reshape(len(x), channels, *((1, *x.shape[1:]) if x.ndim == 2 else x.shape[-2:]))
