"""Files appear whole or not at all."""

import errno
import io
import os
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holonet._files import (
    digest_path,
    folder_lock,
    in_the_way,
    parse_json,
    read_bounded,
    read_with_digest,
    remove_leftovers,
    write_atomically,
    write_with_digest,
)
from holonet.errors import CheckpointError, ConfigError, DataError, RunExistsError


@given(first=st.binary(max_size=200), second=st.binary(max_size=200) | st.text(max_size=200))
def test_content_is_replaced_as_a_whole(tmp_path_factory, first, second):
    path = tmp_path_factory.mktemp("files") / "new" / "file.bin"
    for content in (first, second):
        assert write_atomically(path, content) == path
        assert path.read_bytes() == (content.encode() if isinstance(content, str) else content)
        assert os.listdir(path.parent) == ["file.bin"]


@given(names=st.lists(st.text("ab.", min_size=1, max_size=4), min_size=2, max_size=5, unique=True))
def test_files_of_one_folder_have_digests_of_their_own(tmp_path_factory, names):
    folder = tmp_path_factory.mktemp("files")
    paths = [folder / f"x{name}" for name in names]
    for path in paths:
        write_with_digest(path, path.name)
    for path in paths:
        assert read_with_digest(path, CheckpointError) == path.name.encode()


def test_a_file_without_its_digest_is_told_from_a_damaged_one(tmp_path: Path) -> None:
    path = write_with_digest(tmp_path / "file", "content")
    digest_path(path).unlink()
    with pytest.raises(CheckpointError, match=r"file has no digest beside it: .*file\.sha256 does"):
        read_with_digest(path, CheckpointError)


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


def test_only_regular_files_within_the_limit_are_read(tmp_path: Path) -> None:
    path = write_atomically(tmp_path / "file", "12345")
    (tmp_path / "link").symlink_to(path)
    assert read_bounded(path, DataError, limit=5) == b"12345"
    assert read_bounded(tmp_path / "link", DataError) == b"12345"
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name, fault in [
        ("pipe", "not a regular file"),
        (".", "directory|not a regular file"),
        ("nothing", "does not exist"),
        ("file/below", "does not exist"),
        ("loop", "symbolic links"),
        ("a" * 300, "too long"),
        ("a\0b", "null byte"),
    ]:
        for error in (DataError, RunExistsError):
            with pytest.raises(error, match=fault):
                read_bounded(tmp_path / name, error)
    with pytest.raises(DataError, match="5 bytes, and at most 4"):
        read_bounded(path, DataError, limit=4)
    with pytest.raises(DataError, match="regular file"):
        read_bounded(Path("/dev/zero"), DataError)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "\xff", "9" * 5000])
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"file\.json is no JSON"):
        parse_json(text.encode("latin-1"), Path("file.json"), ConfigError)


@given(content=st.binary(max_size=50), place=st.integers(0, 49), bit=st.integers(0, 7))
def test_a_digest_finds_every_flipped_bit(tmp_path_factory, content, place, bit):
    path = write_with_digest(tmp_path_factory.mktemp("digest") / "file.bin", content)
    assert read_with_digest(path, CheckpointError) == content
    for file in (path, digest_path(path)):
        whole = bytearray(file.read_bytes())
        if place < len(whole):
            whole[place] ^= 1 << bit
            file.write_bytes(whole)
            with pytest.raises(CheckpointError, match="damaged"):
                read_with_digest(path, CheckpointError)
        write_with_digest(path, content)
    digest_path(path).unlink()
    with pytest.raises(CheckpointError, match="does not exist"):
        read_with_digest(path, CheckpointError)


