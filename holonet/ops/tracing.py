"""The torch code of an entrywise function, read as real arithmetic on planar numbers."""

import functools
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils import _python_dispatch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

from holonet._types import TensorFunction
from holonet.errors import HolonetError
from holonet.ops.elementary import ELEMENTARY, divide, modulus, real_number
from holonet.ops.evaluate import OPERATIONS
from holonet.ops.new_thread import in_new_thread
from holonet.ops.planar import Planar, Real

__all__ = ["UntranslatableError", "count_operations", "trace"]

_REAL_ON_REALS = {"asinh", "atan", "cosh", "reciprocal", "sinh", "tan", "tanh"}


class UntranslatableError(HolonetError, NotImplementedError):
    """A function uses an operation that has no translation; it still runs as torch code."""


def trace(function: TensorFunction, z: Planar) -> Planar:
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


def count_operations(function: TensorFunction) -> int:
    """How many operations of torch lead from the argument to the value.

    Example:
        >>> count_operations(torch.tanh), count_operations(lambda z: z * z + 1)
        (1, 2)
    """
    return len(_record(function, False).steps)


class _Step(NamedTuple):
    """One operation of torch: what it was called with and what it gave."""

    target: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    result: Any


class _Recording(NamedTuple):
    """The argument, the operations that lead from it to the value, and the value."""

    z: Tensor
    steps: list[_Step]
    value: Any


class _Recorder(TorchDispatchMode):
    """Notes what its thread does with z and with what came of it."""

    def __init__(self, z: Tensor) -> None:
        super().__init__()
        self.steps: list[_Step] = []
        self._known = {id(z)}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # else torch imports its compiler, which takes seconds

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        del types
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if self._known.isdisjoint(map(id, tree_leaves((args, kwargs)))):
            return result
        if func._schema.is_mutable:
            raise UntranslatableError(f"{func} writes in place: the function runs as torch code")
        results = tree_leaves(result)
        if not all(isinstance(t, Tensor) for t in results):
            raise UntranslatableError(
                f"{func}: what the function does depends on the values, so it runs as torch code. "
                "Write branches with torch.where"
            )
        self._known.update(map(id, results))
        self.steps.append(_Step(func, args, kwargs, result))
        return result


def _record(function: TensorFunction, double: bool) -> _Recording:
    """The operations of one run at two points, where no transform or mode is active.

    Two, so that numbers that were computed from the points in some other way are seen to differ.
    The recorder is put into the thread's own list of modes: as a context, it would set variables
    of the whole process, as torch.fx changes modules for all threads.

    Raises:
        UntranslatableError: it cannot be followed, since what it does depends on the values, it
            writes in place, or it fails.
    """
    dtype = torch.complex128 if double else torch.complex64

    def run() -> _Recording:
        z = torch.tensor([0.3 + 0.2j, -0.6 + 0.5j], dtype=dtype)
        recorder = _Recorder(z)
        _python_dispatch._push_mode(recorder)
        try:
            with torch.no_grad():
                value = function(z)
        finally:  # else the thread frees it when it ends, perhaps after the interpreter
            _python_dispatch._pop_mode()
        return _Recording(z, list(reversed(list(_steps_before(value, recorder.steps)))), value)

    try:
        return in_new_thread(run)
    except UntranslatableError:
        raise
    except Exception as error:  # of any kind: the function is the user's
        raise UntranslatableError(f"the function cannot be followed: {error}") from error


def _steps_before(value: Any, steps: list[_Step]) -> Iterator[_Step]:
    """Those that the value depends on, the last one first."""
    needed = {id(value)}
    for step in reversed(steps):
        if any(id(t) in needed for t in tree_leaves(step.result)):
            needed.update(map(id, tree_leaves((step.args, step.kwargs))))
            yield step


@dataclass
class _Parts:
    """What `view_as_real` returns: the parts along a last axis."""

    of: Planar


class _Reader:
    """Walks over the recorded operations; values are planar numbers or known tensors."""

    def __init__(self, z: Planar) -> None:
        self.z = z

    def read(self, recording: _Recording) -> Planar:
        known: dict[int, Any] = {id(recording.z): self.z}

        def look_up(t: Tensor) -> Any:
            return known.get(id(t), t)

        for step in recording.steps:
            args, kwargs = tree_map_only(Tensor, look_up, (step.args, step.kwargs))
            known[id(step.result)] = self.step(step.target, args, kwargs)
        if not isinstance(recording.value, Tensor):
            raise UntranslatableError("the function returns no tensor")
        return self.planar(look_up(recording.value))

    def step(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        del kwargs
        name = str(target).removeprefix("aten.").split(".")[0]
        rule = _RULES.get(name)
        if rule is not None:
            return rule(self, *args)
        if name in ELEMENTARY:
            z = self.planar(args[0])
            if not z.is_real:
                return ELEMENTARY[name](z)
            if name in OPERATIONS:
                return real_number(z.re.map(name))
            if name in _REAL_ON_REALS:
                return real_number(ELEMENTARY[name](z).re)
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


def _abs(reader: _Reader, z: Any) -> Planar:
    z = reader.planar(z)
    return real_number(abs(z.re) if z.is_real else modulus(z))


def _clamp(reader: _Reader, z: Any, low: Any = None, high: Any = None) -> Planar:
    x = reader.real(z)
    x = x if low is None else x.map("maximum", reader.real(low))
    return real_number(x if high is None else x.map("minimum", reader.real(high)))


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


def _mul(reader: _Reader, a: Any, b: Any) -> Any:
    """The product; of parts that are to be put together again, a real multiple."""
    if isinstance(a, _Parts):
        return _Parts(a.of.scale(reader.real(b)))
    return reader.planar(a).times(reader.planar(b))


def _select(reader: _Reader, parts: Any, axis: int, index: int) -> Planar:
    if not isinstance(parts, _Parts):
        raise UntranslatableError("indexing of the input: not entrywise")
    del axis
    return real_number(parts.of[index])


_RULES: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        "abs": _abs,
        "add": lambda r, a, b: r.planar(a).plus(r.planar(b)),
        "atan2": lambda r, y, x: real_number(r.real(y).map("atan2", r.real(x))),
        "bitwise_and": lambda r, a, b: a & b,
        "ceil": lambda r, x: real_number(r.real(x).map("ceil")),
        "clamp": _clamp,
        "complex": lambda r, a, b: Planar(r.real(a), r.real(b)),
        "conj": lambda r, z: r.planar(z).conj(),
        "detach": lambda r, z: z,
        "div": lambda r, a, b: divide(r.planar(a), r.planar(b)),
        "frac": lambda r, x: real_number(r.real(x) - r.real(x).map("trunc")),
        "full_like": lambda r, z, value, *_: r.planar(value),
        "ge": _compare(operator.ge),
        "gt": _compare(operator.gt),
        "le": _compare(operator.le),
        "lt": _compare(operator.lt),
        "mul": _mul,
        "neg": lambda r, z: r.planar(z).negative(),
        "ones_like": lambda r, z: r.planar(1.0),
        "pow": _pow,
        "rsub": lambda r, a, b: r.planar(b).minus(r.planar(a)),
        "select": _select,
        "sub": lambda r, a, b: r.planar(a).minus(r.planar(b)),
        "view_as_complex": lambda r, parts: parts.of,
        "view_as_real": lambda r, z: _Parts(r.planar(z)),
        "where": _where,
        "zeros_like": lambda r, z: r.planar(0.0),
    }
)
"""Name of an ATen operation -> its rule."""
