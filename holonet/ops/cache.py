"""The folder for compiled code, which nobody but the user can write to."""

import atexit
import functools
import logging
import os
import shutil
import stat
import tempfile
from pathlib import Path

from holonet.errors import HolonetError

__all__ = ["VARIABLE", "CacheError", "folder", "private_folder", "require_own_file"]

VARIABLE = "HOLONET_CACHE_DIR"
"""The environment variable that chooses the folder."""

log = logging.getLogger(__name__)


class CacheError(HolonetError, RuntimeError):
    """A folder or a file is not the user's alone, so the code in it could be another's."""


def folder() -> Path:
    """Where compiled code is kept, private to the user; it stays from one process to the next.

    It lies in the folder that HOLONET_CACHE_DIR names, else in `holonet` in the user's folder of
    caches (XDG_CACHE_HOME, LOCALAPPDATA or ~/.cache). Where it would not be private, it is one
    that ends with the process, and a warning says why.

    Raises:
        CacheError: not even a temporary folder is private.
    """
    try:
        return private_folder(_place() / "compiled")
    except CacheError as error:
        return _temporary(str(error))


def _place() -> Path:
    chosen = os.environ.get(VARIABLE)
    try:
        if chosen:
            return Path(chosen).expanduser().absolute()
        caches = Path(os.environ.get("LOCALAPPDATA" if os.name == "nt" else "XDG_CACHE_HOME", ""))
        return (caches if caches.is_absolute() else Path.home() / ".cache") / "holonet"
    except RuntimeError as reason:  # no HOME, and the system knows no such user
        raise CacheError(f"there is no home folder: {reason}") from None


def private_folder(path: Path) -> Path:
    """The folder at `path`, made with mode 0700 if it is missing, with its links resolved.

    Law: neither the folder nor the way to it can be changed by another user (but root): it is the
        user's own and closed to others, and every folder above it is root's or the user's own, and
        either closed to the writing of others or one where each removes only what is theirs.

    Args:
        path: absolute.

    Raises:
        CacheError: it cannot be made, or it is not private; the message says what to do.
    """
    try:
        for missing in reversed([p for p in (path, *path.parents) if not os.path.lexists(p)]):
            missing.mkdir(mode=0o700, exist_ok=True)  # closed to others from the first moment
        resolved = path.parent.resolve() / path.name
        for above in reversed(list(resolved.parents)[:-1]):
            _require(_is_safe(above), above, "belongs to another user or others may write to it")
        own = os.lstat(resolved)
    except (OSError, RuntimeError, ValueError) as reason:  # a loop of links, a null byte
        if isinstance(reason, CacheError):
            raise
        raise CacheError(f"{path} cannot be used: {reason}") from None
    _require(stat.S_ISDIR(own.st_mode), resolved, "is no folder (links are not followed)")
    _require(_is_mine(own), resolved, f"belongs to user {own.st_uid}")
    _require(
        os.name == "nt" or not own.st_mode & 0o077,
        resolved,
        f"is open to other users (chmod 700 {resolved})",
    )
    return resolved


def require_own_file(path: Path) -> None:
    """Refuse what is no regular file of the user's.

    Raises:
        CacheError: it is missing, a link, or another's.
    """
    try:
        status = os.lstat(path)
    except OSError as reason:
        raise CacheError(f"{path} cannot be read: {reason.strerror}") from None
    _require(stat.S_ISREG(status.st_mode), path, "is no regular file")
    _require(_is_mine(status), path, f"belongs to user {status.st_uid}")


def _is_mine(status: os.stat_result) -> bool:
    return os.name == "nt" or status.st_uid == os.getuid()


def _is_safe(above: Path) -> bool:
    """Whether nobody else can exchange what lies in a folder."""
    if os.name == "nt":  # the folders of a user are, and there are no modes
        return True
    status = os.lstat(above)
    if status.st_uid not in (0, os.getuid()):
        return False
    writable = status.st_mode & 0o002 or (
        # a group that has a user's number is that user's alone, by the custom of many systems
        status.st_mode & 0o020 and status.st_gid not in (0, os.getuid())
    )
    return bool(status.st_mode & stat.S_ISVTX) or not writable


def _require(holds: bool, path: Path, fault: str) -> None:
    if not holds:
        raise CacheError(f"{path} {fault}, so code in it could be another's")


@functools.cache
def _temporary(why: str) -> Path:
    """A folder of this process."""
    path = Path(tempfile.mkdtemp(prefix="holonet-"))
    atexit.register(_remove, path, os.getpid())
    private_folder(path)
    log.warning(
        "%s. Compiled code is kept for this process alone, and the next one compiles again (a few "
        "seconds for each activation). Set %s to a folder that only you can write to",
        why,
        VARIABLE,
    )
    return path


def _remove(path: Path, process: int) -> None:
    """At the end of the process that made it, not of one that it forked."""
    if os.getpid() == process:
        shutil.rmtree(path, ignore_errors=True)
