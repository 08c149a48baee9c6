"""Bounds of linear and quadratic forms over [-1, 1]^n or the unit ball, proved in float64.

A proof of B >= 0 is any matrix R: the form of B is |R^T t|^2 plus that of the residual B - R R^T,
whose moduli are summed. So a Cholesky factorization is verified by its residual, whatever the
algorithm that made it: the residual stands where Rump (2006) has a shift for all of them.

What is to be proved for the box comes from its semidefinite relaxation, in which vectors v_i of
length at most 1 stand for the entries of t. Coordinate descent turns one vector after another to
where the rest pulls it (the mixing method of Wang, Chang and Kolter 2017, arXiv 1706.00476). The
pull is the multiplier of the entry.
"""

import math
from abc import ABC, abstractmethod

import numpy as np
import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from holonet.certify.enclosure import EXACT
from holonet.functions.rounding import UNIT

__all__ = [
    "BALL",
    "CUBE",
    "Region",
    "dual_bound",
    "forms",
    "largest_moduli",
    "loewner",
    "loewner_weights",
    "residual",
]

Forms = Float64[Tensor, "forms n n"]
Vectors = Float64[Tensor, "forms n rank"]
Multipliers = Float64[Tensor, "forms n"]

_SWEEPS = 3
_PROPOSING = 9
_BISECTIONS = 20
_EXTRA = (1e-6, 1e-4, 1e-2)


def forms(weights: Float64[Tensor, "forms units"], columns: Float64[Tensor, "n units"]) -> Forms:
    """The symmetric matrix of sum_j w_j (g_j . t)^2 for each row of weights, rounded to nearest."""
    found = np.zeros((len(weights), len(columns), len(columns)))
    rows = np.ascontiguousarray(columns.T.numpy())
    for form, row in zip(found, weights.numpy(), strict=True):
        used = row.nonzero()[0]  # a convolution leaves most of them out
        own = rows[used]
        np.matmul(own.T, row[used, None] * own, out=form)
    upper = torch.from_numpy(found).triu_()
    return upper + upper.triu(1).mT


def largest_moduli(matrices: Forms) -> Float64[Tensor, "forms"]:
    """What each form is at most: the moduli beside the diagonal, and what is positive on it."""
    diagonal = matrices.diagonal(dim1=1, dim2=2)
    beside = matrices.abs().sum((1, 2)) - diagonal.abs().sum(1)
    total = beside.clamp(min=0) + diagonal.clamp(min=0).sum(1)
    # the sum of all moduli is rounded before a part of it is taken off
    return total + EXACT.gamma(matrices.shape[1] ** 2 + 8) * matrices.abs().sum((1, 2))


class Region(ABC):
    """Where t lies."""

    @abstractmethod
    def heights(self, rows: Float64[Tensor, "rows n"]) -> Float64[Tensor, "rows"]:
        """|row . t| at most, rounded to nearest."""

    @abstractmethod
    def total(self, weights: Float64[Tensor, "forms n"]) -> Float64[Tensor, "forms"]:
        """sum_i w_i t_i^2 for weights >= 0 at most, rounded to nearest."""

    @abstractmethod
    def proposed(self, matrices: Forms) -> tuple[Multipliers, Multipliers]:
        """Weights p that are near to diag(p) - Q >= 0, and what may be added in proportion."""

    @abstractmethod
    def relaxed(
        self, slopes: Float64[Tensor, "forms n"], matrices: Forms, vectors: Vectors | None
    ) -> tuple[Vectors, Multipliers]:
        """A step towards the least of sum_ik A_ik v_i . v_k + sum_i l_i v_i[0].

        Args:
            slopes, matrices: l and A.
            vectors: those of the last step, or None.

        Returns:
            The new ones, and D >= 0 such that A + D is near to positive semidefinite.
        """


class _Cube(Region):
    """[-1, 1]^n."""

    def heights(self, rows: Float64[Tensor, "rows n"]) -> Float64[Tensor, "rows"]:
        """At a corner."""
        return rows.abs().sum(1)

    def total(self, weights: Float64[Tensor, "forms n"]) -> Float64[Tensor, "forms"]:
        """At every corner."""
        return weights.sum(1)

    def proposed(self, matrices: Forms) -> tuple[Multipliers, Multipliers]:
        """Multipliers of the relaxation, and the norms of the rows."""
        norms = matrices.square().sum(2).sqrt()
        norms = norms + 1e-9 * norms.amax(1, keepdim=True) + 1e-200
        _, weights = _mixed(torch.zeros_like(norms), -matrices, None, _PROPOSING)
        return weights, norms

    def relaxed(
        self, slopes: Float64[Tensor, "forms n"], matrices: Forms, vectors: Vectors | None
    ) -> tuple[Vectors, Multipliers]:
        """By the mixing method."""
        return _mixed(slopes, matrices, vectors, _SWEEPS)


