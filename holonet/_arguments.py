"""Arguments of the wrong type, refused at the public edge in words read off the annotations."""

import collections.abc
import functools
import inspect
import numbers
import os
import types
import typing
from collections.abc import Callable
from pathlib import PurePath
from typing import Any, Literal, TypeVar, Union

import numpy as np
import torch
from jaxtyping import AbstractArray, jaxtyped
from torch import Tensor, nn

from holonet.errors import DomainError, InputTypeError

__all__ = ["checked"]

T = TypeVar("T", bound=Callable[..., Any])

SEEDS = 2**63
_LONGEST = 1000  # entries of a sequence that are looked at, and shapes that are remembered
_NUMBERS: dict[type, tuple[type, str]] = {
    int: (numbers.Integral, "an integer"),
    float: (numbers.Real, "a real number"),
    complex: (numbers.Complex, "a number"),
}


def checked(target: T) -> T:
    """A function, or a class, that refuses arguments which their annotations do not allow.

    Of a class the constructor is checked, and `__call__` where there is one, inherited ones too;
    a constructor alone may be checked by itself.
    Inside of `torch.compile` nothing is checked.

    Law: an argument that fits its annotation passes; any other one raises before the function
        runs, with the name of the parameter, what it got and what it takes.

    Raises:
        InputTypeError: by what is returned, for an argument of another type.
        DomainError: by what is returned, for a `seed` of more than 63 bits.

    Example:
        >>> @checked
        ... def double(x: Tensor, times: int = 1) -> Tensor:
        ...     return x * 2**times
        >>> double([1.0])
        Traceback (most recent call last):
        ...
        holonet.errors.InputTypeError: double: x is a list and must be a tensor: torch.as_tensor(x)
    """
    if not isinstance(target, type):
        names = target.__qualname__.split(".")
        return _checked_function(target, names[-2] if names[-1] == "__init__" else names[-1])
    for method in ("__init__", "__call__"):
        own = getattr(target, method, None)  # inherited too, under the name of the class itself
        if isinstance(own, types.FunctionType):  # what a base class checks is not checked twice
            setattr(target, method, _checked_function(getattr(own, _BARE, own), target.__name__))
    return target  # pyright: ignore[reportReturnType]


_BARE = "__unchecked__"


def _checked_function(function: Callable[..., Any], name: str) -> Any:
    signature = inspect.signature(function)
    positional = [
        p.name for p in signature.parameters.values() if p.kind in (p.POSITIONAL_ONLY, _EITHER)
    ]

    @functools.cache
    def hints() -> dict[str, tuple[Any, Callable[[object], bool]]]:
        found = typing.get_type_hints(function)
        return {k: (found[k], _test(found[k])) for k in signature.parameters if k in found}

    @functools.wraps(function)
    def edge(*args: Any, **kwargs: Any) -> Any:
        if not torch.compiler.is_compiling():
            given = dict(zip(positional, args, strict=False)) | kwargs
            for parameter, (hint, allows) in hints().items():
                if parameter in given and not allows(given[parameter]):
                    raise InputTypeError(_refusal(name, parameter, given[parameter], hint))
            seed = given.get("seed")
            if isinstance(seed, int) and not -SEEDS <= seed < SEEDS:  # as torch's generators
                raise DomainError(f"{name}: seed is {seed}, and a seed is below 2**63 in size")
        return function(*args, **kwargs)

    vars(edge)[_BARE] = function
    return edge


_EITHER = inspect.Parameter.POSITIONAL_OR_KEYWORD


def fits(value: object, hint: Any) -> bool:
    """Whether a value is what an annotation allows; what is not understood is allowed.

    Integers of any kind are real numbers, and strings are no sequences.

    Example:
        >>> fits(3, float), fits("ab", list[str]), fits(None, int | None), fits(True, int)
        (True, False, True, False)
    """
    return _test(hint)(value)


