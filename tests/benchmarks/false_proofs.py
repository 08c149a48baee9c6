"""Are the verdicts of `prove` true? Random formulas, as many as you like.

Run: python tests/benchmarks/false_proofs.py [--count 2000] [--seed 0] [--jobs 2] [--out FILE]

Formula k is grown from the random stream of (seed, k): functions, powers, conjugates, parts,
moduli, arguments, signs, cases and constants, nested; many hold an argument that is real
everywhere, often on a cut, and many are holomorphic or harmonic in disguise. Values come from the
tree that was grown, in mpmath, without sympy and without holonet:

- proved: at random points and at points on the axes, differences must be 0 wherever the verdict
  does not exclude the point; where the function jumps on a random segment, the verdict must exclude
  the place; no random point may be excluded.
- refuted: differences at the witness must be the value named.

What looks like a fault is looked at again with four times the digits, and counts if it stays.

Prints every fault, then shares and times. With --out every verdict is kept as a line of JSON, and
formulas that are there already are not tried again.
"""

import argparse
import collections
import itertools
import json
import multiprocessing
import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import mpmath
import sympy
from rich.progress import track

from holonet.domains import Obstacle, PeriodicPoints, PointSet, Ray
from holonet.errors import NumericalError
from holonet.symbolic import Proved, Refuted, prove
from holonet.symbolic.evaluate import evaluate

MP = mpmath.MPContext()
EXACT_DIGITS = 4000


class Digits(NamedTuple):
    """How many digits the oracle computes with, what is rounding, and its two steps."""

    count: int
    snap: Any
    steps: tuple[Any, Any]


FEW = Digits(60, MP.mpf(10) ** -45, (MP.mpf(10) ** -14, MP.mpf(10) ** -16))
MANY = Digits(240, MP.mpf(10) ** -200, (MP.mpf(10) ** -70, MP.mpf(10) ** -74))
digits = FEW
NUMBERS: dict[str, Any] = {}
"""Constants in the digits of the moment."""
MP.dps = FEW.count


@contextmanager
def computing(precision: Digits) -> Iterator[None]:
    """Let the oracle compute with that many digits."""
    global digits
    before, digits, MP.dps = digits, precision, precision.count
    NUMBERS.clear()
    try:
        yield
    finally:
        digits, MP.dps = before, before.count
        NUMBERS.clear()


FUNCTIONS = (
    *("exp", "log", "sqrt", "sin", "cos", "tan", "cot", "sec", "csc", "asin", "acos", "atan"),
    *("sinh", "cosh", "tanh", "coth", "sech", "csch", "asinh", "acosh", "atanh"),
    *("erf", "erfc", "erfi"),
)
LOSING_DIGITS = {n for n in FUNCTIONS if n[0] != "a" and n not in ("log", "sqrt")}
PARTS = ("conjugate", "re", "im", "Abs", "arg", "sign")
CONSTANTS = (
    *("2", "-1", "-3", "1/2", "I", "pi", "-I", "1 + I", "-2*I"),
    *("log(-2)", "asin(2)", "sqrt(-3)", "acosh(-2)", "atanh(3)", "(-1)**(1/3)", "arg(-1)"),
)
Tree = tuple[Any, ...]
Z, W = ("z",), ("w",)


