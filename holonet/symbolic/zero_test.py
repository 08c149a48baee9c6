"""Whether formulas simplify to 0, worked out in another process that can be killed.

Run as a script, this file reads pickled expressions and answers each with one word. It imports
only sympy. The process stays for the next question, since its start takes longer than most answers.
The parent kills it at the time limit, which nothing inside sympy can delay.
"""

import atexit
import contextlib
import os
import pickle
import select
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from enum import Enum
from typing import IO, Any

import sympy

__all__ = ["ZeroTest", "is_zero", "simplifies_to_zero"]


_A_YEAR = 3e7
"""The system waits for no infinite time."""


class ZeroTest(Enum):
    """Whether formulas simplify to 0: yes, not shown, or no answer in time."""

    ZERO = "zero"
    OPEN = "open"
    TIMEOUT = "late"


def simplifies_to_zero(expression: sympy.Expr) -> bool:
    """Whether one of sympy's simplifications takes an expression to 0; may take forever.

    Example:
        >>> z = sympy.Symbol("z")
        >>> simplifies_to_zero(sympy.sin(z) ** 2 + sympy.cos(z) ** 2 - 1)
        True
    """
    return any(step(expression) == 0 for step in _STEPS)


_STEPS: tuple[Callable[[Any], Any], ...] = (
    sympy.expand,
    lambda e: sympy.expand(sympy.fraction(sympy.together(e))[0]),
    lambda e: sympy.expand(e.rewrite(sympy.exp)),
    sympy.simplify,
    lambda e: sympy.simplify(e.rewrite(sympy.exp)),
)


def is_zero(expressions: list[sympy.Expr], seconds: float | int) -> ZeroTest:
    """Whether all of them simplify to 0, within that time.

    Raises nothing: a process that fails has not shown anything.

    Example:
        >>> z = sympy.Symbol("z")
        >>> is_zero([(z + 1) ** 2 - z**2 - 2 * z - 1], 60)
        <ZeroTest.ZERO: 'zero'>
    """
    try:
        task = pickle.dumps(expressions)
    except (RecursionError, pickle.PicklingError, TypeError, AttributeError):
        return ZeroTest.OPEN
    return _WORKER.ask(task, seconds)


class _Worker:
    """The process that simplifies; one question at a time."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.process: subprocess.Popen[bytes] | None = None
        self.of_parent: subprocess.Popen[bytes] | None = None
        self.talking = False

    def ask(self, task: bytes, seconds: float | int) -> ZeroTest:
        """The answer to one pickled question, within that time."""
        seconds = min(seconds, _A_YEAR)
        deadline = time.monotonic() + seconds
        if seconds <= 0 or not self.lock.acquire(timeout=seconds):
            return ZeroTest.TIMEOUT
        try:
            if self.talking:  # a question was interrupted: its answer is still to come
                self.stop()
            self.talking = True
            answer = self.talk(task, deadline)
            self.talking = answer is None
        except OSError:
            answer = ZeroTest.OPEN
        finally:
            self.lock.release()
        return answer or ZeroTest.TIMEOUT

    def talk(self, task: bytes, deadline: float) -> ZeroTest | None:
        """Ask, and wait; None where the time is over."""
        question, answer = self.pipes()
        question.write(struct.pack("<Q", len(task)) + task)
        question.flush()
        ready, _, _ = select.select([answer], [], [], max(deadline - time.monotonic(), 0))
        if not ready:
            self.stop()
            return None
        word = answer.readline().strip()
        if not word:
            raise OSError("the process has ended")
        return ZeroTest(word.decode())

    def pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        """To and from the process, started where there is none or it has ended."""
        if self.process is None or self.process.poll() is not None:
            self.stop()
            self.process = subprocess.Popen(
                # -P: the folder of this file is not a place to import from
                [sys.executable, "-P", __file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        if self.process.stdin is None or self.process.stdout is None:
            raise OSError("the process has no pipes")
        return self.process.stdin, self.process.stdout

    def stop(self) -> None:
        """Kill the process, if there is one."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            for pipe in (self.process.stdin, self.process.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()
        self.process = None

    def after_fork(self) -> None:
        """A child leaves the process to its parent and starts its own."""
        self.lock = threading.Lock()
        self.of_parent, self.process = self.process, None


_WORKER = _Worker()
atexit.register(_WORKER.stop)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_WORKER.after_fork)


def _answer(questions: IO[bytes], answers: IO[bytes]) -> None:
    """Answer questions until there are no more."""
    while head := questions.read(8):
        expressions = pickle.loads(questions.read(struct.unpack("<Q", head)[0]))
        try:
            zero = all(map(simplifies_to_zero, expressions))
        except Exception:  # whatever sympy stumbles over, nothing was shown
            zero = False
        answers.write(b"zero\n" if zero else b"open\n")
        answers.flush()


if __name__ == "__main__":
    _answer(sys.stdin.buffer, sys.stdout.buffer)
