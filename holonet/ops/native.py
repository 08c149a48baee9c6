"""C++ that is compiled when it is needed, and what it computes as functions of tensors."""

import ctypes
import logging
from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from holonet._types import ComplexEntries, Entries, RealEntries
from holonet.errors import NumericalError
from holonet.ops.compiler import CompilationError, load
from holonet.ops.cpp import emit
from holonet.ops.evaluate import evaluate
from holonet.ops.new_thread import in_new_thread
from holonet.ops.planar import Program

__all__ = ["CompiledFunction", "compile_programs", "dense", "has_storage"]

GRAIN = 8192
"""Numbers that are worth a thread."""

log = logging.getLogger(__name__)


class CompiledFunction:
    """A compiled entrywise function of several complex tensors of one dtype.

    Args:
        function: f(in, out, count, threads) of a library.
        outputs: how many tensors come out.
        apart: the same for one input and one output whose parts lie apart, where there is one.
    """

    def __init__(self, function: Any, outputs: int, apart: Any = None) -> None:
        address, number = ctypes.c_void_p, ctypes.c_int64
        self._run, self._apart = function, apart
        for one in filter(None, (function, apart)):
            one.argtypes = [address, address, number, ctypes.c_int]
            one.restype = None
        self._outputs = outputs

    def __call__(self, *inputs: ComplexEntries) -> list[ComplexEntries]:
        """The outputs, contiguous, for inputs of one shape.

        Inputs may be strided and lazily conjugated or negated.
        """
        inputs = tuple(map(dense, inputs))
        outputs = [torch.empty_like(inputs[0]) for _ in range(self._outputs)]
        _call(self._run, inputs, outputs, inputs[0].numel())
        return outputs

    def of_parts(self, real: RealEntries, imag: RealEntries) -> tuple[RealEntries, RealEntries]:
        """The parts of the output for the parts of one input."""
        inputs = [dense(real), dense(imag)]
        outputs = torch.empty_like(inputs[0]), torch.empty_like(inputs[0])
        _call(self._apart, inputs, outputs, real.numel())
        return outputs


def _call(function: Any, inputs: Sequence[Tensor], outputs: Sequence[Tensor], count: int) -> None:
    threads = max(1, min(torch.get_num_threads(), count // GRAIN)) if count >= GRAIN else 1
    pointers = array("q", [t.data_ptr() for t in (*inputs, *outputs)])
    start, _ = pointers.buffer_info()
    function(start, start + pointers.itemsize * len(inputs), count, threads)


def has_storage(t: Entries) -> bool:
    """Whether the numbers lie in memory: not batched by `is_grads_batched`, not a symbolic 0."""
    try:
        return t.data_ptr() != 0 or not t.numel()
    except RuntimeError:  # no storage
        return False


def dense(t: Entries) -> Entries:
    """The same numbers one behind the other in memory, lazy signs and conjugates resolved."""
    return t.resolve_conj().resolve_neg().contiguous()


def compile_programs(programs: Mapping[str, Program], what: str) -> dict[str, CompiledFunction]:
    """A function for each program, in one library.

    Law: every function agrees with `evaluate` of its program at some points, or there is none.

    Args:
        programs: by name, all of one precision.
        what: for the message about a compilation that takes long.

    Raises:
        CompilationError: there is no compiler, or it fails; the first time with a warning.
    """

    def accept(library: ctypes.CDLL) -> None:
        in_new_thread(lambda: _require_agreement(_functions(library, programs), programs))

    try:
        library = load(emit(programs), what, accept=accept)
    except CompilationError as error:
        message = f"{error}. {WITHOUT}"
        _warn_once(message)
        raise CompilationError(message) from error
    return _functions(library, programs)


WITHOUT = (
    "Torch code is run, which takes 25 to 60 times as long. A C++ compiler is needed in PATH, or "
    "named by CXX: apt install g++, dnf install gcc-c++, xcode-select --install"
)
_warned: list[str] = []


def _warn_once(message: str) -> None:
    if not _warned:
        _warned.append(message)
        log.warning(message)


def _functions(
    library: ctypes.CDLL, programs: Mapping[str, Program]
) -> dict[str, CompiledFunction]:
    return {
        name: CompiledFunction(
            getattr(library, f"holonet_{name}"),
            len(program.outputs),
            library.holonet_value_apart if name == "value" else None,
        )
        for name, program in programs.items()
    }


POINTS = 75
"""At which a library is compared: more than a block of the widest vectors, and a rest."""


def _require_agreement(
    functions: Mapping[str, Callable[..., list[Tensor]]], programs: Mapping[str, Program]
) -> None:
    """Refuse functions whose numbers are off by more than rounding.

    Raises:
        NumericalError: with the numbers.
    """
    for name, program in programs.items():
        dtype = torch.complex128 if program.double else torch.complex64
        inputs = [_points(k).to(dtype) for k in range(len(program.inputs))]
        theirs = evaluate(program.outputs, dict(zip(program.inputs, inputs, strict=True)))
        near = torch.finfo(dtype).eps ** 0.25
        for ours, right in zip(functions[name](*inputs), theirs, strict=True):
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
