"""The pointwise operations in Triton, for the GPU; and in its interpreter, for tests without one.

A kernel is written from the same planar expressions as the C++ of the CPU, in single precision. An
entry is a pair of neighboring numbers in memory: a block is read as one run of them and split.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import torch
import triton
from torch import Tensor

from holonet.functions import HolomorphicFunction
from holonet.ops.native import dense
from holonet.ops.planar import Program
from holonet.ops.pointwise.programs import INPUTS, program
from holonet.ops.triton_code import helpers, interpreted, load, statements

__all__ = ["interpreted", "kernels", "source"]

BLOCK = 1024


def source(programs: Mapping[str, Program]) -> str:
    """A Python module with a kernel NAME(in..., out..., count, BLOCK) for each program NAME.

    Pointers are to the parts as float32. Offsets are 64-bit, so tensors may exceed 2^31 bytes.
    """
    return "\n".join([helpers(), *(_function(name, made) for name, made in programs.items())])


def _function(name: str, made: Program) -> str:
    pointers = [f"{z}_ptr" for z in made.inputs] + [f"out{k}_ptr" for k in range(len(made.outputs))]
    lines = [
        "parts = 2 * tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, 2 * BLOCK)",
        "inside = parts < 2 * count",
    ]
    lines += [
        f"{z}_re, {z}_im = tl.split(tl.reshape("
        f"tl.load({z}_ptr + parts, mask=inside, other=0.0), (BLOCK, 2)))"
        for z in made.inputs
    ]
    work, results = statements(made.outputs, "(BLOCK,)")
    lines += work
    lines += [
        f"tl.store(out{k}_ptr + parts, tl.reshape(tl.join({re}, {im}), (2 * BLOCK,)), mask=inside)"
        for k, (re, im) in enumerate(results)
    ]
    body = "\n".join(f"    {line}" for line in lines)
    arguments = ", ".join([*pointers, "count", "BLOCK: tl.constexpr"])
    return f"\n@triton.jit\ndef {name}({arguments}):\n{body}\n"


Run = Callable[..., list[Tensor]]


@functools.lru_cache(maxsize=256)
def kernels(record: HolomorphicFunction) -> Mapping[str, Run]:
    """The operations of `reference` by name, each as a function of complex64 tensors of one shape.

    Raises:
        UntranslatableError: the record uses an operation that has no translation.
    """
    programs = {name: program(name, record, double=False) for name in INPUTS}
    module = load(source(programs))
    return {
        name: functools.partial(_launch, getattr(module, name), len(made.outputs))
        for name, made in programs.items()
    }


def _launch(kernel: Any, outputs: int, *inputs: Tensor) -> list[Tensor]:
    """Run over all entries; inputs may be strided and lazily conjugated or negated."""
    read = list(map(dense, inputs))
    results = [torch.empty_like(read[0]) for _ in range(outputs)]
    count = read[0].numel()
    if count:
        flat = [torch.view_as_real(t).view(-1) for t in (*read, *results)]
        kernel[(triton.cdiv(count, BLOCK),)](*flat, count, BLOCK=BLOCK)
    return results