class Grower:
    """Grows trees from one random stream."""

    def __init__(self, seed: str) -> None:
        self.draw = random.Random(seed)
        self.two = self.draw.random() < 0.2

    def pick(self, *choices: Any) -> Any:
        return self.draw.choice(choices)

    def leaf(self) -> Tree:
        variable = W if self.two and self.draw.random() < 0.5 else Z
        return variable if self.draw.random() < 0.75 else ("+", variable, self.constant())

    def constant(self) -> Tree:
        return ("number", self.draw.choice(CONSTANTS))

    def holomorphic(self, depth: int) -> Tree:
        if depth == 0:
            return self.leaf()
        u = self.holomorphic(depth - 1)
        match self.draw.randrange(8):
            case 0 | 1 | 2:
                return ("call", self.draw.choice(FUNCTIONS), u)
            case 3:
                return ("+", u, self.holomorphic(self.draw.randrange(depth)))
            case 4:
                return ("*", u, self.holomorphic(self.draw.randrange(depth)))
            case 5:
                return ("/", self.constant(), ("+", u, self.constant()))
            case 6:
                return ("**", u, ("number", self.pick("2", "3", "-1", "1/3", "-1/2", "I", "3/2")))
            case _:
                return ("*", self.constant(), ("+", u, self.constant()))

    def real(self, depth: int) -> Tree:
        """Real at all points."""
        u = self.mixed(depth)
        match self.draw.randrange(9):
            case 0:
                return ("*", u, ("call", "conjugate", u))
            case 1:
                return ("call", "Abs", u)
            case 2:
                return ("call", self.pick("re", "im", "arg"), u)
            case 3:
                return ("*", ("number", "-1"), self.real(depth))
            case 4:
                return ("+", ("number", self.pick("1", "2", "-2")), self.real(depth))
            case 5:
                return ("+", u, ("call", "conjugate", u))
            case 6:
                return ("**", ("call", self.pick("re", "im"), u), ("number", "2"))
            case 7:
                return ("call", self.pick("exp", "cosh", "tanh", "sin"), self.real(depth))
            case _:
                return ("+", self.real(depth), ("call", "Abs", u))

    def mixed(self, depth: int) -> Tree:
        if depth == 0:
            return self.leaf()
        u = self.mixed(depth - 1)
        match self.draw.randrange(10):
            case 0 | 1:
                return ("call", self.draw.choice(FUNCTIONS), u)
            case 2 | 3:
                return ("call", self.draw.choice(PARTS), u)
            case 4:
                return ("+", u, self.mixed(self.draw.randrange(depth)))
            case 5:
                return ("*", u, self.mixed(self.draw.randrange(depth)))
            case 6:
                return ("/", u, self.mixed(self.draw.randrange(depth)))
            case 7:
                return ("**", u, ("number", self.pick("2", "-1", "1/2", "1/3", "-3/2", "pi")))
            case 8:
                return self.on_cut(self.real(depth - 1))
            case _:
                return ("+", u, self.constant())

    def on_cut(self, u: Tree) -> Tree:
        """A function with cuts of an argument that is real."""
        cut = ("log", "sqrt", "arg", "asin", "acos", "acosh", "atanh", "atan", "asinh")
        match self.draw.randrange(6):
            case 0:
                return ("**", u, ("number", self.pick("1/3", "-1/2", "3/2", "I")))
            case 1:
                return ("atan2", u, ("call", self.pick("re", "im"), self.leaf()))
            case _:
                return ("call", self.draw.choice(cut), u)

    def disguised(self, depth: int) -> Tree:
        """Often holomorphic, though it does not look so."""
        u = self.holomorphic(self.draw.randrange(depth + 1))
        bar, size = ("call", "conjugate", u), ("call", "Abs", u)
        re, im, i = ("call", "re", u), ("call", "im", u), ("number", "I")
        match self.draw.randrange(14):
            case 0:
                return ("+", re, ("*", i, im))
            case 1:
                return ("/", ("**", size, ("number", "2")), bar)
            case 2:
                return ("+", ("call", "log", size), ("*", i, ("call", "arg", u)))
            case 3:
                return ("*", ("call", "exp", re), ("call", "exp", ("*", i, im)))
            case 4:
                return ("call", "conjugate", ("call", self.draw.choice(FUNCTIONS), bar))
            case 5:
                return ("*", size, ("call", "sign", u))
            case 6:
                square = ("number", "2")
                return ("/", ("+", ("**", re, square), ("**", im, square)), bar)
            case 7:
                return ("+", ("call", "sqrt", ("*", u, bar)), ("-", u, size))
            case 8:
                return ("-", ("call", "arg", u), ("*", ("number", "-1"), ("call", "arg", bar)))
            case 9:
                return ("-", ("call", "arg", ("*", u, bar)), u)
            case 10:
                angle = ("atan2", im, re)
                return ("*", size, ("call", "exp", ("*", i, angle)))
            case 11:
                real = self.on_cut(self.real(0))
                return ("+", u, ("-", real, ("call", "conjugate", real)))
            case 12:
                real = self.on_cut(self.real(0))
                return ("*", u, ("call", self.pick("im", "re", "arg", "sign"), real))
            case _:
                return ("-", ("+", u, bar), ("*", ("number", "2"), re))

    def with_cases(self, depth: int) -> Tree:
        u = self.mixed(depth)
        a, b = self.real(0), self.real(0)
        match self.draw.randrange(4):
            case 0:
                return ("*", u, ("Max", a, b))
            case 1:
                return ("+", u, ("Min", a, b))
            case 2:
                return ("*", u, ("Heaviside", a))
            case _:
                return ("Piecewise", u, a, self.holomorphic(depth))

    def nowhere(self, depth: int) -> Tree:
        """Often without any value: something divided by 0, or the logarithm of 0."""
        u = self.holomorphic(self.draw.randrange(depth + 1))
        square = ("number", "2")
        zero = self.pick(
            (
                "-",
                ("**", ("call", "sin", u), square),
                ("-", ("number", "1"), ("**", ("call", "cos", u), square)),
            ),
            ("-", ("call", "sqrt", ("**", u, square)), u),
            ("-", ("call", "log", ("call", "exp", u)), u),
            ("-", ("*", u, ("call", "conjugate", u)), ("**", ("call", "Abs", u), square)),
            ("-", ("call", "Abs", ("call", "re", u)), ("call", "re", u)),
        )
        return ("+", u, self.pick(("/", Z, zero), ("call", "log", zero), ("call", "sign", zero)))

    def grow(self) -> Tree:
        depth = self.pick(1, 2, 2, 3)
        kind = self.draw.random()
        if kind < 0.15:
            return self.holomorphic(depth)
        if kind < 0.5:
            return self.disguised(depth)
        if kind < 0.6:
            return self.on_cut(self.real(depth - 1))
        if kind < 0.7:
            part = self.pick("re", "im", "arg", "conjugate", "Abs")
            return ("call", part, self.holomorphic(depth))
        if kind < 0.75:
            return self.with_cases(depth - 1)
        if kind < 0.8:
            return self.nowhere(depth - 1)
        return self.mixed(depth)


