"""Formulas as torch functions: a list of instructions that carries Taylor jets along."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import sympy
import torch
from torch import Tensor

from holonet._types import ComplexEntries
from holonet.errors import ConfigError, NumericalError
from holonet.functions import CATALOGUE, HolomorphicFunction
from holonet.functions.parts import scaled
from holonet.symbolic.formula import Expr, quote
from holonet.symbolic.known_functions import FUNCTIONS
from holonet.symbolic.preimage import double
from holonet.symbolic.removable import Patch

__all__ = ["Program", "TorchFunction", "compile_formula"]

_Number = complex | float | int
_Value = ComplexEntries | complex | float | int
_Jet = tuple[_Value, ...]
_RECORDS: dict[str, HolomorphicFunction] = {
    **CATALOGUE,
    **{known.record.name: known.record for known in FUNCTIONS.values()},
}


@dataclass(frozen=True)
class Program:
    """A formula in one variable, computed step by step; every step sees the earlier results.

    The steps are ("variable",), ("constant", c), ("sum", i, j, ...), ("product", i, j, ...),
    ("power", i, n), ("root power", i, n) for the n-th power of the square root,
    ("complex power", i, c), (name of a record, i), and ("patched", program, patch, ...) for
    what another program computes off removable points and Taylor polynomials about them. Steps
    and their arguments are plain Python, so a program can be pickled and deep-copied.
    """

    steps: tuple[tuple[Any, ...], ...]

    def run(self, z: ComplexEntries, order: int) -> ComplexEntries:
        """The derivative of that order (0, 1 or 2) at z."""
        return _as_tensor(self.jet(z, order)[order], z)

    def jet(self, z: ComplexEntries, order: int) -> _Jet:
        """The value and the derivatives up to that order; constants may be numbers."""
        jets: list[_Jet] = []
        for step in self.steps:
            jets.append(_run(step, z, order, jets))
        return jets[-1]


@dataclass(frozen=True)
class TorchFunction:
    """One derivative of a program, entry by entry on complex tensors; can be pickled."""

    program: Program
    order: int = 0

    def __call__(self, z: ComplexEntries) -> ComplexEntries:
        """The value at z."""
        return self.program.run(z, self.order)


def _plus(a: _Value, b: _Value) -> _Value:
    if isinstance(a, Tensor) or isinstance(b, Tensor):
        return b if _is(a, 0) else a if _is(b, 0) else a + b
    return a + b


def _times(a: _Value, b: _Value) -> _Value:
    """The product, where a 0 or a 1 among the constants costs nothing."""
    if _is(a, 0) or _is(b, 0):
        return 0
    if isinstance(a, Tensor) and not isinstance(b, Tensor):
        return scaled(a, b)
    if isinstance(b, Tensor) and not isinstance(a, Tensor):
        return scaled(b, a)
    return a * b


def _side(z: Tensor, u: Any) -> Tensor:
    """An argument of a function with a cut: zeros that were computed count as positive.

    Only z itself brings its side of the cut along.
    """
    return u if u is z else u + 0


def _is(a: _Value, number: int) -> bool:
    return not isinstance(a, Tensor) and a == number


def _leibniz(a: _Jet, b: _Jet) -> _Jet:
    jet = [_times(a[0], b[0])]
    if len(a) > 1:
        jet.append(_plus(_times(a[1], b[0]), _times(a[0], b[1])))
    if len(a) > 2:
        ends = _plus(_times(a[2], b[0]), _times(a[0], b[2]))
        jet.append(_plus(ends, _times(2, _times(a[1], b[1]))))
    return tuple(jet)


def _chain(outer: Callable[[int], _Value], inner: _Jet) -> _Jet:
    """The jet of g(u), from k -> the k-th derivative of g at u and the jet of u."""
    jet = [outer(0)]
    if len(inner) > 1:
        slope = outer(1)
        jet.append(_times(slope, inner[1]))
        if len(inner) > 2:
            bend = _times(outer(2), _times(inner[1], inner[1]))
            jet.append(_plus(bend, _times(slope, inner[2])))
    return tuple(jet)


def _run(step: tuple[Any, ...], z: Tensor, order: int, jets: list[_Jet]) -> _Jet:
    """The jet of one step, from those of the earlier ones."""
    name, *rest = step
    match name:
        case "variable":
            return (z, 1, 0)[: order + 1]
        case "constant":
            return (rest[0], 0, 0)[: order + 1]
        case "sum":
            parts = zip(*(jets[i] for i in rest), strict=True)
            return tuple(functools.reduce(_plus, part) for part in parts)
        case "product":
            return functools.reduce(_leibniz, (jets[i] for i in rest))
        case "power":
            return _power(jets[rest[0]], rest[1])
        case "root power":
            return _root_power(jets[rest[0]], rest[1], z)
        case "complex power":
            return _complex_power(jets[rest[0]], rest[1], z)
        case "patched":
            return _patched(z, order, *rest)
    return _of_record(_RECORDS[name], jets[rest[0]], z)


def _power(u: _Jet, n: int) -> _Jet:
    falling = (1, n, n * (n - 1))
    return _chain(lambda k: _times(falling[k], _integer_power(u[0], n - k)) if falling[k] else 0, u)


def _root_power(u: _Jet, n: int, z: Tensor) -> _Jet:
    root = torch.sqrt(_side(z, u[0]))
    falling = (1, n / 2, (n / 2) * (n / 2 - 1))
    return _chain(lambda k: _times(falling[k], _integer_power(root, n - 2 * k)), u)


def _complex_power(u: _Jet, c: _Number, z: Tensor) -> _Jet:
    log = torch.log(_side(z, u[0]))
    falling = (1, c, c * (c - 1))
    return _chain(lambda k: _times(falling[k], torch.exp(scaled(log, c - k))), u)


def _of_record(record: HolomorphicFunction, u: _Jet, z: Tensor) -> _Jet:
    at: Any = _side(z, u[0]) if record.branch_cuts else u[0]
    parts = (record.value, record.derivative, record.second_derivative)
    return _chain(lambda k: parts[k](at), u)


def _patched(z: Tensor, order: int, program: Program, *patches: Patch) -> _Jet:
    """Off the patches the other program, which is never run where it divides by 0."""
    away, parts = z, []
    for patch in patches:
        # a difference is 0 where it does not count: neither it nor its gradient may overflow
        difference = z - patch.point
        if patch.period:
            turns = torch.ceil((difference * (1 / patch.period)).real - 0.5)
            difference = difference - turns * patch.period
        near = difference.abs() < patch.radius
        parts.append((near, torch.where(near, difference, torch.zeros_like(z)), patch))
        away = torch.where(near, torch.full_like(z, patch.point + patch.radius), away)
    jet = [_as_tensor(value, z) for value in program.jet(away, order)]
    for near, difference, patch in parts:
        coefficients = [c.real if c.imag == 0 else c for c in patch.coefficients]
        for k in range(order + 1):
            jet[k] = torch.where(near, _horner(coefficients, difference), jet[k])
            coefficients = [n * c for n, c in enumerate(coefficients)][1:]
    return tuple(jet)


def _horner(coefficients: list[_Number], t: Tensor) -> Tensor:
    if not coefficients:
        return torch.zeros_like(t)
    *lower, leading = coefficients
    total = torch.full_like(t, leading)
    for c in reversed(lower):
        total = total * t + c
    return total


def _as_tensor(value: _Value, z: Tensor) -> Tensor:
    return value if isinstance(value, Tensor) else torch.full_like(z, value)


def _integer_power(u: _Value, n: int) -> _Value:
    """u^n by repeated squaring: torch's complex pow goes through the logarithm."""
    if n < 0:
        u, n = torch.reciprocal(u) if isinstance(u, Tensor) else 1 / u, -n
    result: _Value = 1
    while n:
        if n & 1:
            result = _times(result, u)
        n >>= 1
        if n:
            u = u * u
    return result


