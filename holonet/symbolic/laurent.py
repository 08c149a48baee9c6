"""Laurent series of formulas, exactly or in many digits: what a formula does at a point."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import sympy
from sympy.polys.domains import ComplexField

from holonet.errors import HolonetError, NumericalError
from holonet.symbolic.evaluate import evaluate
from holonet.symbolic.formula import Expr

__all__ = ["Series", "UndecidedSeriesError", "laurent"]

_DIGITS = 70
_FIELD = ComplexField(prec=240)
_NEGLIGIBLE = 1e-45
_LARGEST = 300
_Numbers = list[Any]


class UndecidedSeriesError(HolonetError, ArithmeticError):
    """A formula has no Laurent series at the point, or none that could be worked out."""


@dataclass(frozen=True)
class Series:
    """(z - p)^order times the power series with these coefficients, of which the rest is unknown.

    Law: the first coefficient is not 0; without coefficients all that is known is that the
        function is O((z - p)^order).
    """

    order: int
    coefficients: tuple[Any, ...]

    @property
    def end(self) -> int:
        """The first power whose coefficient is unknown."""
        return self.order + len(self.coefficients)


def laurent(e: Expr, z: sympy.Symbol, at: Expr, terms: int, *, floating: bool = False) -> Series:
    """The Laurent series of e at a point, from series of that many terms of its parts.

    Sums, products and quotients are those of series; exp(u), sin(u), log(u) and the others come
    from the differential equations they satisfy. Coefficients are exact numbers, and whether one
    is 0 is decided exactly; or they are floating-point numbers of 70 digits, and those below
    10^-45 count as 0.

    Raises:
        UndecidedSeriesError: a function of a pole, a branch point, or a coefficient of which
            it cannot be told whether it is 0.

    Example:
        >>> z = sympy.Symbol("z")
        >>> laurent(1 / z - 1 / sympy.sin(z), z, sympy.Integer(0), 6)
        Series(order=1, coefficients=(-1/6, 0, -7/360))
    """
    numbers = _Floating() if floating else _Exact()
    try:
        return _Expansion(z, at, terms, numbers).of(e)
    except (NumericalError, ZeroDivisionError, OverflowError, ValueError) as error:
        raise UndecidedSeriesError(f"no series: {error}") from error


class _Exact:
    """Arithmetic of exact numbers."""

    def apply(self, function: Callable[[Any], Any], c: Any) -> Any:
        return self.tidy(function(c))

    def tidy(self, c: Any) -> Any:
        c = sympy.sympify(c)
        if c.is_Rational:
            return c
        if sympy.count_ops(c) > _LARGEST:
            raise UndecidedSeriesError("the coefficients become too large")
        return sympy.expand(c)

    read = tidy

    def is_zero(self, c: Any) -> bool:
        if c.is_Rational:
            return c == 0
        try:
            if abs(complex(evaluate(c, {}, 50))) > 1e-30:
                return False
        except NumericalError:
            raise UndecidedSeriesError(f"{c} has no value") from None
        if sympy.simplify(c) == 0:
            return True
        raise UndecidedSeriesError(f"{c} may be 0")


class _Floating:
    """Arithmetic of complex numbers in many digits."""

    def read(self, e: Expr) -> Any:
        return _FIELD.from_sympy(evaluate(e, {}, _DIGITS))

    def apply(self, function: Callable[[Any], Any], c: Any) -> Any:
        x = sympy.Dummy()
        return _FIELD.from_sympy(evaluate(function(x), {x: _FIELD.to_sympy(c)}, _DIGITS))

    def tidy(self, c: Any) -> Any:
        return c

    def is_zero(self, c: Any) -> bool:
        return abs(c) < _NEGLIGIBLE


class _Expansion:
    """The series of every subexpression at one point."""

    def __init__(self, z: sympy.Symbol, at: Expr, terms: int, numbers: _Exact | _Floating) -> None:
        self.z, self.terms, self.numbers = z, terms, numbers
        self.known: dict[Expr, Series] = {z: self.stripped(0, self.row(at, sympy.Integer(1)))}

    def row(self, *first: Expr) -> _Numbers:
        """These coefficients, then zeros."""
        zero = self.numbers.read(sympy.Integer(0))
        row = [self.numbers.read(c) for c in first]
        return (row + [zero] * self.terms)[: self.terms]

    def stripped(self, order: int, coefficients: Sequence[Any]) -> Series:
        """The series without leading zeros."""
        for k, c in enumerate(coefficients):
            if not self.numbers.is_zero(c):
                return Series(order + k, tuple(coefficients[k:]))
        return Series(order + len(coefficients), ())

    def of(self, e: Expr) -> Series:
        """The series of e, computed at most once."""
        if e not in self.known:
            self.known[e] = self.compute(e)
        return self.known[e]

    def compute(self, e: Expr) -> Series:
        if self.z not in e.free_symbols:
            return self.stripped(0, self.row(e))
        if e.is_Add:
            return self.sum([self.of(a) for a in e.args])
        if e.is_Mul:
            total, *rest = (self.of(a) for a in e.args)
            for factor in rest:
                total = self.product(total, factor)
            return total
        if e.is_Pow:
            return self.power(*e.as_base_exp())
        (u,) = e.args
        if type(e) in _QUOTIENTS:
            return self.of(_QUOTIENTS[type(e)](u))
        rule = _RULES.get(type(e))
        if rule is None:
            raise UndecidedSeriesError(f"no series of {e}")
        return self.stripped(0, rule(self, self.taylor(self.of(u))))

    def sum(self, parts: list[Series]) -> Series:
        order, end = min(s.order for s in parts), min(s.end for s in parts)
        row = [
            self.numbers.tidy(sum(s.coefficients[k - s.order] for s in parts if s.order <= k))
            for k in range(order, end)
        ]
        return self.stripped(order, row) if row else Series(end, ())

    def product(self, a: Series, b: Series) -> Series:
        return self.stripped(a.order + b.order, self.times(a.coefficients, b.coefficients))

    def power(self, base: Expr, exponent: Expr) -> Series:
        if self.z in exponent.free_symbols:
            return self.of(sympy.exp(exponent * sympy.log(base), evaluate=False))
        s = self.of(base)
        if not s.coefficients:
            raise UndecidedSeriesError(f"{base} may vanish to any order")
        if not exponent.is_Integer and s.order != 0:
            raise UndecidedSeriesError(f"{base} has a branch point")
        order = s.order * int(exponent) if exponent.is_Integer else 0
        return self.stripped(order, self.raised(s.coefficients, exponent))

    def taylor(self, s: Series) -> _Numbers:
        """The coefficients from the constant term on."""
        if s.order < 0 or s.end <= 0:
            raise UndecidedSeriesError("a function of a pole")
        return [self.numbers.read(sympy.Integer(0))] * s.order + list(s.coefficients)

    def times(self, a: Sequence[Any], b: Sequence[Any]) -> _Numbers:
        return [
            self.numbers.tidy(sum(a[k] * b[n - k] for k in range(n + 1)))
            for n in range(min(len(a), len(b)))
        ]

    def raised(self, a: Sequence[Any], exponent: Expr) -> _Numbers:
        """a^exponent, from a (a^q)' = q a' a^q; the first coefficient of a is not 0."""
        q = self.numbers.read(exponent)
        row = [self.numbers.apply(lambda c: c**exponent, a[0])]
        for n in range(1, len(a)):
            total = sum((q * k - (n - k)) * a[k] * row[n - k] for k in range(1, n + 1))
            row.append(self.numbers.tidy(total / (n * a[0])))
        return row

    def weighted(self, a: _Numbers, row: _Numbers) -> Any:
        """The next coefficient of the integral of a' times that row."""
        n = len(row)
        total = sum(k * a[k] * row[n - k] for k in range(1, n + 1))
        return self.numbers.tidy(total / n)

    def exponential(self, a: _Numbers) -> _Numbers:
        row = [self.numbers.apply(sympy.exp, a[0])]
        while len(row) < len(a):
            row.append(self.weighted(a, row))
        return row

    def pair(self, a: _Numbers, functions: tuple[Any, Any], sign: int) -> tuple[_Numbers, _Numbers]:
        """The rows s and c with s' = c a' and c' = sign s a'."""
        s, c = ([self.numbers.apply(f, a[0])] for f in functions)
        while len(s) < len(a):
            following = self.weighted(a, c), sign * self.weighted(a, s)
            s.append(following[0])
            c.append(following[1])
        return s, c

    def integral(self, function: Any, a: _Numbers, slope: _Numbers) -> _Numbers:
        """The row of function(a), whose derivative is slope a'."""
        row = [self.numbers.apply(function, a[0])]
        for n in range(1, len(a)):
            row.append(self.weighted(a, slope[:n]))
        return row

    def one_plus(self, a: _Numbers, factor: int) -> _Numbers:
        """1 + factor a^2."""
        first, *rest = [factor * c for c in self.times(a, a)]
        row = [self.numbers.tidy(1 + first), *rest]
        if self.numbers.is_zero(row[0]):
            raise UndecidedSeriesError("a branch point")
        return row


