"""The pointwise operations in C++ generated from the record, for the CPU."""

import functools
import logging
from collections.abc import Mapping

import torch

from holonet.functions import HolomorphicFunction
from holonet.ops.native import CompilationError, Kernel, compile_programs
from holonet.ops.planar import in_order
from holonet.ops.pointwise.programs import INPUTS, program
from holonet.ops.tracing import UntranslatableError

__all__ = ["SMALLEST", "SMALLEST_PLAIN", "kernels", "smallest"]

SMALLEST = 1024
"""Entries below which calling the compiled code costs more than it saves."""

SMALLEST_PLAIN = 1 << 16
"""The same for polynomials, whose torch code is fast already."""

PLAIN = {"input", "constant", "add", "sub", "mul", "neg"}

log = logging.getLogger(__name__)


@functools.lru_cache(maxsize=256)
def kernels(record: HolomorphicFunction, dtype: torch.dtype) -> Mapping[str, Kernel] | str:
    """The compiled operations of `reference` by name; or, in words, why there are none.

    The reason is logged once. What cannot be compiled here is not tried again in this process.
    """
    double = dtype == torch.complex128
    try:
        programs = {name: program(name, record, double=double) for name in INPUTS}
        return compile_programs(programs, f"{record.name} in {dtype}")
    except (CompilationError, UntranslatableError) as error:
        log.info("%s runs as torch code: %s", record.name, error)
        return str(error)


@functools.lru_cache(maxsize=256)
def smallest(record: HolomorphicFunction) -> int:
    """The number of entries from which compiled code is worth its call."""
    try:
        outputs = program("push", record, double=False).outputs
        nodes = in_order([part for output in outputs for part in output])
        plain = all(node.op in PLAIN for node in nodes)
    except UntranslatableError:
        plain = True
    return SMALLEST_PLAIN if plain else SMALLEST