class _Compiler:
    """Collects the steps of one expression, each distinct subexpression once."""

    def __init__(self, z: sympy.Symbol, patches: Mapping[Expr, tuple[Patch, ...]]) -> None:
        self.z = z
        self.patches = patches
        self.steps: list[tuple[Any, ...]] = []
        self.known: dict[Expr, int] = {}

    def add(self, expression: Expr) -> int:
        """The position of this expression's result."""
        if expression not in self.known:
            self.known[expression] = self.append(*self.step(expression))
        return self.known[expression]

    def step(self, e: Expr) -> tuple[Any, ...]:
        if e in self.patches:
            others = {other: p for other, p in self.patches.items() if other != e}
            return ("patched", compile_formula(e, self.z, others), *self.patches[e])
        if e == self.z:
            return ("variable",)
        if self.z not in e.free_symbols:
            return ("constant", _number(e))
        if e.is_Add:
            return ("sum", *(self.add(a) for a in e.args))
        if e.is_Mul:
            return ("product", *(self.add(a) for a in e.args))
        if e.is_Pow:
            return self.power(*e.as_base_exp())
        return self.function(e)

    def power(self, base: Expr, exponent: Expr) -> tuple[Any, ...]:
        if self.z in exponent.free_symbols:
            return ("exp", self.add(exponent * sympy.log(base)))
        if not exponent.is_Rational:
            return ("complex power", self.add(base), _number(exponent))
        n, half = int(exponent.p), exponent.q == 2
        if exponent.q > 2:
            return ("complex power", self.add(base), float(exponent))
        if n < 0 and not half and (u := _one_plus_exp(base)) is not None:
            return ("power", self.sigmoid_of_negative(u), -n)
        return ("root power" if half else "power", self.add(base), n)

    def function(self, e: Expr) -> tuple[Any, ...]:
        (u,) = e.args
        if isinstance(e, sympy.log) and (v := _one_plus_exp(u)) is not None:
            return ("softplus", self.add(v))
        if type(e) not in FUNCTIONS:
            raise ConfigError(f"{quote(e)} is no function that torch can compute here")
        return (FUNCTIONS[type(e)].record.name, self.add(u))

    def sigmoid_of_negative(self, u: Expr) -> int:
        if any(node in self.patches for node in sympy.preorder_traversal(u)):
            argument = self.append("product", self.add(sympy.Integer(-1)), self.add(u))
        else:
            argument = self.add(-u)  # which is simpler where u is -z
        return self.append("sigmoid", argument)

    def append(self, *step: Any) -> int:
        self.steps.append(step)
        return len(self.steps) - 1


