"""Planar expressions as Triton kernels, for the GPU; and in its interpreter, for tests without one.

A kernel is written from the same planar expressions as the C++ of the CPU, in single precision. An
entry is a pair of neighboring numbers in memory: a block is read as one run of them and split.
"""

import functools
import hashlib
import linecache
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from types import MappingProxyType, ModuleType
from typing import Any

import torch
from torch import Tensor

from holonet._types import ComplexEntries
from holonet.ops.native import dense
from holonet.ops.planar import Planar, Program, Real, in_order

__all__ = ["compile_programs", "helpers", "load", "source", "statements"]

BLOCK = 1024
CIRCULAR = ("sin", "cos")

_INFIX = {
    "add": "+",
    "sub": "-",
    "mul": "*",
    "div": "/",
    "lt": "<",
    "le": "<=",
    "and": "&",
    "or": "|",
}
_CALLS: Mapping[str, str] = MappingProxyType(
    {
        "abs": "tl.abs({0})",
        "atan2": "atan2({0}, {1})",
        "ceil": "tl.ceil({0})",
        "copysign": "copysign({0}, {1})",
        "exp": "tl.exp({0})",
        "expm1": "expm1({0})",
        "log": "tl.log({0})",
        "log1p": "log1p({0})",
        "maximum": "tl.maximum({0}, {1}, tl.PropagateNan.ALL)",
        "minimum": "tl.minimum({0}, {1}, tl.PropagateNan.ALL)",
        "neg": "({0} * -1.0)",  # Triton's own is 0 - x, and takes 0.0 to 0.0
        "sqrt": "tl.sqrt_rn({0})",
        "trunc": "trunc({0})",
        "where": "tl.where({0}, {1}, {2})",
    }
)


def source(programs: Mapping[str, Program]) -> str:
    """A Python module with a kernel NAME(in..., out..., count, BLOCK) for each program.

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
    work, results = statements(made.outputs)
    lines += work
    lines += [
        f"tl.store(out{k}_ptr + parts, tl.reshape(tl.join({re}, {im}), (2 * BLOCK,)), mask=inside)"
        for k, (re, im) in enumerate(results)
    ]
    body = "\n".join(f"    {line}" for line in lines)
    arguments = ", ".join([*pointers, "count", "BLOCK: tl.constexpr"])
    return f"\n@triton.jit\ndef {name}({arguments}):\n{body}\n"


def compile_programs(
    programs: Mapping[str, Program],
) -> dict[str, Callable[..., list[ComplexEntries]]]:
    """A function of complex64 tensors for each program, called as `native.CompiledFunction` is.

    Raises:
        ImportError: Triton is not installed.
    """
    module = load(source(programs))
    return {
        name: functools.partial(_launch, getattr(module, name), len(made.outputs))
        for name, made in programs.items()
    }


def _launch(kernel: Any, outputs: int, *inputs: Tensor) -> list[Tensor]:
    """Run over all entries; inputs and results are those of `native.CompiledFunction`."""
    inputs = tuple(map(dense, inputs))
    results = [torch.empty_like(inputs[0]) for _ in range(outputs)]
    count = inputs[0].numel()
    if count:
        flat = [torch.view_as_real(t).view(-1) for t in (*inputs, *results)]
        kernel[(-(-count // BLOCK),)](*flat, count, BLOCK=BLOCK)
    return results


def helpers() -> str:
    """The imports of a kernel's module, and the functions that `statements` may call."""
    return resources.files("holonet.ops").joinpath("vector.triton").read_text()


def statements(outputs: Sequence[Planar]) -> tuple[list[str], list[tuple[str, str]]]:
    """The lines that compute the outputs, and an expression for each one's parts.

    The lines assign to v0, v1, ... in single precision. A constant output is spread over a block.

    Example:
        >>> from holonet.ops.planar import Sheet
        >>> z = Sheet().complex_input("z")
        >>> statements([z.plus(z)])
        (['v1 = z_re + z_re', 'v3 = z_im + z_im'], [('v1', 'v3')])
    """
    lines, names = [], {}
    angles: dict[int, dict[str, str]] = {}
    for k, node in enumerate(in_order([part for output in outputs for part in output])):
        if node.op == "input":
            names[id(node)] = str(node.value)
        elif node.op == "constant":
            names[id(node)] = repr(node.value).replace("inf", "float('inf')")
        elif node.op in CIRCULAR:  # both at once, and an angle's once
            (angle,) = node.args
            if id(angle) not in angles:
                angles[id(angle)] = {op: f"{op}{k}" for op in CIRCULAR}
                lines.append(f"sin{k}, cos{k} = sincos({names[id(angle)]})")
            names[id(node)] = angles[id(angle)][node.op]
        else:
            names[id(node)] = f"v{k}"
            lines.append(f"v{k} = {_expression(node, names)}")
    return lines, [(_block(re, names), _block(im, names)) for re, im in outputs]


def _block(part: Real, names: Mapping[int, str]) -> str:
    """A block of numbers, also for a constant."""
    name = names[id(part)]
    return f"tl.full((BLOCK,), {name}, tl.float32)" if part.op == "constant" else name


def _expression(node: Real, names: Mapping[int, str]) -> str:
    args = [names[id(a)] for a in node.args]
    if node.op in _INFIX:
        return f"{args[0]} {_INFIX[node.op]} {args[1]}"
    return _CALLS[node.op].format(*args)


def load(text: str) -> ModuleType:
    """The module of a source, which is never a file that others could exchange or plant.

    Triton reads the source of its kernels through `inspect`, which finds it in `linecache`.
    """
    name = f"holonet_kernels_{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    path = f"<{name}>"
    linecache.cache[path] = (len(text), None, text.splitlines(keepends=True), path)
    module = ModuleType(name)
    sys.modules[name] = module
    exec(compile(text, path, "exec"), module.__dict__)
    return module
