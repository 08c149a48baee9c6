"""Whether a formula vanishes, or is constant, on some open set: asked on all of its sheets.

A formula with roots, logarithms and the like consists of several analytic functions, its sheets:
sqrt(z**2) is z in one half-plane and -z in the other. What holds at a random point holds on the
sheet that the point is on, and says nothing of the others. So all sheets are looked at.
"""

import cmath
import functools
import itertools
import math
import random
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import sympy

from holonet.symbolic.formula import Expr
from holonet.symbolic.heads import HEADS

__all__ = ["constant_values", "vanishes_nowhere_dense", "varies_everywhere"]

_CLEAR = 1e-8
_MOST_SHEETS = 512
_MOST_ROOTS = 8
_TRIES = 3
_TURNS = (0, 1, -1, 2, -2)


def vanishes_nowhere_dense(e: Expr) -> bool:
    """Whether a holomorphic tree vanishes on no open set, as far as can be shown.

    Without roots and logarithms e is one meromorphic function (in all variables) and vanishes
    everywhere or on no open set: a value that is not 0 decides. With roots the product over all
    sheets is such a function. Logarithms have infinitely many sheets: five are looked at, and e
    must not be constant on any of them, so that it does not vanish on the others by a shift.

    Example:
        >>> z = sympy.Symbol("z")
        >>> vanishes_nowhere_dense(z - 1), vanishes_nowhere_dense(sympy.sqrt(z**2) - z)
        (True, False)
    """
    if not e.free_symbols:
        constant = _constant(e)
        return constant is not None and abs(constant) > _CLEAR
    if e.is_Symbol or isinstance(e, _WITHOUT_ZEROS):
        return True
    if e.is_Mul:
        return all(map(vanishes_nowhere_dense, e.args))
    if e.is_Pow:
        return bool(e.exp.free_symbols) or vanishes_nowhere_dense(e.base)
    if not e.is_Add and varies_everywhere(e):
        return True
    sheets = _Sheets(e)
    return any(map(sheets.all_nonzero_at, range(_TRIES))) and (
        not sheets.infinite or varies_everywhere(e)
    )


def varies_everywhere(e: Expr) -> bool:
    """Whether a holomorphic tree is constant on no open set, as far as can be shown.

    A function of one argument varies where its argument does. Otherwise the values of all sheets
    at one point are compared with those of all sheets at another one: where e is constant on an
    open set, continuing it gives one and the same value at both.

    Example:
        >>> z = sympy.Symbol("z")
        >>> varies_everywhere(z + sympy.log(z)), varies_everywhere(sympy.sqrt(z**2) / z)
        (True, False)
    """
    varying = [a for a in e.args if a.free_symbols]
    if e.is_Symbol:
        return True
    if type(e) in HEADS or (len(varying) == 1 and (e.is_Add or e.is_Mul)):
        return varies_everywhere(varying[0]) if varying else False
    if e.is_Pow and len(varying) == 1:
        return varies_everywhere(varying[0]) and e.base != 1
    if not varying:
        return False
    return constant_values(e) == ()


def constant_values(e: Expr) -> tuple[complex, ...] | None:
    """The only values that e may have on whole open sets; None where that is not known.

    Example:
        >>> z = sympy.Symbol("z")
        >>> sorted(c.real for c in constant_values(sympy.sqrt(z**2) / z) or ())
        [-1.0, 1.0]
    """
    if not e.free_symbols:
        constant = _constant(e)
        return None if constant is None else (constant,)
    sheets = _Sheets(e)
    found = [c for k in range(_TRIES) if (c := sheets.common_values(k, k + 1)) is not None]
    fewest = min(found, key=len, default=None)
    return None if fewest and sheets.infinite else fewest


_WITHOUT_ZEROS = (sympy.exp, sympy.sech, sympy.csch, sympy.sec, sympy.csc)


def _constant(e: Expr) -> complex | None:
    try:
        value = complex(e.evalf(30))
    except (TypeError, ValueError, ArithmeticError):
        return None
    return value if cmath.isfinite(value) else None


