"""Jets in Triton generated from the record, for the GPU."""

import functools
from collections.abc import Callable, Mapping

from torch import Tensor

from holonet.functions import HolomorphicFunction
from holonet.ops.jet.programs import programs
from holonet.ops.tracing import UntranslatableError
from holonet.ops.triton_code import compile_programs

__all__ = ["kernels"]


@functools.lru_cache(maxsize=256)
def kernels(
    record: HolomorphicFunction, tangents: int
) -> Mapping[str, Callable[..., list[Tensor]]] | None:
    """The operations of `reference` by name, in single precision; None where the record has none.

    Raises:
        ImportError: Triton is not installed.
    """
    try:
        return compile_programs(programs(record, tangents, double=False))
    except UntranslatableError:
        return None
