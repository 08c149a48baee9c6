"""C++ becomes a library on disk, which is verified before it is loaded and again afterwards."""

import contextlib
import ctypes
import functools
import hashlib
import importlib
import logging
import os
import platform
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch

from holonet._files import digest_path, folder_lock, read_with_digest, write_with_digest
from holonet.errors import HolonetError
from holonet.ops.cache import CacheError, folder, private_folder, require_own_file

__all__ = ["CompilationError", "load"]

LIMIT = 300.0  # seconds that a compilation may take
ANSWER = 20.0  # seconds in which a compiler says its version
COMPILERS = ("g++", "clang++", "c++")
FLAGS = ("-fsigned-zeros", "-g0")
"""Which side of a cut 0 lies on is its sign, which torch's flags forget; no debug information."""

log = logging.getLogger(__name__)


class CompilationError(HolonetError, RuntimeError):
    """There is no C++ compiler that works, or what it makes cannot be used."""


def load(
    source: str,
    what: str,
    *flags: str,
    accept: Callable[[ctypes.CDLL], object] = lambda library: None,
) -> ctypes.CDLL:
    """The library of a source, compiled once and kept on disk.

    Law: no library is loaded that another user may have written, or that is not, to the byte, what
        was compiled from this source with these flags by this compiler for this processor and
        torch; none is given out that `accept` refuses. What is damaged is compiled again.

    Args:
        source: C++.
        what: for messages.
        flags: for the compiler, behind its own.
        accept: called with the library when it is loaded; what it raises refuses it.

    Raises:
        CompilationError: there is no compiler, it fails or takes too long, or what it makes is
            refused twice.
    """
    try:
        key = _key(source, flags)
        with _lock():
            if key not in _libraries:
                _libraries[key] = _load(key, source, what, flags, accept)
            return _libraries[key]
    except Exception as error:  # torch's rules raise many kinds
        raise CompilationError(f"{what} could not be compiled: {error}") from error


_libraries: dict[str, ctypes.CDLL] = {}
_locks: dict[int, threading.Lock] = {}


def _lock() -> threading.Lock:
    """Of this process: a fork may copy one that is held by a thread that it does not copy."""
    return _locks.setdefault(os.getpid(), threading.Lock())


def _key(source: str, flags: Sequence[str]) -> str:
    """What a library depends on, as a name."""
    compiler = _compiler()
    parts = [source, *FLAGS, *flags, compiler, _version(compiler), torch.__version__]
    parts += [sys.version, platform.machine(), _processor()]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _compiler() -> str:
    """The path of the compiler that CXX names, or of the first that there is."""
    names = [os.environ["CXX"]] if os.environ.get("CXX") else COMPILERS
    for name in names:
        path = shutil.which(name)
        if path:
            return path
    raise CompilationError(
        f"no C++ compiler found ({', '.join(names)} {'is' if len(names) == 1 else 'are'} not in "
        "PATH): install g++ or clang, or set CXX to the path of one"
    )


@functools.cache
def _version(compiler: str) -> str:
    return _run([compiler, "--version"], None, ANSWER)


@functools.cache
def _processor() -> str:
    """What code for "this" processor depends on: a home folder may be shared by machines."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor()
    first = text.split("\n\n", maxsplit=1)[0].splitlines()
    names = ("model name", "flags", "Features", "CPU part", "cpu")
    return "\n".join(line for line in first if line.split("\t", maxsplit=1)[0].strip() in names)


def _load(
    key: str,
    source: str,
    what: str,
    flags: Sequence[str],
    accept: Callable[[ctypes.CDLL], object],
) -> ctypes.CDLL:
    """From disk, where it is whole; else compiled, by one process at a time."""
    place = private_folder(folder() / key[:32])
    refused = ""
    with folder_lock(place, CompilationError, wait=True):
        for name in ("library", "again"):  # what was loaded under a name stays it for the process
            path = place / f"{name}.so"
            if not _is_whole(path):
                log.warning(
                    "compiling %s for this CPU, once, in a few seconds; it is kept in %s",
                    what,
                    place.parent,
                )
                path.unlink(missing_ok=True)  # a link or a pipe is not to be written to
                write_with_digest(path, _build(source, flags, place))
            try:
                library = ctypes.CDLL(str(path))
                accept(library)
            except (OSError, AttributeError, ArithmeticError) as error:
                refused = str(error)
                log.warning("a library of %s is refused: %s", what, refused)
                path.unlink()
                digest_path(path).unlink()
            else:
                return library
    raise CompilationError(f"what the compiler makes cannot be used: {refused}")


def _is_whole(path: Path) -> bool:
    """Whether the library is there, the user's own and what was written."""
    try:
        require_own_file(path)
        require_own_file(digest_path(path))
        read_with_digest(path, CompilationError)
    except (CacheError, CompilationError) as error:
        if path.exists():
            log.warning("to be compiled again: %s", error)
        return False
    return True


def _build(source: str, flags: Sequence[str], place: Path) -> bytes:
    """The library that the compiler makes, in a folder that is removed afterwards."""
    with tempfile.TemporaryDirectory(dir=place, ignore_cleanup_errors=True) as name:
        (Path(name) / "library.cpp").write_text(source)
        failures: list[CompilationError] = []
        for command, target in _commands(flags):
            try:
                _run(command, name, LIMIT)
            except CompilationError as error:
                failures.append(error)
            else:
                return (Path(name) / target).read_bytes()
        raise failures[0]


def _commands(flags: Sequence[str]) -> Iterator[tuple[list[str], str]]:
    """What makes a library of library.cpp, and its name: by the rules of torch's own compiler.

    The vector units that the processor names are taken for usable, and none if that fails: to try
    them torch would start a process that imports it again, with a library that it keeps where
    others may write.
    """
    rules = importlib.import_module("torch._inductor.cpp_builder")
    units = importlib.import_module("torch._inductor.cpu_vec_isa")
    config = importlib.import_module("torch._inductor.config")
    with config.patch({"cpp.vec_isa_ok": True, "cpp.cxx": (_compiler(),)}):
        for unit in (units.pick_vec_isa(), units.invalid_vec_isa):
            options = rules.CppTorchDeviceOptions(
                vec_isa=unit, device_type="cpu", extra_flags=[*FLAGS, *flags]
            )
            builder = rules.CppBuilder("library", "library.cpp", options)
            yield shlex.split(builder.get_command_line()), builder.get_target_file_path()


_hung: set[str] = set()


def _run(command: Sequence[str], where: str | None, limit: float) -> str:
    """What a command prints; it and what it has started end with the limit, or an interruption.

    Raises:
        CompilationError: it fails, or takes longer; then it is not started again.
    """
    if command[0] in _hung:
        raise CompilationError(f"{command[0]} did not end before, and is not started again")
    environment = {**os.environ, "LC_ALL": "C", **({"TMPDIR": where} if where else {})}
    with subprocess.Popen(
        command,
        cwd=where,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            _hung.add(command[0])
            raise CompilationError(f"{command[0]} did not end within {limit:.0f} s") from None
        finally:
            _end(process)
    if process.returncode:
        raise CompilationError(_gist(output) or f"{command[0]} ended with {process.returncode}")
    return output


def _end(process: subprocess.Popen[str]) -> None:
    """Stop a process that is still there, with what it has started."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            if os.name == "posix":
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()


def _gist(output: str) -> str:
    """The lines of a compiler's output that are errors, or the first line."""
    lines = output.splitlines()
    return "; ".join([line for line in lines if "error:" in line][:3] or lines[:1])