class _Sheets:
    """The values of a holomorphic tree on its sheets."""

    def __init__(self, e: Expr) -> None:
        nodes: Any = sympy.preorder_traversal(e)
        branched = {node: _branches(node) for node in nodes if _branches(node)}
        self.e = e
        self.infinite = any(_is_infinite(node) for node in branched)
        choices = _choices([len(b) for b in branched.values()])
        self.chosen = {
            node: (branches, choices[:, k]) for k, (node, branches) in enumerate(branched.items())
        }
        self.variables = sorted(e.free_symbols, key=str)

    def values(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The values at the k-th random point, one for each sheet, and the size of the terms."""
        draw = random.Random(k)
        known: dict[Expr, Any] = {
            v: np.complex128(draw.uniform(0.7, 1.3) * np.exp(1j * draw.uniform(-math.pi, math.pi)))
            for v in self.variables
        }
        with np.errstate(all="ignore"):
            value = self.compute(self.e, known)
            terms = self.e.args if self.e.is_Add else ()
            size = sum((abs(known[t]) for t in terms), start=abs(value))
        return np.atleast_1d(value), np.atleast_1d(size)

    def compute(self, e: Expr, known: dict[Expr, Any]) -> Any:
        """The value of e from those of its arguments, on every sheet."""
        if e in known:
            return known[e]
        if not e.free_symbols:
            constant = _constant(e)
            result = np.complex128(np.nan if constant is None else constant)
        elif e.is_Pow and e.exp.is_Integer:
            result = self.compute(e.base, known) ** int(e.exp)
        else:
            arguments = [self.compute(a, known) for a in e.args]
            if e.is_Add:
                result = sum(arguments)
            elif e.is_Mul:
                result = math.prod(arguments)
            elif e.is_Pow:
                logarithm = np.log(arguments[0]) + self.turns(e)
                result = np.exp(arguments[1] * logarithm)
            else:
                result = _VALUES[type(e)](arguments[0])
                if e in self.chosen:
                    branches, index = self.chosen[e]
                    result = (
                        np.array([b(1) - b(0) for b in branches])[index] * result
                        + np.array([b(0) for b in branches])[index]
                    )
        known[e] = result
        return result

    def turns(self, e: Expr) -> Any:
        """What to add to the logarithm of the base of a power, on every sheet."""
        if e not in self.chosen:
            return 0
        branches, index = self.chosen[e]
        return np.array([b(0) for b in branches])[index]

    def all_nonzero_at(self, k: int) -> bool:
        """Whether no sheet vanishes at the k-th point."""
        value, size = self.values(k)
        return bool((abs(value) > _CLEAR * size).all() and np.isfinite(value).all())

    def common_values(self, j: int, k: int) -> tuple[complex, ...] | None:
        """The values at the j-th point that are also taken at the k-th, on whatever sheet."""
        (a, a_size), (b, b_size) = self.values(j), self.values(k)
        if not (np.isfinite(a).all() and np.isfinite(b).all()):
            return None
        gaps, sizes = abs(a[:, None] - b[None, :]), a_size[:, None] + b_size[None, :]
        common = (gaps <= _CLEAR * sizes).any(axis=1)
        return tuple(dict.fromkeys(complex(round(c.real, 6), round(c.imag, 6)) for c in a[common]))


_Branch = Callable[[complex | float | int], complex]


def _branch(sign: float | int, shift: complex | float | int) -> _Branch:
    """The map from the principal value to another one: up to a sign and a shift."""
    return lambda value: sign * value + shift


@functools.cache
def _periods(period: complex | float) -> tuple[_Branch, ...]:
    return tuple(_branch(1, k * period) for k in _TURNS)


@functools.cache
def _mirrored(period: complex | float) -> tuple[_Branch, ...]:
    return tuple(_branch((-1) ** k, k * period) for k in _TURNS)


@functools.cache
def _both_signs(period: complex | float) -> tuple[_Branch, ...]:
    return tuple(_branch(sign, k * period) for k in (0, 1, -1) for sign in (1, -1))


_BRANCHES: dict[type, tuple[_Branch, ...]] = {
    sympy.log: _periods(2j * math.pi),
    sympy.asin: _mirrored(math.pi),
    sympy.asinh: _mirrored(1j * math.pi),
    sympy.acos: _both_signs(2 * math.pi),
    sympy.acosh: _both_signs(2j * math.pi),
    sympy.atan: _periods(math.pi),
    sympy.atanh: _periods(1j * math.pi),
}


def _branches(e: Any) -> tuple[_Branch, ...]:
    """The principal value's siblings; for a power, those of the logarithm of its base."""
    if not isinstance(e, Expr) or not e.free_symbols:
        return ()
    if not e.is_Pow:
        return _BRANCHES.get(type(e), ())
    if e.exp.is_Integer or not e.base.free_symbols:
        return ()
    if _is_infinite(e):
        return _BRANCHES[sympy.log]
    return tuple(_branch(1, 2j * math.pi * k) for k in range(int(e.exp.q)))


def _is_infinite(e: Expr) -> bool:
    """Whether there are more branches than `_branches` lists."""
    return not (e.is_Pow and e.exp.is_Rational and e.exp.q <= _MOST_ROOTS)


def _choices(counts: list[int]) -> np.ndarray:
    """One row for each sheet: all of them, or those with the fewest branches off the principal."""
    rows: list[tuple[int, ...]] = [(0,) * len(counts)]
    for off in range(1, len(counts) + 1):
        for places in itertools.combinations(range(len(counts)), off):
            for branches in itertools.product(*(range(1, counts[p]) for p in places)):
                if len(rows) >= _MOST_SHEETS:
                    return np.array(rows)
                row = [0] * len(counts)
                for place, branch in zip(places, branches, strict=True):
                    row[place] = branch
                rows.append(tuple(row))
    return np.array(rows)


def _slow(name: str) -> Callable[[Any], Any]:
    """A function that numpy has not."""
    function = getattr(mpmath, name)
    return np.vectorize(lambda u: complex(function(complex(u))), otypes=[np.complex128])


_VALUES: dict[type, Callable[[Any], Any]] = {
    sympy.exp: np.exp,
    sympy.log: np.log,
    sympy.sin: np.sin,
    sympy.cos: np.cos,
    sympy.tan: np.tan,
    sympy.cot: lambda u: 1 / np.tan(u),
    sympy.sec: lambda u: 1 / np.cos(u),
    sympy.csc: lambda u: 1 / np.sin(u),
    sympy.sinh: np.sinh,
    sympy.cosh: np.cosh,
    sympy.tanh: np.tanh,
    sympy.coth: lambda u: 1 / np.tanh(u),
    sympy.sech: lambda u: 1 / np.cosh(u),
    sympy.csch: lambda u: 1 / np.sinh(u),
    sympy.asin: np.arcsin,
    sympy.acos: np.arccos,
    sympy.atan: np.arctan,
    sympy.asinh: np.arcsinh,
    sympy.acosh: np.arccosh,
    sympy.atanh: np.arctanh,
    sympy.erf: _slow("erf"),
    sympy.erfc: _slow("erfc"),
    sympy.erfi: _slow("erfi"),
}
