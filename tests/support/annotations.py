"""Annotations are enforced at half of the cost: shapes by jaxtyping, the rest by beartype.

jaxtyping binds the arguments of every function to hold its shapes together, and generates the
checks of a nested function whenever it is defined. Together that is half of the suite's time.
"""

import collections
import inspect
from collections.abc import Callable
from types import CodeType
from typing import Any, Literal, get_args, get_origin

import jaxtyping
from beartype import beartype

__all__ = ["install"]

DEFINITIONS = 20
"""How many times a nested function is checked; it is defined at every call of the outer one."""


def install() -> None:
    """In place of `jaxtyping.jaxtyped`, which the import hook puts on every function."""
    original = jaxtyping.jaxtyped
    definitions: collections.Counter[CodeType] = collections.Counter()

    def enforced(fn: Any = None, *, typechecker: Any = beartype) -> Any:
        if fn is None:
            return lambda function: enforced(function, typechecker=typechecker)
        if inspect.isclass(fn) and hasattr(fn.__init__, "__wrapped__"):
            return fn  # its edge is checked already
        if not inspect.isfunction(fn):
            return original(fn, typechecker=typechecker)
        if "<locals>" in fn.__qualname__:
            definitions[fn.__code__] += 1
            if definitions[fn.__code__] > DEFINITIONS:
                return fn
        return _checked(fn, original, typechecker)

    vars(jaxtyping)["jaxtyped"] = enforced


def _checked(fn: Callable[..., Any], original: Any, typechecker: Any) -> Any:
    if any(map(_has_shape, fn.__annotations__.values())):
        return original(fn, typechecker=typechecker)
    return beartype(fn) if fn.__annotations__ else fn


def _has_shape(annotation: Any) -> bool:
    """Whether sizes are named in it: "..." and scalars name none; a text may name any."""
    if isinstance(annotation, str):
        return True
    if isinstance(annotation, type) and issubclass(annotation, jaxtyping.AbstractArray):
        return annotation.dim_str not in ("...", "")
    if get_origin(annotation) is Literal:
        return False
    parts = annotation if isinstance(annotation, list | tuple) else get_args(annotation)
    return any(map(_has_shape, parts))
