"""Whether formulas simplify to 0, found out in a process of its own that can be stopped.

Run as a script, this file reads pickled expressions and answers with one word. It imports only
sympy, so that the process starts quickly, and the parent kills it when its time is over: nothing
inside sympy can delay that.
"""

import pickle
import subprocess
import sys
from collections.abc import Callable
from enum import Enum
from typing import Any

import sympy

__all__ = ["Answer", "simplifies_to_zero", "vanishes"]


class Answer(Enum):
    """What came back."""

    ZERO = "zero"
    OPEN = "open"
    LATE = "late"


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
    sympy.together,
    lambda e: sympy.expand(e.rewrite(sympy.exp)),
    sympy.simplify,
    lambda e: sympy.simplify(e.rewrite(sympy.exp)),
)


def vanishes(expressions: list[sympy.Expr], seconds: float | int) -> Answer:
    """Whether all of them simplify to 0, within that time.

    Raises nothing: a process that fails has not shown anything.

    Example:
        >>> z = sympy.Symbol("z")
        >>> vanishes([(z + 1) ** 2 - z**2 - 2 * z - 1], 60)
        <Answer.ZERO: 'zero'>
    """
    try:
        task = pickle.dumps(expressions)
        done = subprocess.run(
            # -P: the folder of this file is not a place to import from
            [sys.executable, "-P", __file__],
            input=task,
            capture_output=True,
            timeout=max(seconds, 0),
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Answer.LATE
    except (OSError, RecursionError):
        return Answer.OPEN
    return Answer.ZERO if done.stdout.strip() == b"zero" else Answer.OPEN


def _main() -> None:
    expressions = pickle.load(sys.stdin.buffer)
    answer = Answer.ZERO if all(map(simplifies_to_zero, expressions)) else Answer.OPEN
    sys.stdout.write(answer.value)


if __name__ == "__main__":
    _main()