def _one_plus_exp(e: Expr) -> Expr | None:
    """The u of e = 1 + exp(u), if e has that form: sigmoid and softplus never overflow."""
    if e.is_Add and len(e.args) == 2 and e.args[0] == 1 and isinstance(e.args[1], sympy.exp):
        return e.args[1].args[0]
    return None


def _number(e: Expr) -> _Number:
    """A number of the formula, in double precision."""
    try:
        value = double(e)
    except NumericalError as error:
        raise NumericalError(f"{error}: rescale the formula") from None
    return value.real if value.imag == 0 else value


def compile_formula(
    expression: Expr,
    z: sympy.Symbol,
    patches: Mapping[Expr, tuple[Patch, ...]] = MappingProxyType({}),
) -> Program:
    """The program that computes an expression in z and its first two derivatives.

    Sums and products are computed as they are written, elementary functions by their records;
    1/(1 + exp(u)) and log(1 + exp(u)) by sigmoid and softplus, which do not overflow.

    Args:
        patches: subexpression -> Taylor polynomials that stand for it about removable points.

    Raises:
        ConfigError: a function in it is not among `FUNCTIONS`.
        NumericalError: a number in it overflows.

    Example:
        >>> z = sympy.Symbol("z")
        >>> square = TorchFunction(compile_formula(z**2, z), order=1)
        >>> square(torch.tensor([2j]))
        tensor([0.+4.j])
    """
    compiler = _Compiler(z, patches)
    compiler.add(expression)
    return Program(tuple(compiler.steps))
