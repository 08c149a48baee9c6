"""Bounds of linear and quadratic forms over [-1, 1]^n or the unit ball, proved in float64.

A proof of B >= 0 is any matrix R: the form of B is |R^T t|^2 plus that of the residual B - R R^T,
whose moduli are summed. So a Cholesky factorization is verified by its residual, whatever the
algorithm that made it: the residual stands where Rump (2006) has a shift for all of them.
"""

import math
from abc import ABC, abstractmethod

import torch
from jaxtyping import Float64
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
]

Forms = Float64[Tensor, "forms n n"]

_STEPS = 8
_SWEEPS = 20
_GAP = 0.01


def forms(weights: Float64[Tensor, "forms units"], columns: Float64[Tensor, "n units"]) -> Forms:
    """The symmetric matrix of sum_j w_j (g_j . t)^2 for each row of weights, rounded to nearest."""
    columns = columns.contiguous()
    found = weights.new_empty(len(weights), len(columns), len(columns))
    for form, row in zip(found, weights, strict=True):
        form.copy_((columns * row) @ columns.T).triu_()
        form.add_(form.triu(1).T)
    return found


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
    def proposed(self, matrices: Forms) -> Float64[Tensor, "forms n"]:
        """Weights that are in proportion to good ones."""

    @abstractmethod
    def dual(
        self, slope: Float64[Tensor, "n"], matrix: Float64[Tensor, "n n"], enough: float
    ) -> tuple[float, Float64[Tensor, "n"]]:
        """As `dual_bound`."""


class _Cube(Region):
    """[-1, 1]^n."""

    def heights(self, rows: Float64[Tensor, "rows n"]) -> Float64[Tensor, "rows"]:
        """At a corner."""
        return rows.abs().sum(1)

    def total(self, weights: Float64[Tensor, "forms n"]) -> Float64[Tensor, "forms"]:
        """At every corner."""
        return weights.sum(1)

    def proposed(self, matrices: Forms) -> Float64[Tensor, "forms n"]:
        """The norms of the rows."""
        norms = matrices.square().sum(2).sqrt()
        return norms + 1e-9 * norms.amax(1, keepdim=True) + 1e-200

    def dual(
        self, slope: Float64[Tensor, "n"], matrix: Float64[Tensor, "n n"], enough: float
    ) -> tuple[float, Float64[Tensor, "n"]]:
        """D starts at the multipliers of a corner that a descent finds, and ascends."""
        corner, value = _descend(slope, matrix)
        if enough < math.inf and value <= enough:
            return -math.inf, torch.zeros_like(slope)
        active = corner.abs() > 0.999
        push = -(slope / 2 + matrix @ corner) / torch.where(corner == 0, 1.0, corner)
        dual = torch.where(active, push, 0.0).clamp(min=0)
        best, witness = -math.inf, dual
        for _ in range(_STEPS):
            least = torch.linalg.eigvalsh(matrix + dual.diag())[0].item()
            dual = dual + max(0.0, -least) * 1.01 + 1e-6 * max(1e-12, dual.abs().max().item())
            bound, point = _dual_value(slope, matrix, dual, self)
            if bound > best:
                best, witness = bound, dual
            if best > enough or best >= value - _GAP * abs(value):
                break
            rise = point * point - 1
            length = max(1e-12, (rise @ rise).item())
            dual = (dual + (value - bound) / length * rise).clamp(min=0)
            if not bool(dual.isfinite().all()):
                break
        return best, witness


class _Ball(Region):
    """|t|_2 <= 1."""

    def heights(self, rows: Float64[Tensor, "rows n"]) -> Float64[Tensor, "rows"]:
        """In the direction of the row."""
        return rows.norm(dim=1) + 1e-150 * rows.shape[1]  # of squares that underflow

    def total(self, weights: Float64[Tensor, "forms n"]) -> Float64[Tensor, "forms"]:
        """At the largest weight."""
        return weights.amax(1)

    def proposed(self, matrices: Forms) -> Float64[Tensor, "forms n"]:
        """All equal: the largest eigenvalue is the least bound."""
        return torch.ones_like(matrices[:, 0])

    def dual(
        self, slope: Float64[Tensor, "n"], matrix: Float64[Tensor, "n n"], enough: float
    ) -> tuple[float, Float64[Tensor, "n"]]:
        """One multiplier for all: that for which the point of the least value has length 1."""
        del enough
        values, vectors = torch.linalg.eigh(matrix)
        weights = (vectors.T @ slope).square() / 4
        low = max(0.0, -values[0].item()) + 1e-9 * values.abs().max().item() + 1e-200
        high = low + slope.norm().item() / 2
        for _ in range(_SWEEPS):
            middle = (low + high) / 2
            outside = (weights / (values + middle).square()).sum() > 1
            low, high = (middle, high) if outside else (low, middle)
        dual = torch.full_like(slope, high)
        return _dual_value(slope, matrix, dual, self)[0], dual


CUBE, BALL = _Cube(), _Ball()


def loewner(
    matrices: Forms, region: Region = CUBE
) -> tuple[Float64[Tensor, "forms"], Float64[Tensor, "forms"]]:
    """What each form is at most in a region, and what its negative is: by those weights."""
    up, down = loewner_weights(matrices, region)
    gamma = EXACT.gamma(matrices.shape[1] + 8)
    return region.total(up) * (1 + gamma), region.total(down) * (1 + gamma)


