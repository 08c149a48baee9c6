"""Expressions at points, to as many digits as are asked for, without running away."""

import math
import random
import time
from collections.abc import Mapping

import sympy

from holonet.errors import NumericalError
from holonet.symbolic.formula import Expr

__all__ = ["evaluate", "random_points"]

_LARGEST = 10**6


def evaluate(
    expression: Expr,
    at: Mapping[Expr, Expr],
    digits: int = 50,
    deadline: float = math.inf,
) -> Expr:
    """The value at a point, a complex number with that many digits in every step.

    Each distinct subexpression is computed once, from the inside out. Numbers above 10^6 may not
    enter a function or an exponent, where they would cost minutes.

    Args:
        at: the variables' values.
        digits: to compute with.
        deadline: when to give up, on the clock `time.monotonic`.

    Raises:
        NumericalError: infinity, nan, or a number that is too large on the way.
        TimeoutError: the deadline is over.

    Example:
        >>> z = sympy.Symbol("z")
        >>> evaluate(sympy.exp(z), {z: sympy.Integer(1)}, 20)
        2.7182818284590452354
    """
    try:
        return _Evaluation(at, digits, deadline).value(expression)
    except (ZeroDivisionError, OverflowError, ValueError, TypeError, RecursionError) as error:
        raise NumericalError(f"{expression} cannot be evaluated: {error}") from error


class _Evaluation:
    """The values of subexpressions at one point."""

    def __init__(self, at: Mapping[Expr, Expr], digits: int, deadline: float) -> None:
        self.digits = digits
        self.deadline = deadline
        self.known = {variable: value.evalf(digits) for variable, value in at.items()}

    def value(self, e: Expr) -> Expr:
        """The value of e, computed at most once."""
        if e not in self.known:
            if time.monotonic() > self.deadline:
                raise TimeoutError
            self.known[e] = self.compute(e, [self.value(a) for a in e.args])
        return self.known[e]

    def compute(self, e: Expr, arguments: list[Expr]) -> Expr:
        """The value of e from those of its arguments."""
        if not arguments:
            return e if e.is_Integer else e.evalf(self.digits)
        tame = arguments[1:] if e.is_Pow and arguments[1].is_Integer else arguments
        if not (e.is_Add or e.is_Mul) and any(abs(complex(a)) > _LARGEST for a in tame):
            raise NumericalError(f"{e} has an argument above {_LARGEST} in modulus")
        if e.is_Add or e.is_Mul or e.is_Pow:
            result = e.func(*arguments).evalf(self.digits)
        else:  # a number needs none of the rewriting that functions do, only the numerics
            result = e.func(*arguments, evaluate=False).evalf(self.digits)
        if not result.is_number or result.is_finite is False or result is sympy.nan:
            raise NumericalError(f"{e} has no finite value")
        return result


def random_points(
    variables: list[sympy.Symbol], count: int, seed: int
) -> list[dict[sympy.Symbol, Expr]]:
    """Random complex points, exact in binary and off both axes.

    Their parts are below 2 and, at every other point, below 1/8.
    """
    draw = random.Random(seed)

    scales = [(64, 1024)[k % 2] for k in range(count)]
    return [{v: _part(draw, s) + sympy.I * _part(draw, s) for v in variables} for s in scales]


def _part(draw: random.Random, scale: int) -> Expr:
    return sympy.Rational(draw.choice((-1, 1)) * (2 * draw.randrange(64) + 1), scale)
