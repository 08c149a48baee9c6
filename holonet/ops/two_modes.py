"""What the functions with derivatives in both modes of automatic differentiation share."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

__all__ = ["OfRecord", "primals"]


class OfRecord(torch.autograd.Function):
    """A function of some tensors, a record and a floor; it keeps the tensors for both modes."""

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Keep what the derivatives need."""
        del output
        *tensors, ctx.record, ctx.floor = inputs
        ctx.save_for_backward(*tensors)
        ctx.save_for_forward(*tensors)


def primals(ctx: Any) -> tuple[Tensor, ...]:
    """What was saved, without the tangents of this level of forward mode.

    torch calls jvp with forward mode switched off, which drops the tangents of outer levels; it
    must be on again for these to pass, and then the saved tensors carry this level's too.
    """
    return tuple(forward_ad.unpack_dual(t).primal for t in ctx.saved_tensors)
