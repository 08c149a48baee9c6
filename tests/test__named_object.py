"""Objects by their names, of modules and of files, and errors that say what is wrong."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from holonet._named_object import installed_object, installed_objects, named_object
from holonet.errors import ConfigError
from offering_package import offer


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "named_things.py").write_text("class Thing:\n    inner = 3\n")
    (tmp_path / "named_broken.py").write_text("import nothing_of_that_name")
    (tmp_path / "named_fails.py").write_text("1 / 0")
    (tmp_path / "two words.py").write_text("x = 1")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "json.py").write_text("x = 1")
    (tmp_path / "deep" / "named_deep.py").write_text("from named_beside import x")
    (tmp_path / "deep" / "named_beside.py").write_text("x = 7")
    monkeypatch.chdir(tmp_path)
    path = list(sys.path)
    yield tmp_path
    sys.path[:] = path
    for name in [name for name in sys.modules if name.startswith("named_")]:
        del sys.modules[name]


def test_a_module_of_the_working_folder_and_a_file_give_the_same_object(folder: Path) -> None:
    path = list(sys.path)
    found = named_object("named_things:Thing")
    assert sys.path == path
    assert named_object("named_things.py:Thing") is found
    assert named_object(f"{folder / 'named_things.py'}:Thing.inner") == 3


def test_a_file_may_import_what_lies_beside_it(folder: Path) -> None:
    assert named_object("deep/named_deep.py:x") == 7


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nowhere.py:Thing", r"the file .*nowhere.py does not exist"),
        ("nowhere:Thing", "there is no module nowhere in the working folder"),
        ("named_things.py:Other", "has no Other; it has Thing"),
        ("named_broken.py:x", "needs nothing_of_that_name: install it"),
        ("named_fails.py:x", "cannot be imported: division by zero"),
        ("two words.py:x", "letters, digits and underscores"),
        ("deep/json.py:x", "the name json is taken by the module .*: rename the file"),
        ("deep/json.py:dumps", "rename the file"),
    ],
)
def test_what_is_not_there_is_said(folder: Path, name: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        named_object(name)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder like that of installed packages, with the metadata of one."""
    offers = {
        "thing": "offered_things:Thing.inner",
        "fails": "offered_fails:x",
        "lacks": "offered_things:nothing",
    }
    thing = "class Thing:\n    inner = 3\n"
    offer(
        tmp_path,
        monkeypatch,
        {"holonet.tests": offers},
        offered_things=thing,
        offered_fails="1 / 0",
    )
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("offered_")]:
        del sys.modules[name]


@pytest.mark.usefixtures("package")
def test_packages_offer_objects_by_name_and_are_imported_when_one_is_asked_for() -> None:
    offered = installed_objects("holonet.tests")
    assert offered["thing"] == "offered_things:Thing.inner"
    assert set(offered) == {"thing", "fails", "lacks"}
    assert "offered_things" not in sys.modules
    assert installed_object("holonet.tests", "thing") == 3
    assert installed_objects("holonet.nothing") == {}


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize(
    ("name", "words"), [("fails", "offered_fails:x.*division by zero"), ("lacks", "no attribute")]
)
def test_what_a_package_cannot_give_is_said(name: str, words: str) -> None:
    with pytest.raises(ConfigError, match=rf"{name} of the installed packages .*{words}"):
        installed_object("holonet.tests", name)
