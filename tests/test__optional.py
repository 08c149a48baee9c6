"""What is not installed is said to be missing, whichever way its import is kept from working."""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder

import pytest

from holonet._optional import is_installed, require
from holonet.errors import MissingDependencyError


class Refuses(MetaPathFinder):
    def find_spec(self, name: str, path: Sequence[str] | None, target: object = None) -> None:
        if name == "wave":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def test_what_is_there_is_found_and_not_imported() -> None:
    require("wave", "wave", "x", "Sound")
    assert is_installed("wave")
    assert "wave" not in sys.modules


@pytest.mark.parametrize("way", ["absent", "None in sys.modules", "a finder refuses"])
def test_what_is_missing_is_named_with_its_extra(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "no_such_package" if way == "absent" else "wave"
    if way == "None in sys.modules":
        monkeypatch.setitem(sys.modules, name, None)
    elif way == "a finder refuses":
        monkeypatch.setattr(sys, "meta_path", [Refuses(), *sys.meta_path])
    assert not is_installed(name)
    with pytest.raises(MissingDependencyError, match=r"Sound needs Wave.*holonet\[x\]"):
        require(name, "Wave", "x", "Sound")
