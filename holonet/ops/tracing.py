"""The torch code of an entrywise function, read as real arithmetic on planar numbers."""

import functools
import operator
import os
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, fx
from torch.fx.experimental.proxy_tensor import make_fx

from holonet.errors import HolonetError
from holonet.ops.elementary import ELEMENTARY, divide, modulus, real_part_only
from holonet.ops.evaluate import OPERATIONS
from holonet.ops.planar import Planar, Real

__all__ = ["UntranslatableError", "count_operations", "trace"]

_REAL_ON_REALS = {"atan", "cosh", "reciprocal", "sinh", "tan", "tanh"}


class UntranslatableError(HolonetError, NotImplementedError):
    """A function uses an operation that has no translation; it still runs as torch code."""


def trace(function: Callable[[Tensor], Tensor], z: Planar) -> Planar:
    """What the function does with every entry, written on the sheet of z.

    The function is run once on a tensor whose operations are recorded, without autograd, in the
    precision of the sheet: branches must be `torch.where`, and constants may depend on the dtype.

    Raises:
        UntranslatableError: it is not entrywise, or uses an operation without translation.

    Example:
        >>> from holonet.ops.planar import Sheet
        >>> sheet = Sheet()
        >>> trace(lambda z: z * z, sheet.complex_input("z")).im.op
        'add'
    """
    return _Reader(z).read(_record(function, z.re.sheet.double))


def count_operations(function: Callable[[Tensor], Tensor]) -> int:
    """How many operations of torch the function runs.

    Example:
        >>> count_operations(torch.tanh), count_operations(lambda z: z * z + 1)
        (1, 2)
    """
    return sum(node.op == "call_function" for node in _record(function, False).graph.nodes)


def _record(function: Callable[[Tensor], Tensor], double: bool) -> fx.GraphModule:
    """The operations of one run, in a thread of its own, where no transform or mode is active."""

    def run() -> fx.GraphModule:
        dtype = torch.complex128 if double else torch.complex64
        with torch.no_grad():
            return make_fx(function)(torch.full((2,), 0.3 + 0.2j, dtype=dtype))

    return _thread(os.getpid(), threading.get_ident()).submit(run).result()


@functools.cache
def _thread(process: int, asking: int) -> ThreadPoolExecutor:
    """A thread of the process that lives as long as it, for the thread that asks.

    So a function that is read may have another one read. Torch 2.11 for CUDA, on a machine without
    a card, keeps a pointer into the first thread that makes fake tensors, as the recording does:
    were that thread to end, the next one would crash.
    """
    del process, asking
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="holonet-tracing")


@dataclass
class _Parts:
    """What `view_as_real` returns: the parts along a last axis."""

    of: Planar