_HALF = sympy.Rational(1, 2)


def _circular(function: Any, other: Any, which: int, sign: int) -> Callable[..., _Numbers]:
    functions = (function, other) if which == 0 else (other, function)
    return lambda x, a: x.pair(a, functions, sign)[which]


def _inverse(function: Any, factor: int, exponent: Expr, sign: int = 1) -> Callable[..., _Numbers]:
    """A function with the derivative sign (1 + factor u^2)^exponent."""

    def rule(x: _Expansion, a: _Numbers) -> _Numbers:
        slope = x.raised(x.one_plus(a, factor), exponent)
        return x.integral(function, a, [sign * c for c in slope])

    return rule


def _logarithm(x: _Expansion, a: _Numbers) -> _Numbers:
    if x.numbers.is_zero(a[0]):
        raise UndecidedSeriesError("a branch point")
    return x.integral(sympy.log, a, x.raised(a, sympy.Integer(-1)))


def _acosh(x: _Expansion, a: _Numbers) -> _Numbers:
    roots = []
    for shift in (1, -1):
        shifted = [x.numbers.tidy(a[0] + shift), *a[1:]]
        if x.numbers.is_zero(shifted[0]):
            raise UndecidedSeriesError("a branch point")
        roots.append(x.raised(shifted, -_HALF))
    return x.integral(sympy.acosh, a, x.times(*roots))


