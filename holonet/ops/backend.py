"""Which implementation of the fused operations runs, and why."""

import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

from holonet.errors import UnknownNameError

__all__ = ["BACKENDS", "VARIABLE", "Backend", "chosen", "use"]

Backend = Literal["auto", "reference", "compiled", "fused"]

BACKENDS: tuple[Backend, ...] = ("auto", "reference", "compiled", "fused")
"""auto picks; reference is plain torch; compiled is C++ on the CPU; fused is Triton on the GPU."""

VARIABLE = "HOLONET_BACKEND"
"""The environment variable that sets the backend where no context manager does; read once."""

_forced: ContextVar[Backend | None] = ContextVar("holonet_backend", default=None)


def chosen() -> Backend:
    """The backend asked for: by `use`, else by the environment, else "auto".

    Raises:
        UnknownNameError: the environment variable names no backend.
    """
    return _forced.get() or _from_environment()


@contextmanager
def use(backend: Backend | str) -> Iterator[None]:
    """Force a backend for the operations inside, in this thread.

    Raises:
        UnknownNameError: there is no such backend.

    Example:
        >>> with use("reference"):
        ...     chosen()
        'reference'
    """
    token = _forced.set(_named(backend))
    try:
        yield
    finally:
        _forced.reset(token)


@functools.cache
def _from_environment() -> Backend:
    """What the variable said when it was first asked for: reading it takes longer than tanh."""
    return _named(os.environ.get(VARIABLE, "auto"))


def _named(name: str) -> Backend:
    for backend in BACKENDS:
        if name == backend:
            return backend
    raise UnknownNameError("backend", name, BACKENDS)
