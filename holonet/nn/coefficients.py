"""Real and complex coefficients: which numbers a module has, takes and gives."""

import torch
from torch import nn

from holonet._types import Entries
from holonet.errors import ConfigError, InputTypeError

__all__ = [
    "COEFFICIENTS",
    "chain_takes_real",
    "coefficient_dtype",
    "complex_dtype",
    "dtype_of",
    "input_dtype",
    "real_dtype",
    "real_on_real",
    "takes_real",
]

COEFFICIENTS = ("complex", "real")
"""The fields that the parameters of a network may be of."""

_PARTS = {
    torch.complex32: torch.float16,
    torch.complex64: torch.float32,
    torch.complex128: torch.float64,
}
_WHOLE = {part: whole for whole, part in _PARTS.items()}


def real_dtype(dtype: torch.dtype) -> torch.dtype:
    """The dtype of the parts. Unlike torch's `dtype.to_real` its compiler reads this."""
    return _PARTS.get(dtype, dtype)


def complex_dtype(dtype: torch.dtype) -> torch.dtype:
    """The dtype whose parts these are; bfloat16, which are parts of none, stays."""
    return _WHOLE.get(dtype, dtype)


def coefficient_dtype(dtype: torch.dtype | None, owner: str) -> torch.dtype:
    """The dtype of parameters, complex64 unless given.

    Raises:
        InputTypeError: it is of integers.
    """
    if dtype is None:
        return torch.complex64
    if not (dtype.is_complex or dtype.is_floating_point):
        raise InputTypeError(
            f"{owner}(dtype={dtype}): a layer has complex or real coefficients. Choose "
            "torch.complex64 or torch.complex128, torch.float32 or torch.float64"
        )
    return dtype


def dtype_of(coefficients: str, dtype: torch.dtype) -> torch.dtype:
    """The dtype of coefficients of a field in the precision of a complex dtype.

    Raises:
        ConfigError: a field that is neither "complex" nor "real", or a dtype that is not complex.

    Example:
        >>> dtype_of("real", torch.complex128)
        torch.float64
    """
    if coefficients not in COEFFICIENTS:
        raise ConfigError(f"{coefficients=}: choose one of {', '.join(COEFFICIENTS)}")
    if dtype not in (torch.complex64, torch.complex128):
        raise ConfigError(
            f"dtype={dtype} of a network: choose torch.complex64 for single and torch.complex128 "
            "for double precision; coefficients='real' are of the real dtype of that precision"
        )
    return dtype if coefficients == "complex" else real_dtype(dtype)


def takes_real(module: nn.Module) -> bool:
    """Whether the module takes real tensors.

    Modules of holonet say so by `takes_real`. Torch's own do where they have no complex parameters.
    """
    own = getattr(module, "takes_real", None)
    if own is not None:
        return own
    if type(module) is nn.Sequential:
        return chain_takes_real(module)
    return type(module).__module__.startswith("torch.nn.") and not _has_complex_numbers(module)


def real_on_real(module: nn.Module) -> bool:
    """Whether the module gives real values at real points: it takes them, and has real numbers."""
    return takes_real(module) and not _has_complex_numbers(module)


def chain_takes_real(layers: nn.Sequential) -> bool:
    """Whether layers applied in turn take real tensors: all do up to the first complex value."""
    for layer in layers:
        if not takes_real(layer):
            return False
        if not real_on_real(layer):
            return True
    return True


def input_dtype(module: nn.Module, x: Entries) -> torch.dtype:
    """The dtype that points are brought to: of the parameters' precision, real if x may stay real.

    Single precision where there are no parameters.
    """
    numbers = (p.dtype for p in module.parameters() if p.is_complex() or p.is_floating_point())
    found = next(numbers, torch.complex64)
    keeps_real = not x.is_complex() and takes_real(module)
    return real_dtype(found) if keeps_real else complex_dtype(found)


def _has_complex_numbers(module: nn.Module) -> bool:
    return any(t.is_complex() for t in module.parameters()) or any(
        t.is_complex() for t in module.buffers()
    )
