"""Change the precision of a network with complex parameters."""

import copy
from types import MethodType
from typing import TypeVar

import torch
from torch import Tensor, nn

from holonet._types import TensorFunction
from holonet.errors import InputTypeError

__all__ = ["double_copy", "to_precision"]

M = TypeVar("M", bound=nn.Module)


def to_precision(module: M, dtype: torch.dtype) -> M:
    """Convert complex tensors of a module to `dtype` and real ones to its real partner, in place.

    `module.double()` leaves complex parameters in complex64, and `module.to(torch.float64)`
    drops their imaginary part.

    Args:
        module: ours or any other.
        dtype: torch.complex64 or torch.complex128.

    Law: converting to complex128 and back changes nothing.

    Raises:
        InputTypeError: dtype is not complex.

    Example:
        >>> net = to_precision(nn.Linear(1, 1, dtype=torch.cfloat), torch.complex128)
        >>> net.weight.dtype
        torch.complex128
    """
    if not dtype.is_complex:
        raise InputTypeError(
            f"to_precision(module, {dtype}): say torch.complex64 for single and "
            "torch.complex128 for double precision; real tensors follow"
        )

    def convert(tensor: Tensor) -> Tensor:
        if tensor.is_complex():
            return tensor.to(dtype)
        return tensor.to(dtype.to_real()) if tensor.is_floating_point() else tensor

    return module._apply(convert)


def double_copy(f: TensorFunction) -> tuple[TensorFunction, nn.Module | None]:
    """F in complex128, without touching the original, and the module that was copied.

    A module, or the module that a bound method belongs to, such as that of
    `HolomorphicClassifier.holomorphic_map`, is copied and the copy converted. Any other callable
    comes back as it is, with None.

    Example:
        >>> layer = nn.Linear(1, 1, dtype=torch.cfloat)
        >>> copied, module = double_copy(layer)
        >>> module.weight.dtype, layer.weight.dtype
        (torch.complex128, torch.complex64)
    """
    if isinstance(f, nn.Module):
        module = to_precision(copy.deepcopy(f), torch.complex128)
        return module, module
    if isinstance(f, MethodType) and isinstance(f.__self__, nn.Module):
        module = to_precision(copy.deepcopy(f.__self__), torch.complex128)
        return MethodType(f.__func__, module), module
    return f, None
