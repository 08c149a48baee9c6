"""Which floor can take a tensor: plain torch, C++ on the CPU, Triton on the GPU."""

import functools
import os
from typing import Literal

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.overrides import has_torch_function

from holonet._optional import is_installed
from holonet.ops.backend import Backend, chosen

__all__ = ["Floor", "choose", "interpreted", "is_read_by_torch", "transforms_are_active"]

Floor = Literal["compiled", "fused"]

DTYPES = (torch.complex64, torch.complex128)
SMALLEST_ON_GPU = 1 << 16
"""Entries from which Triton's launch is taken to be worth it; not measured yet."""


def choose(least: int, *tensors: Tensor) -> tuple[Floor | None, str]:
    """The floor, None for plain torch, and why.

    Args:
        least: entries of the first tensor from which C++ is worth its call.
        tensors: what goes in, all complex.

    Raises:
        UnknownNameError: HOLONET_BACKEND names no backend.

    Example:
        >>> choose(512, torch.zeros(3, dtype=torch.complex64))
        (None, '3 entries, and compiled code pays from 512')
    """
    backend, z = chosen(), tensors[0]
    device = z.device.type
    if backend == "reference":
        return None, "asked for"
    if z.dtype not in DTYPES or any(t.dtype != z.dtype for t in tensors):
        return None, f"{z.dtype} has no other"
    if has_torch_function(tensors) or torch._C._len_torch_dispatch_stack():
        return None, "a tensor subclass or a dispatch mode watches the operations"
    if device == "cuda" or (device == "cpu" and backend == "fused"):
        return _choose_fused(z, backend)
    if device != "cpu":
        return None, f"{device} has no other"
    if backend == "auto" and z.numel() < least:
        return None, f"{z.numel()} entries, and compiled code pays from {least}"
    return "compiled", "C++ for this CPU"


def interpreted() -> bool:
    """Whether Triton runs its interpreter, which takes tensors of the CPU."""
    return os.environ.get("TRITON_INTERPRET") == "1"


def is_read_by_torch() -> bool:
    """Whether torch writes down what is run: torch.compile, torch.export or torch.jit.trace.

    They want plain torch code, which is right for every size.
    """
    return (
        torch.compiler.is_dynamo_compiling()
        or torch.compiler.is_exporting()
        or torch.jit.is_tracing()
    )


def transforms_are_active() -> bool:
    """Whether a transform of torch.func or forward mode watches."""
    return torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0


def _choose_fused(z: Tensor, backend: Backend) -> tuple[Floor | None, str]:
    if z.dtype is not torch.complex64:
        return None, "Triton's kernels are in single precision"
    if not _triton_is_installed():
        return None, "Triton is not installed: pip install 'holonet[triton]'"
    if z.device.type == "cpu":
        if interpreted():
            return "fused", "Triton's interpreter"
        return None, "the tensor is on the CPU, where Triton runs with TRITON_INTERPRET=1 only"
    if backend == "auto" and z.numel() < SMALLEST_ON_GPU:
        return None, f"{z.numel()} entries, and Triton is taken from {SMALLEST_ON_GPU}"
    return "fused", "Triton on the GPU"


@functools.cache
def _triton_is_installed() -> bool:
    return is_installed("triton")
