"""Formulas at points, to as many digits as are asked for, and their differences there."""

import cmath
import math
import random
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import mpmath
import sympy
from sympy.core.relational import Relational

from holonet.errors import NumericalError
from holonet.symbolic.formula import Expr, quote

__all__ = ["differences", "evaluate", "random_points", "value_or_none"]

_LARGEST = 10**6
_DIFFERENCE_DIGITS = 160
_STEP_EXPONENT = -40


def evaluate(
    expression: Expr,
    at: Mapping[Expr, Expr],
    digits: int = 50,
    deadline: float = math.inf,
) -> Expr:
    """The value at a point, a complex number with that many digits in every step.

    Each distinct subexpression is computed once, from the inside out, by mpmath, whose principal
    values are sympy's. Numbers above 10^6 may not enter a function or an exponent, where they
    would cost minutes. In numbers that hold roots, functions or pi, a sum of next to nothing
    beside its terms, and a part of next to nothing beside the other one, are rounding and
    count as 0: log(-sin(1)**2 - cos(1)**2) is I*pi, as the number that it is of is -1.

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
    return _as_expression(_value(expression, at, digits, deadline))


def value_or_none(
    expression: Expr,
    at: Mapping[Expr, Expr],
    digits: int = 50,
    deadline: float = math.inf,
) -> complex | None:
    """The value as `evaluate` computes it, rounded in the end; None where it is out of range.

    Raises:
        TimeoutError: the deadline is over.

    Example:
        >>> z = sympy.Symbol("z")
        >>> value_or_none(1 / z, {z: sympy.I}), value_or_none(1 / z, {z: sympy.Integer(0)})
        (-1j, None)
    """
    try:
        value = complex(_value(expression, at, digits, deadline))
    except (NumericalError, OverflowError):
        return None
    return value if cmath.isfinite(value) else None


def _value(expression: Expr, at: Mapping[Expr, Expr], digits: int, deadline: float) -> Any:
    context = _context(digits)
    return _Evaluation(context, _numbers(context, at), deadline).value(expression)


def differences(
    expression: Expr,
    at: Mapping[Expr, Expr],
    claim: str,
    deadline: float = math.inf,
) -> tuple[dict[str, complex], float]:
    """d/dzbar in every variable (or, under "", the Laplacian) by central differences.

    The formula itself is evaluated, in 160 digits with steps of 10^-40, and nothing is
    differentiated: whoever derives d/dzbar by rules can check them here.

    Returns:
        The values, and the size of the differences that they are sums of.

    Raises:
        NumericalError: the formula has no finite value at one of the points.
        TimeoutError: the deadline is over.

    Example:
        >>> z = sympy.Symbol("z")
        >>> values, _ = differences(z * sympy.conjugate(z), {z: sympy.I + 1}, "holomorphic")
        >>> values["z"]
        (1+1j)
    """
    context = _context(_DIFFERENCE_DIGITS)
    point = _numbers(context, at)
    step = context.mpf(10) ** _STEP_EXPONENT

    def value(variable: Expr, offset: Any) -> Any:
        shifted = {**point, variable: point[variable] + offset}
        return _Evaluation(context, shifted, deadline).value(expression)

    values: dict[str, complex] = {}
    size, laplacian = 0.0, context.mpf(0)
    for variable in at:
        right, left = value(variable, step), value(variable, -step)
        up, down = value(variable, 1j * step), value(variable, -1j * step)
        along, across = (right - left) / (2 * step), (up - down) / (2 * step)
        if claim == "holomorphic":
            values[str(variable)] = complex((along + 1j * across) / 2)
            size += float(abs(along) + abs(across))
        else:
            center = value(variable, 0)
            second = (right + left - 2 * center) / step**2, (up + down - 2 * center) / step**2
            laplacian += second[0] + second[1]
            size += float(abs(second[0]) + abs(second[1]))
    if claim != "holomorphic":
        values[""] = complex(laplacian)
    return values, size


_contexts = threading.local()


def _context(digits: int) -> Any:
    """Mpmath with that many digits and ten to spare; each thread has its own."""
    contexts = _contexts.__dict__.setdefault("by_digits", {})
    if digits not in contexts:
        contexts[digits] = mpmath.MPContext()
        contexts[digits].dps = digits + 10
    return contexts[digits]


def _numbers(context: Any, at: Mapping[Expr, Expr]) -> dict[Expr, Any]:
    return {variable: _number(context, value) for variable, value in at.items()}


def _number(context: Any, value: Expr) -> Any:
    """An exact or floating-point complex number as mpmath's."""
    real, imaginary = (_real(context, part) for part in value.as_real_imag())
    return context.mpc(real, imaginary) if imaginary else real


