"""Which backend runs an entrywise function, and why: torch code, C++ or Triton."""

import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.overrides import has_torch_function

from holonet._optional import is_installed
from holonet._types import Entries
from holonet.errors import UnknownNameError
from holonet.functions import HolomorphicFunction
from holonet.ops.native import has_storage
from holonet.ops.pointwise import compiled

__all__ = [
    "BACKENDS",
    "VARIABLE",
    "Backend",
    "Plan",
    "explain",
    "interpreted",
    "plan",
    "requested",
    "transforms_are_active",
    "use",
]

Backend = Literal["auto", "reference", "compiled", "fused"]

BACKENDS: tuple[Backend, ...] = ("auto", "reference", "compiled", "fused")
"""auto picks; reference is plain torch; compiled is C++ on the CPU; fused is Triton on the GPU."""

VARIABLE = "HOLONET_BACKEND"
"""The environment variable that sets the backend where no context manager does; read once."""

DTYPES = (torch.complex64, torch.complex128)

SMALLEST_IN_TRANSFORMS = 1 << 14
"""Entries from which compiled code is taken inside of transforms, whose rules are in Python."""

SMALLEST_ON_GPU = 1 << 16
"""Entries from which Triton's launch is taken to be worth it; not measured yet."""

_forced: ContextVar[Backend | None] = ContextVar("holonet_backend", default=None)


class Plan(NamedTuple):
    """The backend that runs, and why."""

    backend: Literal["reference", "compiled", "fused"]
    reason: str


def plan(record: HolomorphicFunction, z: Entries) -> Plan:
    """What `pointwise` runs for these arguments; compiles the record where that is "compiled".

    Raises:
        UnknownNameError: HOLONET_BACKEND names no backend.

    Example:
        >>> from holonet.functions import CATALOGUE
        >>> plan(CATALOGUE["tanh"], torch.zeros(3, dtype=torch.complex64)).backend
        'reference'
    """
    if (
        torch.compiler.is_dynamo_compiling()
        or torch.compiler.is_exporting()
        or torch.jit.is_tracing()
    ):
        return Plan("reference", "torch.compile, torch.export or torch.jit.trace records")
    backend = requested()
    if backend == "reference":
        return Plan("reference", "backend 'reference' was requested")
    if z.dtype not in DTYPES:
        return Plan("reference", f"no compiled code for {z.dtype}")
    if has_torch_function((z,)) or torch._C._len_torch_dispatch_stack():
        return Plan("reference", "a tensor subclass or a dispatch mode watches the operations")
    on_gpu = z.device.type == "cuda"
    if z.device.type not in ("cpu", "cuda"):
        return Plan("reference", f"no compiled code for the device {z.device.type}")
    if backend == "auto":
        smallest = SMALLEST_ON_GPU if on_gpu else _smallest(record, z)
        if smallest is None:
            return Plan("reference", "torch code is as fast at any size")
        if z.numel() < smallest:
            return Plan("reference", f"{z.numel()} entries, and compiled code pays from {smallest}")
    if not transforms_are_active() and not has_storage(z):
        return Plan("reference", "the numbers do not lie in memory")
    if on_gpu or backend == "fused":
        return _fused(record, z)
    functions = compiled.compiled_functions(record, "compiled", z.dtype)
    if isinstance(functions, str):
        return Plan("reference", functions)
    return Plan("compiled", "C++ for this CPU")


def explain(record: HolomorphicFunction, z: Entries) -> str:
    """The plan of `pointwise` for these arguments, in words.

    Example:
        >>> from holonet.functions import CATALOGUE
        >>> explain(CATALOGUE["tanh"], torch.zeros(3, dtype=torch.complex64))
        'reference: 3 entries, and compiled code pays from 64'
    """
    return ": ".join(plan(record, z))


def requested() -> Backend:
    """The backend that `use` requests, else the environment, else "auto".

    Raises:
        UnknownNameError: the environment variable names no backend.
    """
    return _forced.get() or _from_environment()


@contextmanager
def use(backend: Backend | str) -> Iterator[None]:
    """Request a backend for the operations inside, in this thread.

    Raises:
        UnknownNameError: there is no such backend.

    Example:
        >>> with use("reference"):
        ...     requested()
        'reference'
    """
    token = _forced.set(_named(backend))
    try:
        yield
    finally:
        _forced.reset(token)


def interpreted() -> bool:
    """Whether Triton runs its interpreter, which takes tensors of the CPU."""
    return os.environ.get("TRITON_INTERPRET") == "1"


def transforms_are_active() -> bool:
    """Whether a transform of torch.func or forward mode is active."""
    return torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0


def _smallest(record: HolomorphicFunction, z: Tensor) -> int | None:
    """The entries from which C++ is faster; None if it never is."""
    smallest = SMALLEST_IN_TRANSFORMS if transforms_are_active() else compiled.SMALLEST
    if z.numel() < smallest:  # before the record is looked up, which takes longer
        return smallest
    own = compiled.threshold(record, z.requires_grad)
    return None if own is None else max(smallest, own)


def _fused(record: HolomorphicFunction, z: Tensor) -> Plan:
    if z.dtype is not torch.complex64:
        return Plan("reference", "Triton's kernels are in single precision")
    if not _triton_is_installed():
        return Plan("reference", "Triton is not installed: pip install 'holonet[triton]'")
    if z.device.type == "cpu" and not interpreted():
        return Plan("reference", "on the CPU Triton runs with TRITON_INTERPRET=1 only")
    functions = compiled.compiled_functions(record, "fused", z.dtype)
    if isinstance(functions, str):
        return Plan("reference", functions)
    return Plan("fused", "Triton's interpreter" if interpreted() else "Triton on the GPU")


@functools.cache
def _from_environment() -> Backend:
    """What the variable said at the first call: to read it takes longer than tanh."""
    return _named(os.environ.get(VARIABLE, "auto"))


@functools.cache
def _triton_is_installed() -> bool:
    return is_installed("triton")


def _named(name: str) -> Backend:
    for backend in BACKENDS:
        if name == backend:
            return backend
    raise UnknownNameError("backend", name, BACKENDS)
