"""Lower bounds of margins of second order, by shares of their squares and multipliers of entries.

What shares and multipliers prove is concave in both. For given points of the relaxation the best
shares are known, and for given shares the points are those where the form is least. A few rounds of
both meet.
"""

import math

import torch
from jaxtyping import Float64
from torch import Tensor

from holonet.certify.enclosure import EXACT
from holonet.certify.expansion import Expansion
from holonet.certify.quadratic import dual_bound, forms, largest_moduli
from holonet.certify.shares import shares_for, split
from holonet.functions.rounding import margin

__all__ = ["by_moduli", "by_saddle_point"]

_ROUNDS = 10
_SETTLED = 4
"""Rounds behind which a point where the margin is not positive ends the search."""

Margins = Float64[Tensor, "margins"]


def by_moduli(e: Expansion) -> tuple[Margins, Float64[Tensor, "margins units"]]:
    """What the moduli of all terms leave of each margin, and the shares: of random corners."""
    shares = shares_for(e.weights, e.reach, e.rows.square().sum(1))
    kept, taken = split(e.weights, e.reach, shares)
    linear = e.region.heights(e.slope) * (1 + EXACT.gamma(len(e.free) + 8))
    curved = largest_moduli(-e.lower - forms(kept, e.rows.T))
    return _rounded_down(e.constant, -linear, -curved, -taken), shares


def by_saddle_point(
    e: Expansion, k: int
) -> tuple[float, Float64[Tensor, "n"], Float64[Tensor, "units"]]:
    """A lower bound of the margin k, proved in float64, and the multipliers and shares of it.

    The first one that is positive, if one is found.
    """
    weights, slope, constant = e.weights[k : k + 1], e.slope[k], e.constant[k : k + 1]
    energies, vectors = e.rows.square().sum(1), None
    bound, dual, shares = -math.inf, torch.zeros_like(slope), torch.ones_like(weights)
    for step in range(_ROUNDS):
        shares = shares_for(weights, e.reach, energies)
        kept, taken = split(weights, e.reach, shares)
        matrix = e.lower[k] + forms(kept, e.rows.T)[0]
        vectors, duals = e.region.relaxed(slope[None], matrix[None], vectors)
        points = vectors[0]
        value = constant - taken + slope @ points[:, 0] + (points * (matrix @ points)).sum()
        if step and (value > 0 or step >= _SETTLED):
            least, dual = dual_bound(slope, matrix, duals[0], e.region)
            bound = _rounded_down(constant, constant.new_tensor([least]), -taken).item()
            if bound > 0 or value <= 0:
                break
        found = (e.rows @ points).square().sum(1)
        energies = found if step == 0 else (energies + found) / 2
    return bound, dual, shares[0]


def _rounded_down(*terms: Margins) -> Margins:
    """A sum, rounded down; minus infinity where it is no number."""
    total, size = torch.stack(terms).sum(0), torch.stack(terms).abs().sum(0)
    bound = total - margin(size)
    return torch.where(bound.isnan(), -math.inf, bound)
