"""The pointwise operations generated from a record: C++ for the CPU, Triton for the GPU."""

import logging
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, cast

import torch

from holonet._types import ComplexEntries, RealEntries
from holonet.functions import HolomorphicFunction
from holonet.ops import native, triton_code
from holonet.ops.compiler import CompilationError
from holonet.ops.native import has_storage
from holonet.ops.planar import in_order
from holonet.ops.pointwise import reference
from holonet.ops.pointwise.programs import program
from holonet.ops.pointwise.reference import Broadcast
from holonet.ops.tracing import UntranslatableError, count_operations

__all__ = [
    "SMALLEST",
    "Generated",
    "compiled_functions",
    "is_polynomial",
    "run",
    "run_on_parts",
    "threshold",
]

Generated = Literal["compiled", "fused"]
"""The backends whose code is generated from the record."""

Functions = Mapping[str, Callable[..., list[ComplexEntries]]]
Thresholds = tuple[int | None, int | None]

GROUPS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "": ("value", "pull"),
        "forward mode of ": ("push", "push_backward", "pull_backward"),
        "second order of ": ("bend", "bend_backward"),
    }
)
"""What is compiled together: what training needs, and what other users of derivatives need."""

_GROUP = {name: (what, names) for what, names in GROUPS.items() for name in names}

RECORDS = 512
"""Records that are remembered; the oldest is forgotten first."""

SMALLEST = 64
POLYNOMIAL: Thresholds = (None, 1 << 16)
QUICK: Thresholds = (None, 1 << 17)
SINGLE: Thresholds = (256, 512)
COMPOSITE: Thresholds = (SMALLEST, SMALLEST)
"""Entries from which C++ is faster than torch code, None for never: forwards, and where a gradient
may be asked for. For polynomials, whose values torch computes at the speed of a copy; for rational
functions that are one operation of torch; for others that are one; for the rest. From
`tests/benchmarks/thresholds.py`."""

SUMS = {"input", "constant", "add", "sub", "mul", "neg"}
QUOTIENTS = SUMS | {"div", "abs", "maximum", "minimum", "le", "where"}

log = logging.getLogger(__name__)


class _Known(NamedTuple):
    """What is remembered of a record: itself, so that its identity stays its own, and the rest."""

    record: HolomorphicFunction
    thresholds: Thresholds
    functions: dict[tuple[Generated, torch.dtype, str, tuple[str, ...]], Functions | str]


_known: dict[int, _Known] = {}


def compiled_functions(
    record: HolomorphicFunction,
    backend: Generated,
    dtype: torch.dtype,
    operation: str = "value",
) -> Functions | str:
    """The operation and those that are compiled with it, by name; or, in words, why there are none.

    What cannot be compiled here is not tried again in this process.
    """
    functions = _look_up(record).functions
    key = backend, dtype, *_GROUP[operation]
    if key not in functions:
        functions[key] = _compile(record, *key)
    return functions[key]


def run(operation: str, record: HolomorphicFunction, backend: Generated, *inputs: Broadcast) -> Any:
    """An operation of `reference` on a backend: one tensor or a tuple.

    Torch code where the operation has no translation or an input has no storage.
    """
    functions = compiled_functions(record, backend, inputs[0].dtype, operation)
    if isinstance(functions, str) or not all(map(has_storage, inputs)):
        return getattr(reference, operation)(record, *inputs)
    if backend == "compiled" and operation == "value" and is_polynomial(record):
        return record.value(inputs[0])  # torch's products are as fast as a copy
    if any(t.shape != inputs[0].shape for t in inputs):
        inputs = torch.broadcast_tensors(*inputs)
    outputs = functions[operation](*inputs)
    return outputs[0] if len(outputs) == 1 else tuple(outputs)


def run_on_parts(
    record: HolomorphicFunction, real: RealEntries, imag: RealEntries
) -> tuple[RealEntries, RealEntries] | None:
    """The parts of the value in C++; None where there is no C++."""
    functions = compiled_functions(record, "compiled", real.dtype.to_complex())
    if isinstance(functions, str) or not (has_storage(real) and has_storage(imag)):
        return None
    return cast("native.CompiledFunction", functions["value"]).of_parts(real, imag)


def threshold(record: HolomorphicFunction, requires_grad: bool) -> int | None:
    """The number of entries from which C++ is faster than torch code; None if it never is."""
    return _look_up(record).thresholds[requires_grad]


def is_polynomial(record: HolomorphicFunction) -> bool:
    """Whether the derivative takes sums and products only, or cannot be read."""
    return _look_up(record).thresholds == POLYNOMIAL


def _look_up(record: HolomorphicFunction) -> _Known:
    """By identity: to hash a record takes longer than its value at 64 entries."""
    known = _known.get(id(record))
    if known is None:
        if len(_known) >= RECORDS:
            _known.pop(next(iter(_known)), None)
        known = _known.setdefault(id(record), _Known(record, _thresholds(record), {}))
    return known


def _compile(
    record: HolomorphicFunction,
    backend: Generated,
    dtype: torch.dtype,
    what: str,
    names: tuple[str, ...],
) -> Functions | str:
    double = dtype == torch.complex128
    try:
        programs = {name: program(name, record, double=double) for name in names}
        if backend == "fused":
            return triton_code.compile_programs(programs)
        return native.compile_programs(programs, f"{what}{record.name} in {dtype}")
    except (CompilationError, UntranslatableError) as error:
        log.info("%s runs as torch code: %s", record.name, error)
        return str(error)


def _thresholds(record: HolomorphicFunction) -> Thresholds:
    operations = _operations(record)
    if operations <= SUMS:
        return POLYNOMIAL
    if count_operations(record.value) > 1:
        return COMPOSITE
    return QUICK if operations <= QUOTIENTS else SINGLE


def _operations(record: HolomorphicFunction) -> set[str]:
    """The real operations of the value and the derivative; none if they cannot be read."""
    try:
        outputs = [
            p for name in ("value", "push") for p in program(name, record, double=False).outputs
        ]
    except UntranslatableError:
        return set()
    return {node.op for node in in_order([part for output in outputs for part in output])}