def test_a_folder_is_held_by_one_process(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib\n"
        "from holonet._files import folder_lock\n"
        "try:\n"
        "    with folder_lock(pathlib.Path(sys.argv[1]), ValueError): print('held')\n"
        "except ValueError as error: print(error)\n"
    )

    def other() -> str:
        command = [sys.executable, "-c", code, str(tmp_path)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    with folder_lock(tmp_path, RunExistsError):
        with folder_lock(tmp_path / ".." / tmp_path.name, RunExistsError):  # the holder may again
            pass
        assert f"in use by process {os.getpid()}:" in other()
        with ThreadPoolExecutor(1) as threads, pytest.raises(RunExistsError, match="in use"):
            threads.submit(folder_lock(tmp_path, RunExistsError).__enter__).result()
    assert other() == "held\n"


@pytest.mark.parametrize("content", ["", "123\n", "precious", "\udcff not text"])
def test_a_lock_takes_nothing_from_anybody(tmp_path: Path, content: str) -> None:
    data = content.encode(errors="surrogateescape")
    (tmp_path / ".lock").write_bytes(data)
    with folder_lock(tmp_path, RunExistsError):
        ours = not content or content.strip().isdecimal()
        expected = f"{os.getpid()}\n".encode() if ours else data
        assert (tmp_path / ".lock").read_bytes() == expected


@pytest.mark.parametrize("kind", ["link", "dangling link", "pipe", "folder"])
def test_what_is_no_regular_file_is_no_lock(tmp_path: Path, kind: str) -> None:
    file, lock = tmp_path / "file", tmp_path / "run" / ".lock"
    lock.parent.mkdir()
    if kind == "link":
        file.write_text("precious")
    if kind.endswith("link"):
        lock.symlink_to(file)
    else:
        (os.mkfifo if kind == "pipe" else os.mkdir)(lock)
    before = sorted(tmp_path.iterdir())
    with (
        pytest.raises(RunExistsError, match=r"\.lock is not a regular file"),
        folder_lock(lock.parent, RunExistsError),
    ):
        pass
    assert sorted(tmp_path.iterdir()) == before
    assert kind != "link" or file.read_text() == "precious"


def test_the_next_holder_may_wait_for_the_first(tmp_path: Path) -> None:
    entered = threading.Event()

    def wait_for_it() -> None:
        with folder_lock(tmp_path, RunExistsError, wait=True):
            entered.set()

    thread = threading.Thread(target=wait_for_it)
    with folder_lock(tmp_path, RunExistsError):
        thread.start()
        assert not entered.wait(0.2)
    thread.join()
    assert entered.is_set()


def test_a_folder_that_cannot_be_is_refused(tmp_path: Path) -> None:
    write_atomically(tmp_path / "file", "")
    for name in ("file", "file/below", "a" * 300):
        with (
            pytest.raises(RunExistsError, match="folder"),
            folder_lock(tmp_path / name, RunExistsError),
        ):
            pass


def test_leftovers_of_killed_writers_are_removed(tmp_path: Path) -> None:
    for name in (".a.json.0123.tmp", ".b.json.0123.tmp"):
        (tmp_path / name).touch()
    remove_leftovers(tmp_path / "a.json")
    assert os.listdir(tmp_path) == [".b.json.0123.tmp"]


def test_what_is_no_regular_file_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(OSError, match=f"is not a regular file: .*{name}"):
            write_atomically(tmp_path / name, "x")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder", "pipe"]


@pytest.mark.parametrize("step", ["fsync", "replace", "open"])
def test_what_the_system_refuses_is_of_the_path(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(*((io, "open") if step == "open" else (os, step)), refuse)
    with pytest.raises(OSError, match="No space left") as stop:
        write_atomically(tmp_path / "a.json", "x")
    assert stop.value.filename == str(tmp_path / "a.json")
    assert not list(tmp_path.iterdir())


def test_what_is_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    os.mkfifo(tmp_path / "pipe")
    for path, said in {
        "file": "file is a file",
        "file/a/b": "file is a file",
        "pipe/a": "no fol",
    }.items():
        assert said in (in_the_way(tmp_path / path) or "")
    for path in ("", "missing/a"):
        assert in_the_way(tmp_path / path) is None