class _Ball(Region):
    """|t|_2 <= 1."""

    def heights(self, rows: Float64[Tensor, "rows n"]) -> Float64[Tensor, "rows"]:
        """In the direction of the row."""
        return rows.norm(dim=1) + 1e-150 * rows.shape[1]  # of squares that underflow

    def total(self, weights: Float64[Tensor, "forms n"]) -> Float64[Tensor, "forms"]:
        """At the largest weight."""
        return weights.amax(1)

    def proposed(self, matrices: Forms) -> tuple[Multipliers, Multipliers]:
        """All equal: the largest eigenvalue is the least bound."""
        ones = torch.ones_like(matrices[:, 0])
        return torch.zeros_like(ones), ones

    def relaxed(
        self, slopes: Float64[Tensor, "forms n"], matrices: Forms, vectors: Vectors | None
    ) -> tuple[Vectors, Multipliers]:
        """At once: one multiplier for all, for which the point of the least value has length 1."""
        del vectors
        values, bases = torch.linalg.eigh(matrices)
        pulls = (bases.mT @ slopes[:, :, None])[:, :, 0] / 2
        size = values.abs().amax(1, keepdim=True)
        low = (-values[:, :1]).clamp(min=0) + 1e-9 * size + 1e-200
        high = low + pulls.norm(dim=1, keepdim=True)
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            outside = (pulls / (values + middle)).square().sum(1, keepdim=True) > 1
            low, high = torch.where(outside, middle, low), torch.where(outside, high, middle)
        points = -bases @ (pulls / (values + high))[:, :, None]
        return points, high.expand_as(slopes)


CUBE, BALL = _Cube(), _Ball()


def loewner(matrices: Forms, region: Region = CUBE) -> Float64[Tensor, "forms"]:
    """What each form is at most in a region, by those weights; not below 0."""
    gamma = EXACT.gamma(matrices.shape[1] + 8)
    return region.total(loewner_weights(matrices, region)) * (1 + gamma)


def loewner_weights(matrices: Forms, region: Region = CUBE) -> Float64[Tensor, "forms n"]:
    """Weights p >= 0 with diag(p) - Q >= 0 for each form Q, 0 for entries that Q does not have.

    They are those that the region proposes, and as much of what may be added as the largest
    eigenvalue that is left asks for, and a thousandth: so a check that iterates longer, from
    another start, is not above them. Infinite where no factor was found.
    """
    whole = torch.zeros_like(matrices[:, 0])
    places, matrices = _compact(matrices)
    known = matrices.isfinite().all(2).all(1)
    matrices = torch.where(known[:, None, None], matrices, 0.0)
    weights, added = region.proposed(matrices)
    root = added.sqrt()
    rest = (matrices - torch.diag_embed(weights)) / root[:, :, None] / root[:, None, :]
    largest = torch.linalg.eigvalsh(rest)[:, -1:].clamp(min=0)
    proved = _weighed(matrices, weights + (largest * (1 + 1e-9) + 1e-3) * added)
    return whole.scatter(1, places, torch.where(known[:, None], proved, math.inf))


def _compact(
    matrices: Forms,
) -> tuple[Int64[Tensor, "forms own"], Float64[Tensor, "forms own own"]]:
    """Places of the entries that each form has, filled up to the same number, and what is there."""
    used = (matrices != 0).any(2)
    places = used.byte().topk(max(1, int(used.sum(1).max())), dim=1).indices
    rows = matrices.gather(1, places[:, :, None].expand(-1, -1, matrices.shape[2]))
    return places, rows.gather(2, places[:, None, :].expand(-1, places.shape[1], -1))


def _weighed(matrices: Forms, weights: Float64[Tensor, "forms n"]) -> Float64[Tensor, "forms n"]:
    """The weights, widened so far that a factor proves them to be no less than the form.

    What is left has at most the form of its row sums: 2 |t_i t_k| <= t_i^2 + t_k^2.
    """
    gap = torch.diag_embed(weights) - matrices
    factor, failed = torch.linalg.cholesky_ex(gap)
    total = weights + residual(gap, factor) + UNIT * gap.abs().sum(2)
    total = total * (1 + EXACT.gamma(matrices.shape[1] + 8))
    proved = (failed == 0) & total.isfinite().all(1)
    return torch.where(proved[:, None], total, math.inf)