def loewner_weights(
    matrices: Forms, region: Region = CUBE
) -> tuple[Float64[Tensor, "forms n"], Float64[Tensor, "forms n"]]:
    """Weights p with diag(p) - Q >= 0 for each form Q, and those for -Q.

    They are those that the region proposes times the largest eigenvalue that is left. Infinite
    where no factor was found.
    """
    known = matrices.isfinite().all(2).all(1)
    matrices = torch.where(known[:, None, None], matrices, 0.0)
    norms = region.proposed(matrices)
    root = norms.sqrt()
    values = torch.linalg.eigvalsh(matrices / root[:, :, None] / root[:, None, :])
    found = [
        _weighed(sign * matrices, (extreme.clamp(min=0) * (1 + 1e-9) + 1e-9)[:, None] * norms)
        for sign, extreme in ((1, values[:, -1]), (-1, -values[:, 0]))
    ]
    up, down = (torch.where(known[:, None], weights, math.inf) for weights in found)
    return up, down


def _weighed(matrices: Forms, weights: Float64[Tensor, "forms n"]) -> Float64[Tensor, "forms n"]:
    """The weights, widened so far that a factor proves them to be no less than the form.

    What is left has at most the form of its row sums: 2 |t_i t_k| <= t_i^2 + t_k^2.
    """
    gap = torch.diag_embed(weights) - matrices
    factor, failed = torch.linalg.cholesky_ex(gap)
    total = weights + _residual(gap, factor) + UNIT * gap.abs().sum(2)
    total = total * (1 + EXACT.gamma(matrices.shape[1] + 8))
    proved = (failed == 0) & total.isfinite().all(1)
    return torch.where(proved[:, None], total, math.inf)


def dual_bound(
    slope: Float64[Tensor, "n"],
    matrix: Float64[Tensor, "n n"],
    enough: float = math.inf,
    region: Region = CUBE,
) -> tuple[float, Float64[Tensor, "n"]]:
    """A lower bound of l . t + t^T A t in a region, and a diagonal D >= 0 with A + D >= 0 for it.

    Then the least value is at least -|R^-1 l|^2 / 4 - sup t^T D t for A + D = R R^T. D is looked
    for until the bound is enough, or near to a value that was found. The bound is minus infinity
    where such a value is not enough, or no factor is found.
    """
    return region.dual(slope, matrix, enough)


def _dual_value(
    slope: Tensor, matrix: Tensor, dual: Tensor, region: Region = CUBE
) -> tuple[float, Tensor]:
    """The bound by one D, and where the convex form is least."""
    shifted = matrix + dual.diag()
    factor, failed = torch.linalg.cholesky_ex(shifted)
    if failed:
        return -math.inf, torch.zeros_like(slope)
    factor = factor.tril()
    w = torch.linalg.solve_triangular(factor, -slope[:, None] / 2, upper=False)
    point = torch.linalg.solve_triangular(factor.T, w, upper=True)[:, 0]
    w, gamma = w[:, 0], EXACT.gamma(len(slope) + 8)
    rest = (slope + 2 * (factor @ w)).abs() + gamma * (slope.abs() + 2 * factor.abs() @ w.abs())
    lost = w @ w + rest.sum() + region.total(_cost(dual, shifted)[None])[0]
    lost = lost + _residual(shifted[None], factor[None])[0].sum()
    bound = -lost.item() * (1 + 4 * gamma)
    return (-math.inf if math.isnan(bound) else bound), point


def _cost(dual: Tensor, shifted: Tensor) -> Tensor:
    """What t_i^2 D_i is at most, D with the rounding of A + D; a negative entry gives nothing."""
    return dual.clamp(min=0) + 2 * UNIT * shifted.diagonal().abs()


def _residual(matrices: Forms, factors: Forms) -> Float64[Tensor, "forms n"]:
    """Row sums of the moduli of B - R R^T, rounded up; of B its lower and upper half are equal."""
    gamma, factors = EXACT.gamma(matrices.shape[1] + 8), factors.tril()
    found = (matrices - factors @ factors.mT).abs().sum(2)
    products = (factors.abs() @ factors.abs().sum(1)[:, :, None])[:, :, 0]
    total = found + gamma * (products + matrices.abs().sum(2))
    return total * (1 + EXACT.gamma(matrices.shape[1] ** 2 + 8)) + 1e-290


def _descend(slope: Tensor, matrix: Tensor) -> tuple[Tensor, float]:
    """A point of the box where the form is low, by steps towards the corner that the slope says."""
    point = _corner(slope)
    best = (slope @ point + point @ (matrix @ point)).item()
    for _ in range(_SWEEPS):
        gradient = slope + 2 * (matrix @ point)
        step = _corner(gradient) - point
        bend, fall = (step @ (matrix @ step)).item(), (gradient @ step).item()
        share = 1.0 if bend <= 0 else min(1.0, -fall / (2 * bend))
        new = point + share * step
        value = (slope @ new + new @ (matrix @ new)).item()
        if not value < best - 1e-12 * abs(best):
            break
        point, best = new, value
    return point, best


def _corner(gradient: Tensor) -> Tensor:
    """Where a linear form is least."""
    return 1 - 2 * (gradient > 0).double()
