"""The balls of the threat models: norms, projections and maximizers of linear forms.

Everything here speaks of perturbations, as rows of a matrix (batch, entries). `bounds` is the box
as seen from the example: how far down (<= 0) and how far up (>= 0) each entry may go; None for no
box.
"""

import math
from abc import ABC, abstractmethod

import torch
from jaxtyping import Float, Inexact
from torch import Tensor

from holonet._types import Numbers
from holonet.calculus.examples import DUALS, lengths, steepest_directions

__all__ = ["Ball", "Bounds", "ComplexBall", "L1Ball", "L2Ball", "LinfBall", "Polydisc"]

Rows = Inexact[Tensor, "batch entries"]
RealRows = Float[Tensor, "batch entries"]
Bounds = tuple[RealRows, RealRows] | None
Shape = tuple[int, int]
Generator = torch.Generator | None


class Ball(ABC):
    """{delta: norm(delta) <= eps}, to be cut with a box."""

    is_complex = False
    order: str
    """The norm: "L1", "L2" or "Linf" of the moduli of the entries."""

    def norm(self, delta: Rows) -> Numbers:
        """The norm of each row."""
        return lengths(delta, self.order)

    def dual(self, gradient: Rows) -> Numbers:
        """The largest value of Re <gradient, delta> over rows delta of norm 1."""
        return lengths(gradient, DUALS[self.order])

    def steepest(self, gradient: Rows) -> Rows:
        """A row of norm 1 where that largest value is attained; 0 for a zero gradient."""
        return steepest_directions(gradient, DUALS[self.order])

    @abstractmethod
    def project(self, delta: Rows, eps: float, bounds: Bounds) -> Rows:
        """The nearest row of the ball of radius eps > 0 cut with the box."""

    @abstractmethod
    def linear_maximizer(self, gradient: Rows, eps: float, bounds: Bounds) -> Rows:
        """A row of the ball of radius eps > 0 cut with the box where <gradient, .> is largest."""

    @abstractmethod
    def uniform(self, shape: Shape, dtype: torch.dtype, generator: Generator) -> Rows:
        """Rows drawn uniformly from the ball of radius 1."""


class LinfBall(Ball):
    """Every entry moves at most eps."""

    order = "Linf"

    def project(self, delta: Rows, eps: float, bounds: Bounds) -> Rows:
        """Each entry by itself."""
        return _clip(delta.clamp(-eps, eps), bounds)

    def linear_maximizer(self, gradient: Rows, eps: float, bounds: Bounds) -> Rows:
        """The corner that the signs name."""
        return _clip(eps * self.steepest(gradient), bounds)

    def uniform(self, shape: Shape, dtype: torch.dtype, generator: Generator) -> Rows:
        """Each entry by itself."""
        return torch.rand(shape, generator=generator, dtype=dtype) * 2 - 1


class L2Ball(Ball):
    """The Euclidean length is at most eps."""

    order = "L2"

    def project(self, delta: Rows, eps: float, bounds: Bounds) -> Rows:
        """Shortened, and at the walls of the box where that leads outside of it."""
        inside = _clip(delta, bounds)
        outside = self.norm(inside)[:, None] > eps
        if bounds is None:
            return torch.where(outside, delta * (eps / self.norm(delta))[:, None], inside)
        return torch.where(outside, _stretched(delta, eps, bounds), inside)

    def linear_maximizer(self, gradient: Rows, eps: float, bounds: Bounds) -> Rows:
        """Along the gradient to the sphere, sliding along the walls on the way."""
        if bounds is None:
            return eps * self.steepest(gradient)
        corner = gradient.sign() * _reach(gradient, bounds)
        fits = self.norm(corner)[:, None] <= eps
        return torch.where(fits, corner, _stretched(gradient, eps, bounds))

    def uniform(self, shape: Shape, dtype: torch.dtype, generator: Generator) -> Rows:
        """A direction of a normal vector and a radius, whose power of the dimension is uniform."""
        normal = torch.randn(shape, generator=generator, dtype=dtype)
        radius = torch.rand(shape[0], 1, generator=generator, dtype=dtype.to_real())
        dimension = shape[1] * (2 if dtype.is_complex else 1)
        return self.steepest(normal) * radius ** (1 / dimension)


class L1Ball(Ball):
    """The moduli of all entries add up to at most eps."""

    order = "L1"

    def project(self, delta: Rows, eps: float, bounds: Bounds) -> Rows:
        """Every modulus shortened by one threshold for the row, then cut to the box."""
        inside = _clip(delta, bounds)
        outside = self.norm(inside)[:, None] > eps
        kept = _kept(delta.abs(), _reach(delta, bounds), eps)
        return torch.where(outside, delta.sign() * kept, inside)

    def linear_maximizer(self, gradient: Rows, eps: float, bounds: Bounds) -> Rows:
        """The steepest entries first, each as far as the box allows, until eps is used up."""
        order = gradient.abs().argsort(dim=1, descending=True, stable=True)
        reach = _reach(gradient, bounds).gather(1, order)
        used = torch.cat([torch.zeros_like(reach[:, :1]), reach[:, :-1]], 1).cumsum(1)
        taken = (eps - used).clamp(min=0).minimum(reach)
        return gradient.sign() * torch.zeros_like(gradient).scatter(1, order, taken)

    def uniform(self, shape: Shape, dtype: torch.dtype, generator: Generator) -> Rows:
        """Shares of a stick broken in entries + 1 pieces, the last left out, with random signs."""
        sign = torch.randint(2, shape, generator=generator) * 2 - 1
        pieces = torch.empty(shape[0], shape[1] + 1, dtype=dtype).exponential_(generator=generator)
        return sign * (pieces / pieces.sum(1, keepdim=True))[:, :-1]


