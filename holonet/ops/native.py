"""C++ that is compiled when it is needed, and what it computes as functions of tensors."""

import ctypes
import logging
from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from holonet.errors import NumericalError
from holonet.ops.apart import apart
from holonet.ops.compiler import CompilationError, load
from holonet.ops.cpp import emit
from holonet.ops.evaluate import evaluate
from holonet.ops.planar import Program

__all__ = [
    "GRAIN",
    "Kernel",
    "compile_programs",
    "dense",
    "readable",
]

GRAIN = 8192
"""Numbers that are worth a thread."""

log = logging.getLogger(__name__)


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

    Law: every kernel agrees with `evaluate` of its program at some points, or there is none.

    Args:
        programs: by name, all of one precision.
        what: for the message about a compilation that takes long.

    Raises:
        CompilationError: there is no compiler, or it fails; the first time with a warning.
    """

    def accept(library: ctypes.CDLL) -> None:
        apart(lambda: _require_agreement(_kernels(library, programs), programs))

    try:
        library = load(emit(programs), what, accept=accept)
    except CompilationError as error:
        message = f"{error}. {WITHOUT}"
        _warn_once(message)
        raise CompilationError(message) from error
    return _kernels(library, programs)


WITHOUT = (
    "Torch code is run, which takes 25 to 60 times as long. A C++ compiler is needed in PATH, or "
    "named by CXX: apt install g++, dnf install gcc-c++, xcode-select --install"
)
_warned: list[str] = []


def _warn_once(message: str) -> None:
    if not _warned:
        _warned.append(message)
        log.warning(message)


def _kernels(library: ctypes.CDLL, programs: Mapping[str, Program]) -> dict[str, Kernel]:
    return {
        name: Kernel(getattr(library, f"holonet_{name}"), len(program.outputs))
        for name, program in programs.items()
    }


POINTS = 75
"""At which a library is compared: more than a block of the widest vectors, and a rest."""


def _require_agreement(
    kernels: Mapping[str, Callable[..., list[Tensor]]], programs: Mapping[str, Program]
) -> None:
    """Refuse kernels whose numbers are not the program's: not by rounding, but by and large.

    Raises:
        NumericalError: with the numbers.
    """
    for name, program in programs.items():
        dtype = torch.complex128 if program.double else torch.complex64
        inputs = [_points(k).to(dtype) for k in range(len(program.inputs))]
        theirs = evaluate(program.outputs, dict(zip(program.inputs, inputs, strict=True)))
        near = torch.finfo(dtype).eps ** 0.25
        for ours, right in zip(kernels[name](*inputs), theirs, strict=True):
            known = right.isfinite()
            scale = right[known].abs().amax() if known.any() else torch.tensor(0.0)
            off = (ours - right)[known].abs() > near * (right[known].abs() + near * scale)
            if off.any():
                raise NumericalError(
                    f"{name} gives {ours[known][off][0].item()} where torch's code gives "
                    f"{right[known][off][0].item()}"
                )


def _points(k: int) -> Tensor:
    """Points of moderate size in all directions, others for each input."""
    turns = torch.arange(POINTS, dtype=torch.float64) * 0.381966 + 0.1 * (k + 1)
    return torch.polar(0.05 + 1.9 * turns.frac(), 6.283185 * (5.0 * turns).frac())