def text(tree: Tree) -> str:
    """The formula as a user would write it."""
    match tree:
        case (name,):
            return name
        case ("number", written):
            return f"({written})"
        case ("call", name, u):
            return f"{name}({text(u)})"
        case ("Max" | "Min" | "Heaviside", *_):
            return f"{tree[0]}({', '.join(map(text, tree[1:]))})"
        case (operation, u, v):
            return f"({text(u)} {operation} {text(v)})"
    raise ValueError(tree)


def build(tree: Tree) -> Any:
    """The same in sympy, for what has no text: atan2 and Piecewise."""
    match tree:
        case (name,):
            return sympy.Symbol(name)
        case ("number", written):
            return sympy.sympify(written, rational=True)
        case ("call", name, u):
            if name in PARTS:
                return getattr(sympy, name)(build(u), evaluate=False)
            return getattr(sympy, name)(build(u))
        case ("Piecewise", u, a, v):
            return sympy.Piecewise((build(u), build(a) > 0), (build(v), True))
        case ("atan2" | "Max" | "Min" | "Heaviside", *_):
            return getattr(sympy, tree[0])(*map(build, tree[1:]))
    u, v = build(tree[1]), build(tree[2])
    match tree[0]:
        case "+":
            return u + v
        case "-":
            return u - v
        case "*":
            return u * v
        case "/":
            return u / v
    return u**v


def has(tree: Tree, *names: str) -> bool:
    return tree[0] in names or any(isinstance(t, tuple) and has(t, *names) for t in tree)


def snap(u: Any) -> Any:
    """A number that is real or imaginary but for rounding, made so."""
    u = MP.mpc(u)
    if abs(u.imag) <= digits.snap * abs(u.real):
        return MP.mpc(u.real, 0)
    if abs(u.real) <= digits.snap * abs(u.imag):
        return MP.mpc(0, u.imag)
    return u


def principal_power(u: Any, v: Any) -> Any:
    if v.imag == 0 and v.real == int(v.real):
        return u ** int(v.real)
    if u == 0:
        raise ZeroDivisionError
    return MP.exp(v * MP.log(snap(u)))


CALLS: dict[str, Any] = {
    name: lambda u, name=name: getattr(MP, name)(u) for name in (*FUNCTIONS, "arg", "conjugate")
} | {
    "re": lambda u: MP.mpc(u.real),
    "im": lambda u: MP.mpc(u.imag),
    "Abs": lambda u: MP.mpc(abs(u)),
    "sign": lambda u: u / abs(u) if u else MP.mpc(0),
}


