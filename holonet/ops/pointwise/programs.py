"""The pointwise operations as planar expressions, for the compilers of both devices."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from holonet.functions import HolomorphicFunction
from holonet.ops.differentiate import derivative
from holonet.ops.planar import Planar, Program, Sheet
from holonet.ops.tracing import trace

__all__ = ["INPUTS", "program"]

INPUTS: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "value": ("z",),
        "push": ("z", "t"),
        "pull": ("z", "g"),
        "bend": ("z", "t", "u"),
        "push_backward": ("z", "t", "h"),
        "pull_backward": ("z", "g", "h"),
        "bend_backward": ("z", "t", "u", "h"),
    }
)
"""Name of an operation of `reference` -> its complex inputs."""


def program(operation: str, record: HolomorphicFunction, *, double: bool) -> Program:
    """An operation of `reference` as expressions in its inputs.

    Raises:
        UntranslatableError: the record uses an operation that has no translation.
    """
    sheet = Sheet(double)
    names = INPUTS[operation]
    return Program(names, _WRITERS[operation](record, *map(sheet.complex_input, names)))


def _bend_backward(
    record: HolomorphicFunction, z: Planar, t: Planar, u: Planar, h: Planar
) -> list[Planar]:
    second = trace(record.second_derivative, z)
    third = derivative(second, z)  # which records do not tell
    factors = third.times(t).times(u), second.times(u), second.times(t)
    return [factor.conj().times(h) for factor in factors]


_WRITERS: Mapping[str, Callable[..., list[Planar]]] = MappingProxyType(
    {
        "value": lambda f, z: [trace(f.value, z)],
        "push": lambda f, z, t: [trace(f.derivative, z).times(t)],
        "pull": lambda f, z, g: [trace(f.derivative, z).conj().times(g)],
        "bend": lambda f, z, t, u: [trace(f.second_derivative, z).times(t).times(u)],
        "push_backward": lambda f, z, t, h: [
            trace(f.second_derivative, z).times(t).conj().times(h),
            trace(f.derivative, z).conj().times(h),
        ],
        "pull_backward": lambda f, z, g, h: [
            trace(f.second_derivative, z).times(h).conj().times(g),
            trace(f.derivative, z).times(h),
        ],
        "bend_backward": _bend_backward,
    }
)
