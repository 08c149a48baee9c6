"""The operations of a jet as planar expressions, for the compilers of both devices."""

from collections.abc import Mapping
from types import MappingProxyType

from holonet.functions import HolomorphicFunction
from holonet.ops.planar import Program, Sheet
from holonet.ops.tracing import trace

__all__ = ["MOST", "OPERATIONS", "programs"]

MOST = 4
"""Tangents that one pass takes along: each is an input and an output of its own."""

OPERATIONS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {"jet": ("", ""), "push": ("u", "s"), "backward": ("g", "h")}
)
"""Operation of `reference` -> its further inputs: one tensor, and one for each tangent."""


def programs(record: HolomorphicFunction, tangents: int, *, double: bool) -> dict[str, Program]:
    """The operations of `reference` for a number of tangents.

    Their inputs are z, t0, t1, ..., then the further ones; their outputs a tensor, and one for each
    tangent.

    Raises:
        UntranslatableError: the record uses an operation that has no translation.
    """
    return {name: _program(name, record, tangents, double) for name in OPERATIONS}


def _program(name: str, record: HolomorphicFunction, tangents: int, double: bool) -> Program:
    sheet = Sheet(double)
    one, each = OPERATIONS[name]
    names = ["z", *_numbered("t", tangents)]
    if one:
        names += [one, *_numbered(each, tangents)]
    z, *others = map(sheet.complex_input, names)
    t = others[:tangents]
    slope = trace(record.derivative, z)
    if name == "jet":
        return Program(names, [trace(record.value, z), *map(slope.times, t)])
    bend = trace(record.second_derivative, z)
    first, rest = others[tangents], others[tangents + 1 :]
    if name == "push":
        turned = bend.times(first)
        moved = [turned.times(a).plus(slope.times(b)) for a, b in zip(t, rest, strict=True)]
        return Program(names, [slope.times(first), *moved])
    down = slope.conj()
    total = down.times(first)
    for a, b in zip(t, rest, strict=True):
        total = total.plus(bend.times(a).conj().times(b))
    return Program(names, [total, *map(down.times, rest)])


def _numbered(letter: str, count: int) -> list[str]:
    return [f"{letter}{k}" for k in range(count)]
