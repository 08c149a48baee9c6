"""An object of Python by its name: of a module, or of a file."""

import pkgutil
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from holonet.errors import ConfigError

__all__ = [
    "first_sentence",
    "installed_object",
    "installed_objects",
    "is_object_name",
    "named_object",
    "working_folder_first",
]


def is_object_name(text: str) -> bool:
    """Whether the text has the form of a name that `named_object` takes.

    Example:
        >>> is_object_name("own.study:Mine"), is_object_name("own/study.py:Mine")
        (True, True)
        >>> is_object_name("own/study.py")
        False
    """
    return re.fullmatch(r"([\w.]+|.+\.py):[\w.]+", text) is not None


def named_object(text: str) -> Any:
    """The object `module:attribute`, the working folder first, or `path/to/file.py:attribute`.

    The folder of a file stays on sys.path, as that of a script does, so that processes that are
    started later import the file by its name.

    Raises:
        ConfigError: there is no such file, module or attribute, or it cannot be imported; another
            module has the name of the file.
    """
    place, _, attribute = text.rpartition(":")
    if not place.endswith(".py"):
        with working_folder_first():
            return _resolved(text, place, attribute)
    path = Path(place).resolve()
    if not path.is_file():
        raise ConfigError(f"{text}: the file {path} does not exist")
    if not path.stem.isidentifier():
        raise ConfigError(f"{text}: name the file of letters, digits and underscores")
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    if path.stem in sys.modules:
        _require_same(path, text)
    found = _resolved(f"{path.stem}:{attribute}", path.stem, attribute)
    _require_same(path, text)
    return found


def installed_objects(group: str) -> dict[str, str]:
    """What installed packages offer in a group of entry points: module and attribute by name.

    Nothing is imported. Of a name that two packages have the first one counts.
    """
    offered: dict[str, str] = {}
    for entry in entry_points(group=group):
        offered.setdefault(entry.name, entry.value)
    return offered


def installed_object(group: str, name: str) -> Any:
    """The object that an installed package offers in a group of entry points under a name.

    Raises:
        ConfigError: it cannot be imported.
        KeyError: there is none.
    """
    value = installed_objects(group)[name].replace(" ", "").partition("[")[0]
    try:
        return pkgutil.resolve_name(value)
    except Exception as error:  # the module's own code runs
        raise ConfigError(
            f"{name} of the installed packages ({group}: {value}) cannot be imported: "
            f"{first_sentence(error)}"
        ) from error


def _require_same(path: Path, text: str) -> None:
    """Refuse the name of a file that another module has."""
    other = getattr(sys.modules[path.stem], "__file__", None)
    if other is None or Path(other).resolve() != path:
        raise ConfigError(
            f"{text}: the name {path.stem} is taken by the module {other or 'of Python itself'}: "
            "rename the file"
        )


def first_sentence(error: Exception) -> str:
    """The message of an error of others, or its type."""
    return re.split(r"\n|\. ", str(error).strip() or type(error).__name__)[0]


def _resolved(text: str, module: str, attribute: str) -> Any:
    try:
        return pkgutil.resolve_name(text)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise ConfigError(f"{text}: {module} needs {error.name}: install it") from error
        raise ConfigError(
            f"{text}: there is no module {error.name} in the working folder {Path.cwd()} or "
            "installed: change to its folder, or set PYTHONPATH"
        ) from error
    except AttributeError as error:
        raise ConfigError(f"{text}: {module} has no {attribute}{_defined(module)}") from error
    except Exception as error:  # the module's own code runs
        raise ConfigError(
            f"{text}: {module} cannot be imported: {first_sentence(error)}"
        ) from error


def _defined(module: str) -> str:
    """What a module of Python defines, for a message: first what it has as objects of a class."""
    content = vars(sys.modules[module]) if module in sys.modules else {}
    own = [
        name
        for name, value in content.items()
        if getattr(value, "__module__", None) == module
        or getattr(type(value), "__module__", "builtins").split(".")[0] == "torch"
    ]
    return f"; it has {', '.join(own[:8])}" if own else ""


@contextmanager
def working_folder_first() -> Iterator[None]:
    """Let modules of the working folder be imported, before those of their name elsewhere."""
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        yield
    finally:
        sys.path.remove(here)
