"""Files that appear whole or not at all, are read within limits, and are known by their digest."""

import errno
import hashlib
import json
import os
import secrets
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any, TextIO

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None

__all__ = [
    "digest_path",
    "folder_lock",
    "in_the_way",
    "naming",
    "open_regular",
    "parse_json",
    "read_bounded",
    "read_with_digest",
    "remove_leftovers",
    "require_place",
    "write_atomically",
    "write_with_digest",
]

MIB = 1 << 20
LOCK = ".lock"

Refusal = Callable[[str], Exception]
"""The error of a message: an exception class, most often."""


def write_atomically(path: Path, content: bytes | str) -> Path:
    """Write a file so that a reader, or a crash at any moment, sees the old one or the new one.

    The content goes to a temporary file in the same folder, is flushed to the disk, and takes the
    name in one step. A crash may leave the temporary file, .<name>.<random>.tmp.

    Raises:
        OSError: of the path, whichever step the system refused; a folder, a device or a pipe is
            never replaced by a file.
    """
    require_place(path)
    data = content.encode() if isinstance(content, str) else content
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        # not mkstemp: it makes files that others cannot read
        with naming(path), temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        with naming(path):
            os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return path


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let an OSError name this path: a full disk names none, others a temporary file."""
    try:
        yield
    except OSError as reason:
        if reason.errno is not None:
            reason.filename, reason.filename2 = str(path), None
        raise


def require_place(path: Path) -> None:
    """Refuse, before the work, a path at which `write_atomically` will write no file.

    Missing folders are made.

    Raises:
        OSError: a file stands where a folder is needed; a folder, a device or a pipe stands there,
            none of which may give way to a file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir() or (path.exists() and not path.is_file()):
        number = errno.EISDIR if path.is_dir() else errno.EINVAL
        raise OSError(number, "is not a regular file", str(path))


def in_the_way(path: Path) -> str | None:
    """In words, what stands where a folder is needed, at a path or above it; None if nothing."""
    for part in (path, *path.parents):
        if os.path.exists(part) and not os.path.isdir(part):  # neither raises
            kind = "a file" if os.path.isfile(part) else "no folder"
            return f"{part} is {kind}, and a folder is needed there"
    return None


def remove_leftovers(path: Path) -> None:
    """Remove the temporary files of writers of `path` that were killed."""
    for left in path.parent.glob(f".{path.name}.*.tmp"):
        left.unlink(missing_ok=True)


@contextmanager
def open_regular(path: Path, error: Refusal) -> Iterator[BufferedReader]:
    """A regular file, open for reading; a pipe, a device or a folder is refused, not waited for.

    Raises:
        What `error` makes: the file is missing, not regular, or the system refuses it.
    """
    try:
        descriptor = os.open(path, _READ)
    except (OSError, ValueError) as reason:  # ValueError: a null byte in the path
        raise error(f"{path} {_why(reason)}") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise error(f"{path} is not a regular file: give the path of a file")
    with os.fdopen(descriptor, "rb") as file:
        yield file


def read_bounded(path: Path, error: Refusal, *, limit: int = 64 * MIB) -> bytes:
    """The content of a regular file of at most `limit` bytes.

    No more than the limit is ever read, and no more memory taken than the file has bytes.

    Args:
        path: of the file; links are followed.
        error: makes the exception from a message.
        limit: bytes.

    Raises:
        What `error` makes: the file is missing, not regular, larger, or the system refuses it.
    """
    with open_regular(path, error) as file:
        size = os.fstat(file.fileno()).st_size
        try:
            content = file.read(min(size, limit) + 1)
            while len(content) <= limit and (more := file.read(MIB)):  # the file grows
                content += more
        except (OSError, MemoryError) as reason:
            raise error(f"{path} {_why(reason)}") from None
    if len(content) > limit:
        raise error(
            f"{path} has {max(size, len(content))} bytes, and at most {limit} are read here: "
            "is it the file that was meant?"
        )
    return content


