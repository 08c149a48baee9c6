"""Random formulas have one value: on every backend, at every batch size, on both sides of cuts.

At special points, against mpmath, with errors bounded as they come about: node by node, in the
precision of the point. A point where the bound decides nothing (an argument within its error of a
cut, an overflow on the way) is left out and counted.

`python tests/laws/test_formulas.py --count 300` asks for more, compiled, in both precisions.
"""

import argparse
import functools
import itertools
import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import mpmath
import pytest
import sympy
import torch
from torch import Tensor

from holonet.errors import HolonetError
from holonet.functions import HolomorphicFunction
from holonet.ops import triton_code
from holonet.ops.evaluate import evaluate
from holonet.ops.native import compile_programs
from holonet.ops.planar import Program
from holonet.ops.pointwise.programs import program
from holonet.symbolic import from_sympy, parse_formula
from holonet.symbolic.known_functions import FUNCTIONS

C64, C128 = torch.complex64, torch.complex128
SIZES = (1, 63, 64, 1000)
PROMISED = 16  # eps, times the scale of a value, for one function: docs/conventions.md
POINTS = 64

ENTIRE = ("exp", "sin", "cos", "sinh", "cosh", "erf", "erfc", "erfi")
POLES = ("tan", "cot", "sec", "csc", "tanh", "coth", "sech", "csch")
CUTS = ("log", "sqrt", "asin", "acos", "atan", "asinh", "acosh", "atanh")
CONSTANTS = ("2", "-1", "-3", "1/2", "I", "-I", "1 + I", "pi", "-2*I", "log(2)", "sqrt(3)", "1/3")
POWERS = ("2", "3", "5", "-1", "-2", "1/2", "1/3", "-1/2", "3/2", "I", "pi")


class Grower:
    """Formulas from one random stream, most of which `from_sympy` takes."""

    def __init__(self, seed: str) -> None:
        self.draw = random.Random(seed)

    def affine(self) -> str:
        a, b = (self.draw.choice(CONSTANTS) for _ in range(2))
        one_sided = self.draw.choice(("-z", "-2*z", "(1 - z)", "(1 - z**2)", "(z**2 - 1)", "I*z"))
        return self.draw.choice(("z", one_sided, f"({a})*z", f"(z + {b})", f"(({a})*z + {b})"))

    def formula(self, depth: int) -> str:
        if depth == 0:
            return self.affine()
        u = self.formula(depth - 1)
        match self.draw.randrange(10):
            case 0 | 1:
                return f"{self.draw.choice(CUTS)}({self.affine()})"
            case 2:
                return f"{self.draw.choice(POLES)}({self.affine()})"
            case 3:
                return f"{self.draw.choice(ENTIRE)}({u})"
            case 4:
                return f"{self.draw.choice(CUTS)}({u})"
            case 5:
                return f"({self.affine()})**({self.draw.choice(POWERS)})"
            case 6 | 7:
                return f"({u} {self.draw.choice('+-')} {self.formula(self.draw.randrange(depth))})"
            case 8:
                return f"({u} * {self.formula(self.draw.randrange(depth))})"
            case _:
                return f"({self.draw.choice(CONSTANTS)})/({u} + {self.draw.choice(CONSTANTS)})"


@functools.cache
def grown(count: int, seed: int = 0) -> dict[str, HolomorphicFunction]:
    """Records of random formulas, by formula; what is refused is passed over."""
    records: dict[str, HolomorphicFunction] = {}
    for k in itertools.count():
        grower = Grower(f"{seed}/{k}")
        try:
            record = from_sympy(grower.formula(grower.draw.randrange(1, 4)), time_limit=10)
        except HolonetError:
            continue
        records.setdefault(record.formula, record)
        if len(records) == count:
            return records
    raise AssertionError("unreachable")


