"""Lower bounds of margins of second order, with products of two entries as entries of their own.

What a unit of the second layer of squares takes is center + row . t + h(t), and h = m + q . x is
linear in products of two entries: x_ik = t_i t_k and x_ii = 2 t_i^2 - 1, all in [-1, 1]. Let D > 0
be multipliers of x^2 <= 1, and R R^T >= q D^-1 q^T. Then q x = R v for a v with
|v|^2 <= x^T D x <= sum D, so that for any weights w and numbers s

    sum_j w_j (row_j . t + q_j . x - s_j)^2
        >= sum_j w_j (row_j . t + R_j . v - s_j)^2 + |v|^2 - sum D,

a form of t and v. It knows that not every unit can be bent as far as it can alone. D are diagonal
multipliers of degree 4 in the hierarchy of Lasserre (2001).
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Float64
from torch import Tensor
from torch.nn.functional import normalize

from holonet.certify.enclosure import EXACT
from holonet.certify.expansion import Expansion
from holonet.certify.quadratic import CUBE, dual_bound, forms, residual
from holonet.certify.saddle import Proof, rounded_down
from holonet.certify.shares import shares_for, split

__all__ = ["by_products"]

_ROUNDS = 8
_MOST_FREE = 128
_ROOM = 1e-6
"""What q D^-1 q^T gets in proportion to its diagonal, so that a Cholesky factor is an R."""
_POWERS, _RANK = 6, 16
_LEAST = 0.2
"""Eigenvalue of 1 + R^T w R, at least."""
_STEP = 0.3
"""Power of the step of multipliers."""
_SETTLING = 12

Units = Float64[Tensor, "units"]
Second = Float64[Tensor, "second"]
Square = Float64[Tensor, "second second"]
Products = Float64[Tensor, "products"]
Points = Float64[Tensor, "n rank"]


def by_products(e: Expansion, k: int, proof: Proof) -> tuple[float, Proof]:
    """A lower bound of the margin k on a box, from the shares and offsets of another proof.

    The first one that is positive, or else the last. Minus infinity where there is none: in a ball,
    with one layer of squares, or with more than 128 free entries.
    """
    bound = -math.inf
    known = e.region is CUBE and e.bent is not None and len(e.free) <= _MOST_FREE
    if not known or not e.bent.isfinite().all():
        return bound, proof
    lift = _Lift.of(e.at(k, proof.offsets), proof.shares)
    multipliers, vectors, means = lift.start(proof.shares), None, None
    for step in range(_ROUNDS):
        if (factor := lift.factor(multipliers)) is None:
            break
        multipliers, factor, answer = lift.least(multipliers, factor)
        number, slope, matrix = lift.form(factor @ answer)
        vectors, duals = CUBE.relaxed(slope[None], matrix[None], vectors)
        points = vectors[0]
        value = number - multipliers.sum() + slope @ points[:, 0]
        value = (value + (points * (matrix @ points)).sum()).item()
        if step and (value > 0 or step == _ROUNDS - 1):
            dual = _settled(slope, matrix, vectors, duals, abs(value) / 4)
            bound, dual = lift.proved(multipliers, dual)
            proof = Proof(lift.shares, lift.e.offsets, dual, multipliers)
            if bound > 0:
                break
        found = lift.means(points, factor @ answer)
        means = found if means is None else (means + found) / 2
        multipliers = lift.stepped(multipliers, factor, answer, points)
        lift = lift.at(*means, factor @ answer)
    return bound, proof


def _settled(
    slope: Tensor, matrix: Tensor, vectors: Tensor, duals: Tensor, tolerance: float
) -> Float64[Tensor, "n"]:
    """Multipliers of t, after steps until what they lack for a proof costs little, and that."""
    for _ in range(_SETTLING):
        lacking = max(0.0, -torch.linalg.eigvalsh(matrix + duals[0].diag())[0].item())
        if lacking * len(slope) < tolerance:
            break
        vectors, duals = CUBE.relaxed(slope[None], matrix[None], vectors)
    return duals[0] + 1.01 * lacking


@dataclass(frozen=True, eq=False)
class _Lift:
    """A margin, with its units of the second layer as row . t + q . x - s.

    Args:
        e: the margin.
        bends, middles: q and m of these units.
        shares: of the squares of all units, for what is not known of h.
    """

    e: Expansion
    bends: Float64[Tensor, "second products"]
    middles: Second
    shares: Units

    @classmethod
    def of(cls, e: Expansion, shares: Units) -> "_Lift":
        """Of an expansion of one margin, with shares of all that is not known of h."""
        count, n = e.bent.shape[:2]
        first, second = torch.triu_indices(n, n)
        bends = e.bent[:, first, second] * torch.where(first < second, 2.0, 0.5)
        middles = e.bent.diagonal(dim1=1, dim2=2).sum(1) / 2
        known = e.rest / e.reach[:count].clamp(min=1e-150)
        return cls(e, bends, middles, torch.cat([shares[:count] * known, shares[count:]]))

    @cached_property
    def split(self) -> tuple[Units, Tensor]:
        """Weights of the squares of all units without what the shares take, and what they cost."""
        reach = torch.cat([self.e.rest, self.e.reach[len(self.middles) :]])
        (weights,), (lost,) = split(self.e.weights, reach, self.shares[None])
        return weights, lost

    def at(self, values: Second, bends: Second, energies: Second, gained: Square) -> "_Lift":
        """The margin at the best s and shares for these means.

        Args:
            values, bends, energies: the means.
            gained: R answer of `least`, with which w gained is what v takes off the form.
        """
        count = len(values)
        own, whole = self.split[0][:count], self.e.weights[0, :count]
        room = (whole - own).abs() + 1e-6 * own.abs() + 1e-9 * own.abs().max() + 1e-200
        away = values + torch.linalg.solve(own[:, None] * gained + room.diag(), whole * bends)
        offsets = torch.cat([away + self.middles, self.e.offsets[count:]])
        (shares,) = shares_for(whole[None], self.e.rest, energies)
        shares = torch.cat([shares, self.shares[count:]])
        return replace(self, e=self.e.at(0, offsets), shares=shares)

    @property
    def away(self) -> Units:
        """The numbers s."""
        count = len(self.middles)
        return torch.cat([self.e.offsets[:count] - self.middles, self.e.offsets[count:]])

    def start(self, shares: Units) -> Products:
        """Multipliers of squares of the bends by themselves, as shares would weigh them."""
        count = len(self.middles)
        price = self.split[0][:count].abs() * (1 + 1 / shares[:count])
        columns = self.bends * price.sqrt()[:, None]
        vectors = torch.randn(columns.shape[1], _RANK, generator=torch.Generator().manual_seed(0))
        vectors = vectors.double()
        for _ in range(_POWERS):
            vectors = columns.mT @ (columns @ normalize(vectors, dim=1, eps=1e-200))
        sizes = vectors.norm(dim=1)
        sizes = sizes + 1e-3 * sizes.mean() + 1e-200
        return sizes * torch.linalg.eigvalsh((columns / sizes) @ columns.mT)[-1]

    def factor(self, multipliers: Products) -> Square | None:
        """R with q D^-1 q^T <= R R^T, proved in float64; None where it is not."""
        if not multipliers.min() > 0:
            return None
        gram = forms(1 / multipliers[None], self.bends)[0]
        room = _ROOM * gram.diagonal().mean()
        gap = gram + room * torch.eye(len(gram)).double()
        factor, failed = torch.linalg.cholesky_ex(gap)
        sizes = self.bends.abs() / multipliers @ self.bends.abs().sum(0)
        rounded = EXACT.gamma(len(multipliers) + 16) * sizes
        known = failed == 0 and (residual(gap[None], factor[None])[0] + rounded).max() < room / 2
        return factor if known else None

    def least(self, multipliers: Products, factor: Square) -> tuple[Products, Square, Square]:
        """D and R scaled so that the form has a least point v, and -v by row . t - s."""
        own = self.split[0][: len(factor)]
        inner = factor.mT @ (own[:, None] * factor)
        grown = max(1.0, -torch.linalg.eigvalsh(inner)[0].item() / (1 - _LEAST))
        factor, inner = factor / math.sqrt(grown), inner / grown
        answer = torch.linalg.solve(torch.eye(len(own)).double() + inner, factor.mT * own)
        return multipliers * grown, factor, answer

    def form(self, gained: Square) -> tuple[Tensor, Float64[Tensor, "n"], Float64[Tensor, "n n"]]:
        """Number, slope and matrix of the form of t that is left at the least point v."""
        count = len(gained)
        weights, lost = self.split
        taken = weights[:count, None] * gained
        whole = weights.diag()
        whole[:count, :count] -= (taken + taken.mT) / 2
        pulled = whole @ self.away
        return (
            self.e.constant[0] + self.away @ pulled - lost,
            self.e.slope[0] - 2 * pulled @ self.e.rows,
            self.e.lower[0] + self.e.rows.mT @ (whole @ self.e.rows),
        )

    def means(self, points: Points, gained: Square) -> Float64[Tensor, "3 second"]:
        """Of row . t, of q . x, and of the squares of row . t + R v - s, at the least point."""
        count = len(gained)
        values = self.e.rows[:count] @ points
        bends = self.e.bends(points)[:count] - self.middles
        away = values.clone()
        away[:, 0] -= self.away[:count]
        return torch.stack([values[:, 0], bends, (away - gained @ away).square().sum(1)])

    def stepped(
        self,
        multipliers: Products,
        factor: Square,
        answer: Square,
        points: Points,
    ) -> Products:
        """Multipliers nearer to those for which x^2 is 1 where the form is least."""
        count = len(factor)
        away = self.e.rows[:count] @ points
        away[:, 0] -= self.away[:count]
        v = torch.linalg.solve_triangular(factor.mT, answer @ away, upper=True)
        sizes = (self.bends.mT @ v).norm(dim=1) / multipliers
        multipliers = multipliers * sizes.clamp(0.5, 2) ** _STEP
        return multipliers.clamp(min=1e-4 * multipliers.mean())

    def proved(self, multipliers: Products, dual: Tensor) -> tuple[float, Tensor]:
        """What multipliers of x and of t prove, and the dual point of the form of t and v."""
        if (factor := self.factor(multipliers)) is None:
            return -math.inf, dual
        e, count, n = self.e, len(factor), len(self.e.free)
        weights, lost = self.split
        total = multipliers.sum() * (1 + EXACT.gamma(len(multipliers)))
        length = total.sqrt() * (1 + EXACT.gamma(4))  # of v, at most
        rows = torch.zeros(len(e.rows), n + count).double()
        rows[:, :n], rows[:count, n:] = e.rows, length * factor
        slope = torch.cat([e.slope[0], 0 * rows[0, n:]])
        slope = slope - 2 * (weights * self.away) @ rows
        matrix = torch.block_diag(e.lower[0], total * torch.eye(count).double())
        matrix = matrix + forms(weights[None], rows.mT)[0]
        least, dual = dual_bound(slope, matrix, torch.cat([dual, 0 * rows[0, n:]]))
        sizes = rows.abs().sum(1) + e.offsets.abs() + self.away.abs()
        sizes[:count] += e.bent.diagonal(dim1=1, dim2=2).abs().sum(1)
        rounded = EXACT.gamma(8 * (len(rows) + n + count + 64))
        numbers = (
            e.constant[0],
            weights @ self.away.square(),
            -lost,
            -total,
            -rounded * weights.abs() @ sizes.square(),
            slope.new_tensor(least),
        )
        return rounded_down(*(number[None] for number in numbers)).item(), dual
