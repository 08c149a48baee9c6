"""Run something where no transform, mode or autocast of torch is active."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

__all__ = ["in_new_thread"]

T = TypeVar("T")


def in_new_thread(function: Callable[[], T]) -> T:
    """What the function returns or raises in a new thread.

    What torch makes active (transforms, modes, autocast, inference mode, gradients switched off)
    belongs to a thread, so a new one has none of it. Context variables stay what they are.

    Example:
        >>> import torch
        >>> with torch.no_grad():
        ...     torch.is_grad_enabled(), in_new_thread(torch.is_grad_enabled)
        (False, True)
    """
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="holonet") as pool:
        return pool.submit(copy_context().run, function).result()