def _error_function(function: Any, sign: int, factor: int) -> Callable[..., _Numbers]:
    """A function with the derivative sign 2/sqrt(pi) exp(factor u^2)."""

    def rule(x: _Expansion, a: _Numbers) -> _Numbers:
        scale = x.numbers.read(2 * sign / sympy.sqrt(sympy.pi))
        gauss = x.exponential([factor * c for c in x.times(a, a)])
        return x.integral(function, a, [scale * c for c in gauss])

    return rule


_QUOTIENTS: dict[type, Callable[[Expr], Expr]] = {
    sympy.tan: lambda u: sympy.sin(u) / sympy.cos(u),
    sympy.cot: lambda u: sympy.cos(u) / sympy.sin(u),
    sympy.sec: lambda u: 1 / sympy.cos(u),
    sympy.csc: lambda u: 1 / sympy.sin(u),
    sympy.tanh: lambda u: sympy.sinh(u) / sympy.cosh(u),
    sympy.coth: lambda u: sympy.cosh(u) / sympy.sinh(u),
    sympy.sech: lambda u: 1 / sympy.cosh(u),
    sympy.csch: lambda u: 1 / sympy.sinh(u),
}

_RULES: dict[type, Callable[[_Expansion, _Numbers], _Numbers]] = {
    sympy.exp: _Expansion.exponential,
    sympy.sin: _circular(sympy.sin, sympy.cos, 0, -1),
    sympy.cos: _circular(sympy.cos, sympy.sin, 1, -1),
    sympy.sinh: _circular(sympy.sinh, sympy.cosh, 0, 1),
    sympy.cosh: _circular(sympy.cosh, sympy.sinh, 1, 1),
    sympy.log: _logarithm,
    sympy.atan: _inverse(sympy.atan, 1, sympy.Integer(-1)),
    sympy.atanh: _inverse(sympy.atanh, -1, sympy.Integer(-1)),
    sympy.asin: _inverse(sympy.asin, -1, -_HALF),
    sympy.acos: _inverse(sympy.acos, -1, -_HALF, -1),
    sympy.asinh: _inverse(sympy.asinh, 1, -_HALF),
    sympy.acosh: _acosh,
    sympy.erf: _error_function(sympy.erf, 1, -1),
    sympy.erfc: _error_function(sympy.erfc, -1, -1),
    sympy.erfi: _error_function(sympy.erfi, 1, 1),
}