def _real(context: Any, value: Expr) -> Any:
    if value.is_Rational:
        return context.mpf(int(value.p)) / int(value.q)
    return context.make_mpf(value.evalf(context.dps)._mpf_)


def _as_expression(value: Any) -> Expr:
    """Mpmath's number as sympy's, with the digits asked for."""
    context = value.context
    parts = [
        sympy.Float(part._mpf_, context.dps - 10) if part else sympy.Integer(0)
        for part in (value.real, value.imag)
    ]
    return parts[0] + sympy.I * parts[1]


class _Evaluation:
    """The values of subexpressions at one point."""

    def __init__(self, context: Any, at: dict[Expr, Any], deadline: float) -> None:
        self.context = context
        self.deadline = deadline
        self.known = at

    def value(self, e: Expr) -> Any:
        """The value of e, computed at most once.

        Raises:
            NumericalError: there is none.
        """
        if e not in self.known:
            if time.monotonic() > self.deadline:
                raise TimeoutError
            try:
                result = self.compute(e)
            except ZeroDivisionError as error:
                raise NumericalError(f"{quote(e)} divides by 0") from error
            except (ArithmeticError, ValueError, TypeError, RecursionError) as error:
                raise NumericalError(f"{quote(e)} cannot be evaluated: {error}") from error
            if not self.context.isfinite(result):
                raise NumericalError(f"{quote(e)} has no finite value")
            self.known[e] = self.without_noise(e, result)
        return self.known[e]

    def without_noise(self, e: Expr, result: Any) -> Any:
        """A number whose real or imaginary part is rounding and nothing else, without it."""
        real, imaginary = result.real, result.imag
        if real and self.is_noise(e, imaginary, real):
            return self.context.mpc(real, 0)
        if imaginary and self.is_noise(e, real, imaginary):
            return self.context.mpc(0, imaginary)
        return result

    def is_noise(self, e: Expr, part: Any, size: Any) -> bool:
        """Whether a part of the value of e, which holds no variables, is 0 but for rounding."""
        least = abs(size) * self.context.mpf(10) ** (10 - self.context.dps)
        return bool(0 < abs(part) < least and not e.free_symbols and not _is_exact(e))

    def compute(self, e: Expr) -> Any:
        """The value of e from those of its arguments."""
        if isinstance(e, sympy.Piecewise):
            return self.case(e)
        if e.is_Pow and e.exp.is_Integer:
            return self.value(e.base) ** int(e.exp)
        arguments = [self.value(a) for a in e.args]
        if not arguments:
            return self.constant(e)
        if e.is_Add:
            total = self.context.fsum(arguments)
            return 0 * total if self.is_noise(e, total, max(map(abs, arguments))) else total
        if e.is_Mul:
            return self.context.fprod(arguments)
        if any(abs(a) > _LARGEST for a in arguments):
            raise NumericalError(f"{quote(e)} has an argument above {_LARGEST} in modulus")
        if e.is_Pow:
            base, exponent = arguments
            if base == 0:
                raise ValueError("a power of 0 whose exponent is no integer")
            return base**exponent
        rule = _RULES.get(type(e))
        if rule is not None:
            return rule(self.context, *arguments)
        return _number(
            self.context, e.func(*map(_as_expression, arguments)).evalf(self.context.dps)
        )

    def constant(self, e: Expr) -> Any:
        if e is sympy.I:
            return self.context.mpc(0, 1)
        if not e.is_number or e.is_finite is not True:
            raise NumericalError(f"{quote(e)} has no finite value")
        return _real(self.context, e)

    def case(self, e: Expr) -> Any:
        for value, condition in e.args:
            if self.holds(condition):
                return self.value(value)
        raise NumericalError(f"no case of {quote(e)} holds")

    def holds(self, condition: Any) -> bool:
        """Whether a condition holds, equality and order up to no tolerance."""
        match condition:
            case sympy.And():
                return all(map(self.holds, condition.args))
            case sympy.Or():
                return any(map(self.holds, condition.args))
            case sympy.Not():
                return not self.holds(condition.args[0])
            case Relational():
                relation: Any = condition
                return _ORDER[relation.rel_op](*map(self.value, relation.args))
        if condition in (sympy.true, sympy.false):
            return bool(condition)
        raise NumericalError(f"there is no rule for the condition {quote(condition)}")


