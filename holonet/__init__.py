"""Holomorphic neural networks in PyTorch, and what complex analysis says about them."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from holonet import (
        attacks,
        calculus,
        certify,
        continuation,
        data,
        domains,
        errors,
        functions,
        nn,
        regularizers,
    )
    from holonet.training import load

__all__ = [
    "attacks",
    "calculus",
    "certify",
    "continuation",
    "data",
    "domains",
    "errors",
    "functions",
    "load",
    "nn",
    "regularizers",
]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """A unit, or `load`, imported when it is first asked for: the command needs few of them."""
    if name == "load":
        return importlib.import_module("holonet.training").load
    if name in __all__:
        return importlib.import_module(f"holonet.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
