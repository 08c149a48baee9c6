"""What the system refuses, in one line: no space, no rights, a file in the way, no memory."""

import errno
from pathlib import Path

from holonet._files import in_the_way

__all__ = ["refusal"]

ADVICE = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space",
    errno.EACCES: "take a place that you have the rights to",
    errno.EPERM: "take a place that you have the rights to",
    errno.EROFS: "take a place that can be written to",
    errno.ENAMETOOLONG: "take a shorter name",
    errno.EMFILE: "close files, or raise the limit (ulimit -n)",
    errno.ENFILE: "close files",
    errno.EISDIR: "a file is needed there",
    errno.ELOOP: "a link leads back to itself",
}


def refusal(error: Exception) -> str | None:
    """The path, the reason and what to do; None where it was not the system that refused.

    Args:
        error: an OSError; a name that is not UTF-8; memory that Python or torch did not get.

    Example:
        >>> refusal(PermissionError(13, "Permission denied", "runs/a"))
        'runs/a: permission denied: take a place that you have the rights to'
    """
    if isinstance(error, OSError):
        return _refused(error)
    if isinstance(error, UnicodeError):
        return f"a name or a text is not UTF-8: {error}"
    if _is_memory(error):
        return "there is not enough memory: take smaller batches, networks or data"
    return None


def _refused(error: OSError) -> str:
    named = error.filename if error.filename2 is None else error.filename2
    path = None if named is None or isinstance(named, int) else Path(_text(named))
    if path is not None and error.errno in (errno.ENOTDIR, errno.EEXIST):
        fault = in_the_way(path)
        if fault is not None:
            return fault
    if path is None and error.errno == errno.ENOENT:  # of os.getcwd, which names none
        return "the working folder does not exist any more: change to one that does"
    reason = error.strerror or str(error) or "the system refuses"
    reason = reason[:1].lower() + reason[1:]
    parts = ("" if path is None else str(path), reason, ADVICE.get(error.errno or 0, ""))
    return ": ".join(filter(None, parts))


def _text(name: str | bytes) -> str:
    return name if isinstance(name, str) else name.decode(errors="backslashreplace")


def _is_memory(error: Exception) -> bool:
    """Python's error, or torch's for a device or for the processor."""
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or "DefaultCPUAllocator: can't allocate memory" in str(error)
    )