class _Reader:
    """Walks over the recorded operations; values are planar numbers or known tensors."""

    def __init__(self, z: Planar) -> None:
        self.z = z

    def read(self, module: fx.GraphModule) -> Planar:
        known: dict[fx.Node, Any] = {}
        for node in module.graph.nodes:
            if node.op == "placeholder":
                known[node] = self.z
            elif node.op == "get_attr":
                known[node] = getattr(module, str(node.target))
            elif node.op == "call_function":
                args = fx.map_arg(node.args, known.__getitem__)
                kwargs = fx.map_arg(node.kwargs, known.__getitem__)
                known[node] = self.step(node.target, args, dict(kwargs))
            else:
                return self.planar(known[node.args[0]])
        raise UntranslatableError("the function returns nothing")

    def step(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if not any(isinstance(a, Planar | Real | _Parts) for a in args):
            return target(*args, **kwargs)
        name = str(target).removeprefix("aten.").split(".")[0]
        rule = _RULES.get(name)
        if rule is not None:
            return rule(self, *args)
        if name in ELEMENTARY:
            z = self.planar(args[0])
            if not z.is_real:
                return ELEMENTARY[name](z)
            if name in OPERATIONS:
                return real_part_only(z, name)
            if name in _REAL_ON_REALS:
                return self.planar(0.0)._replace(re=ELEMENTARY[name](z).re)
        raise UntranslatableError(
            f"{target} has no translation into planar code: the function runs as torch code"
        )

    def planar(self, value: Any) -> Planar:
        """A number, a known tensor of one value or a planar number as the last of these."""
        if isinstance(value, Planar):
            return value
        if isinstance(value, Real):
            raise UntranslatableError("a condition stands where a number should")
        if isinstance(value, Tensor):
            first = value.flatten()[0]
            if not (value == first).all():
                raise UntranslatableError("a tensor of several constants: not entrywise")
            value = first.item()
        number = complex(value)
        sheet = self.z.re.sheet
        return Planar(sheet.constant(number.real), sheet.constant(number.imag))

    def real(self, value: Any) -> Real:
        """The value of something known to be real."""
        return self.planar(value).re


def _compare(relation: Callable[[Any, Any], Real]) -> Callable[..., Real]:
    return lambda reader, a, b: relation(reader.real(a), reader.real(b))


def _scaled(value: Any, alpha: Any) -> Any:
    return value if alpha == 1 else value * alpha


def _abs(reader: _Reader, z: Any) -> Planar:
    z = reader.planar(z)
    return reader.planar(0.0)._replace(re=abs(z.re) if z.is_real else modulus(z))


def _real_map(op: str) -> Callable[..., Planar]:
    return lambda reader, z, *_: real_part_only(reader.planar(z), op)


def _atan2(reader: _Reader, y: Any, x: Any) -> Planar:
    return reader.planar(0.0)._replace(re=reader.real(y).map("atan2", reader.real(x)))


def _frac(reader: _Reader, z: Any) -> Planar:
    x = reader.real(z)
    return reader.planar(0.0)._replace(re=x - x.map("trunc"))


def _clamp(reader: _Reader, z: Any, low: Any = None, high: Any = None) -> Planar:
    x = reader.real(z)
    x = x if low is None else x.map("maximum", reader.real(low))
    return reader.planar(0.0)._replace(
        re=x if high is None else x.map("minimum", reader.real(high))
    )


def _where(reader: _Reader, condition: Any, yes: Any, no: Any) -> Planar:
    a, b = reader.planar(yes), reader.planar(no)
    return Planar(
        a.re if a.re is b.re else condition.where(a.re, b.re),
        a.im if a.im is b.im else condition.where(a.im, b.im),
    )


def _pow(reader: _Reader, z: Any, exponent: Any) -> Planar:
    if not isinstance(exponent, int) or not 1 <= exponent <= 8:
        raise UntranslatableError(
            f"the power {exponent}: write a small positive one, or exp and log"
        )
    return functools.reduce(Planar.times, [reader.planar(z)] * exponent)


def _select(reader: _Reader, parts: Any, axis: int, index: int) -> Planar:
    if not isinstance(parts, _Parts):
        raise UntranslatableError("indexing of the input: not entrywise")
    del axis
    return reader.planar(0.0)._replace(re=parts.of[index])


_RULES: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        "abs": _abs,
        "add": lambda r, a, b: r.planar(a).plus(r.planar(b)),
        "atan2": _atan2,
        "bitwise_and": lambda r, a, b: a & b,
        "ceil": _real_map("ceil"),
        "clamp": _clamp,
        "complex": lambda r, a, b: Planar(r.real(a), r.real(b)),
        "conj": lambda r, z: r.planar(z).conj(),
        "detach": lambda r, z: z,
        "div": lambda r, a, b: divide(r.planar(a), r.planar(b)),
        "frac": _frac,
        "full_like": lambda r, z, value, *_: r.planar(value),
        "ge": _compare(operator.ge),
        "gt": _compare(operator.gt),
        "le": _compare(operator.le),
        "lt": _compare(operator.lt),
        "mul": lambda r, a, b: r.planar(a).times(r.planar(b)),
        "neg": lambda r, z: r.planar(z).negative(),
        "ones_like": lambda r, z: r.planar(1.0),
        "pow": _pow,
        "rsub": lambda r, a, b: r.planar(b).minus(r.planar(a)),
        "select": _select,
        "sub": lambda r, a, b: r.planar(a).minus(r.planar(b)),
        "view_as_real": lambda r, z: _Parts(r.planar(z)),
        "where": _where,
        "zeros_like": lambda r, z: r.planar(0.0),
    }
)
"""Name of an ATen operation -> its rule."""
