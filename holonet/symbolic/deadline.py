"""A time limit for Python code that knows none, such as sympy's."""

import ctypes
import threading
from collections.abc import Callable
from typing import TypeVar

from sympy.core.cache import clear_cache

from holonet.errors import ConfigError

__all__ = ["within"]

_AGAIN = 0.1
_T = TypeVar("_T")


def within(seconds: float | int, function: Callable[[], _T], late: Callable[[], Exception]) -> _T:
    """What the function returns, or `late()` is raised where that takes longer.

    A second thread asks the interpreter to raise an exception in this one, at its next step, and
    again every tenth of a second until the function is left. One step of compiled code, such as
    one product of two numbers, is not interrupted; in a weakref's callback Python ignores the first
    request, and says so on the error stream. Limits may be nested, and may be infinite.

    Raises:
        ConfigError: the limit is not above 0.

    Example:
        >>> within(60, lambda: sum(range(10)), TimeoutError)
        45
    """
    if not seconds > 0:
        raise ConfigError(f"time_limit={seconds}: choose seconds above 0")

    class Stop(BaseException):
        """Not an Exception, so that nobody takes it for the error of a formula."""

    target, lock, finished = threading.get_ident(), threading.Lock(), threading.Event()

    def watch() -> None:
        wait = min(seconds, threading.TIMEOUT_MAX)
        while not finished.wait(wait):
            with lock:
                if not finished.is_set():
                    _raise_in(target, Stop)
            wait = _AGAIN

    def leave() -> None:
        while True:
            try:
                with lock:
                    finished.set()
                _raise_in(target, None)  # what was asked for and has not come yet
                return
            except Stop:
                continue

    try:
        try:
            threading.Thread(target=watch, daemon=True, name="holonet-time-limit").start()
            return function()
        finally:
            leave()
    except Stop:
        leave()
        clear_cache()  # of facts that were half found out
        raise late() from None


def _raise_in(thread: int, kind: type[BaseException] | None) -> None:
    """Have that thread raise an exception of this class at its next step; None takes it back."""
    wanted = ctypes.py_object() if kind is None else ctypes.py_object(kind)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), wanted)
