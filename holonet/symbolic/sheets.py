"""Whether a formula vanishes, or is constant, on some open set: asked on all of its sheets.

A formula with roots, logarithms and the like consists of several analytic functions, its sheets:
sqrt(z**2) is z in one half-plane and -z in the other. What holds at a random point holds on the
sheet that the point is on, and says nothing of the others. So all sheets are looked at.
"""

import itertools
import math
import random
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import sympy

from holonet.symbolic.evaluate import value_or_none
from holonet.symbolic.formula import Expr
from holonet.symbolic.known_functions import FUNCTIONS

__all__ = ["constant_values", "vanishes_nowhere_dense", "varies_everywhere"]

_CLEAR = 1e-8
_SHIFT = 1e-10
_MOST_SHEETS = 512
_TRIES = 3
_MOST_TURNS = 41
_FEWEST_TURNS = 5


def vanishes_nowhere_dense(e: Expr) -> bool:
    """Whether a holomorphic tree vanishes on no open set, as far as can be shown.

    Without roots and logarithms e is one meromorphic function (in all variables) and vanishes
    everywhere or on no open set: a value that is not 0 decides. With roots the product over all
    sheets is such a function, where there are 512 at most. Logarithms have infinitely many sheets:
    41 of one are looked at (21 of each of two, 5 of many), and e must not be constant on any of
    them, so that it does not vanish on the others by a shift.

    Example:
        >>> z = sympy.Symbol("z")
        >>> vanishes_nowhere_dense(z - 1), vanishes_nowhere_dense(sympy.sqrt(z**2) - z)
        (True, False)
    """
    if not e.free_symbols:
        constant = value_or_none(e, {}, 30)
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
    if sheets.incomplete or not any(map(sheets.all_nonzero_at, range(_TRIES))):
        return False
    return not sheets.infinite or varies_everywhere(e)


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
    if not varying:
        return False
    if len(varying) == 1 and _varies_with_its_argument(e):
        return varies_everywhere(varying[0])
    return constant_values(e) == ()


def _varies_with_its_argument(e: Expr) -> bool:
    """Whether a node that has one argument with variables in it is not constant in that one.

    What looks like a factor may be 0, like a base 1, and like an exponent 0.
    """
    if e.is_Add or type(e) in FUNCTIONS:
        return True
    numbers = [value_or_none(a, {}, 30) for a in e.args if not a.free_symbols]
    if None in numbers or 0 in numbers:
        return False
    return bool(e.is_Mul) or (bool(e.is_Pow) and (bool(e.base.free_symbols) or 1 not in numbers))


def constant_values(e: Expr) -> tuple[complex, ...] | None:
    """The only values that e may have on whole open sets; None where that is not known.

    Example:
        >>> z = sympy.Symbol("z")
        >>> sorted(c.real for c in constant_values(sympy.sqrt(z**2) / z) or ())
        [-1.0, 1.0]
    """
    if not e.free_symbols:
        constant = value_or_none(e, {}, 30)
        return None if constant is None else (constant,)
    sheets = _Sheets(e)
    if sheets.incomplete:
        return None
    candidates = [c for k in range(_TRIES) if (c := sheets.common_values(k, k + 1)) is not None]
    fewest = min(candidates, key=len, default=None)
    return None if fewest and sheets.infinite else fewest


_WITHOUT_ZEROS = (sympy.exp, sympy.sech, sympy.csch, sympy.sec, sympy.csc)


