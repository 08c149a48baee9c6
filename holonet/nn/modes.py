"""Modules in eval mode for a while, also where several threads ask for it at once."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from torch import nn

__all__ = ["evaluating", "running_statistics"]


@dataclass
class _Held:
    """A module in eval mode, the mode it had before, and how many ask for it."""

    module: nn.Module
    training: bool
    users: int = 0


_held: dict[int, _Held] = {}
_lock = threading.Lock()


@contextmanager
def evaluating(model: object) -> Iterator[None]:
    """Put every submodule in eval mode, and back in its own mode at the end.

    Where several threads do so at once, or one within another, the last one to end puts the modes
    back: none of them meets dropout or the statistics of a batch.

    Example:
        >>> model = nn.Sequential(nn.Dropout(), nn.Dropout().eval())
        >>> with evaluating(model):
        ...     model[0].training
        False
        >>> model[0].training, model[1].training
        (True, False)
    """
    with _in_eval_mode(list(_modules(model))):
        yield


@contextmanager
def running_statistics(model: object) -> Iterator[bool]:
    """Let batch norm layers use and keep their running statistics; whether there are any.

    With the statistics of the batch a network is not a function of one example, which is what a
    penalty is about.
    """
    with _lock:
        layers = [
            m for m in _modules(model) if _own_mode(m) and getattr(m, "track_running_stats", False)
        ]
    with _in_eval_mode(layers):
        yield bool(layers)


def _modules(model: object) -> Iterable[nn.Module]:
    return model.modules() if isinstance(model, nn.Module) else ()


def _own_mode(module: nn.Module) -> bool:
    """Whether it is in train mode but for those who hold it."""
    held = _held.get(id(module))
    return module.training if held is None else held.training


@contextmanager
def _in_eval_mode(modules: list[nn.Module]) -> Iterator[None]:
    with _lock:
        for module in modules:
            held = _held.setdefault(id(module), _Held(module, module.training))
            held.users += 1
            module.training = False
    try:
        yield
    finally:
        with _lock:
            for module in modules:
                held = _held[id(module)]
                held.users -= 1
                if not held.users:
                    module.training = held.training
                    del _held[id(module)]
