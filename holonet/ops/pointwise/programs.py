"""The pointwise operations as planar expressions, for the compilers of both devices."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from holonet.functions import HolomorphicFunction
from holonet.ops.planar import Planar, Program, Sheet
from holonet.ops.tracing import trace

__all__ = ["BIASED", "INPUTS", "program"]

INPUTS: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "value": ("z",),
        "push": ("z", "t"),
        "pull": ("z", "g"),
        "push_backward": ("z", "t", "h"),
        "pull_backward": ("z", "g", "h"),
    }
)
"""Name of an operation of `reference` -> its complex inputs."""


BIASED: Mapping[str, Sequence[str]] = MappingProxyType(
    {"value": ("z", "b"), "pull": ("z", "g", "b")}
)
"""The operations at z + b, where b repeats: name -> complex inputs."""


def program(
    operation: str, record: HolomorphicFunction, *, double: bool, biased: bool = False
) -> Program:
    """An operation of `reference` as expressions in its inputs; or one of `BIASED`.

    Raises:
        UntranslatableError: the record uses an operation that has no translation.
    """
    sheet = Sheet(double)
    names = (BIASED if biased else INPUTS)[operation]
    z, *others = map(sheet.complex_input, names)
    if biased:
        z = z.plus(others.pop())
    return Program(names, _WRITERS[operation](record, z, *others), repeating=int(biased))


def _value(record: HolomorphicFunction, z: Planar) -> list[Planar]:
    return [trace(record.value, z)]


def _push(record: HolomorphicFunction, z: Planar, t: Planar) -> list[Planar]:
    return [trace(record.derivative, z).times(t)]


def _pull(record: HolomorphicFunction, z: Planar, g: Planar) -> list[Planar]:
    return [trace(record.derivative, z).conj().times(g)]


def _push_backward(record: HolomorphicFunction, z: Planar, t: Planar, h: Planar) -> list[Planar]:
    return [trace(record.second_derivative, z).times(t).conj().times(h), *_pull(record, z, h)]


def _pull_backward(record: HolomorphicFunction, z: Planar, g: Planar, h: Planar) -> list[Planar]:
    return [trace(record.second_derivative, z).times(h).conj().times(g), *_push(record, z, h)]


_WRITERS: Mapping[str, Callable[..., list[Planar]]] = MappingProxyType(
    {
        "value": _value,
        "push": _push,
        "pull": _pull,
        "push_backward": _push_backward,
        "pull_backward": _pull_backward,
    }
)
