"""Jets in C++ generated from the record, for the CPU."""

import functools
import logging
from collections.abc import Mapping

import torch

from holonet.functions import HolomorphicFunction
from holonet.ops.compiler import CompilationError
from holonet.ops.jet.programs import programs
from holonet.ops.native import Kernel, compile_programs
from holonet.ops.tracing import UntranslatableError

__all__ = ["kernels"]

log = logging.getLogger(__name__)


@functools.lru_cache(maxsize=256)
def kernels(
    record: HolomorphicFunction, tangents: int, dtype: torch.dtype
) -> Mapping[str, Kernel] | None:
    """The compiled operations of `reference` by name; None where the record has none.

    What cannot be compiled here is not tried again in this process.
    """
    try:
        return compile_programs(
            programs(record, tangents, double=dtype == torch.complex128),
            f"the jet of {record.name} in {dtype}",
        )
    except (CompilationError, UntranslatableError) as error:
        log.info("the jet of %s runs as torch code: %s", record.name, error)
        return None
