"""W z + b in the precision that torch.autocast asks for."""

import torch
from jaxtyping import Complex, Inexact
from torch import Tensor
from torch.overrides import has_torch_function

from holonet.ops.affine import mixed, reference

__all__ = ["affine"]


def affine(
    z: Inexact[Tensor, "*batch in"],
    weight: Complex[Tensor, "out in"],
    bias: Complex[Tensor, " out"] | None = None,
) -> Complex[Tensor, "*batch out"]:
    """W z + b along the last axis.

    Under `torch.autocast` with bfloat16, tensors in single precision are multiplied in bfloat16,
    summed in float32 and give complex64, which autocast alone does not do for complex tensors.
    Else the products are torch's own, but that a real z costs half.

    Args:
        z: complex of the weight's dtype or real of its parts' dtype.
        weight: W.
        bias: b; 0 unless given.

    Law: for real z the value and all derivatives are those at z + 0i.

    Example:
        >>> affine(torch.ones(1, 2), torch.tensor([[1j, 2]]))
        tensor([[2.+1.j]])
    """
    if has_torch_function((z, weight, bias)) or mixed.autocast_dtype(z) is None:
        return reference.affine(z, weight, bias)
    if mixed.is_requested(z, weight):
        return mixed.affine(z, weight, bias)
    with torch.autocast(z.device.type, enabled=False):  # parts in float16 would not be complex64
        return reference.affine(z, weight, bias)
