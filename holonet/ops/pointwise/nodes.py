"""Compiled values and gradients as one call: a node of torch's graph that is not in Python."""

import ctypes
import functools
import logging
from array import array
from collections.abc import Callable, Mapping
from importlib import resources
from typing import Any

import torch
from torch import Tensor

from holonet.functions import HolomorphicFunction
from holonet.ops.apart import apart
from holonet.ops.compiler import CompilationError, load
from holonet.ops.floors import DTYPES
from holonet.ops.native import GRAIN, Kernel
from holonet.ops.pointwise import compiled, entrywise

__all__ = ["forget", "prepare", "ready"]

Call = Callable[[Tensor], Tensor | None]

ready: dict[int, Call] = {}
"""Identity of a record -> z -> phi(z), or None where more than autograd on the CPU watches z."""

log = logging.getLogger(__name__)


def prepare(record: HolomorphicFunction) -> None:
    """Make the call from what is compiled of the record so far.

    Without a compiler, or without the headers of Python, there is none.
    """
    known = {dtype: compiled.loaded(record, dtype) for dtype in DTYPES}
    found = sum(kernels is not None for kernels in known.values())
    if not found or found == _counts.get(id(record)):
        return
    if compiled.is_polynomial(record) or _maker() is None:  # torch's products are as fast
        return
    addresses = array(
        "q",
        [
            0 if kernels is None else kernels[name].address
            for kernels in known.values()
            for name in ("value", "pull")
        ],
    )
    again = functools.partial(entrywise.pull, record)
    least = [compiled.least(record, derived) for derived in (False, True)]
    call = _maker()(addresses.buffer_info()[0], *least, again)
    _counts[id(record)] = found
    if apart(lambda: all(_agrees(call, known[dtype], dtype) for dtype in DTYPES)):
        ready[id(record)] = call
    else:
        log.warning("calls of %s go through Python: the node of the graph is wrong", record.name)


def _agrees(call: Call, kernels: Mapping[str, Kernel] | None, dtype: torch.dtype) -> bool:
    """Whether the call, where it answers for so few entries, gives what the kernels give."""
    z = torch.linspace(0.1, 0.9, compiled.LEAST, dtype=dtype).requires_grad_()
    value = call(z)
    if kernels is None or value is None:
        return value is None
    g = z.detach()
    (gradient,) = torch.autograd.grad(value, z, g)
    return torch.equal(value, kernels["value"](g)[0]) and torch.equal(
        gradient, kernels["pull"](g, g)[0]
    )


def forget() -> None:
    """Compile and make anew what is asked for next."""
    compiled.forget()
    ready.clear()
    _counts.clear()


_counts: dict[int, int] = {}


@functools.cache
def _maker() -> Any:
    """The C++ function that makes a call, compiled once and kept on disk; None if it cannot be."""
    source = resources.files("holonet.ops.pointwise").joinpath("node.cpp").read_text()
    try:
        library = load(
            source.replace("$grain", str(GRAIN)),
            "the node of the graph",
            "-O1",
            accept=lambda found: found.holonet_node,
        )
    except CompilationError as error:
        log.info("calls of compiled functions go through Python: %s", error)
        return None
    maker = ctypes.PyDLL(library._name).holonet_node  # a PyDLL keeps Python's lock
    maker.restype = ctypes.py_object
    maker.argtypes = [ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.py_object]
    return maker
