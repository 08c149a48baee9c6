"""The pointwise operations in C++ generated from the record, for the CPU."""

import logging
import sys
from collections.abc import Mapping
from typing import NamedTuple

import torch

from holonet.functions import HolomorphicFunction
from holonet.ops.compiler import CompilationError
from holonet.ops.native import Kernel, compile_programs
from holonet.ops.planar import in_order
from holonet.ops.pointwise.programs import BIASED, INPUTS, program
from holonet.ops.tracing import UntranslatableError, count_operations

__all__ = [
    "LEAST",
    "OTHER",
    "POLYNOMIAL",
    "QUICK",
    "forget",
    "is_polynomial",
    "kernels",
    "least",
    "loaded",
    "small",
]

MOST = 512
"""Records that are remembered; the oldest is forgotten first."""
NEVER = sys.maxsize
POLYNOMIAL = (NEVER, 1 << 16)
QUICK = (NEVER, 1 << 17)
LEAST = 64
OTHER = (LEAST, LEAST)
"""Entries from which compiled code is faster than torch's: forwards alone, and where a gradient may
be asked for. For polynomials, whose values torch computes at the speed of a copy; for rational
functions that are one operation of torch; for others. From `tests/benchmarks/thresholds.py`."""

SUMS = {"input", "constant", "add", "sub", "mul", "neg"}
QUOTIENTS = SUMS | {"div", "abs", "maximum", "minimum", "le", "where"}

log = logging.getLogger(__name__)


class _Known(NamedTuple):
    """What is remembered of a record: itself, so that its identity stays its own, and the rest."""

    record: HolomorphicFunction
    least: tuple[int, int]
    kernels: dict[tuple[torch.dtype, bool], Mapping[str, Kernel] | str]


_known: dict[int, _Known] = {}
small: dict[int, int] = {}
"""Identity of a record that was looked up -> entries below which it is torch code in any case."""


def _look_up(record: HolomorphicFunction) -> _Known:
    """By identity: to hash a record takes longer than its value at 64 entries."""
    found = _known.get(id(record))
    if found is None:
        if len(_known) >= MOST:
            oldest = next(iter(_known))
            small.pop(oldest, None)
            _known.pop(oldest, None)
        found = _known.setdefault(id(record), _Known(record, _thresholds(record), {}))
        small[id(record)] = min(found.least)
    return found


def forget() -> None:
    """Compile and measure anew what is asked for next."""
    _known.clear()
    small.clear()


def kernels(
    record: HolomorphicFunction, dtype: torch.dtype, biased: bool = False
) -> Mapping[str, Kernel] | str:
    """The compiled operations of `reference` by name; or, in words, why there are none.

    Those of `BIASED` if asked for. What cannot be compiled here is not tried again in this process.
    """
    known = _look_up(record).kernels
    key = dtype, biased
    if key not in known:
        known[key] = _compile(record, *key)
    return known[key]


def loaded(record: HolomorphicFunction, dtype: torch.dtype) -> Mapping[str, Kernel] | None:
    """The compiled operations, if there are any by now."""
    known = _known.get(id(record))
    found = None if known is None else known.kernels.get((dtype, False))
    return None if isinstance(found, str) else found


def is_polynomial(record: HolomorphicFunction) -> bool:
    """Whether the derivative takes sums and products only, or cannot be read."""
    return _look_up(record).least == POLYNOMIAL


def least(record: HolomorphicFunction, derived: bool) -> int:
    """The number of entries from which compiled code is worth its call.

    Args:
        record: the function.
        derived: whether a gradient may be asked for.
    """
    return _look_up(record).least[derived]


def _compile(
    record: HolomorphicFunction, dtype: torch.dtype, biased: bool
) -> Mapping[str, Kernel] | str:
    double = dtype == torch.complex128
    try:
        programs = {
            name: program(name, record, double=double, biased=biased)
            for name in (BIASED if biased else INPUTS)
        }
        return compile_programs(programs, f"{record.name} in {dtype}")
    except (CompilationError, UntranslatableError) as error:
        log.info("%s runs as torch code: %s", record.name, error)
        return str(error)


def _operations(record: HolomorphicFunction) -> set[str]:
    """The real operations of the value and the derivative; none if they cannot be read."""
    try:
        outputs = [
            p for name in ("value", "push") for p in program(name, record, double=False).outputs
        ]
    except UntranslatableError:
        return set()
    return {node.op for node in in_order([part for output in outputs for part in output])}


def _thresholds(record: HolomorphicFunction) -> tuple[int, int]:
    operations = _operations(record)
    if operations <= SUMS:
        return POLYNOMIAL
    return QUICK if operations <= QUOTIENTS and count_operations(record.value) == 1 else OTHER