def _is_exact(e: Expr) -> bool:
    """Whether a number is made of fractions and the imaginary unit, which are not rounded."""
    if e.is_Rational or e is sympy.I:
        return True
    composed = e.is_Add or e.is_Mul or (e.is_Pow and e.args[1].is_Integer)
    return bool(composed) and all(map(_is_exact, e.args))


_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: _ordered(a) < _ordered(b),
    "<=": lambda a, b: _ordered(a) <= _ordered(b),
    ">": lambda a, b: _ordered(a) > _ordered(b),
    ">=": lambda a, b: _ordered(a) >= _ordered(b),
}


def _ordered(value: Any) -> Any:
    """A real number, to be compared."""
    if value.imag:
        raise NumericalError("complex numbers have no order")
    return value.real


def _step_function(context: Any, x: Any, at_0: Any = None) -> Any:
    value = _ordered(x)
    if value == 0:
        return context.mpf(0.5) if at_0 is None else at_0
    return context.mpf(1 if value > 0 else 0)


def _named(name: str) -> Callable[..., Any]:
    return lambda context, *arguments: getattr(context, name)(*arguments)


_RULES: dict[type, Callable[..., Any]] = {
    getattr(sympy, name): _named(name)
    for name in (
        *("exp", "log", "sin", "cos", "tan", "cot", "sec", "csc", "asin", "acos", "atan"),
        *("sinh", "cosh", "tanh", "coth", "sech", "csch", "asinh", "acosh", "atanh"),
        *("erf", "erfc", "erfi", "conjugate", "re", "im", "arg", "sign"),
    )
} | {
    sympy.Abs: lambda context, u: abs(u),
    sympy.atan2: lambda context, y, x: context.atan2(_ordered(y), _ordered(x)),
    sympy.Heaviside: _step_function,
    sympy.Max: lambda context, *several: max(map(_ordered, several)),
    sympy.Min: lambda context, *several: min(map(_ordered, several)),
}


def random_points(
    variables: list[sympy.Symbol], count: int, seed: int, scales: tuple[int, ...] = (64, 1024)
) -> list[dict[sympy.Symbol, Expr]]:
    """Random complex points, exact in binary and off both axes.

    Their parts are odd numbers below 128 divided by one of the scales in turn: below 2 and, at
    every other point, below 1/8.
    """
    draw = random.Random(seed)
    return [
        {v: _part(draw, scale) + sympy.I * _part(draw, scale) for v in variables}
        for scale in (scales[k % len(scales)] for k in range(count))
    ]


def _part(draw: random.Random, scale: int) -> Expr:
    return sympy.Rational(draw.choice((-1, 1)) * (2 * draw.randrange(64) + 1), scale)