class Polydisc(LinfBall):
    """Every complex entry moves at most eps, in any direction of the plane."""

    is_complex = True

    def project(self, delta: Rows, eps: float, bounds: Bounds) -> Rows:
        """Each entry by itself."""
        size = delta.abs()
        return torch.where(size > eps, delta * (eps / size), delta)

    def uniform(self, shape: Shape, dtype: torch.dtype, generator: Generator) -> Rows:
        """Each entry by itself: a uniform angle and a radius whose square is uniform."""
        angle, square = torch.rand(2, *shape, generator=generator, dtype=dtype.to_real())
        return torch.polar(square.sqrt(), 2 * math.pi * angle)


class ComplexBall(L2Ball):
    """The Euclidean length of the complex perturbation is at most eps."""

    is_complex = True


def _clip(delta: Rows, bounds: Bounds) -> Rows:
    return delta if bounds is None else delta.clamp(*bounds)


def _reach(direction: RealRows, bounds: Bounds) -> RealRows:
    """How far each entry may go in this direction; 0 where there is none."""
    if bounds is None:
        far = torch.full_like(direction, math.inf)
    else:
        far = torch.where(direction > 0, bounds[1], -bounds[0])
    return far.masked_fill(direction == 0, 0)


def _stretched(direction: RealRows, eps: float, bounds: Bounds) -> RealRows:
    """The multiple of the direction that has Euclidean length eps once cut to the box.

    As the multiple grows, the entries reach their walls one after another; between two such
    moments the squared length is that of the entries at rest plus a square in the multiple. The
    moments are sorted, so that the multiple comes from one division. What rounding makes too long
    is taken from the entries that do not rest at a wall.
    """
    size = direction.abs()
    size = size / size.amax(1, keepdim=True).clamp(min=torch.finfo(size.dtype).tiny)
    reach = _reach(direction, bounds) / eps
    moment = (reach / size).masked_fill(size == 0, math.inf)
    order = moment.argsort(1)
    moment, ends, slopes = (v.gather(1, order) for v in (moment, reach.square(), size.square()))
    resting = torch.cat([torch.zeros_like(ends[:, :1]), ends[:, :-1]], 1).cumsum(1)
    moving = slopes.flip(1).cumsum(1).flip(1)
    squared = (resting + moment.square() * moving).nan_to_num(math.inf, math.inf)
    k = (squared < 1).sum(1, keepdim=True).clamp(max=size.shape[1] - 1)
    multiple = ((1 - resting.gather(1, k)) / moving.gather(1, k)).clamp(min=0).sqrt()
    cut = (multiple * size).masked_fill(size == 0, 0).minimum(reach)
    rests = cut >= reach
    left = 1 - cut.masked_fill(~rests, 0).square().sum(1, keepdim=True)
    loose = cut.masked_fill(rests, 0).square().sum(1, keepdim=True)
    share = (left.clamp(min=0) / loose.clamp(min=torch.finfo(size.dtype).tiny)).sqrt().clamp(max=1)
    far = _reach(direction, bounds)
    return direction.sign() * torch.where(rests, far, (eps * share * cut).minimum(far))


def _kept(size: RealRows, reach: RealRows, eps: float) -> RealRows:
    """min(max(size - tau, 0), reach) for the threshold tau for which it adds up to eps.

    As tau falls from the largest size, entries start where tau passes their size and rest when
    they have gone as far as their reach; between two such moments the sum is linear. The moments
    are sorted, and counted from the largest size that can move, so that an eps far below the
    sizes is not lost to rounding. A last Newton step from the exact sum takes out what the running
    sums have lost, and the entries that do not rest at a wall share what is left after that.
    """
    depth = size.masked_fill(reach == 0, 0).amax(1, keepdim=True) - size
    moments, order = torch.cat([depth, depth + reach], 1).sort(1)
    change = torch.cat([torch.ones_like(size), -torch.ones_like(size)], 1)
    moving = change.gather(1, order).cumsum(1)
    gains = moving[:, :-1] * (moments[:, 1:] - moments[:, :-1])
    total = torch.cat([torch.zeros_like(gains[:, :1]), gains], 1).cumsum(1)
    k = (total < eps).sum(1, keepdim=True) - 1
    level = moments.gather(1, k) + (eps - total.gather(1, k)) / moving.gather(1, k).clamp(min=1)
    kept = (level - depth).clamp(min=0).minimum(reach)
    free = ((kept > 0) & (kept < reach)).sum(1, keepdim=True).clamp(min=1)
    level = level + (eps - kept.sum(1, keepdim=True)) / free
    kept = (level - depth).clamp(min=0).minimum(reach)
    loose = kept.masked_fill(kept >= reach, 0)
    left = eps - (kept - loose).sum(1, keepdim=True)
    share = left / loose.sum(1, keepdim=True).clamp(min=torch.finfo(size.dtype).tiny)
    return (kept - loose + loose * share.clamp(0, 2)).minimum(reach)