def value(tree: Tree, at: dict[str, Any]) -> Any:
    """The value at a point, on principal branches."""
    match tree:
        case (name,):
            return at[name]
        case ("number", written):
            return number(written)
        case ("call", name, u):
            argument = snap(value(u, at))
            if name in LOSING_DIGITS and abs(argument) > 1e9:
                raise OverflowError
            return MP.mpc(CALLS[name](argument))
        case ("Piecewise", u, a, v):
            return value(u if order(value(a, at)) > 0 else v, at)
        case ("Max", u, v):
            return MP.mpc(max(order(value(u, at)), order(value(v, at))))
        case ("Min", u, v):
            return MP.mpc(min(order(value(u, at)), order(value(v, at))))
        case ("Heaviside", u):
            sign = order(value(u, at))
            return MP.mpc(0.5 if sign == 0 else int(sign > 0))
        case ("atan2", u, v):
            return MP.mpc(MP.atan2(order(value(u, at)), order(value(v, at))))
    u, v = value(tree[1], at), value(tree[2], at)
    match tree[0]:
        case "+":
            return cut_off(u + v, u)
        case "-":
            return cut_off(u - v, u)
        case "*":
            return u * v
        case "/":
            return u / v
    return principal_power(u, v)


def cut_off(total: Any, term: Any) -> Any:
    """A difference that is rounding and nothing else is 0."""
    return MP.mpc(0) if abs(total) <= digits.snap * abs(term) else total


def order(u: Any) -> Any:
    if abs(u.imag) > digits.snap * (1 + abs(u.real)):
        raise ValueError("complex numbers have no order")
    return u.real


def number(written: str) -> Any:
    """A constant: the few texts of `CONSTANTS` and exponents, computed by mpmath."""
    if written not in NUMBERS:
        names = {n: (lambda u, n=n: MP.mpc(CALLS[n](MP.mpc(u)))) for n in CALLS}
        code = written.replace("1/", "MP.mpf(1)/").replace("3/", "MP.mpf(3)/")
        names |= {"I": MP.mpc(0, 1), "pi": +MP.pi, "MP": MP}
        NUMBERS[written] = MP.mpc(eval(code, names))  # our own few texts
    return NUMBERS[written]


def steps_around(tree: Tree, claim: str, at: dict[str, Any], h: Any) -> tuple[dict[str, Any], Any]:
    """d/dzbar in every variable, or the Laplacian, and the size of what it is a sum of."""
    found, size, total = {}, MP.mpf(0), MP.mpc(0)
    center = value(tree, at)
    for name, middle in at.items():
        moved = [value(tree, {**at, name: middle + s * h}) for s in (1, -1, 1j, -1j)]
        if claim == "holomorphic":
            along, across = (moved[0] - moved[1]) / (2 * h), (moved[2] - moved[3]) / (2 * h)
            found[name] = (along + 1j * across) / 2
        else:
            along = (moved[0] + moved[1] - 2 * center) / h**2
            across = (moved[2] + moved[3] - 2 * center) / h**2
            total += along + across
        size += abs(along) + abs(across)
    return (found if claim == "holomorphic" else {"": total}), size


FAILURES = (ArithmeticError, ValueError, TypeError, MP.NoConvergence)


def random_point(draw: random.Random, names: list[str], scale: float) -> dict[str, Any]:
    return {n: MP.mpc(draw.gauss(0, scale), draw.gauss(0, scale)) for n in names}


def on_axes(draw: random.Random, names: list[str]) -> dict[str, Any]:
    """A point with real or imaginary coordinates."""
    return {n: MP.mpc(draw.gauss(0, 2)) * draw.choice((1, 1j)) for n in names}


def plain(at: dict[str, Any]) -> dict[str, complex]:
    return {n: complex(v) for n, v in at.items()}


def fault_of_proof(tree: Tree, verdict: Proved, names: list[str], draw: random.Random) -> str:
    """What is wrong with a proof, or ''."""
    scales = (0.3, 1, 3, 1, 10)
    generic = [random_point(draw, names, s) for s in scales]
    special = [on_axes(draw, names) for _ in range(4)]
    excluded = 0
    for k, at in enumerate(generic + special):
        try:
            value(tree, at)
        except FAILURES:
            continue
        if verdict.excludes(plain(at)):
            excluded += k < len(generic) and is_excluded_exactly(verdict, plain(at))
            if excluded > 1:
                return f"random points are excluded, among them {plain(at)}"
            continue
        try:
            if all(is_off_zero(*steps_around(tree, verdict.claim, at, h)) for h in digits.steps):
                return f"at {plain(at)} it is not 0"
        except FAILURES:
            continue
    return fault_of_jump(tree, verdict, names, draw)


