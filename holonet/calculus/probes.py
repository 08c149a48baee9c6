"""Random directions for stochastic traces, the same however a batch is split over processes."""

import math

import torch
from torch import Tensor

from holonet._arguments import checked
from holonet._types import Points
from holonet.errors import ShapeError

__all__ = ["Probes"]


@checked
class Probes:
    """A source of random directions for the examples first, first + 1, ... of a batch of `total`.

    The directions of the whole batch are drawn in one order and the rows of this part kept, so
    that two processes with half a batch each see the numbers that one process would. They are
    drawn on the CPU, hence the same on every device.

    Law: every direction v has E[v v^H] = identity, and E[v v^T] = 0 where v is complex; its
        entries are +-1 (real) or random phases (complex), which among such laws have the least
        variance in a stochastic trace.

    Args:
        seed: seed of the stream; None continues torch's global stream.
        first: the position of the first example in the whole batch.
        total: examples in the whole batch; None means that the part is the whole.

    References:
        Hutchinson (1990), the trace estimator.
    """

    def __init__(
        self, seed: int | None = None, *, first: int = 0, total: int | None = None
    ) -> None:
        self._generator = None if seed is None else torch.Generator().manual_seed(seed)
        self._first = first
        self._total = total

    def like(self, z: Points) -> Points:
        """One direction for each example (first axis) of z, in its shape, dtype and device.

        Raises:
            ShapeError: the examples do not lie within the whole batch.
        """
        total = len(z) if self._total is None else self._total
        last = self._first + len(z)
        if not 0 <= self._first <= last <= total:
            raise ShapeError(
                f"examples {self._first} to {last - 1} asked of probes for a batch of {total}: "
                "give `first` >= 0 and `total`, the size of the whole batch"
            )
        drawn = self._draw((total, *z.shape[1:]), z.dtype)
        return drawn[self._first : last].to(z.device)

    def _draw(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        if dtype.is_complex:
            turn = torch.rand(shape, generator=self._generator, dtype=dtype.to_real())
            return torch.polar(torch.ones_like(turn), turn * (2 * math.pi))
        return torch.randint(0, 2, shape, generator=self._generator).to(dtype) * 2 - 1
