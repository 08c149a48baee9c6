"""Shapes and dtypes, written once: jaxtyping aliases used in every signature."""

from collections.abc import Callable

from jaxtyping import Bool, Complex, Float, Inexact, Int
from torch import Tensor

__all__ = [
    "AnyTensor",
    "BoolTensor",
    "ComplexTensor",
    "IntTensor",
    "RealTensor",
    "TensorFunction",
]

ComplexTensor = Complex[Tensor, "..."]
"""complex64 or complex128, any shape."""

RealTensor = Float[Tensor, "..."]
"""A real floating dtype, any shape."""

AnyTensor = Inexact[Tensor, "..."]
"""Real floating or complex, any shape."""

BoolTensor = Bool[Tensor, "..."]
IntTensor = Int[Tensor, "..."]

TensorFunction = Callable[[Tensor], Tensor]
"""A map between tensors; a `torch.nn.Module` is one."""
