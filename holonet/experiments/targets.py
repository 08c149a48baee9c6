"""The models that commands are about: runs, objects of Python, exported programs, TorchScript."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import nn

from holonet._arguments import checked
from holonet._named_object import (
    first_sentence,
    is_object_name,
    named_object,
    working_folder_first,
)
from holonet.data import Dataset
from holonet.errors import ConfigError
from holonet.training import load, load_run
from holonet.training.own_network import made_by

__all__ = ["FORMS", "Target", "load_target"]

FORMS = (
    "a run folder, module:attribute or file.py:attribute, an exported program (.pt2) or "
    "TorchScript (.pt, by torch.jit.save)"
)
"""What a target may be, for messages and help."""

Kind = Literal["run", "object", "exported program", "TorchScript"]


@dataclass(frozen=True)
class Target:
    """A model by its place.

    Args:
        name: as it was given.
        kind: of the place.
        model: in the mode that it was found in.
        data: of a run, if they were asked for.
    """

    name: str
    kind: Kind
    model: nn.Module
    data: Dataset | None = None


@checked
def load_target(text: str, *, with_data: bool = False) -> Target:
    """The model at a place.

    Args:
        text: the folder of a finished run; `module:attribute` or `file.py:attribute`, the name of a
            `torch.nn.Module`, or of a class or function that makes one without arguments; a file of
            `torch.export.save`; or one of `torch.jit.save`. Only load files and modules that you
            trust: all but runs may run code, and a run of a network of one's own, or on data of a
            module, imports the module that it names.
        with_data: whether the data of a run are loaded too.

    Raises:
        ConfigError: there is no such place, or no model there; the message says what to do.
        CheckpointError, DataError: as `training.load_run`.
    """
    path = Path(text)
    if path.is_dir():
        if with_data:
            _, data, model = load_run(path)
            return Target(text, "run", model, data)
        return Target(text, "run", load(path))
    if path.suffix == ".pt2":
        return Target(text, "exported program", _exported(path))
    if path.suffix in (".pt", ".pth", ".ts", ".torchscript"):
        return Target(text, "TorchScript", _scripted(path))
    if is_object_name(text):
        with working_folder_first():
            return Target(text, "object", made_by(named_object(text), text))
    raise ConfigError(f"{text!r} is no model and no folder here: give {FORMS}")


def _exported(path: Path) -> nn.Module:
    _require_file(path)
    try:
        program = torch.export.load(path)
    except Exception as error:  # of any kind: zipfile, pickle and torch read damaged bytes
        raise ConfigError(
            f"{path} is no exported program ({first_sentence(error)}): write it with "
            "torch.export.save(torch.export.export(model, (x,)), path)"
        ) from error
    return program.module()


def _scripted(path: Path) -> nn.Module:
    _require_file(path)
    try:
        with warnings.catch_warnings():  # torch advises torch.export
            warnings.simplefilter("ignore", DeprecationWarning)
            return torch.jit.load(path)
    except RuntimeError as error:
        raise ConfigError(
            f"{path} is no TorchScript ({first_sentence(error)}): weights alone are no model. Give "
            "module:function that builds the model and loads them, or export it, "
            "torch.export.save(torch.export.export(model, (x,)), 'model.pt2')"
        ) from error


def _require_file(path: Path) -> None:
    if not path.is_file():
        raise ConfigError(f"{path} does not exist: give {FORMS}")
