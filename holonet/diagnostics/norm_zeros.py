"""Branch points of models whose singularities are zeros of variances alone, as of normalizations.

In front of GELU a normalization makes the model grow like exp(1/|t - s|) at a zero s of the
variance, so that circles round s confirm nothing. The sum of the reciprocals of the variances has a
pole there, as long as no variance of a layer in front vanishes nearer.
"""

import math

import torch
from jaxtyping import Complex, Int
from torch import Tensor

from holonet.diagnostics.lines import ModelOnLines
from holonet.singularities.loops import POLE
from holonet.singularities.nearest import BOUNDS, find_singularities

__all__ = ["nearest_zeros"]


@torch.no_grad()
def nearest_zeros(
    lines: ModelOnLines, rows: Int[Tensor, " lines"], reach: float
) -> Complex[Tensor, " lines"]:
    """The zero of a variance that is nearest to t = 0, imaginary part not negative.

    Infinity where there is none within reach, NaN where that is undecided: where the clear disc of
    some layer ends before the nearest zero that is confirmed.
    """
    layers = lines.reciprocals(rows[:1], torch.zeros(1, 1, dtype=torch.complex128)).shape[-1]

    def reciprocal(numbers: Tensor, t: Tensor) -> Tensor:
        values = lines.reciprocals(rows[numbers // layers], t)
        return values[torch.arange(len(numbers)), :, numbers % layers]

    numbers = torch.arange(len(rows) * layers)
    search = find_singularities(
        reciprocal, numbers, torch.zeros(len(numbers), dtype=torch.float64), reach
    )
    clear = search.discs.radius.view(-1, layers)
    poles = search.known.at(search.known.kind == POLE)
    place = torch.full((len(rows),), complex(math.nan, math.nan), dtype=torch.complex128)
    for line in range(len(rows)):
        zeros = poles.place[poles.row // layers == line]
        nearest = min(zeros.tolist(), key=abs, default=complex(math.inf, 0))
        distance = abs(nearest)
        decided = (BOUNDS * clear[line] >= distance) | (clear[line] >= reach)
        if bool(decided.all()):
            found = nearest if distance <= reach else complex(math.inf, 0)
            place[line] = torch.tensor(found, dtype=torch.complex128)
    return place