def is_off_zero(found: dict[str, Any], size: Any) -> bool:
    return any(abs(v) > 1e-6 * (size + 1e-6) for v in found.values())


def fault_of_jump(tree: Tree, verdict: Proved, names: list[str], draw: random.Random) -> str:
    """A place where the function jumps and that the verdict does not exclude, or ''."""
    first, last = (random_point(draw, names, 2) for _ in range(2))

    def place(t: Any) -> dict[str, Any]:
        return {n: first[n] + t * (last[n] - first[n]) for n in names}

    def at(t: Any) -> Any:
        return value(tree, place(t))

    try:
        count = 20
        seen = [(MP.mpf(k) / count, at(MP.mpf(k) / count)) for k in range(count + 1)]
        gaps = [abs(b[1] - a[1]) for a, b in itertools.pairwise(seen)]
        widest = max(range(count), key=lambda k: gaps[k])
        (left, below), (right, above) = seen[widest], seen[widest + 1]
        for _ in range(4 * digits.count):
            middle = (left + right) / 2
            there = at(middle)
            if abs(there - below) > abs(above - there):
                right, above = middle, there
            else:
                left, below = middle, there
    except FAILURES:
        return ""
    if abs(above - below) < 1e-3 * (1e-3 + abs(above) + abs(below)):
        return ""
    there = plain(place(left))
    near = min((s.distance(there) for s in verdict.excluded), default=1.0)
    if near < 1e-6 or verdict.excludes(there):  # the second is relative: arguments may be huge
        return ""
    return f"it jumps at {there}, by {complex(above - below)}"


