"""Every annotation of the package is enforced, at half of the cost of jaxtyping's own decorator.

That one binds the arguments at each call, checks them twice, and generates the checks of a nested
function whenever it is defined, which is half of the suite's time. Here beartype checks each
function once, and within a call one size belongs to one name of an axis.
"""

import collections
import functools
import inspect
from types import CodeType
from typing import Any, Literal, get_args, get_origin

import jaxtyping
from beartype import BeartypeConf, beartype

__all__ = ["install"]

DEFINITIONS = 20
"""How many times a nested function is checked; it is defined at every call of the outer one."""

_checked = beartype(conf=BeartypeConf(violation_type=jaxtyping.TypeCheckError))


def install() -> None:
    """In place of `jaxtyping.jaxtyped`, which the import hook puts on every function and class."""
    original = jaxtyping.jaxtyped
    definitions: collections.Counter[CodeType] = collections.Counter()

    def enforced(fn: Any = None, *, typechecker: Any = None) -> Any:
        if fn == "context":
            return original("context")
        if fn is None:
            return enforced
        if inspect.isclass(fn):  # of dataclasses what is generated; `checked` ones are already
            own = vars(fn).get("__init__")
            if hasattr(fn, "__dataclass_fields__") and not hasattr(own, "__wrapped__"):
                fn.__init__ = enforced(own)
            return fn
        if not inspect.isfunction(fn) or not fn.__annotations__:
            return fn
        if "<locals>" in fn.__qualname__:
            definitions[fn.__code__] += 1
            if definitions[fn.__code__] > DEFINITIONS:
                return fn
        function = _checked(fn)
        if not any(map(_names_sizes, fn.__annotations__.values())):
            return function

        @functools.wraps(fn)
        def with_sizes(*args: Any, **kwargs: Any) -> Any:
            with original("context"):
                return function(*args, **kwargs)

        return with_sizes

    vars(jaxtyping)["jaxtyped"] = enforced


def _names_sizes(annotation: Any) -> bool:
    """Whether a shape is in it that is more than "..."; a text may hold any."""
    if isinstance(annotation, type) and issubclass(annotation, jaxtyping.AbstractArray):
        return annotation.dim_str not in ("...", "")
    if get_origin(annotation) is Literal:
        return False
    parts = annotation if isinstance(annotation, list | tuple) else get_args(annotation)
    return isinstance(annotation, str) or any(map(_names_sizes, parts))
