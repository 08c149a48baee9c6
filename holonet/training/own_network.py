"""A network of a user's own, by the name of what makes it."""

import copy
import inspect
from typing import Any

from torch import nn

from holonet._named_object import first_sentence, named_object, working_folder_first
from holonet.errors import ConfigError, HolonetError

__all__ = ["made_by", "own_network"]


def own_network(name: str) -> nn.Module:
    """A new network by the name of a function or class without arguments, or of a module.

    Args:
        name: `module:function`, the working folder first, or `path/to/file.py:function`. What is a
            `torch.nn.Module` already is copied.

    Raises:
        ConfigError: there is no such object, it cannot be called, or gives no `torch.nn.Module`.
    """
    with working_folder_first():
        target = named_object(name)
        return copy.deepcopy(target) if isinstance(target, nn.Module) else made_by(target, name)


def made_by(target: Any, name: str) -> nn.Module:
    """The module itself, or what a class or function makes.

    Raises:
        ConfigError: it is something else, needs arguments, fails, or makes something else.
    """
    if isinstance(target, nn.Module):
        return target
    if not callable(target):
        raise ConfigError(
            f"{name} is of type {type(target).__name__}: name a torch.nn.Module, or a class or "
            "function that makes one without arguments"
        )
    missing = [
        p.name
        for p in inspect.signature(target).parameters.values()
        if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    if missing:
        raise ConfigError(
            f"{name} needs the arguments {', '.join(missing)}: write a function without arguments "
            "that makes the model and loads its weights, and name that"
        )
    try:
        model = target()
    except HolonetError:
        raise
    except Exception as error:
        raise ConfigError(
            f"{name}() fails: {type(error).__name__}: {first_sentence(error)}"
        ) from error
    if not isinstance(model, nn.Module):
        raise ConfigError(
            f"{name}() gives an object of type {type(model).__name__}: let it return a "
            "torch.nn.Module"
        )
    return model
