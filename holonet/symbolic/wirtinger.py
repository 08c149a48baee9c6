"""z and its conjugate as two independent variables: formulas for d/dzbar and the Laplacian."""

from collections.abc import Mapping
from typing import Any

import sympy
from sympy.core.relational import Relational

from holonet.errors import NumericalError
from holonet.symbolic.evaluate import evaluate
from holonet.symbolic.formula import Expr, quote
from holonet.symbolic.heads import HEADS

__all__ = [
    "UndecidedError",
    "dbar_formulas",
    "excluded_sets",
    "is_harmonic_tree",
    "is_holomorphic_tree",
    "laplacian_formula",
    "pair",
    "specialize",
]

_REAL_ANALYTIC = (sympy.conjugate, sympy.re, sympy.im, sympy.Abs, sympy.sign, sympy.arg)
_PIECES = (sympy.Piecewise, sympy.Max, sympy.Min, sympy.Heaviside)


class UndecidedError(Exception):
    """A subterm that these rules cannot treat; the message names it. Never leaves the unit."""


def is_holomorphic_tree(e: Expr) -> bool:
    """Whether every node is a number, a variable, a sum, a product, a power or one of `HEADS`.

    Then e is holomorphic in all its variables off `excluded_sets(e)`, by the rules for these.
    """
    if e.is_Symbol or not e.free_symbols:
        return True
    known = e.is_Add or e.is_Mul or e.is_Pow or type(e) in HEADS
    return known and all(is_holomorphic_tree(a) for a in e.args)


def is_harmonic_tree(e: Expr) -> bool:
    """Whether e is a sum of multiples of holomorphic trees, their parts, arguments and log|.|.

    Real and imaginary part, conjugate, argument and log-modulus of a holomorphic function are
    pluriharmonic, and so are sums and constant multiples.
    """
    if is_holomorphic_tree(e) or _is_antiholomorphic_tree(e):
        return True
    if e.is_Add:
        return all(is_harmonic_tree(a) for a in e.args)
    if e.is_Mul:
        varying = [a for a in e.args if a.free_symbols]
        return len(varying) == 1 and is_harmonic_tree(varying[0])
    if isinstance(e, sympy.re | sympy.im | sympy.conjugate):
        return is_harmonic_tree(e.args[0])
    if isinstance(e, sympy.log) and isinstance(e.args[0], sympy.Abs):
        return is_holomorphic_tree(e.args[0].args[0])
    return isinstance(e, sympy.arg) and is_holomorphic_tree(e.args[0])


def _is_antiholomorphic_tree(e: Expr) -> bool:
    """Whether e is a holomorphic tree in the conjugates of its variables."""
    renamed = e.xreplace({sympy.conjugate(z): sympy.Dummy() for z in e.free_symbols})
    return not renamed.free_symbols & e.free_symbols and is_holomorphic_tree(renamed)


def excluded_sets(e: Expr) -> tuple[str, ...]:
    """Where e may fail to be smooth: poles, branch cuts, zeros under a modulus, in words."""
    found: dict[str, None] = {}
    nodes: Any = sympy.preorder_traversal(e)
    for node in nodes:
        if not isinstance(node, Expr) or not node.free_symbols:
            continue
        if node.is_Pow:
            base, exponent = node.as_base_exp()
            if exponent.free_symbols or not exponent.is_Integer:
                if base.free_symbols or not base.is_positive:
                    found[f"{base} in (-oo, 0]"] = None
            elif exponent.is_negative:
                found[f"{base} = 0"] = None
        elif type(node) in HEADS and HEADS[type(node)].excluded:
            found[f"{node.args[0]} in {HEADS[type(node)].excluded}"] = None
        elif isinstance(node, sympy.Abs | sympy.sign | sympy.arg):
            found[f"{node.args[0]} = 0"] = None
        elif isinstance(node, sympy.atan2):
            found[f"{node.args[1]} + I*({node.args[0]}) = 0"] = None
    return tuple(found)


def pair(e: Expr, bars: Mapping[Expr, Expr]) -> tuple[Expr, Expr]:
    """F and G with F(z, conj z) = e and G(z, conj z) = conj e, analytic in both variables.

    `bars` gives every variable z its partner, which stands for conj z. Heads and principal powers
    commute with conjugation off their cuts; |u| is sqrt(u conj u), arg u is Im log u.

    Raises:
        UndecidedError: a subterm such as Piecewise is not analytic in the real coordinates.
    """
    return _Pairs(bars).both(e)