def is_excluded_exactly(verdict: Proved, at: dict[str, complex]) -> bool:
    """Whether an argument lies in its set to thousands of digits, and not by rounding alone.

    coth is within exp(-3000) of 1 at ordinary points.
    """
    exact = {
        sympy.Symbol(n): sympy.Rational(v.real) + sympy.I * sympy.Rational(v.imag)
        for n, v in at.items()
    }
    with MP.workdps(EXACT_DIGITS):
        for excluded in verdict.excluded:
            try:
                found = evaluate(excluded.argument, exact, EXACT_DIGITS).as_real_imag()
            except NumericalError:
                continue
            u = MP.mpc(*(part._to_mpmath(MP.prec) for part in found))
            if any(
                gap(u, place) < MP.mpf(10) ** (-EXACT_DIGITS * 9 // 10) for place in excluded.where
            ):
                return True
    return False


def gap(u: Any, place: Obstacle) -> Any:
    """The distance of a number from a set, in the digits of the moment."""
    match place:
        case PointSet(points):
            return min(abs(u - MP.mpc(p)) for p in points)
        case PeriodicPoints(offset, period):
            turns = MP.nint(((u - MP.mpc(offset)) / MP.mpc(period)).real)
            return abs(u - MP.mpc(offset) - turns * MP.mpc(period))
        case Ray(start, direction):
            along = (u - MP.mpc(start)) / MP.mpc(direction)
            return abs(along.imag if along.real >= 0 else along)
    return MP.mpf(1)


def fault_of_refutation(tree: Tree, verdict: Refuted) -> str:
    """What is wrong with a refutation, or ''."""
    # a variable that sympy cancels, as in w - w, is not in the witness
    cancelled = {n: MP.mpc(0.3, 0.4) for n in ("z", "w")}
    at = cancelled | {name: MP.mpc(v) for name, v in verdict.witness.items()}
    try:
        found = [
            steps_around(tree, verdict.claim, at, h)[0][verdict.variable] for h in digits.steps
        ]
    except FAILURES as error:
        return f"the oracle has no value at the witness: {error}"
    if abs(found[1] - verdict.value) > 1e-5 * abs(verdict.value):
        return f"{verdict.value} at {verdict.witness}, where it is {complex(found[1])}"
    return ""


def examine(task: tuple[int, int, float]) -> dict[str, Any]:
    """One formula: what it is, the verdict, the fault or '', and the seconds of `prove`."""
    seed, k, limit = task
    grower = Grower(f"{seed}/{k}")
    tree = grower.grow()
    claim = "harmonic" if grower.draw.random() < 0.3 else "holomorphic"
    record: dict[str, Any] = {"k": k, "claim": claim, "reason": "", "fault": ""}
    start = time.perf_counter()
    try:
        record["formula"] = str(tree)
        if has(tree, "atan2", "Piecewise"):
            subject = build(tree)
            record["formula"] = str(subject)
        else:
            subject = record["formula"] = text(tree)
        verdict = prove(subject, claim, time_limit=limit)
    except Exception as error:
        record["verdict"] = "unread"
        record["reason"] = f"{type(error).__name__}: {error}"[:200]
        record["seconds"] = time.perf_counter() - start
        return record
    record["seconds"] = time.perf_counter() - start
    record["verdict"] = type(verdict).__name__
    if isinstance(verdict, Proved):
        names = [n for n in ("z", "w") if has(tree, n)] or ["z"]
        record["reason"] = verdict.method
        record["off"] = list(verdict.off)
        stream = grower.draw.getstate()
        record["fault"] = fault_of_proof(tree, verdict, names, grower.draw)
        if record["fault"]:
            grower.draw.setstate(stream)
            with computing(MANY), suppress(TimeoutError):  # then the fault stands
                record["fault"] = fault_of_proof(tree, verdict, names, grower.draw)
    elif isinstance(verdict, Refuted):
        record["fault"] = fault_of_refutation(tree, verdict)
        if record["fault"]:
            with computing(MANY), suppress(TimeoutError):  # then the fault stands
                record["fault"] = fault_of_refutation(tree, verdict)
    else:
        record["reason"] = verdict.reason[:200]
    return record


def interrupted(*_: object) -> None:
    raise TimeoutError


def examine_in_time(task: tuple[int, int, float]) -> dict[str, Any]:
    """`examine`, but sympy and the oracle together may not take more than a minute."""
    signal.signal(signal.SIGALRM, interrupted)
    signal.alarm(60)
    start = time.perf_counter()
    try:
        return examine(task)
    except TimeoutError:
        seconds = time.perf_counter() - start
        return {"k": task[1], "verdict": "not judged", "fault": "", "seconds": seconds}
    finally:
        signal.alarm(0)


def report(records: list[dict[str, Any]], seconds: float) -> str:
    """Faults, shares and times."""
    lines = [
        f"formula {r['k']}: {r['verdict']} {r['claim']}: {r['formula'][:200]}: {r['fault']}"
        for r in records
        if r["fault"]
    ]
    counts = collections.Counter(r["verdict"] for r in records)
    lines += [f"{kind}: {n} of {len(records)}" for kind, n in sorted(counts.items())]
    faults = collections.Counter(r["verdict"] for r in records if r["fault"])
    lines.append(f"false proofs: {faults['Proved']}, false refutations: {faults['Refuted']}")
    lines.append(
        f"seconds in prove: {sum(r['seconds'] for r in records):.0f}, "
        f"slowest {max(r['seconds'] for r in records):.1f}; all in all {seconds:.0f} s"
    )
    return "\n".join(lines)


def main() -> None:
    """Run, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0, help="number of the first formula")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--time-limit", type=float, default=5.0, help="of prove, in seconds")
    parser.add_argument("--out", type=Path, help="lines of JSON; what is there is not done again")
    chosen = parser.parse_args()
    records: dict[int, dict[str, Any]] = {}
    if chosen.out and chosen.out.exists():
        records = {r["k"]: r for r in map(json.loads, chosen.out.read_text().splitlines())}
    asked = range(chosen.first, chosen.first + chosen.count)
    tasks = [(chosen.seed, k, chosen.time_limit) for k in asked if k not in records]
    start = time.perf_counter()
    out = chosen.out.open("a") if chosen.out else None
    with multiprocessing.get_context("spawn").Pool(chosen.jobs) as pool:
        for record in track(
            pool.imap_unordered(examine_in_time, tasks, chunksize=8), total=len(tasks)
        ):
            records[record["k"]] = record
            if out:
                print(json.dumps(record), file=out, flush=True)
    if out:
        out.close()
    print(report([records[k] for k in asked], time.perf_counter() - start))


if __name__ == "__main__":
    main()
