"""Where numbers come from."""

import subprocess
from pathlib import Path

import pytest
import torch

from holonet._provenance import PACKAGE, _commit, last_level_cache, provenance


def test_it_names_what_numbers_depend_on() -> None:
    about = provenance()
    assert {"commit", "date", "processor", "cache", "threads", "vectors", "torch"} <= set(about)
    assert about["threads"] == str(torch.get_num_threads())
    assert ("card" in about) is torch.cuda.is_available()
    assert all(isinstance(value, str) and value for value in about.values())


def test_a_card_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a card")
    assert provenance()["card"] == "a card"


def checkout(folder: Path) -> Path:
    """A repository with a package of one committed file."""
    package = folder / "package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    for command in ("init -q", "add .", "-c user.name=a -c user.email=a@b commit -qm first"):
        subprocess.run(["git", *command.split()], cwd=folder, check=True)
    return package


def test_the_commit_is_the_packages_own_with_a_plus_when_a_file_has_changed(tmp_path: Path) -> None:
    package = checkout(tmp_path)
    clean = _commit(package)
    assert len(clean) >= 7
    assert "+" not in clean
    (package / "__init__.py").write_text("a = 1")
    assert _commit(package) == f"{clean}+"


def test_the_commit_of_a_repository_that_a_package_only_lies_in_is_not_its_own(
    tmp_path: Path,
) -> None:
    checkout(tmp_path)
    installed = tmp_path / "environment" / "holonet"
    installed.mkdir(parents=True)
    (installed / "__init__.py").write_text("")
    assert _commit(installed) == "not a checkout"


def test_without_git_there_is_no_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert _commit(PACKAGE) == "not a checkout"


def test_the_largest_cache_counts(tmp_path: Path) -> None:
    for k, size in enumerate(["48K", "32K", "2048K", "107520K"]):
        (tmp_path / f"index{k}").mkdir()
        (tmp_path / f"index{k}" / "size").write_text(f"{size}\n")
    assert last_level_cache(tmp_path) == 105 * 2**20


@pytest.mark.parametrize("text", [None, "", "unknown\n"])
def test_an_unknown_cache_is_32_mib(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "index0").mkdir()
        (tmp_path / "index0" / "size").write_text(text)
    assert last_level_cache(tmp_path) == 32 * 2**20