def dual_bound(
    slope: Float64[Tensor, "n"],
    matrix: Float64[Tensor, "n n"],
    dual: Float64[Tensor, "n"],
    region: Region = CUBE,
) -> tuple[float, Float64[Tensor, "n"]]:
    """A lower bound of l . t + t^T A t in a region by a diagonal D >= 0 with A + D >= 0, and D.

    The least value is at least -|R^-1 l|^2 / 4 - sup t^T D t for A + D = R R^T. D is the proposed
    one, raised as far as the least eigenvalue asks for, and a little more: the best of a few.
    Minus infinity where no factor is found.
    """
    least = torch.linalg.eigvalsh(matrix + dual.diag())[0].item()
    size = max(1e-12, dual.abs().max().item())
    raised = [dual + max(0.0, -least) * 1.01 + extra * size for extra in _EXTRA]
    return max(((_dual_value(slope, matrix, d, region), d) for d in raised), key=lambda v: v[0])


def _dual_value(slope: Tensor, matrix: Tensor, dual: Tensor, region: Region = CUBE) -> float:
    """The bound by one D."""
    shifted = matrix + dual.diag()
    factor, failed = torch.linalg.cholesky_ex(shifted)
    if failed:
        return -math.inf
    factor = factor.tril()
    w = torch.linalg.solve_triangular(factor, -slope[:, None] / 2, upper=False)[:, 0]
    gamma = EXACT.gamma(len(slope) + 8)
    rest = (slope + 2 * (factor @ w)).abs() + gamma * (slope.abs() + 2 * factor.abs() @ w.abs())
    lost = w @ w + rest.sum() + region.total(_cost(dual, shifted)[None])[0]
    lost = lost + residual(shifted[None], factor[None])[0].sum()
    bound = -lost.item() * (1 + 4 * gamma)
    return -math.inf if math.isnan(bound) else bound


def _cost(dual: Tensor, shifted: Tensor) -> Tensor:
    """What t_i^2 D_i is at most, D with the rounding of A + D; a negative entry gives nothing."""
    return dual.clamp(min=0) + 2 * UNIT * shifted.diagonal().abs()


def residual(matrices: Forms, factors: Forms) -> Float64[Tensor, "forms n"]:
    """Row sums of the moduli of B - R R^T, rounded up; of B its lower and upper half are equal."""
    gamma, factors = EXACT.gamma(matrices.shape[1] + 8), factors.tril()
    found = (matrices - factors @ factors.mT).abs().sum(2)
    products = (factors.abs() @ factors.abs().sum(1)[:, :, None])[:, :, 0]
    total = found + gamma * (products + matrices.abs().sum(2))
    return total * (1 + EXACT.gamma(matrices.shape[1] ** 2 + 8)) + 1e-290


def _mixed(
    slopes: Float64[Tensor, "forms n"], matrices: Forms, vectors: Vectors | None, sweeps: int
) -> tuple[Vectors, Multipliers]:
    """Turn each vector to where it is best beside the others, in turn, and so on."""
    count, n = slopes.shape
    if vectors is None:  # with this many entries no minimum is a local one (Barvinok, Pataki)
        rank = math.isqrt(2 * n) + 2
        vectors = torch.randn(n, rank, generator=torch.Generator().manual_seed(0)).double()
        vectors = (vectors / vectors.norm(dim=1, keepdim=True)).repeat(count, 1, 1)
    v, half = vectors.clone().numpy(), slopes.numpy() / 2
    beside = matrices.numpy().copy()
    diagonal = np.einsum("fii->fi", beside).copy()
    np.einsum("fii->fi", beside)[:] = 0.0
    sizes = np.zeros_like(diagonal)
    for _ in range(sweeps):
        for i in range(n):
            pull = (beside[:, i, None] @ v)[:, 0]
            pull[:, 0] += half[:, i]
            sizes[:, i] = np.sqrt((pull * pull).sum(1))
            length = np.maximum(np.maximum(sizes[:, i], diagonal[:, i]), 1e-200)
            v[:, i] = pull / -length[:, None]
    return torch.from_numpy(v), torch.from_numpy(np.maximum(sizes - diagonal, 0.0))
