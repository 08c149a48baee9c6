"""Functions of one variable with singularities that are known, as the rows of one function."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from holonet.singularities.discs import LineFunctions

__all__ = ["as_rows"]


def as_rows(functions: Sequence[Callable[[Tensor], Tensor]]) -> LineFunctions:
    """Row number to function."""

    def g(rows: Tensor, t: Tensor) -> Tensor:
        values = torch.empty_like(t)
        for row in set(rows.tolist()):
            values[rows == row] = functions[row](t[rows == row])
        return values

    return g
