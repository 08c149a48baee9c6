"""The operations of a jet as planar expressions, for the compilers of both devices."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from holonet.functions import HolomorphicFunction
from holonet.ops.differentiate import derivative
from holonet.ops.planar import Planar, Program, Sheet
from holonet.ops.tracing import trace

__all__ = ["MOST", "OPERATIONS", "programs"]

MOST = 4
"""Tangents that one pass takes along: each is an input and an output of its own."""

OPERATIONS: Mapping[str, str] = MappingProxyType(
    {"jet": "zt", "push": "ztus", "backward": "ztgh", "push_backward": "ztusgh"}
)
"""Operation of `reference` -> its inputs, in turn one tensor and one for each tangent."""


def programs(record: HolomorphicFunction, tangents: int, *, double: bool) -> dict[str, Program]:
    """The operations of `reference` for a number of tangents.

    Their inputs are z, t0, t1, ..., then the further ones; their outputs all single tensors, and
    then those for each tangent.

    Raises:
        UntranslatableError: the record uses an operation that has no translation.
    """
    return {name: _program(name, record, tangents, double) for name in OPERATIONS}


def _program(name: str, record: HolomorphicFunction, tangents: int, double: bool) -> Program:
    sheet = Sheet(double)
    names: list[str] = []
    inputs: list[Planar | list[Planar]] = []
    for one, each in zip(OPERATIONS[name][::2], OPERATIONS[name][1::2], strict=True):
        numbered = [f"{each}{k}" for k in range(tangents)]
        names += [one, *numbered]
        inputs += [sheet.complex_input(one), list(map(sheet.complex_input, numbered))]
    return Program(names, _OUTPUTS[name](record, *inputs))


def _jet(record: HolomorphicFunction, z: Planar, t: list[Planar]) -> list[Planar]:
    return [trace(record.value, z), *map(trace(record.derivative, z).times, t)]


def _push(
    record: HolomorphicFunction, z: Planar, t: list[Planar], u: Planar, s: list[Planar]
) -> list[Planar]:
    slope, turned = trace(record.derivative, z), trace(record.second_derivative, z).times(u)
    moved = [turned.times(a).plus(slope.times(b)) for a, b in zip(t, s, strict=True)]
    return [slope.times(u), *moved]


def _backward(
    record: HolomorphicFunction, z: Planar, t: list[Planar], g: Planar, h: list[Planar]
) -> list[Planar]:
    slope, bend = trace(record.derivative, z), trace(record.second_derivative, z)
    total = slope.conj().times(g)
    for a, b in zip(t, h, strict=True):
        total = total.plus(bend.times(a).conj().times(b))
    return [total, *map(slope.conj().times, h)]


def _push_backward(
    record: HolomorphicFunction,
    z: Planar,
    t: list[Planar],
    u: Planar,
    s: list[Planar],
    g: Planar,
    h: list[Planar],
) -> list[Planar]:
    slope, bend = trace(record.derivative, z), trace(record.second_derivative, z)
    twist = derivative(bend, z).times(u)
    along_z, along_u = bend.times(u).conj().times(g), slope.conj().times(g)
    for a, b, c in zip(t, s, h, strict=True):
        along_z = along_z.plus(twist.times(a).plus(bend.times(b)).conj().times(c))
        along_u = along_u.plus(bend.times(a).conj().times(c))
    turned = bend.times(u).conj()
    return [along_z, along_u, *map(turned.times, h), *map(slope.conj().times, h)]


_OUTPUTS: Mapping[str, Callable[..., list[Planar]]] = MappingProxyType(
    {"jet": _jet, "push": _push, "backward": _backward, "push_backward": _push_backward}
)
