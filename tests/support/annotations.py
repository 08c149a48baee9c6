"""Every annotation of the package is enforced, at half of the cost of jaxtyping's own decorator.

That one binds the arguments at each call, checks them twice, and generates the checks of a nested
function whenever it is defined, which is half of the suite's time. Here beartype checks each
function once, and within a call one size belongs to one name of an axis.

- A function refuses wrong arguments in its own words where it does: it runs on them, and the
  checker speaks if it raised no error of the package.
- `Annotated[A, B]`: users may give what A is, the function refuses what B is not.
- What looks like a call that has passed, in types, dtypes and shapes, is not checked again.
- While torch traces, exports or compiles, sizes are no integers and nothing is checked.
"""

import collections
import functools
import inspect
import threading
from collections.abc import Callable, Collection, Iterable
from types import CodeType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import jaxtyping
import torch
from beartype import BeartypeConf, beartype
from torch import Tensor

__all__ = ["install"]

MOST = 1000
"""How many calls of a function are remembered."""

LONGEST = 8
"""How many entries of a collection are compared with what has passed."""

DEFINITIONS = 20
"""How many times a nested function is checked; it is defined at every call of the outer one."""


is_compiling, is_tracing = torch.compiler.is_compiling, torch._C._is_tracing


class _ArgumentError(jaxtyping.TypeCheckError):
    """Of arguments, before the function ran."""


_results = threading.local()
"""What was computed already, for a function that has the checks and no code."""

_checked = beartype(
    conf=BeartypeConf(violation_type=jaxtyping.TypeCheckError, violation_param_type=_ArgumentError)
)


def install() -> None:
    """In place of `jaxtyping.jaxtyped`, which the import hook puts on every function and class."""
    original = jaxtyping.jaxtyped
    definitions: collections.Counter[CodeType] = collections.Counter()

    def enforced(fn: Any = None, *, typechecker: Any = None) -> Any:
        if fn == "context":
            return original("context")
        if fn is None:
            return enforced
        if inspect.isclass(fn):  # of dataclasses what is generated; `checked` ones for shapes alone
            own: Any = vars(fn).get("__init__")
            shaped = hasattr(own, "__unchecked__") and any(map(_has_arrays, _hints(own)))
            if hasattr(fn, "__dataclass_fields__") and (shaped or not hasattr(own, "__wrapped__")):
                fn.__init__ = enforced(own)
            return fn
        if not inspect.isfunction(fn) or not fn.__annotations__:
            return fn
        if "<locals>" in fn.__qualname__:
            definitions[fn.__code__] += 1
            if definitions[fn.__code__] > DEFINITIONS:
                return fn
        function = _with_required(fn)
        return (
            _with_sizes(fn, function, original) if any(map(_has_arrays, _hints(fn))) else function
        )

    vars(jaxtyping)["jaxtyped"] = enforced


def _with_sizes(
    fn: Callable[..., Any], function: Callable[..., Any], context: Callable[..., Any]
) -> Callable[..., Any]:
    passed: dict[Any, set[Any]] = {}  # what arguments looked like -> what results did

    @functools.wraps(fn)
    def echo(*args: Any, **kwargs: Any) -> Any:
        return _results.one

    of_echo = functools.cache(lambda: _with_required(echo))

    @functools.wraps(fn)
    def with_sizes(*args: Any, **kwargs: Any) -> Any:
        if is_compiling() or is_tracing():
            return fn(*args, **kwargs)
        looks: list[Any] = []
        for v in args:  # at every call of every function: no function is called for a tensor
            looks.append((v.dtype, v.shape) if type(v) is Tensor else _look(v))
        for name, v in kwargs.items():
            looks += name, (v.dtype, v.shape) if type(v) is Tensor else _look(v)
        look = tuple(looks)
        results = passed.get(look)
        if results is not None:
            result = fn(*args, **kwargs)
            of_result = (result.dtype, result.shape) if type(result) is Tensor else _look(result)
            if of_result not in results:
                with context("context"):
                    _results.one = result
                    of_echo()(*args, **kwargs)
                if len(results) < MOST:
                    results.add(of_result)
            return result
        try:
            with context("context"):
                result = function(*args, **kwargs)
            if len(passed) < MOST:
                passed[look] = {_look(result)}
            return result
        except _ArgumentError as error:
            violation = jaxtyping.TypeCheckError(str(error))
        from holonet.errors import HolonetError  # not before annotations are enforced

        try:
            fn(*args, **kwargs)
        except HolonetError:
            raise
        except Exception:  # what follows from arguments that it does not take
            raise violation from None
        raise violation

    return with_sizes


def _look(value: Any) -> Any:
    """All that an annotation sees of a value; equal to nothing else where that is too much."""
    kind = type(value)
    if (sort := _SORTS.get(kind)) is None:
        sort = _SORTS[kind] = _sort(kind)
    if sort == "plain":
        return kind
    if sort == "tensor":
        return (value.dtype, value.shape) if kind is Tensor else (kind, value.dtype, value.shape)
    if sort == "jet":
        with torch._C.DisableTorchFunctionSubclass():  # asking a jet in Python takes long
            return kind, value.dtype, value.shape
    if sort == "named":  # which a Literal may name
        return kind, value
    if sort == "sequence" and len(value) <= LONGEST:
        return kind, *map(_look, value)
    if sort == "mapping" and len(value) <= LONGEST:
        return kind, *map(_look, value), *map(_look, value.values())
    return object()


_SORTS: dict[type, str] = {}
"""What `_look` asks of values of a type."""


def _sort(kind: type) -> str:
    if kind in (Tensor, torch.nn.Parameter):
        return "tensor"
    if issubclass(kind, Tensor):
        return "jet"
    if kind in (str, bool):
        return "named"
    if issubclass(kind, tuple) or kind is list:
        return "sequence"
    if kind is dict:
        return "mapping"
    return "collection" if issubclass(kind, Collection) else "plain"


def _with_required(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Checked by beartype, B in place of `Annotated[A, B]`."""
    given = fn.__annotations__
    fn.__annotations__ = {name: _required(hint) for name, hint in given.items()}
    function = _checked(fn)
    fn.__annotations__ = given
    return function


def _hints(fn: Callable[..., Any]) -> Iterable[Any]:
    return map(_required, fn.__annotations__.values())


def _required(hint: Any) -> Any:
    """The annotation with B in place of `Annotated[A, B]`."""
    if get_origin(hint) is Annotated and _is_array(hint.__metadata__[0]):
        return hint.__metadata__[0]
    if get_origin(hint) in (Union, UnionType):
        return Union[tuple(map(_required, get_args(hint)))]  # noqa: UP007
    return hint


def _has_arrays(annotation: Any) -> bool:
    """Whether a shape is in it; a text may hold any."""
    if _is_array(annotation):
        return True
    if get_origin(annotation) in (Literal, Callable):  # not looked into
        return False
    parts = annotation if isinstance(annotation, list | tuple) else get_args(annotation)
    return isinstance(annotation, str) or any(map(_has_arrays, parts))


def _is_array(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, jaxtyping.AbstractArray)
