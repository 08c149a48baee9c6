"""What a layer of squares takes on a set: linear parts, what these leave, and errors.

What a unit behind the first layer takes is center + rows . t + h. It is a sum of squares of the
layers below, with weights w, and h is the sum of w (u + g)^2 over these, u = rows . t of a unit
below and g its own h. Up to order 2 that is a form of t, linear in the products x_ik = t_i t_k and
x_ii = 2 t_i^2 - 1. Of the rest

    sum_j w_j (2 u_j g_j + g_j^2)

the first part is bilinear in t and x, t^T M x, where g is linear in x. For any D > 0 it is at most
the root of sum D times what the form of M D^-1 M^T is at most. The second part is between its sums
over positive and over negative w at the largest g.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float64
from torch import Tensor

from holonet.certify.enclosure import EXACT, Semantics
from holonet.certify.quadratic import Region, forms, loewner
from holonet.functions import get_function, rounding_bound

__all__ = ["Bends", "Layer"]

_WORK = 1e11
"""Multiplications that the bilinear forms of a layer may take, at most."""

Units = Float64[Tensor, "units"]


@dataclass(frozen=True, eq=False)
class Bends:
    """h = middles + rows . x to within rest, for the products x of two entries.

    Args:
        rows, middles, rest: as above, by units. Pairs of entries are those of `triu_indices`.
    """

    rows: Float64[Tensor, "units products"]
    middles: Units
    rest: Units

    def at(self, points: Float64[Tensor, "n rank"]) -> Units:
        """Rows . x where vectors stand for the entries."""
        first, second = _pairs(len(points))
        x = (points[first] * points[second]).sum(1)
        return self.rows @ torch.where(first < second, x, 2 * x - 1)

    @classmethod
    def joined(cls, parts: "Sequence[Bends]") -> "Bends":
        """Of several layers."""
        columns = zip(*((own.rows, own.middles, own.rest) for own in parts), strict=True)
        return cls(*map(torch.cat, columns))


class Layer:
    """What a layer of squares takes: center + rows . t + h to within `error`, |h| <= reach.

    Behind the first layer what is not known of h is a part of it, and there is no further error.

    Args:
        center, rows, reach, error: as above, by units.
        stored: how far the value of the affine layer in front is from that of the stored numbers.
        change: the distance from the center, by moduli alone.
        semantics: of the squares.
        region: where t lies.
        below: the layers below.
        pulled: the weights of their squares in each unit.
        rest: that part of h which no squares have, at most.
    """

    def __init__(
        self,
        center: Units,
        rows: Float64[Tensor, "units n"],
        reach: Units,
        error: Units,
        stored: Units,
        change: Units,
        semantics: Semantics,
        region: Region,
        below: "Sequence[Layer]",
        pulled: Sequence[Float64[Tensor, "units _"]],
        rest: Units,
    ) -> None:
        self.below, self.pulled, self.rest = below, pulled, rest
        self.center, self.rows, self.reach, self.error = center, rows, reach, error
        self.stored, self.change, self.region = stored, change, region
        self.gamma = EXACT.gamma(sum(rows.shape) + 8)
        self.heights = region.heights(rows) * (1 + self.gamma)
        beside = 2 * (self.heights + reach) * error + error.square()
        size = center.abs() + self.heights + reach + error
        rounded = _rounding(size, semantics)
        self.squares = size.square() + rounded
        """The squares, at most."""
        self.loss = beside + rounded
        """How far the squares are from those of center + rows . t + h."""
        self.spread = 2 * center.abs() * change + change.square() + rounded
        """How far the squares are from those of the center, by moduli alone."""

    def form(self, weights: Float64[Tensor, "forms units"]) -> Float64[Tensor, "forms n n"]:
        """The matrix of sum_j w_j (L_j t)^2 for each row of weights."""
        moved = self.heights > 0
        return forms(weights[:, moved], self.rows[moved].T)

    @cached_property
    def bends(self) -> "Bends":
        """What is not linear in the entries, by products of two of them."""
        pairs = list(zip(self.pulled, self.below, strict=True))
        matrices = torch.stack([z.form(w) for w, z in pairs]).sum(0)
        first, second = _pairs(matrices.shape[1])
        rows = matrices[:, first, second] * torch.where(first < second, 2.0, 0.5)
        middles, rest = matrices.diagonal(dim1=1, dim2=2).sum(1) / 2, self.rest
        for w, z in pairs[1:]:
            rest = rest + _crossed(w, z)
        return Bends(rows, middles, rest)


def _pairs(n: int) -> Tensor:
    return torch.triu_indices(n, n)


def _crossed(weights: Float64[Tensor, "forms units"], z: Layer) -> Float64[Tensor, "forms"]:
    """The moduli of the sums of w (2 u g + g^2), at most."""
    own, sizes = z.bends, weights.abs()
    largest = z.reach + own.rest
    crossed = 2 * sizes @ (z.heights * largest)
    if weights.numel() * own.rows.shape[1] * z.rows.shape[1] <= _WORK:
        crossed = torch.minimum(crossed, _bilinear(weights, z))
    up, down = (w.clamp(min=0) @ largest.square() for w in (weights, -weights))
    unknown = sizes @ (own.rest * (2 * z.heights + 2 * largest + own.rest))
    rounded = EXACT.gamma(8 * (len(largest) + sum(own.rows.shape) + 64))
    return (crossed + torch.maximum(up, down) + unknown) * (1 + rounded)


def _bilinear(weights: Float64[Tensor, "forms units"], z: Layer) -> Float64[Tensor, "forms"]:
    """Sums of 2 w u g at most; middles are the row of a product that is 1."""
    rows = torch.cat([z.bends.rows, z.bends.middles[:, None]], 1)
    matrices, prices = [], []
    for w in weights:
        used = w != 0
        matrix = (2 * w[used, None] * z.rows[used]).mT @ rows[used]
        price = matrix.norm(dim=0)
        price = price + 1e-3 * price.mean() + 1e-200
        matrices.append((matrix / price) @ matrix.mT)
        prices.append(price.sum())
    whole, total = torch.stack(matrices), torch.stack(prices)
    whole = (whole + whole.mT) / 2
    gamma = EXACT.gamma(8 * (len(z.rows) + sum(rows.shape) + 64))
    # prices are at least |column|_2 / sqrt(n) of the moduli: a rounded form is no further off
    rounded = gamma * whole.shape[1] ** 2 * total
    bound = (loewner(whole, z.region) + rounded) * total
    lost = gamma * 2 * weights.abs() @ (z.heights * rows.abs().sum(1))
    return bound.sqrt() * (1 + gamma) + lost


def _rounding(size: Float64[Tensor, "entries"], semantics: Semantics) -> Tensor:
    """What the executed squares of numbers of this size are wrong by."""
    if semantics.dtype is None:
        return torch.zeros_like(size)
    units = rounding_bound(get_function("square"), -size, size)
    return units * semantics.unit + semantics.tiny