_NO_WAIT = getattr(os, "O_NONBLOCK", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_READ = os.O_RDONLY | _NO_WAIT | getattr(os, "O_BINARY", 0)


def _why(reason: OSError | ValueError | MemoryError) -> str:
    if isinstance(reason, OSError) and reason.errno in (errno.ENOENT, errno.ENOTDIR):
        return "does not exist"
    text = reason.strerror if isinstance(reason, OSError) else ""
    return f"cannot be read: {text or reason or 'it does not fit into memory'}"


def parse_json(content: bytes, path: Path, error: Refusal) -> Any:
    """The value of JSON text that was read from `path`, which the message names."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as reason:
        raise error(f"{path} is no JSON ({reason}): it is damaged, remove it") from None


def write_with_digest(path: Path, content: bytes | str) -> Path:
    """Write a file atomically with its SHA-256 beside it, in the format of `sha256sum -c`.

    The digest is written first: a crash in between leaves a file that `read_with_digest` refuses,
    rather than a doubtful one.
    """
    data = content.encode() if isinstance(content, str) else content
    write_atomically(digest_path(path), _digest(path, data))
    return write_atomically(path, data)


def read_with_digest(path: Path, error: Refusal, *, limit: int = 64 * MIB) -> bytes:
    """Read what `write_with_digest` wrote.

    Raises:
        What `error` makes: either file is missing (they belong side by side), or they do not
            belong together.
    """
    content = read_bounded(path, error, limit=limit)
    if not os.path.lexists(digest_path(path)):
        raise error(
            f"{path} has no digest beside it: {digest_path(path)} does not exist. The two belong "
            "together, copy both"
        )
    if read_bounded(digest_path(path), error, limit=4096) != _digest(path, content):
        raise error(
            f"{path} is damaged: its {len(content)} bytes do not have the SHA-256 in "
            f"{digest_path(path).name}. It is cut short or altered; remove both files"
        )
    return content


def digest_path(path: Path) -> Path:
    """Where the digest of a file lies: beside it, .sha256 behind its whole name.

    Law: no two files of a folder share a digest.
    """
    return path.with_name(f"{path.name}.sha256")


def _digest(path: Path, content: bytes) -> bytes:
    """The line that sha256sum prints for a file of that name and content."""
    return f"{hashlib.sha256(content).hexdigest()}  {path.name}\n".encode()


@contextmanager
def folder_lock(folder: Path, error: Refusal, *, wait: bool = False) -> Iterator[None]:
    """Hold a folder, made if it does not exist: another process is refused, or waits for the end.

    The lock is the system's (flock on the file .lock in the folder), so that it ends with the
    process however that ends. On file systems without locks the folder is not held. What holds a
    folder may ask for it again. A file .lock that is not ours keeps its content, and a link is
    not followed.

    Raises:
        What `error` makes: another process or thread holds the folder, the message has the number
            of the process; or the folder cannot be made or written to; .lock is no regular file.
    """
    home, me = os.path.realpath(folder), (os.getpid(), threading.get_ident())
    place = folder / LOCK
    if _HELD.get(home) == me:
        yield
        return
    if os.path.lexists(place) and (os.path.islink(place) or not os.path.isfile(place)):
        raise error(f"{place} is not a regular file, so that the folder is not held: remove it")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(place, os.O_RDWR | os.O_CREAT | _NO_WAIT | _NO_LINK, 0o666)
    except OSError as reason:
        fault = in_the_way(folder) or f"{folder} cannot be used as a folder: {reason.strerror}"
        raise error(fault) from None
    with os.fdopen(descriptor, "r+", errors="replace") as file:
        content = file.read(32).strip()
        if not _lock(file, wait):
            holder = content if content.isdecimal() else "of another program"
            raise error(
                f"{folder} is in use by process {holder}: wait for it to end, or choose another "
                "folder"
            )
        if not content or content.isdecimal():  # else it is somebody's own file
            file.seek(0)
            file.truncate()
            file.write(f"{os.getpid()}\n")
            file.flush()
        _HELD[home] = me
        try:
            yield
        finally:
            _HELD.pop(home, None)


_HELD: dict[str, tuple[int, int]] = {}
"""The process and the thread that hold a folder, of this process and those it was forked from."""


def _lock(file: TextIO, wait: bool) -> bool:
    """Take the lock of an open file, unless another process has it."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True
