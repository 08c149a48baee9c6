"""Lower bounds of margins of second order: where to expand, by which shares, with what multipliers.

What shares and multipliers prove is concave in both. For given points of the relaxation the best
shares and offsets are known, and for given ones the points are those where the form is least. A few
rounds of both meet.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from holonet.certify.enclosure import EXACT
from holonet.certify.expansion import Expansion
from holonet.certify.quadratic import dual_bound, forms, largest_moduli
from holonet.certify.shares import shares_for, split
from holonet.functions.rounding import margin

__all__ = ["Proof", "by_moduli", "by_saddle_point", "rounded_down"]

_ROUNDS = 14
_CENTERED = 2
"""Rounds in which the squares are expanded at the center."""
_SETTLED = 8
"""Rounds behind which a point where the margin is not positive ends the search."""

Margins = Float64[Tensor, "margins"]
Units = Float64[Tensor, "units"]


@dataclass(frozen=True, eq=False)
class Proof:
    """What a lower bound of a margin rests on; no multipliers where moduli are enough.

    Args:
        shares, offsets: of each unit behind the first layer of squares.
        dual: multipliers of t, and of v where there are products (`certify.products`).
        products: multipliers of products of entries, where these are needed.
    """

    shares: Units
    offsets: Units
    dual: Float64[Tensor, "n"]
    products: Float64[Tensor, "products"]


@dataclass(frozen=True, eq=False)
class _Form:
    """What shares leave of margins: a sum of numbers, slope . t and t^T matrix t, at least."""

    numbers: list[Margins]
    slopes: Float64[Tensor, "margins n"]
    matrices: Float64[Tensor, "margins n n"]


def by_moduli(e: Expansion) -> tuple[Margins, list[Proof]]:
    """What the moduli of all terms leave of each margin, with the shares of random corners."""
    shares = shares_for(e.weights, e.reach, e.rows.square().sum(1))
    form = _form(e, shares)
    linear = e.region.heights(form.slopes) * (1 + EXACT.gamma(len(e.free) + 8))
    bounds = rounded_down(*form.numbers, -linear, -largest_moduli(-form.matrices))
    none = e.slope[0, :0]
    return bounds, [Proof(row, e.offsets, none, none) for row in shares]


def by_saddle_point(e: Expansion, k: int) -> tuple[float, Proof]:
    """A lower bound of the margin k, proved in float64, and what it rests on.

    The first one that is positive, or else the best of a few.
    """
    e = e.at(k, e.offsets)
    none = e.slope[0, :0]
    bound, proof = -math.inf, Proof(e.reach, e.offsets, e.slope[0], none)
    moments, vectors, energies = None, None, e.rows.square().sum(1)
    for step in range(_ROUNDS):
        shares = shares_for(e.weights, e.reach, energies)
        form = _form(e, shares)
        (slope,), (matrix,) = form.slopes, form.matrices
        vectors, duals = e.region.relaxed(form.slopes, form.matrices, vectors)
        points = vectors[0]
        value = sum(form.numbers) + slope @ points[:, 0] + (points * (matrix @ points)).sum()
        ended = value <= 0 and step >= _SETTLED
        if ended or step == _CENTERED or (step and value > 0):
            least, dual = dual_bound(slope, matrix, duals[0], e.region)
            proved = rounded_down(*form.numbers, slope.new_tensor([least])).item()
            if proved > bound:
                bound, proof = proved, Proof(shares[0], e.offsets, dual, none)
            if ended or bound > 0:
                break
        values = e.rows @ points
        found = torch.stack([values[:, 0], values.square().sum(1), e.bends(points)])
        moments = found if moments is None else (moments + found) / 2
        mean, square, bend = moments
        if step >= _CENTERED:
            e = e.at(0, mean + e.weights[0].sign() * bend / shares[0])
        energies = square - 2 * e.offsets * mean + e.offsets.square()
        energies = torch.maximum(energies, 1e-4 * square)
    return bound, proof


def _form(e: Expansion, shares: Float64[Tensor, "margins units"]) -> _Form:
    """The squares split by shares; what rounding does to the sum of these goes off as well."""
    kept, taken = split(e.weights, e.reach, shares)
    sizes = (e.region.heights(e.rows) + e.offsets.abs()).square()
    rounded = EXACT.gamma(8 * (len(e.reach) + len(e.free) + 64)) * kept.abs() @ sizes
    return _Form(
        [e.constant, kept @ e.offsets.square(), -taken, -rounded],
        e.slope - 2 * (kept * e.offsets) @ e.rows,
        e.lower + forms(kept, e.rows.T),
    )


def rounded_down(*terms: Margins) -> Margins:
    """A sum, rounded down; minus infinity where it is no number."""
    total, size = torch.stack(terms).sum(0), torch.stack(terms).abs().sum(0)
    bound = total - margin(size)
    return torch.where(bound.isnan(), -math.inf, bound)
