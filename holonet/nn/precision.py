"""Change the precision of a network with complex parameters."""

import copy
import warnings
from collections.abc import Callable
from types import MethodType
from typing import TypeVar

import torch
from torch import Tensor, nn

from holonet._arguments import checked
from holonet._types import Entries, TensorFunction
from holonet.errors import InputTypeError

__all__ = ["ComplexConversion", "copied", "double_copy", "to_precision"]

M = TypeVar("M", bound=nn.Module)

_OF_SCRIPTS = "The .grad attribute"
"""What torch says of the gradients of copied TorchScript, which nobody asks for."""


class ComplexConversion:
    """What torch does to the real tensors of a module, done to the complex ones as well.

    `double()`, `float()` and `half()` of torch leave complex tensors as they are, `to` and `type`
    of a real dtype drop imaginary parts, and those of a complex dtype make real tensors complex.
    Here precision is changed for all of them, and everything else (the device, the order in memory)
    is left to torch.

    Args:
        convert: what torch applies to each tensor.

    Law: a real tensor stays real, a complex one complex, in the precision that `convert` gives a
        real tensor; integers are converted as torch does.

    Example:
        >>> ComplexConversion(lambda t: t.to(torch.float64))(torch.tensor([1j])).dtype
        torch.complex128
    """

    def __init__(self, convert: Callable[[Entries], Entries]) -> None:
        self.convert = convert

    def check(self, module: nn.Module) -> None:
        """Refuse, before anything is converted, what has no complex numbers.

        Raises:
            InputTypeError: with the way out.
        """
        for tensor in (*module.parameters(), *module.buffers()):
            if tensor.is_complex():
                self._precision(tensor, type(module).__name__)

    def __call__(self, tensor: Entries) -> Entries:
        """The tensor converted."""
        if not (tensor.is_complex() or tensor.is_floating_point()):
            return self.convert(tensor)
        with warnings.catch_warnings():  # of imaginary parts dropped: those are not used
            warnings.filterwarnings("ignore", "Casting complex values to real")
            converted = self.convert(tensor)
            if not tensor.is_complex():
                return converted.real.clone() if converted.is_complex() else converted
            wanted = self._precision(tensor, "a module").to_complex()
            if converted.dtype is wanted:
                return converted
            parts = (self.convert(part.clone()) for part in (tensor.real, tensor.imag))
            return torch.complex(*(p.real.clone() if p.is_complex() else p for p in parts))

    def _precision(self, tensor: Tensor, name: str) -> torch.dtype:
        """The real dtype that a real tensor of the same precision gets."""
        real = self.convert(tensor.new_zeros(1, dtype=tensor.dtype.to_real())).dtype
        real = real.to_real() if real.is_complex else real
        if real not in (torch.float32, torch.float64):
            raise InputTypeError(
                f"{name} has complex parameters and cannot be converted to {real}: complex "
                "numbers come in single and double precision, float() and double(). To multiply "
                "in 16 bits keep complex64 and run under torch.autocast(device, torch.bfloat16)"
            )
        return real


@checked
def to_precision(module: M, dtype: torch.dtype) -> M:
    """Convert complex tensors of a module to `dtype` and real ones to its real partner, in place.

    Our modules do the same at `double()`, `float()`, `to(dtype)` and `type(dtype)`. Torch's own
    modules do not: `double()` leaves complex parameters in complex64, and `to(torch.float64)` drops
    their imaginary part.

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
        return tensor.to(dtype.to_real()) if tensor.is_floating_point() else tensor

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", _OF_SCRIPTS, UserWarning)
        return module._apply(ComplexConversion(convert))


@checked
def double_copy(f: TensorFunction) -> tuple[TensorFunction, nn.Module | None]:
    """F in complex128, without touching the original, and the module that was copied.

    A module, or the module that a bound method belongs to, such as that of
    `HolomorphicClassifier.holomorphic_map`, is copied and the copy converted. Any other callable
    comes back as it is, with None.

    Raises:
        InputTypeError: the module cannot be copied, as one that was pruned.

    Example:
        >>> layer = nn.Linear(1, 1, dtype=torch.cfloat)
        >>> copied, module = double_copy(layer)
        >>> module.weight.dtype, layer.weight.dtype
        (torch.complex128, torch.complex64)
    """
    if isinstance(f, nn.Module):
        module = to_precision(copied(f), torch.complex128)
        return module, module
    if isinstance(f, MethodType) and isinstance(f.__self__, nn.Module):
        module = to_precision(copied(f.__self__), torch.complex128)
        return MethodType(f.__func__, module), module
    return f, None


def copied(module: M) -> M:
    """A copy that shares nothing with the original.

    Raises:
        InputTypeError: the module cannot be copied, as one that was pruned.
    """
    try:
        with warnings.catch_warnings():  # of torch about its own exported programs and TorchScript
            warnings.filterwarnings("ignore", r"`isinstance\(treespec", FutureWarning)
            warnings.filterwarnings("ignore", _OF_SCRIPTS, UserWarning)
            return copy.deepcopy(module)
    except (RuntimeError, TypeError) as error:
        raise InputTypeError(
            f"{type(module).__name__} cannot be copied ({str(error).splitlines()[0]}). Hold what "
            "it computes with as parameters: after torch.nn.utils.prune call prune.remove, "
            "instead of hooks that set weights take torch.nn.utils.parametrizations"
        ) from error