class _Pairs:
    """The pairs of subexpressions."""

    def __init__(self, bars: Mapping[Expr, Expr]) -> None:
        self.known: dict[Expr, tuple[Expr, Expr]] = {z: (z, bar) for z, bar in bars.items()}

    def both(self, e: Expr) -> tuple[Expr, Expr]:
        """The pair of e, formed at most once."""
        if e not in self.known:
            self.known[e] = self.form(e)
        return self.known[e]

    def form(self, e: Expr) -> tuple[Expr, Expr]:
        """The pair of e from those of its arguments."""
        if not e.free_symbols:
            return e, sympy.conjugate(e)
        if isinstance(e, sympy.log) and isinstance(e.args[0], sympy.Abs):
            u, v = self.both(e.args[0].args[0])
            value = (sympy.log(u) + sympy.log(v)) / 2
            return value, value
        if e.is_Add or e.is_Mul or e.is_Pow or type(e) in HEADS:
            parts = [self.both(a) for a in e.args]
            return e.func(*(p[0] for p in parts)), e.func(*(p[1] for p in parts))
        if isinstance(e, sympy.atan2):
            (y, y_bar), (x, x_bar) = self.both(e.args[0]), self.both(e.args[1])
            return _angle(x, y), _angle(x_bar, y_bar)
        if isinstance(e, _REAL_ANALYTIC):
            return self.real_analytic(e, *self.both(e.args[0]))
        raise UndecidedError(f"there is no rule for {quote(e)}")

    def real_analytic(self, e: Expr, u: Expr, v: Expr) -> tuple[Expr, Expr]:
        """The pair of e, one of `_REAL_ANALYTIC`, from that of its argument."""
        match e:
            case sympy.conjugate():
                return v, u
            case sympy.sign():
                return u / sympy.sqrt(u * v), v / sympy.sqrt(u * v)
            case sympy.re():
                value = u / 2 + v / 2
            case sympy.im():
                value = -sympy.I * u / 2 + sympy.I * v / 2
            case sympy.Abs():
                value = sympy.sqrt(u * v)
            case _:
                value = -sympy.I * sympy.log(u) / 2 + sympy.I * sympy.log(v) / 2
        return value, value


def _angle(x: Expr, y: Expr) -> Expr:
    """atan2(y, x), continued analytically: the imaginary part of log(x + iy)."""
    log_up, log_down = sympy.log(x + sympy.I * y), sympy.log(x - sympy.I * y)
    return -sympy.I * log_up / 2 + sympy.I * log_down / 2


def dbar_formulas(e: Expr, bars: Mapping[Expr, Expr]) -> dict[Expr, Expr]:
    """Variable -> d e / d zbar, in the variables and their partners."""
    formula = pair(e, bars)[0]
    return {z: sympy.diff(formula, bar) for z, bar in bars.items()}


def laplacian_formula(e: Expr, bars: Mapping[Expr, Expr]) -> Expr:
    """The sum of d^2 e / dx^2 + d^2 e / dy^2 over all variables, 4 d^2 / dz dzbar each."""
    formula = pair(e, bars)[0]
    return sympy.Add(*(4 * sympy.diff(formula, bar, z) for z, bar in bars.items()))


def specialize(e: Expr, at: Mapping[Expr, Expr]) -> Expr:
    """The formula as it is near a point, where it is given by cases: the case that holds there.

    Raises:
        UndecidedError: the point is on the border of two cases, or a condition is not known.
    """
    if not e.has(*_PIECES):
        return e
    if isinstance(e, sympy.Piecewise):
        cases: Any = e.args
        for case, condition in cases:
            if _holds(condition, at):
                return specialize(case, at)
        raise UndecidedError(f"no case of {quote(e)} holds at a point")
    arguments = [specialize(a, at) for a in e.args]
    if isinstance(e, sympy.Heaviside):
        return sympy.Integer(1 if _sign(arguments[0], at) > 0 else 0)
    if isinstance(e, sympy.Max | sympy.Min):
        best = arguments[0]
        for other in arguments[1:]:
            if (_sign(other - best, at) > 0) == isinstance(e, sympy.Max):
                best = other
        return best
    return e.func(*arguments)


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


_CLEAR = sympy.Rational(1, 10**20)


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
