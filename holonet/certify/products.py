"""Lower bounds of margins of second order, with products of two entries as entries of their own.

What a unit behind the first layer of squares takes is center + row . t + h(t), and but for a rest
h = m + q . x is linear in products of two entries: x_ik = t_i t_k and x_ii = 2 t_i^2 - 1, all in
[-1, 1] (`certify.layer`). Let D > 0 be multipliers of x^2 <= 1, and R R^T >= q D^-1 q^T. Then
q x = R v for a v with |v|^2 <= x^T D x <= sum D, so that for any weights w and numbers s

    sum_j w_j (row_j . t + q_j . x - s_j)^2
        >= sum_j w_j (row_j . t + R_j . v - s_j)^2 + |v|^2 - sum D,

a form of t and v. It knows that not every unit can be bent as far as it can alone. D are diagonal
multipliers of degree 4 in the hierarchy of Lasserre (2001).
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Bool, Float64
from torch import Tensor
from torch.nn.functional import normalize

from holonet.certify.enclosure import EXACT
from holonet.certify.expansion import Expansion
from holonet.certify.layer import Bends
from holonet.certify.quadratic import CUBE, dual_bound, forms, residual
from holonet.certify.saddle import Proof, rounded_down
from holonet.certify.shares import shares_for, split

__all__ = ["by_products"]

_ROUNDS = 8
_MOST_FREE = 128
_LARGEST_RANK = 2048
_ROOM = 1e-6
"""What q D^-1 q^T gets in proportion to its diagonal, so that a Cholesky factor is an R."""
_POWERS, _RANK = 6, 16
_LEAST = 0.2
"""Eigenvalue of 1 + R^T w R, at least."""
_STEP = 0.3
"""Power of the step of multipliers."""
_SETTLING = 12

Units = Float64[Tensor, "units"]
Factor = Float64[Tensor, "units rank"]
Products = Float64[Tensor, "products"]
Points = Float64[Tensor, "n rank"]


def by_products(e: Expansion, k: int, proof: Proof) -> tuple[float, Proof]:
    """A lower bound of the margin k on a box, from the shares and offsets of another proof.

    The first one that is positive, or else the last. Minus infinity where there is none: in a ball,
    with one layer of squares, with more than 128 free entries, or with more than 2,048 units and
    products.
    """
    bound = -math.inf
    if e.region is not CUBE or len(e.free) > _MOST_FREE or not len(e.reach):
        return bound, proof
    bends = e.products
    if not bends.rows.isfinite().all():
        return bound, proof
    unknown = (bends.rest / e.reach.clamp(min=1e-150)).clamp(min=1e-30)
    lift = _Lift(e.at(k, proof.offsets), bends, proof.shares * unknown)
    if lift.rank > _LARGEST_RANK:
        return bound, proof
    multipliers, vectors, means = lift.start(proof.shares), None, None
    for step in range(_ROUNDS):
        if (factor := lift.factor(multipliers)) is None:
            break
        multipliers, least = lift.eliminated(multipliers, factor)
        number, slope, matrix = lift.form(least)
        vectors, duals = CUBE.relaxed(slope[None], matrix[None], vectors)
        points = vectors[0]
        value = number - multipliers.sum() + slope @ points[:, 0]
        value = (value + (points * (matrix @ points)).sum()).item()
        is_last = step == _ROUNDS - 1
        if step and (value > 0 or is_last):
            dual = _settled(slope, matrix, vectors, duals, abs(value) / 4)
            bound, dual = lift.proved(multipliers, dual)
            proof = Proof(lift.shares, lift.e.offsets, dual, multipliers)
            if bound > 0 or is_last:
                break
        found = lift.means(least, points)
        means = found if means is None else (means + found) / 2
        multipliers = lift.stepped(multipliers, least, points)
        lift = lift.at(means, least)
    return bound, proof


def _settled(
    slope: Tensor, matrix: Tensor, vectors: Tensor, duals: Tensor, tolerance: float
) -> Float64[Tensor, "n"]:
    """Multipliers of t, after steps until what they lack for a proof costs little, and that."""
    lacking = 0.0
    for step in range(_SETTLING):
        lacking = max(0.0, -torch.linalg.eigvalsh(matrix + duals[0].diag())[0].item())
        if lacking * len(slope) < tolerance or step == _SETTLING - 1:
            break
        vectors, duals = CUBE.relaxed(slope[None], matrix[None], vectors)
    return duals[0] + 1.01 * lacking


@dataclass(frozen=True, eq=False)
class _Least:
    """The form of t and v is least at v = -answer (row . t - s), answer = inner^-1 R^T w.

    Args:
        factor, weights: R, and w of the units.
        inner: 1 + R^T w R.
    """

    factor: Factor
    weights: Units
    inner: Float64[Tensor, "rank rank"]

    @cached_property
    def answer(self) -> Float64[Tensor, "rank units"]:
        """As above."""
        return torch.linalg.solve(self.inner, self.factor.mT * self.weights)

    def reached(self, away: Float64[Tensor, "units any"]) -> Float64[Tensor, "units any"]:
        """-R v for row . t - s."""
        return self.factor @ (self.answer @ away)

    def solved(self, diagonal: Units, right: Units) -> Units:
        """The solution u of (diag + w R inner^-1 R^T w) u = right, by the rank of R."""
        columns = self.weights[:, None] * self.factor
        scaled = columns / diagonal[:, None]
        small = torch.linalg.solve(self.inner + columns.mT @ scaled, scaled.mT @ right)
        return right / diagonal - scaled @ small


@dataclass(frozen=True, eq=False)
class _Lift:
    """A margin, with its units as row . t + q . x - s.

    Args:
        e: the margin.
        h: m, q and the rest.
        shares: of the squares, for the rest.
    """

    e: Expansion
    h: Bends
    shares: Units

    @cached_property
    def split(self) -> tuple[Units, Tensor]:
        """Weights of the squares of all units without what the shares take, and what they cost."""
        (weights,), (lost,) = split(self.e.weights, self.h.rest, self.shares[None])
        return weights, lost

    def at(self, means: Float64[Tensor, "3 units"], least: _Least) -> "_Lift":
        """The margin at the s and shares that are best for `means` and v."""
        values, bends, energies = means
        own, (whole,) = least.weights, self.e.weights
        room = (whole - own).abs() + 1e-6 * own.abs() + 1e-9 * own.abs().max() + 1e-200
        away = values + least.solved(room, whole * bends)
        (shares,) = shares_for(whole[None], self.h.rest, energies)
        return replace(self, e=self.e.at(0, away + self.h.middles), shares=shares)

    @property
    def away(self) -> Units:
        """The numbers s."""
        return self.e.offsets - self.h.middles

    def start(self, shares: Units) -> Products:
        """Multipliers of squares of the bends by themselves, as shares would weigh them."""
        price = self.split[0].abs() * (1 + 1 / shares)
        columns = self.h.rows * price.sqrt()[:, None]
        vectors = torch.randn(columns.shape[1], _RANK, generator=torch.Generator().manual_seed(0))
        vectors = vectors.double()
        for _ in range(_POWERS):
            vectors = columns.mT @ (columns @ normalize(vectors, dim=1, eps=1e-200))
        sizes = vectors.norm(dim=1)
        sizes = sizes + 1e-3 * sizes.mean() + 1e-200
        columns = columns / sizes.sqrt()
        columns = columns if len(columns) < len(sizes) else columns.mT
        return sizes * torch.linalg.eigvalsh(columns @ columns.mT)[-1]

    @cached_property
    def bent(self) -> Bool[Tensor, "units"]:
        """Which units have a bend at all."""
        return self.h.rows.any(1)

    @property
    def rank(self) -> int:
        """Of R: a Cholesky factor, or of fewer products than units q D^-1/2."""
        return min(self.h.rows.shape[1], int(self.bent.sum()))

    @property
    def has_factor(self) -> bool:
        """Whether R is a Cholesky factor."""
        return self.rank < self.h.rows.shape[1]

    def factor(self, multipliers: Products) -> Factor | None:
        """R with q D^-1 q^T <= R R^T, proved in float64; None where it is not."""
        if not multipliers.min() > 0:
            return None
        if not self.has_factor:
            return self.h.rows / multipliers.sqrt()
        bends = self.h.rows[self.bent]
        gram = forms(1 / multipliers[None], bends)[0]
        room = _ROOM * gram.diagonal().mean()
        gap = gram + room * torch.eye(len(gram)).double()
        root, failed = torch.linalg.cholesky_ex(gap)
        sizes = bends.abs() / multipliers @ bends.abs().sum(0)
        rounded = EXACT.gamma(len(multipliers) + 16) * sizes
        known = failed == 0 and (residual(gap[None], root[None])[0] + rounded).max() < room / 2
        if not known:
            return None
        factor = torch.zeros(len(self.h.rows), len(root)).double()
        factor[self.bent] = root
        return factor

    def eliminated(self, multipliers: Products, factor: Factor) -> tuple[Products, _Least]:
        """The least point v, with D and R scaled so that there is one."""
        own = self.split[0]
        inner = factor.mT @ (own[:, None] * factor)
        grown = max(1.0, -torch.linalg.eigvalsh(inner)[0].item() / (1 - _LEAST))
        inner = inner / grown + torch.eye(len(inner)).double()
        return multipliers * grown, _Least(factor / math.sqrt(grown), own, inner)

    def form(self, least: _Least) -> tuple[Tensor, Float64[Tensor, "n"], Float64[Tensor, "n n"]]:
        """Number, slope and matrix of the form of t that is left at the least point v."""
        weights, lost = self.split
        rows = torch.cat([self.away[:, None], self.e.rows], 1)
        pulled = weights[:, None] * (rows - least.reached(rows))
        whole = rows.mT @ pulled
        whole = (whole + whole.mT) / 2
        number = self.e.constant[0] + whole[0, 0] - lost
        return number, self.e.slope[0] - 2 * whole[0, 1:], self.e.lower[0] + whole[1:, 1:]

    def means(self, least: _Least, points: Points) -> Float64[Tensor, "3 units"]:
        """Of row . t, of q . x, and of the squares of row . t + R v - s, at the least point."""
        values, bends = self.e.rows @ points[:, 0], self.h.at(points)
        away = self._away_at(points)
        energies = (away - least.reached(away)).square().sum(1)
        return torch.stack([values, bends, energies])

    def stepped(self, multipliers: Products, least: _Least, points: Points) -> Products:
        """Multipliers nearer to those for which x^2 is 1 where the form is least."""
        v = least.answer @ self._away_at(points)
        if self.has_factor:
            root = least.factor[self.bent]
            moved = torch.linalg.solve_triangular(root.mT, v, upper=True)
            sizes = (self.h.rows[self.bent].mT @ moved).norm(dim=1) / multipliers
        else:
            sizes = v.norm(dim=1) / multipliers.sqrt()
        multipliers = multipliers * sizes.clamp(0.5, 2) ** _STEP
        return multipliers.clamp(min=1e-4 * multipliers.mean())

    def _away_at(self, points: Points) -> Float64[Tensor, "units rank"]:
        """Row . t - s of the units."""
        away = self.e.rows @ points
        away[:, 0] -= self.away
        return away

    def proved(self, multipliers: Products, dual: Tensor) -> tuple[float, Tensor]:
        """What multipliers of x and of t prove, and the dual point of the form of t and v."""
        if (factor := self.factor(multipliers)) is None:
            return -math.inf, dual
        e, n = self.e, len(self.e.free)
        rank = factor.shape[1]
        weights, lost = self.split
        total = multipliers.sum() * (1 + EXACT.gamma(len(multipliers)))
        length = total.sqrt() * (1 + EXACT.gamma(4))  # of v, at most
        rows = torch.cat([e.rows, length * factor], 1)
        slope = torch.cat([e.slope[0], 0 * rows[0, n:]])
        slope = slope - 2 * (weights * self.away) @ rows
        matrix = torch.block_diag(e.lower[0], total * torch.eye(rank).double())
        matrix = matrix + forms(weights[None], rows.mT)[0]
        least, dual = dual_bound(slope, matrix, torch.cat([dual, 0 * rows[0, n:]]))
        sizes = rows.abs().sum(1) + e.offsets.abs() + self.away.abs()
        sizes += 2 * self.h.rows.abs().sum(1) + self.h.middles.abs()
        rounded = EXACT.gamma(8 * (len(rows) + n + rank + 64))
        numbers = (
            e.constant[0],
            weights @ self.away.square(),
            -lost,
            -total,
            -rounded * weights.abs() @ sizes.square(),
            slope.new_tensor(least),
        )
        return rounded_down(*(number[None] for number in numbers)).item(), dual
