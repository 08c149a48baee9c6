"""Affine maps with real coefficients, at real points and continued to complex ones."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Inexact
from torch import Tensor
from torch.overrides import has_torch_function_unary

from holonet._types import InexactEntries

__all__ = ["continued"]

Weight = Float[Tensor, "first *rest"]
Bias = Float[Tensor, " out"]
Output = Inexact[Tensor, "*out_shape"]

AffineMap = Callable[[InexactEntries, Weight, Bias | None], Output]
"""(input, weight, bias) -> output: `functional.linear`, or a convolution."""


def continued(affine: AffineMap, z: InexactEntries, weight: Weight, bias: Bias | None) -> Output:
    """The map at z: torch's own at real z, that of both parts at complex z.

    The bias is real, so it belongs to the real part alone. Under torch.autocast the products of the
    parts are in 16 bits, and the complex result is in the precision of the weight.

    Args:
        affine: the operation of torch.
        z: real, or complex in the weight's precision.
        weight, bias: real.

    Law: at complex z the value and all derivatives are those of the map with weight and bias
        converted to complex numbers.

    Example:
        >>> from torch.nn.functional import linear
        >>> continued(linear, torch.tensor([[1 + 2j]]), torch.tensor([[3.0]]), torch.tensor([1.0]))
        tensor([[4.+6.j]])
    """
    if not z.is_complex():
        return affine(z, weight, bias)
    if has_torch_function_unary(z):  # jets know holomorphic operations only
        return affine(z, weight.to(z.dtype), None if bias is None else bias.to(z.dtype))
    parts = affine(z.real, weight, bias), affine(z.imag, weight, None)
    return torch.complex(*(part.to(weight.dtype) for part in parts))
