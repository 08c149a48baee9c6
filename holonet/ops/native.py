"""C++ that is compiled when it is needed, and what it computes as functions of tensors."""

import contextlib
import ctypes
import functools
import importlib
import logging
import time
from array import array
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from holonet.errors import HolonetError
from holonet.ops.cpp import emit
from holonet.ops.planar import Program

__all__ = [
    "GRAIN",
    "CompilationError",
    "Kernel",
    "compile_programs",
    "dense",
    "load",
    "readable",
]

GRAIN = 8192
"""Numbers that are worth a thread."""
SLOW = 1.0  # seconds of compilation that a user should hear of

log = logging.getLogger(__name__)


class CompilationError(HolonetError, RuntimeError):
    """There is no C++ compiler that torch can use, or it fails."""


class Kernel:
    """A compiled entrywise function of several complex tensors of one dtype.

    Args:
        function: f(in, out, count, period, threads) of a library.
        outputs: how many tensors come out.
    """

    def __init__(self, function: Any, outputs: int) -> None:
        address, number = ctypes.c_void_p, ctypes.c_int64
        self._run = function
        self._run.argtypes = [address, address, number, number, ctypes.c_int]
        self._run.restype = None
        self._outputs = outputs

    @property
    def address(self) -> int:
        """Where the code is."""
        return ctypes.cast(self._run, ctypes.c_void_p).value or 0

    def __call__(self, *inputs: Tensor, out: Sequence[Tensor] = ()) -> list[Tensor]:
        """The outputs, contiguous. Inputs may be strided and lazily conjugated or negated.

        Args:
            inputs: of one shape; those that repeat may have fewer entries.
            out: contiguous tensors of that shape for the last outputs; others are made.
        """
        inputs = tuple(map(dense, inputs))
        made = self._outputs - len(out)
        outputs = [*(torch.empty_like(inputs[0]) for _ in range(made)), *out]
        count = inputs[0].numel()
        threads = max(1, min(torch.get_num_threads(), count // GRAIN)) if count >= GRAIN else 1
        pointers = array("q", [t.data_ptr() for t in (*inputs, *outputs)])
        start, _ = pointers.buffer_info()
        ends = start + pointers.itemsize * len(inputs)
        self._run(start, ends, count, inputs[-1].numel(), threads)
        return outputs


def readable(t: Tensor) -> bool:
    """Whether the numbers lie in memory: not batched by `is_grads_batched`, not a symbolic 0."""
    try:
        return t.data_ptr() != 0 or not t.numel()
    except RuntimeError:  # no storage
        return False


def dense(t: Tensor) -> Tensor:
    """The same numbers one behind the other in memory, lazy signs and conjugates resolved."""
    return t.resolve_conj().resolve_neg().contiguous()


def compile_programs(programs: Mapping[str, Program], what: str) -> dict[str, Kernel]:
    """A kernel for each program, in one library.

    Args:
        programs: by name, all of one precision.
        what: for the message about a compilation that takes long.

    Raises:
        CompilationError: there is no compiler, or it fails; the message is its own.
    """
    library = load(emit(programs), what)
    return {
        name: Kernel(getattr(library, f"holonet_{name}"), len(program.outputs))
        for name, program in programs.items()
    }


def load(source: str, what: str, *flags: str) -> Any:
    """The library of a source; torch keeps it on disk, so the next process finds it.

    The vector units that the processor names are taken for usable at first: to try them, torch
    starts a process that imports it again, seconds that a library on disk does not need.

    Args:
        source: C++.
        what: for the message about a compilation that takes long.
        flags: for the compiler, behind its own.

    Raises:
        CompilationError: there is no compiler, or it fails; the message is its own.
    """
    start = time.perf_counter()
    try:
        library = _load(source, flags)
    except Exception as error:  # torch raises many kinds: no compiler, none that works, no disk
        raise CompilationError(f"{what} could not be compiled: {_gist(error)}") from error
    seconds = time.perf_counter() - start
    if seconds > SLOW:
        log.warning("compiled %s for this CPU in %.1f s; it is kept on disk", what, seconds)
    return library


def _gist(error: Exception) -> str:
    """The lines of a compiler's output that are errors, or the first line."""
    lines = str(error).splitlines() or [type(error).__name__]
    return "; ".join([line for line in lines if "error:" in line][:3] or lines[:1])


def _load(source: str, flags: Sequence[str]) -> Any:
    config = importlib.import_module("torch._inductor.config")
    if config.cpp.vec_isa_ok is None:
        with contextlib.suppress(Exception), config.patch({"cpp.vec_isa_ok": True}):
            return _cache().load(source, extra_flags=flags)
    return _cache().load(source, extra_flags=flags)


@functools.cache
def _cache() -> Any:
    """Torch's private compiler cache: it knows compilers, flags, vector units and locks."""
    return importlib.import_module("torch._inductor.codecache").CppCodeCache