@functools.cache
def _test(hint: Any) -> Callable[[Any], bool]:
    """What `fits` asks of a value: the annotation is read once."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return lambda value: True
    if origin in (Union, types.UnionType):
        choices = [*map(_test, inner)]
        return lambda value: any(allows(value) for allows in choices)
    if origin is Literal:
        return lambda value: value in inner
    if origin is typing.Annotated:
        return _test(inner[0])
    if hint is None or hint is types.NoneType:
        return lambda value: value is None
    if hint in _NUMBERS:
        kind = _NUMBERS[hint][0]
        return lambda value: isinstance(value, kind) and not isinstance(value, bool | np.bool_)
    if hint is bool:
        return lambda value: isinstance(value, bool | np.bool_)
    if isinstance(hint, type) and issubclass(hint, PurePath):
        return lambda value: isinstance(value, os.PathLike)
    if isinstance(origin, type):
        return lambda value: _holds(value, origin, inner)
    if isinstance(hint, type) and issubclass(hint, AbstractArray):
        return _test_of_array(hint)
    return lambda value: not isinstance(hint, type) or isinstance(value, hint)


def _test_of_array(hint: type[AbstractArray]) -> Callable[[Any], bool]:
    """Asked once for tensors of one dtype and shape: jaxtyping takes long."""
    known: dict[tuple[torch.dtype, torch.Size], bool] = {}

    def ask(value: Any) -> bool:
        with jaxtyped("context"):  # the caller's own annotations may give these names other sizes
            return isinstance(value, hint)

    def allows(value: Any) -> bool:
        if type(value) is not Tensor or torch._C._is_tracing():  # which has tensors for sizes
            return ask(value)
        key = value.dtype, value.shape
        if (answer := known.get(key)) is None:
            if len(known) == _LONGEST:
                known.clear()
            answer = known[key] = ask(value)
        return answer

    return allows


def _holds(value: Any, origin: type, inner: tuple[Any, ...]) -> bool:
    """Whether a container, a callable or a class is of that generic type."""
    if origin is type:
        return isinstance(value, type)
    if not isinstance(value, origin) or isinstance(value, str | bytes):
        return False
    if issubclass(origin, collections.abc.Mapping):
        keys, values = inner
        return all(fits(k, keys) and fits(v, values) for k, v in value.items())
    if origin is tuple and inner[-1] is not Ellipsis:
        return len(value) == len(inner) and all(map(fits, value, inner))
    if issubclass(origin, collections.abc.Sequence) and not isinstance(value, nn.Module):
        return all(fits(entry, inner[0]) for entry in value[:_LONGEST])
    return True


def _refusal(function: str, parameter: str, value: object, hint: Any) -> str:
    wanted = _wanted(hint)
    message = f"{function}: {parameter} is {_what(value)} and must be {wanted}"
    if advice := getattr(hint, "argument_advice", ""):
        return f"{message}, {advice}"
    if isinstance(value, Tensor) and "floating" in wanted and not value.is_complex():
        return f"{message}: {parameter}.float()"
    if "tensor" not in wanted or isinstance(value, Tensor | nn.Module | str) or callable(value):
        return message
    return message + (f": torch.as_tensor({parameter})" if value is not None else "")


def _what(value: object) -> str:
    """A value in words, by its type, and itself where that is short."""
    if isinstance(value, Tensor):
        dtype = str(value.dtype).removeprefix("torch.")
        return f"a tensor of shape {tuple(value.shape)} and dtype {dtype}"
    if value is None or isinstance(value, bool):
        return repr(value)
    if isinstance(value, type):
        return f"the class {value.__name__}"
    name = type(value).__name__
    article = "an" if name[:1].lower() in "aeiou" else "a"
    short = isinstance(value, str | numbers.Number) and len(repr(value)) <= 40
    return repr(value) if short else f"{article} {name}"


def _wanted(hint: Any) -> str:
    """An annotation in words."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(map(_wanted, inner)))
    if origin is Literal:
        return " or ".join(map(repr, inner))
    if origin is typing.Annotated:
        return _wanted(inner[0])
    if hint is None or hint is types.NoneType:
        return "None"
    if hint in _NUMBERS:
        return _NUMBERS[hint][1]
    if origin is collections.abc.Callable or hint is Callable:
        return "a function"
    if origin is type:
        return "a class"
    if isinstance(origin, type):
        if issubclass(origin, collections.abc.Mapping):
            return f"a mapping to {_wanted(inner[1])}"
        if origin is tuple and inner[-1] is not Ellipsis:
            return f"a tuple of {len(inner)}: {', '.join(map(_wanted, inner))}"
        return f"a {origin.__name__.lower()} of which each is {_wanted(inner[0])}"
    return _WORDS.get(hint) or _array(hint) or _named(hint)


_WORDS: dict[Any, str] = {
    Tensor: "a tensor",
    str: "a string",
    bool: "True or False",
    nn.Module: "a torch.nn.Module",
}


def _array(hint: Any) -> str:
    """A tensor of some dtype, and of a shape where the annotation has one."""
    if not (isinstance(hint, type) and issubclass(hint, AbstractArray)):
        return ""
    kind = hint.__name__.split("[")[0].lower()
    words = {"float": "real floating", "inexact": "floating", "int": "integer", "shaped": ""}
    tensor = f"{words.get(kind, kind)} tensor".strip()
    article = "an" if tensor[0] in "aeiou" else "a"
    is_any = hint.dim_str in ("...", "*shape")
    shape = "" if is_any else f" of shape ({', '.join(hint.dim_str.split())})"
    return f"{article} {tensor}{shape}"


def _named(hint: Any) -> str:
    name = getattr(hint, "__name__", str(hint))
    if isinstance(hint, type) and issubclass(hint, PurePath):
        return "a path"
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"
