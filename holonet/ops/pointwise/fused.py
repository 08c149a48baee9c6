"""The pointwise operations in Triton generated from the record, for the GPU."""

import functools
from collections.abc import Callable, Mapping

from torch import Tensor

from holonet.functions import HolomorphicFunction
from holonet.ops.pointwise.programs import BIASED, INPUTS, program
from holonet.ops.triton_code import compile_programs

__all__ = ["kernels"]


@functools.lru_cache(maxsize=256)
def kernels(
    record: HolomorphicFunction, biased: bool = False
) -> Mapping[str, Callable[..., list[Tensor]]]:
    """The operations of `reference` (or `BIASED`) by name, as functions of complex64 tensors.

    Raises:
        UntranslatableError: the record uses an operation that has no translation.
        ImportError: Triton is not installed.
    """
    return compile_programs(
        {
            name: program(name, record, double=False, biased=biased)
            for name in (BIASED if biased else INPUTS)
        }
    )