class _Sheets:
    """The values of a holomorphic tree on its sheets."""

    def __init__(self, e: Expr) -> None:
        nodes: Any = sympy.preorder_traversal(e)
        branched = [node for node in dict.fromkeys(nodes) if _is_branched(node)]
        endless = [node for node in branched if _is_infinite(node)]
        finite = math.prod(int(node.exp.q) for node in branched if node not in endless)
        self.e = e
        self.infinite = bool(endless)
        self.incomplete = finite > _MOST_SHEETS
        turns = _turns(_MOST_SHEETS / finite, len(endless))
        branches = [_branches(node, turns) for node in branched]
        choices = _choices([len(b) for b in branches])
        self.chosen = {  # node -> the sign and the offset of its branch, on every sheet
            node: np.array(b)[choices[:, k]].T
            for k, (node, b) in enumerate(zip(branched, branches, strict=True))
        }
        columns = [k for k, node in enumerate(branched) if node in endless]
        self.near = (choices[:, columns] < _FEWEST_TURNS).all(axis=1)
        self.variables = sorted(e.free_symbols, key=str)

    def values(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The values at the k-th random point, one for each sheet, and what they may be wrong by.

        The latter comes of a second evaluation, in which every node is a little off: a 0 that
        comes of cancellation, wherever in the tree, is moved by more than rounding makes of it.
        """
        draw = random.Random(k)
        at: dict[Expr, Any] = {
            v: np.complex128(draw.uniform(0.7, 1.3) * np.exp(1j * draw.uniform(-math.pi, math.pi)))
            for v in self.variables
        }
        with np.errstate(all="ignore"):
            value, other = (self.compute(self.e, dict(at), s, draw) for s in (0.0, _SHIFT))
            doubt = abs(other - value) * (_CLEAR / _SHIFT)
        shape = self.near.shape
        return np.broadcast_to(value, shape), np.broadcast_to(doubt, shape)

    def compute(self, e: Expr, known: dict[Expr, Any], shift: float, draw: random.Random) -> Any:
        """The value of e from those of its arguments, on every sheet.

        Args:
            known: what is known already.
            shift: by how much every node is made wrong, in a random direction.
            draw: where the directions come from.
        """
        if e in known:
            return known[e]
        if not e.free_symbols:
            constant = value_or_none(e, {}, 30)
            result = np.complex128(np.nan if constant is None else constant)
        elif e.is_Pow and e.exp.is_Integer:
            result = self.compute(e.base, known, shift, draw) ** int(e.exp)
        else:
            arguments = [self.compute(a, known, shift, draw) for a in e.args]
            if e.is_Add:
                result = sum(arguments)
            elif e.is_Mul:
                result = math.prod(arguments)
            elif e.is_Pow:
                _, turns = self.chosen.get(e, (1, 0))
                result = np.exp(arguments[1] * (np.log(arguments[0]) + turns))
            else:
                result = _VALUES[type(e)](arguments[0])
                if e in self.chosen:
                    sign, offset = self.chosen[e]
                    result = sign * result + offset
        known[e] = result * (1 + shift * np.exp(1j * draw.uniform(-math.pi, math.pi)))
        return known[e]

    def all_nonzero_at(self, k: int) -> bool:
        """Whether no sheet vanishes at the k-th point; sheets far off may be out of range."""
        value, doubt = self.values(k)
        finite = np.isfinite(value) & np.isfinite(doubt)
        clear = abs(value) > doubt
        return bool((clear | ~finite).all() and finite[self.near].all())

    def common_values(self, j: int, k: int) -> tuple[complex, ...] | None:
        """The values at the j-th point that are also taken at the k-th, on whatever sheet."""
        (a, a_doubt), (b, b_doubt) = self.values(j), self.values(k)
        if not (np.isfinite(a[self.near]).all() and np.isfinite(b[self.near]).all()):
            return None
        with np.errstate(all="ignore"):
            gaps, doubts = abs(a[:, None] - b[None, :]), a_doubt[:, None] + b_doubt[None, :]
            common = (gaps <= doubts).any(axis=1) & np.isfinite(a)
        return tuple(dict.fromkeys(complex(round(c.real, 6), round(c.imag, 6)) for c in a[common]))


_Branch = tuple[float | int, complex | float]
"""The sign and the offset that take the principal value to another one."""

_Turns = tuple[int, ...]
_Branches = Callable[[_Turns], tuple[_Branch, ...]]


def _turns(most: float, times: int) -> _Turns:
    """0, 1, -1, ..., as many as stand in that many places at a time for `most` choices."""
    count = min(int(most ** (1 / times)), _MOST_TURNS) if times else 0
    around = max(count, _FEWEST_TURNS) // 2
    return tuple(sorted(range(-around, around + 1), key=abs))


def _periods(period: complex | float) -> _Branches:
    return lambda turns: tuple((1, k * period) for k in turns)


def _mirrored(period: complex | float) -> _Branches:
    return lambda turns: tuple(((-1) ** k, k * period) for k in turns)


def _both_signs(period: complex | float) -> _Branches:
    return lambda turns: tuple(
        (sign, k * period) for k in turns[: (len(turns) + 1) // 2] for sign in (1, -1)
    )


_BRANCHES: dict[type, _Branches] = {
    sympy.log: _periods(2j * math.pi),
    sympy.asin: _mirrored(math.pi),
    sympy.asinh: _mirrored(1j * math.pi),
    sympy.acos: _both_signs(2 * math.pi),
    sympy.acosh: _both_signs(2j * math.pi),
    sympy.atan: _periods(math.pi),
    sympy.atanh: _periods(1j * math.pi),
}


def _is_branched(e: Any) -> bool:
    """Whether a node has more values than one."""
    if not isinstance(e, Expr) or not e.free_symbols:
        return False
    if e.is_Pow:
        return bool(e.base.free_symbols) and not e.exp.is_Integer
    return type(e) in _BRANCHES


def _branches(e: Expr, turns: _Turns) -> tuple[_Branch, ...]:
    """The principal value's siblings; for a power, those of the logarithm of its base."""
    if _is_infinite(e):
        return _BRANCHES[sympy.log if e.is_Pow else type(e)](turns)
    return tuple((1, 2j * math.pi * k) for k in range(int(e.exp.q)))


def _is_infinite(e: Expr) -> bool:
    """Whether there are more branches than `_branches` lists."""
    return not (e.is_Pow and e.exp.is_Rational and e.exp.q <= _MOST_SHEETS)


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
    getattr(sympy, name): getattr(np, name)
    for name in ("exp", "log", "sin", "cos", "tan", "sinh", "cosh", "tanh")
} | {
    sympy.cot: lambda u: 1 / np.tan(u),
    sympy.sec: lambda u: 1 / np.cos(u),
    sympy.csc: lambda u: 1 / np.sin(u),
    sympy.coth: lambda u: 1 / np.tanh(u),
    sympy.sech: lambda u: 1 / np.cosh(u),
    sympy.csch: lambda u: 1 / np.sinh(u),
    sympy.asin: np.arcsin,
    sympy.acos: np.arccos,
    sympy.atan: np.arctan,
    sympy.asinh: np.arcsinh,
    sympy.acosh: np.arccosh,
    sympy.atanh: np.arctanh,
    **{getattr(sympy, name): _slow(name) for name in ("erf", "erfc", "erfi")},
}
