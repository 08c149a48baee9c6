"""Programs in processes of their own, without the three seconds in which torch is imported.

A server that has imported torch, and nothing of holonet, forks a child for each program. What a
program imports of holonet, and what it finds to be missing, is as in a new process.
"""

import atexit
import functools
import json
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from subprocess import CompletedProcess
from types import ModuleType
from typing import Any

__all__ = ["run"]

STREAMS = ("stdin", "stdout", "stderr")


def run(
    *arguments: str,
    input: str = "",
    cwd: str | Path | None = None,
    env: Mapping[str, str] | None = None,
) -> "CompletedProcess[str]":
    """As `subprocess.run([sys.executable, *arguments])`, with what it prints; for -c, -m, files."""
    environment = dict(os.environ if env is None else env)
    environment.pop("TRITON_INTERPRET", None)  # Triton is imported, and is not interpreted
    command = [sys.executable, *arguments]
    if not hasattr(os, "fork"):
        return subprocess.run(
            command,
            input=input,
            capture_output=True,
            text=True,
            check=False,
            cwd=cwd,
            env=environment,
        )
    with tempfile.TemporaryDirectory() as folder:
        files = {name: str(Path(folder) / name) for name in STREAMS}
        Path(files["stdin"]).write_text(input)
        request = {"arguments": arguments, "env": environment, **files}
        request["cwd"] = str(cwd or Path.cwd())
        pipe = _server()
        print(json.dumps(request), file=pipe.stdin, flush=True)
        code = int(pipe.stdout.readline())
        out, err = (Path(files[name]).read_text() for name in STREAMS[1:])
    return CompletedProcess(command, code, out, err)


@functools.cache
def _server() -> Any:
    """Started by the first program; it ends with this process."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}  # with more it could not be forked
    environment.pop("TRITON_INTERPRET", None)
    server = subprocess.Popen(
        [sys.executable, "-P", __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    atexit.register(server.__exit__, None, None, None)  # no further program: it ends
    return server


def _serve() -> None:
    import numpy  # noqa: F401
    import torch._dynamo  # noqa: F401  the first step of an optimizer imports it

    while request := os.read(0, 1 << 20):
        while not request.endswith(b"\n"):
            request += os.read(0, 1 << 20)
        child = os.fork()
        if not child:
            _become(**json.loads(request))
            break
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def _become(arguments: list[str], env: dict[str, str], cwd: str, **files: str) -> None:
    """What a new interpreter does with such a command line."""
    for descriptor, name in enumerate(STREAMS):
        opened = os.open(files[name], os.O_RDWR | os.O_CREAT)
        os.dup2(opened, descriptor)
        os.close(opened)
        mode = "r" if name == "stdin" else "w"
        setattr(sys, name, os.fdopen(descriptor, mode, closefd=False))
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    first, *rest = arguments
    options = ("-c", "-m")
    own = "" if first in options else str(Path(first).parent)
    sys.path[:0] = [own, *filter(None, env.get("PYTHONPATH", "").split(os.pathsep))]
    sys.argv = [first, *rest[1:]] if first in options else arguments
    if first == "-m":
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    elif first == "-c":
        main = sys.modules["__main__"] = ModuleType("__main__")
        exec(rest[0], vars(main))
    else:
        runpy.run_path(first, run_name="__main__")


if __name__ == "__main__":
    _serve()
