"""Files appear whole or not at all."""

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holonet._files import write_atomically


@given(first=st.binary(max_size=200), second=st.binary(max_size=200) | st.text(max_size=200))
def test_content_is_replaced_as_a_whole(tmp_path_factory, first, second):
    path = tmp_path_factory.mktemp("files") / "new" / "file.bin"
    for content in (first, second):
        assert write_atomically(path, content) == path
        assert path.read_bytes() == (content.encode() if isinstance(content, str) else content)
        assert os.listdir(path.parent) == ["file.bin"]


@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_a_failure_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    path = write_atomically(tmp_path / "file", "old")

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, function, fail)
    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_the_data_is_on_the_disk_before_it_takes_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    replace, fsync = os.replace, os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (calls.append(os.fstat(fd).st_size), fsync(fd)))
    monkeypatch.setattr(os, "replace", lambda *a: (calls.append("replace"), replace(*a)))
    write_atomically(tmp_path / "file", b"12345")
    assert calls == [5, "replace"]


def test_permissions_are_those_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    written = write_atomically(tmp_path / "file", "")
    assert stat.S_IMODE(written.stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)
