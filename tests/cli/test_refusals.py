"""What the system refuses is one line with the path, the reason and what to do."""

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cases import each
from holonet.cli.refusals import refusal


@given(st.sampled_from(sorted(errno.errorcode)), st.text("ab/.", max_size=6), st.booleans())
def test_every_error_of_the_system_is_one_line_that_names_the_path(
    number: int, path: str, named: bool
) -> None:
    error = OSError(number, os.strerror(number), path) if named else OSError(number, "Why")
    line = refusal(error)
    assert line
    assert "\n" not in line
    if named:
        assert line.startswith(str(Path(path)))


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_text("")
    for folder in (file, file / "runs" / "a"):
        with pytest.raises(OSError, match="f") as stop:
            folder.mkdir(parents=True)
        assert refusal(stop.value) == f"{file} is a file, and a folder is needed there"


def test_a_working_folder_that_is_gone_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tmp_path.rmdir()
    with pytest.raises(FileNotFoundError) as stop:
        os.getcwd()
    assert refusal(stop.value) == (
        "the working folder does not exist any more: change to one that does"
    )


def test_of_two_names_the_one_that_was_to_be_made_is_named() -> None:
    error = OSError(errno.EROFS, "Read-only file system", ".config.toml.0.tmp", None, "config.toml")
    assert refusal(error) == (
        "config.toml: read-only file system: take a place that can be written to"
    )


class OutOfMemoryError(RuntimeError):
    """By the name that torch gives it."""


@each(
    ("error", "words"),
    [
        (MemoryError(), "not enough memory"),
        (OutOfMemoryError("CUDA out of memory"), "not enough memory"),
        (RuntimeError("[enforce] DefaultCPUAllocator: can't allocate memory: you"), "not enough"),
        (UnicodeEncodeError("utf-8", "a\udcff", 1, 2, "surrogates not allowed"), "not UTF-8"),
        (OSError("of its own words"), "of its own words"),
        (OSError(), "the system refuses"),
        (PermissionError(13, "Permission denied", b"\xff"), r"\xff: permission denied"),
        (PermissionError(13, "Permission denied", 3), "permission denied"),
    ],
)
def test_other_refusals(error: Exception, words: str) -> None:
    assert words in (refusal(error) or "")


@pytest.mark.parametrize("error", [ValueError("x"), RuntimeError("x"), KeyError("x")])
def test_a_defect_is_none(error: Exception) -> None:
    assert refusal(error) is None