def special(dtype: torch.dtype) -> Tensor:
    """Points, half of them on axes, with parts that are 0, subnormal, tiny, about 1 and huge."""
    limits = torch.finfo(dtype.to_real())
    parts = [0.0, limits.tiny / 1024, limits.tiny, 1e-8, 0.5, 1.0, 1 + limits.eps, 2.0, 3.0]
    parts += [1 - limits.eps / 2, math.pi, 7.3, 1e20 if dtype is C64 else 1e160, limits.max / 8]
    signed = torch.tensor([s * p for p in parts for s in (1, -1)], dtype=dtype.to_real())
    z = torch.complex(*torch.cartesian_prod(signed, signed).T.contiguous())
    z = z[torch.randperm(len(z), generator=torch.Generator().manual_seed(0))]
    on_axes = (z.real == 0) | (z.imag == 0)
    return torch.cat([z[on_axes][: POINTS // 2], z[~on_axes][: POINTS // 2]])


class UndecidedError(Exception):
    """The bound of the error says nothing about a point."""


class Found(NamedTuple):
    """A value, and the errors of its parts."""

    value: Any
    real: Any
    imag: Any

    @property
    def error(self) -> Any:
        return mpmath.hypot(self.real, self.imag)


SLOPES = {
    head.__name__: sympy.lambdify(sympy.Symbol("u"), head(sympy.Symbol("u")).diff(), "mpmath")
    for head in FUNCTIONS
}


class Truth:
    """The value of a formula at a point, and how far computing it in that dtype may be off.

    Zeros on cuts are as docs/conventions.md has them: where a function is applied to z itself the
    sign chooses the side, and a zero that was computed is positive. The side is a part of 10^-k,
    with k far beyond the numbers of that dtype.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        limits = torch.finfo(dtype.to_real())
        self.eps, self.tiny, self.max = map(mpmath.mpf, (limits.eps, limits.tiny, limits.max))
        self.digits = 300 if dtype is C64 else 1500
        self.away = mpmath.mpf(10) ** (-self.digits * 2 // 3)
        self.nothing = mpmath.mpf(10) ** (-self.digits * 3 // 5)

    def __call__(self, e: sympy.Expr, z: complex) -> Found:
        with mpmath.workdps(self.digits):
            self.z = mpmath.mpc(z)
            self.sides = (math.copysign(1, z.real), math.copysign(1, z.imag))
            try:
                return self.at(e)
            except (ZeroDivisionError, OverflowError, ValueError, mpmath.libmp.NoConvergence):
                raise UndecidedError from None

    def at(self, e: sympy.Expr) -> Found:
        if e.is_Symbol:
            return Found(self.z, mpmath.mpf(0), mpmath.mpf(0))
        if not e.free_symbols:
            c = self.constant(e)
            rounds = 0 if complex(c) == c else self.eps
            return Found(c, rounds * abs(c.real), rounds * abs(c.imag))
        if e.is_Add:
            return self.in_range(self.sum([self.at(part) for part in e.args]))
        if e.is_Mul:
            return functools.reduce(self.product, [self.at(part) for part in e.args])
        if e.is_Pow:
            return self.in_range(self.power(e.base, e.exp))
        return self.in_range(self.function(type(e).__name__, e.args[0]))

    def constant(self, c: sympy.Expr) -> Any:
        parts = c.n(self.digits).as_real_imag()
        return mpmath.mpc(*(p._to_mpmath(mpmath.mp.prec) for p in parts))

    def in_range(self, found: Found) -> Found:
        """Without rounding of 1500 digits; what leaves the range of the dtype is undecided."""
        value, real, imag = found
        size = abs(value)
        if not mpmath.isfinite(size) or size > self.max / 16:
            raise UndecidedError
        parts = [0 if abs(p) <= self.nothing * size else p for p in (value.real, value.imag)]
        low = [self.tiny if 0 < abs(p) < 4 * self.tiny else 0 for p in parts]
        return Found(mpmath.mpc(*parts), real + low[0], imag + low[1])

    def sum(self, terms: list[Found]) -> Found:
        total = sum((t.value for t in terms), mpmath.mpc(0))
        sizes = [sum(abs(getattr(t.value, p)) for t in terms) for p in ("real", "imag")]
        more = len(terms) - 2
        return Found(
            total,
            sum(t.real for t in terms) + self.eps * (abs(total.real) + more * sizes[0]),
            sum(t.imag for t in terms) + self.eps * (abs(total.imag) + more * sizes[1]),
        )

    def product(self, a: Found, b: Found) -> Found:
        u, v = a.value, b.value
        parts = [u.real * v.real, u.imag * v.imag, u.real * v.imag, u.imag * v.real]
        if max(map(abs, parts)) > self.max / 16:
            raise UndecidedError
        er = a.real * abs(v.real) + a.imag * abs(v.imag) + b.real * abs(u.real)
        er += b.imag * abs(u.imag) + a.real * b.real + a.imag * b.imag
        ei = a.real * abs(v.imag) + a.imag * abs(v.real) + b.real * abs(u.imag)
        ei += b.imag * abs(u.real) + a.real * b.imag + a.imag * b.real
        er += 2 * self.eps * (abs(parts[0]) + abs(parts[1])) + self.lost(parts[:2])
        ei += 2 * self.eps * (abs(parts[2]) + abs(parts[3])) + self.lost(parts[2:])
        return self.in_range(Found(u * v, er, ei))

    def lost(self, parts: list[Any]) -> Any:
        """By products below the least normal number."""
        return sum(self.tiny for p in parts if 0 < abs(p) < 4 * self.tiny)

    def argument(self, e: sympy.Expr) -> Found:
        """What a function with cuts is applied to, on its side of them."""
        u = self.at(e)
        sides = self.sides if e.is_Symbol else (1, 1)
        parts = [
            p or s * self.away for p, s in zip((u.value.real, u.value.imag), sides, strict=True)
        ]
        return u._replace(value=mpmath.mpc(*parts))

    def decide(self, u: Found, record: HolomorphicFunction) -> None:
        """Whether all that is within the error of u lies on one side of the cuts."""
        at = torch.tensor([complex(u.value)], dtype=C128)
        near = float(min(s.where.distance(at)[0] for s in record.singularities))
        if near <= 2 * self.away and record.name in ("log", "atan", "atanh"):
            raise UndecidedError  # infinite
        parts = ((u.value.real, u.real), (u.value.imag, u.imag))
        if record.branch_cuts and not all(abs(p) <= self.away or abs(p) > 8 * d for p, d in parts):
            near = float(record.clearance(at)[0])
        if u.error and near <= 8 * u.error:
            raise UndecidedError

    def function(self, name: str, e: sympy.Expr) -> Found:
        record = FUNCTIONS[getattr(sympy, name)].record
        u = self.argument(e) if record.branch_cuts else self.at(e)
        if record.singularities:
            self.decide(u, record)
        if name in (*ENTIRE, *POLES) and abs(u.value) > 1e4:
            raise UndecidedError  # mpmath takes minutes, and rounding u loses the phase
        value = mpmath.mpc(getattr(mpmath, name)(u.value))
        try:
            slope = abs(mpmath.mpc(SLOPES[name](u.value)))
        except ZeroDivisionError:
            slope = mpmath.mpf(0)
        moved = 2 * slope * u.error if u.error else 0
        error = moved + PROMISED * self.eps * max(abs(value), slope * abs(u.value)) + self.tiny
        return self.parts(value, error)

    def parts(self, value: Any, error: Any) -> Found:
        """A zero part is exact: functions that are real on an axis are so to the bit."""
        exact = [abs(p) <= self.nothing * abs(value) for p in (value.real, value.imag)]
        return Found(value, *(mpmath.mpf(0) if zero else error for zero in exact))

    def power(self, base: sympy.Expr, exponent: sympy.Expr) -> Found:
        if exponent.is_Integer:
            u, n = self.at(base), int(exponent)
            found = functools.reduce(self.product, [u] * abs(n))
            if n > 0:
                return found
            if abs(found.value) ** 2 < self.tiny * 16 or abs(found.value) ** 2 > self.max / 16:
                raise UndecidedError  # torch and compiled code differ in what squares overflow
            if found.error * 8 >= abs(found.value):
                raise UndecidedError
            value = 1 / found.value
            error = 2 * found.error / abs(found.value) ** 2 + 8 * self.eps * abs(value)
            return self.parts(value, error)
        u = self.argument(base)
        self.decide(u, FUNCTIONS[sympy.log].record)
        c = mpmath.mpc(
            *(p._to_mpmath(mpmath.mp.prec) for p in exponent.n(self.digits).as_real_imag())
        )
        log = mpmath.log(u.value)
        value = mpmath.exp(c * log)
        if abs(u.value) <= 4 * self.away:
            raise UndecidedError
        error = abs(c) * abs(value) * (2 * u.error / abs(u.value))
        error += PROMISED * self.eps * abs(value) * (2 + abs(c * log)) + self.tiny
        return self.parts(value, error)


def truths(e: sympy.Expr, z: Tensor) -> tuple[Tensor, Tensor]:
    """Values and errors; NaN where undecided."""
    truth = Truth(z.dtype)
    values, errors = [], []
    for point in z.tolist():
        try:
            found = truth(e, point)
        except UndecidedError:
            found = Found(complex(math.nan, math.nan), math.nan, 0.0)
        values.append(complex(found.value))
        errors.append(math.hypot(float(found.real), float(found.imag)))
    return torch.tensor(values, dtype=C128), torch.tensor(errors, dtype=torch.float64)


def share_of_bound(z: Tensor, ours: Tensor, right: Tensor, bound: Tensor) -> tuple[float, str]:
    """The largest share of the error bound that is used, and where."""
    gap = (ours.to(C128) - right.to(C128)).abs()
    same = (gap == 0) | ~(ours.isfinite() | right.isfinite())
    found = torch.where(bound.isnan() | same, 0.0, gap / bound).nan_to_num(math.inf, math.inf)
    k = int(found.argmax())
    return found[k].item(), f"at {z[k].item()}: {ours[k].item()}, and not {right[k].item()}"


class Asked(NamedTuple):
    """One formula at special points: what is right, and how far off it may be."""

    record: HolomorphicFunction
    z: Tensor
    right: Tensor
    bound: Tensor

    def fault(
        self, compute: Callable[[Tensor], Tensor], size: int | None = None, most: int = POINTS
    ) -> str:
        """What is wrong with values in so many batches of that size at most, or ''."""
        indices = torch.arange(len(self.z))
        batches = indices.split(size) if size and size < len(indices) else [indices]
        for k in batches[:: -(-len(batches) // most)]:
            some = k.repeat(-(-(size or 1) // len(k)))[: size or None]
            ours = compute(self.z[some])
            share, where = share_of_bound(self.z[some], ours, self.right[some], self.bound[some])
            if share > 1:
                return f"{self.record.formula}, in batches of {size or len(self.z)}, {where}"
        return ""


@functools.cache
def asked(count: int, seed: int, dtype: torch.dtype) -> tuple[Asked, ...]:
    """Random formulas with their values."""
    z = special(dtype)
    return tuple(
        Asked(record, z, *truths(parse_formula(formula), z))
        for formula, record in grown(count, seed).items()
    )


def expressions(record: HolomorphicFunction, operation: str, z: Tensor) -> Tensor:
    """What is compiled, computed by torch."""
    made = program(operation, record, double=z.dtype is C128)
    inputs = dict(zip(made.inputs, (z, torch.ones_like(z)), strict=False))
    return evaluate(made.outputs, inputs)[0]


def faults_of_records(questions: Iterable[Asked]) -> list[str]:
    """Of torch code and of the expressions, values; and where the two have other derivatives."""
    found = []
    for one in questions:
        record = one.record
        slope = parse_formula(record.formula).diff(sympy.Symbol("z"))
        by_torch = one._replace(
            right=record.derivative(one.z).expand_as(one.z),
            bound=PROMISED * truths(slope, one.z)[1],
        )
        found += [
            *(one.fault(record.value, size) for size in SIZES),
            one.fault(functools.partial(expressions, record, "value")),
            by_torch.fault(functools.partial(expressions, record, "push")),
        ]
    return list(filter(None, found))


Compiler = Callable[[Mapping[str, Program]], Mapping[str, Callable[..., Sequence[Tensor]]]]


def faults_of(
    compiler: Compiler, questions: Sequence[Asked], device: str = "cpu", most: int = POINTS
) -> list[str]:
    """Of compiled values, in batches of every size, so many of each at most."""
    double = questions[0].z.dtype is C128
    made = {f"f{k}": program("value", q.record, double=double) for k, q in enumerate(questions)}
    kernels = list(compiler(made).values())
    return [
        fault
        for one, kernel in zip(questions, kernels, strict=True)
        for size in SIZES
        if (fault := one.fault(lambda z, run=kernel: run(z.to(device))[0].cpu(), size, most))
    ]


def by_compiler(programs: Mapping[str, Program]) -> Mapping[str, Callable[..., Sequence[Tensor]]]:
    return compile_programs(programs, "random formulas")


def decided(questions: Iterable[Asked]) -> float:
    """The share of points with a bound."""
    return float(torch.cat([~q.bound.isnan() for q in questions]).double().mean())


@pytest.mark.parametrize(
    ("dtype", "count"),
    [
        pytest.param(C64, 6, id="complex64"),
        pytest.param(C128, 2, id="complex128"),
        pytest.param(C64, 24, id="complex64 more", marks=pytest.mark.slow),
        pytest.param(C128, 6, id="complex128 more", marks=pytest.mark.slow),
    ],
)
def test_torch_code_and_the_expressions_that_are_compiled_have_the_value(dtype, count):
    questions = asked(count, 1, dtype)
    assert faults_of_records(questions) == []
    assert decided(questions) > 0.6


@pytest.mark.parametrize("count", [6, pytest.param(24, marks=pytest.mark.slow)])
def test_compiled_code_has_the_value_in_batches_of_every_size(count):
    assert faults_of(by_compiler, asked(count, 1, C64)) == []


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    ("count", "most"), [(3, 4), pytest.param(6, POINTS, marks=pytest.mark.slow)]
)
def test_triton_code_has_the_value_in_batches_of_every_size(count, most):
    pytest.importorskip("triton", reason="triton exists for Linux only")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    assert faults_of(triton_code.compile_programs, asked(6, 1, C64)[:count], device, most) == []


def main() -> None:
    """Print all faults, and the share of points that the bound decides."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    for dtype in (C64, C128):
        questions = asked(chosen.count, chosen.seed, dtype)
        found = faults_of_records(questions)
        for k in range(0, chosen.count, 20):
            found += faults_of(by_compiler, questions[k : k + 20])
        print(*found, sep="\n")
        print(f"{dtype}: {len(found)} faults; {decided(questions):.0%} of the points decided")


if __name__ == "__main__":
    main()
