"""Sums of squares of numbers that are known up to an interval, by a share of each square.

For |h| <= e and every n > 0

    w (u + h)^2 >= w (1 - n) u^2 - w (1 / n - 1) h^2,  with -n in place of n where w < 0,

so that a sum of w (u + h)^2 is at least a sum of squares of u alone less a number. The best share
is e over the root mean square of u at the points that matter.
"""

import torch
from jaxtyping import Float64
from torch import Tensor

from holonet.certify.enclosure import EXACT

__all__ = ["shares_for", "split"]

Units = Float64[Tensor, "units"]
Weights = Float64[Tensor, "forms units"]


def shares_for(weights: Weights, reach: Units, energies: Units) -> Weights:
    """The best shares.

    Args:
        weights: w of each unit in each sum.
        reach: e.
        energies: the mean of u^2.
    """
    shares = reach / energies.sqrt().clamp(min=1e-150)
    return torch.where(weights > 0, shares.clamp(1e-6, 1.0), shares.clamp(1e-6, 1e6))


def split(
    weights: Weights, reach: Units, shares: Weights
) -> tuple[Weights, Float64[Tensor, "forms"]]:
    """Weights of u^2, rounded to nearest, and what is taken off at most."""
    positive = weights > 0
    kept = weights * torch.where(positive, 1 - shares, 1 + shares)
    price = weights.abs() * torch.where(positive, (1 - shares) / shares, 1 + 1 / shares)
    return kept, (price @ reach.square()) * (1 + 8 * EXACT.gamma(len(reach) + 64))
