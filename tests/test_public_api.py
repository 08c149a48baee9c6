"""What users may import: declared, sorted, documented."""

import functools
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from types import ModuleType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from jaxtyping import AbstractArray, Float
from torch import Tensor

import holonet
from cases import each
from holonet._types import GivenPoints, OwnShape, RealTensor, Scalar, TensorFunction

MODULES = ["holonet", *(m.name for m in pkgutil.walk_packages(holonet.__path__, "holonet."))]


@each("name", MODULES)
def test_module_declares_its_names(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__, f"{name} opens with no sentence"
    assert len(module.__all__) == len(set(module.__all__))
    for public in module.__all__:
        assert hasattr(module, public), f"{name}.{public} does not exist"


@each("name", MODULES)
def test_public_objects_are_documented(name: str) -> None:
    module = importlib.import_module(name)
    for public in getattr(module, "__all__", ()):
        value = getattr(module, public)
        if getattr(value, "__module__", None) != name:
            continue  # documented where it is defined
        if inspect.isclass(value) or inspect.isfunction(value):
            doc = value.__dict__.get("__doc__") if inspect.isclass(value) else value.__doc__
            assert doc, f"{name}.{public} has no docstring"


@each("name", [m for m in MODULES if m.count(".") <= 1])
def test_package_hands_on_only_what_its_modules_declare(name: str) -> None:
    package = importlib.import_module(name)
    for public in package.__all__:
        value = getattr(package, public)
        source = getattr(value, "__module__", None)
        if inspect.ismodule(value) or source is None or not source.startswith("holonet"):
            continue
        assert public in importlib.import_module(source).__all__, f"{public} is not in {source}"


@each("name", MODULES)
def test_public_functions_have_shapes(name: str) -> None:
    """No tensor is annotated without the names of its axes, `__init__` and `__call__` included."""
    for qualified, function in _public_functions(importlib.import_module(name)):
        hints = get_type_hints(function, include_extras=True)
        bare = {parameter: hint for parameter, hint in hints.items() if _is_bare(hint)}
        assert not bare, f"{name}.{qualified} has tensors without shapes: {bare}"


def test_what_has_no_shape_is_told_apart() -> None:
    bare = (Tensor, Tensor | None, RealTensor, OwnShape, Callable[[Tensor], Scalar], list[Tensor])
    for hint in (*bare, Float[Tensor, "batch ..."], Annotated[Tensor, "batch"]):
        assert _is_bare(hint), hint
    shaped = (
        int,
        Scalar,
        TensorFunction,
        tuple[GivenPoints, int],
        dict[str, OwnShape],
        Literal["..."],
    )
    for hint in (*shaped, Float[Tensor, "*#shape"]):
        assert not _is_bare(hint), hint


def _public_functions(module: ModuleType) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Functions and methods of public names, those that a public class inherits too."""
    for name, value in vars(module).items():
        if name.startswith("_") or getattr(value, "__module__", None) != module.__name__:
            continue
        members: dict[str, Any] = {name: value}
        if inspect.isclass(value):
            bases = [c for c in reversed(value.__mro__) if c.__module__.startswith("holonet")]
            members = {f"{name}.{k}": v for c in bases for k, v in vars(c).items() if _is_public(k)}
        for qualified, member in members.items():
            function = inspect.unwrap(_function_of(member))
            if inspect.isfunction(function):
                yield qualified, function


def _is_public(name: str) -> bool:
    return not name.startswith("_") or name in ("__init__", "__call__")


def _function_of(member: Any) -> Any:
    if isinstance(member, property):
        return member.fget
    if isinstance(member, functools.cached_property):
        return member.func
    return member.__func__ if isinstance(member, classmethod | staticmethod) else member


def _is_bare(hint: Any, in_collection: bool = False) -> bool:
    """Whether a tensor without the names of its axes is in it.

    `*_name`, an axis that is compared with no other, is one for tensors of a collection.
    """
    if hint is Tensor:
        return True
    if inspect.isclass(hint) and issubclass(hint, AbstractArray):
        return "..." in hint.dim_str or (not in_collection and "*_" in hint.dim_str)
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        return False
    required = [shape for shape in getattr(hint, "__metadata__", ()) if inspect.isclass(shape)]
    if required:
        return any(map(_is_bare, required))
    if isinstance(hint, list):  # the parameters of a Callable
        inner = hint
    collects = inspect.isclass(origin) and issubclass(origin, Iterable)
    return any(_is_bare(part, in_collection or collects) for part in inner)


def test_version_agrees_with_the_package() -> None:
    from importlib.metadata import version

    assert version("holonet") == holonet.__version__
