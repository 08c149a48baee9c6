"""Formulas that are given by cases: the one that holds near a point."""

from collections.abc import Mapping
from typing import Any

import sympy
from sympy.core.relational import Relational

from holonet.errors import NumericalError
from holonet.symbolic.evaluate import evaluate
from holonet.symbolic.formula import Expr, quote
from holonet.symbolic.wirtinger import Pairs, UndecidedError

__all__ = ["has_cases", "specialize"]

_PIECES = (sympy.Piecewise, sympy.Max, sympy.Min, sympy.Heaviside)
_KEPT = (sympy.re, sympy.im, sympy.Abs, sympy.arg, sympy.sign, sympy.conjugate)
_CLEAR = sympy.Rational(1, 10**20)


def has_cases(e: Expr) -> bool:
    """Whether a formula holds Piecewise, Max, Min or Heaviside."""
    return e.has(*_PIECES)


def specialize(e: Expr, at: Mapping[Expr, Expr], pairs: Pairs) -> Expr:
    """The formula as it is near a point, where it is given by cases: the case that holds there.

    Cases are also the sides of a cut on the real axis, for an argument that is real everywhere:
    near a point with u < 0 the argument of u is pi, its logarithm log(-u) + i pi.

    Raises:
        UndecidedError: the point is on the border of two cases, or a condition is not known.
    """
    if not e.free_symbols:
        return e
    if isinstance(e, sympy.Piecewise):
        cases: Any = e.args
        for case, condition in cases:
            if _holds(condition, at):
                return specialize(case, at, pairs)
        raise UndecidedError(f"no case of {quote(e)} holds at a point")
    arguments = [specialize(a, at, pairs) for a in e.args]
    if isinstance(e, sympy.Heaviside):
        return sympy.Integer(1 if _sign(arguments[0], at) > 0 else 0)
    if isinstance(e, sympy.Max | sympy.Min):
        best = arguments[0]
        for other in arguments[1:]:
            if (_sign(other - best, at) > 0) == isinstance(e, sympy.Max):
                best = other
        return best
    if _is_on_cut(e, arguments, at, pairs):
        return _on_cut(e, arguments)
    if arguments == list(e.args):
        return e
    if isinstance(e, _KEPT):
        return e.func(*arguments, evaluate=False)
    return e.func(*arguments)


def _is_on_cut(e: Expr, arguments: list[Expr], at: Mapping[Expr, Expr], pairs: Pairs) -> bool:
    """Whether e has the cut of log and its argument is real near the point and negative there."""
    power = e.is_Pow and not arguments[1].is_Integer
    if not (power or isinstance(e, sympy.arg | sympy.log)):
        return False
    u = arguments[0]
    if not u.free_symbols or not pairs.is_real(u):
        return False
    return _sign(u, at) < 0


def _on_cut(e: Expr, arguments: list[Expr]) -> Expr:
    """The function on the cut, where its argument is negative."""
    u = arguments[0]
    if isinstance(e, sympy.arg):
        return sympy.pi
    if isinstance(e, sympy.log):
        return sympy.log(-u) + sympy.I * sympy.pi
    return (-u) ** arguments[1] * sympy.exp(sympy.I * sympy.pi * arguments[1])


def _holds(condition: Any, at: Mapping[Expr, Expr]) -> bool:
    sides = condition
    if condition in (sympy.true, sympy.false):
        return bool(condition)
    if isinstance(condition, sympy.And):
        return all(_holds(c, at) for c in condition.args)
    if isinstance(condition, sympy.Or):
        return any(_holds(c, at) for c in condition.args)
    if isinstance(condition, sympy.Not):
        return not _holds(condition.args[0], at)
    if isinstance(condition, sympy.Eq | sympy.Ne):
        if abs(_value(sides.lhs - sides.rhs, at)) < _CLEAR:
            raise UndecidedError(f"a point is on the border of {quote(condition)}")
        return isinstance(condition, sympy.Ne)
    if isinstance(condition, Relational):
        positive = _sign(sides.lhs - sides.rhs, at) > 0
        return positive == isinstance(condition, sympy.Gt | sympy.Ge)
    raise UndecidedError(f"there is no rule for the condition {quote(condition)}")


def _sign(e: Expr, at: Mapping[Expr, Expr]) -> int:
    value = _value(e, at)
    if abs(sympy.im(value)) > _CLEAR or abs(sympy.re(value)) < _CLEAR:
        raise UndecidedError(f"the sign of {quote(e)} at a point is not clear")
    return 1 if sympy.re(value) > 0 else -1


def _value(e: Expr, at: Mapping[Expr, Expr]) -> Expr:
    try:
        return evaluate(e, at)
    except NumericalError as error:
        raise UndecidedError(str(error)) from error
