"""Proofs and refutations that a formula is holomorphic, or harmonic."""

import math
import sys
import time
from collections.abc import Sequence
from typing import Any

import sympy
from torch import nn

from holonet._arguments import checked
from holonet.errors import ConfigError, NumericalError
from holonet.functions import HolomorphicFunction
from holonet.symbolic.cases import has_cases, specialize
from holonet.symbolic.deadline import within
from holonet.symbolic.evaluate import differences, evaluate, random_points
from holonet.symbolic.excluded import ExcludedSet, conditions, excluded_sets
from holonet.symbolic.formula import Expr, as_expression
from holonet.symbolic.to_sympy import to_sympy
from holonet.symbolic.verdict import Proved, Refuted, Unknown, Verdict
from holonet.symbolic.wirtinger import (
    Pairs,
    UndecidedError,
    dbar_formulas,
    is_harmonic_tree,
    is_holomorphic_tree,
    laplacian_formula,
)
from holonet.symbolic.zero_test import ZeroTest, is_zero

__all__ = ["prove"]

_CLAIMS = ("holomorphic", "harmonic")
_POINTS = 6
_MAX_OPERATIONS = 3_000
_AGREEMENT = sympy.Rational(1, 10**20)
_TESTS = 6
_TEST_SCALES = (64, 1024, 4)  # parts below 2, below 1/8, below 32
_NEAR = 1e-9
_TOLERANCE = 1e-9


@checked
def prove(
    subject: HolomorphicFunction | nn.Module | Expr | str | Sequence[Expr | str] | sympy.MatrixBase,
    claim: str = "holomorphic",
    *,
    time_limit: float | int = 10.0,
    seed: int = 0,
) -> Verdict:
    """Decide whether a formula, or every output of a network, is holomorphic or harmonic.

    Three attempts, in this order. *Structure*: a tree of variables, numbers, sums, products,
    powers and holomorphic functions is holomorphic, its real part harmonic. *Witness*: d/dzbar
    (the Laplacian) is formed exactly, with z and its conjugate as independent variables, and
    evaluated at random points in 50 and in 80 digits; a value on which both agree refutes the
    claim, if differences of the formula itself give it too. *Simplification*: if it seems to
    vanish, sympy must take it to 0, in a process of its own that is killed at the time limit, and
    differences must vanish too.

    A proof is about the formula, in exact arithmetic, and holds at every point off the sets that
    it lists (`Proved.excluded`, in words `Proved.off`): poles, branch cuts, zeros under a modulus.
    These sets have no interior: where an argument may lie on a cut for an open set of points, as
    in arg(re(z)), or something may be divided by 0 on one, the answer is Unknown. The rules, each
    with its domain, are in docs/theory/proofs.md. A proof trusts sympy's rewriting and, for a
    record, the law that its value is its formula. Functions given by cases (Piecewise, Max,
    Heaviside) are refuted where a case is at fault, and never proved.

    Law: no formula that can be read raises; what sympy fails on is Unknown.

    Args:
        subject: a record, a module (see `to_sympy`), a sympy expression, a formula, or several
            expressions. Every variable is complex: for functions of x and y write re(z), im(z).
        claim: "holomorphic" (d/dzbar = 0 in every variable) or "harmonic" (the Laplacian in all
            real coordinates, two for each variable, is 0).
        time_limit: seconds until the answer is Unknown, from the reading of the formula on.
            Formulas of more than 3,000 operations are not differentiated.
        seed: of the random points.

    Raises:
        ConfigError: another claim, a negative time limit, or something that is no formula.

    Example:
        >>> prove("1/(1 + exp(-z))").off
        ('1 + exp(-z) = 0',)
        >>> prove("re(z) + I*im(z)").method
        'differentiation'
        >>> prove("z*conjugate(z)").variable
        'z'
        >>> prove("re(sin(z))", "harmonic").method
        'structure'
    """
    if claim not in _CLAIMS:
        raise ConfigError(f"prove(..., {claim!r}): choose {' or '.join(map(repr, _CLAIMS))}")
    if not time_limit > 0:
        raise ConfigError(f"time_limit={time_limit}: choose seconds above 0")
    attempt = _Attempt(claim, time.monotonic() + time_limit, time_limit, seed)
    try:
        # a little later than the deadline that is looked at on the way, and that tells more
        return within(time_limit + 0.3, lambda: attempt.decide(_outputs(subject)), TimeoutError)
    except _NoFormulaError as error:
        return Unknown(claim, str(error))
    except TimeoutError:
        return attempt.out_of_time("reading or differentiating the formula")
    except RecursionError:
        return Unknown(claim, "the formula is nested too deeply")


class _NoFormulaError(Exception):
    """A module has no formula that can be written down."""


def _outputs(subject: object) -> list[Expr]:
    """The expressions that the claim is about."""
    if isinstance(subject, nn.Module):
        try:
            formulas: Any = to_sympy(subject)  # exact and in plain symbols already
        except ConfigError as error:
            raise _NoFormulaError(str(error)) from error
        return list(formulas)
    if isinstance(subject, HolomorphicFunction):
        return [as_expression(subject.formula)]
    if isinstance(subject, sympy.MatrixBase | list | tuple):
        several: Any = subject
        if not len(several):
            raise ConfigError("prove([]): give at least one expression")
        return [as_expression(e) for e in several]
    return [as_expression(subject)]


class _Attempt:
    """One run of `prove`, with its clock."""

    def __init__(self, claim: str, deadline: float, limit: float | int, seed: int) -> None:
        self.claim = claim
        self.deadline = deadline
        self.limit = limit
        self.seed = seed
        self.operator = "d/dzbar" if claim == "holomorphic" else "the Laplacian"

    def decide(self, outputs: list[Expr]) -> Verdict:
        """All outputs: the first refutation, else the first doubt, else the proofs as one."""
        proofs: list[Proved] = []
        doubts: list[Unknown] = []
        for index, e in enumerate(outputs):
            match self.without_errors(e, index):
                case Refuted() as refuted:
                    return refuted
                case Proved() as proved:
                    proofs.append(proved)
                case Unknown() as unknown:
                    doubts.append(unknown)
        if doubts:
            return doubts[0]
        return Proved(  # the methods, steps and sets of each, once
            self.claim,
            ", ".join(dict.fromkeys(p.method for p in proofs)),
            tuple(dict.fromkeys(step for p in proofs for step in p.steps)),
            tuple(dict.fromkeys(place for p in proofs for place in p.excluded)),
        )

    def without_errors(self, e: Expr, index: int) -> Proved | Refuted | Unknown:
        """One output; what sympy stumbles over is Unknown."""
        try:
            return self.decide_one(e, index)
        except UndecidedError as reason:
            return Unknown(self.claim, str(reason))
        except TimeoutError:
            return self.out_of_time(f"forming and evaluating {self.operator}")
        except Exception as error:  # sympy raises what it likes on formulas without a value
            return Unknown(self.claim, f"sympy fails on it: {type(error).__name__}: {error}")

    def decide_one(self, e: Expr, index: int) -> Proved | Refuted | Unknown:
        """One output: structure first, then a witness, then simplification."""
        bars = {
            z: sympy.Dummy(f"{z.name}_bar")
            for z in sorted(e.free_symbols, key=str)
            if isinstance(z, sympy.Symbol)
        }
        pairs = Pairs(bars)
        if is_holomorphic_tree(e):
            step = "variables, numbers, sums, products, powers and holomorphic functions only"
            steps = (step,) if self.claim == "holomorphic" else (step, "holomorphic: harmonic")
            return Proved(self.claim, "structure", steps, excluded_sets(e, pairs))
        if self.claim == "harmonic" and is_harmonic_tree(e):
            step = "a sum of multiples of parts, arguments and log-moduli of holomorphic functions"
            return Proved(self.claim, "structure", (step,), excluded_sets(e, pairs))
        if self.late():
            return self.out_of_time("looking at the structure")
        size = int(sympy.count_ops(e))
        if size > _MAX_OPERATIONS:
            return Unknown(
                self.claim, f"{size} operations are too many to differentiate ({_MAX_OPERATIONS})"
            )
        return self.by_differentiation(e, index, pairs)

    def by_differentiation(self, e: Expr, index: int, pairs: Pairs) -> Proved | Refuted | Unknown:
        """A witness, or that there can be none."""
        doubt, excluded = "", ()
        try:
            excluded = excluded_sets(e, pairs)
        except UndecidedError as reason:
            doubt = str(reason)
        defects = {} if has_cases(e) else self.defects(e, pairs)
        nonzero = {z: d for z, d in defects.items() if d != 0}
        if doubt or nonzero:
            refuted, usable = self.search(e, nonzero, index, pairs)
            if refuted is not None:
                return refuted
            if doubt:
                return Unknown(self.claim, doubt)
            if not usable:
                return Unknown(
                    self.claim, f"{self.operator} is out of range at {_POINTS} random points"
                )
        return self.by_rules(e, nonzero, excluded, pairs)

    def search(
        self, e: Expr, nonzero: dict[str, Expr], index: int, pairs: Pairs
    ) -> tuple[Refuted | None, int]:
        """A refutation, if there is one at a random point, and how many points could be used."""
        usable = 0
        for at in random_points(list(pairs.bars), _POINTS, self.seed):
            if self.late():
                raise TimeoutError
            try:
                refuted = self.witness(e, nonzero, at, index, pairs)
            except (NumericalError, UndecidedError):
                continue
            usable += 1
            if refuted is not None:
                return refuted, usable
        return None, usable

    def by_rules(
        self, e: Expr, nonzero: dict[str, Expr], excluded: tuple[ExcludedSet, ...], pairs: Pairs
    ) -> Proved | Unknown:
        """A proof, if what is left vanishes and differences agree."""
        method = "differentiation"
        steps = [f"{self.operator} formed with z and zbar independent", "it is 0 as it stands"]
        if nonzero:
            answer = is_zero(list(nonzero.values()), self.deadline - time.monotonic())
            if answer is ZeroTest.TIMEOUT:
                return self.out_of_time(f"simplifying {self.operator}")
            if answer is ZeroTest.OPEN:
                return Unknown(
                    self.claim,
                    f"{self.operator} shows no value but 0 at random points, "
                    "and sympy does not simplify it to 0",
                )
            method, steps[1] = "simplification", "it simplifies to 0"
        tested = self.tests(e, excluded, pairs)
        if not tested:
            return Unknown(self.claim, "the formula is out of range at random points")
        if not all(tested):
            return Unknown(
                self.claim, f"{self.operator} should be 0, but differences of the formula are not"
            )
        return Proved(self.claim, method, tuple(steps), excluded)

    def tests(self, e: Expr, excluded: tuple[ExcludedSet, ...], pairs: Pairs) -> list[bool]:
        """Whether differences of the formula itself are 0, at points near and far."""
        passed: list[bool] = []
        for at in random_points(list(pairs.bars), _TESTS, self.seed + 1, _TEST_SCALES):
            if any(s.clearance(at, self.deadline) < _NEAR for s in excluded):
                continue
            try:
                values, size = differences(e, at, self.claim, self.deadline)
            except NumericalError:
                continue
            error = max(map(abs, values.values()))
            passed.append(error <= _TOLERANCE * (size + _TOLERANCE))
        return passed

    def defects(self, e: Expr, pairs: Pairs) -> dict[str, Expr]:
        """What has to vanish, by the name of the variable ("" for the Laplacian)."""
        formula = pairs.both(e)[0]
        if self.claim == "harmonic":
            return {"": laplacian_formula(formula, pairs.bars)}
        return {str(z): d for z, d in dbar_formulas(formula, pairs.bars).items()}

    def witness(
        self, e: Expr, defects: dict[str, Expr], at: dict[Expr, Expr], index: int, pairs: Pairs
    ) -> Refuted | None:
        """A refutation, if a defect is clearly not 0 at the point, and differences agree.

        Raises:
            NumericalError: a defect is out of range there.
            UndecidedError: the rules do not hold there.
        """
        near = specialize(e, at, pairs)
        if near != e:
            defects = self.defects(near, pairs)
        if any(s.clearance(at, self.deadline) < _NEAR for s in conditions(near)):
            raise UndecidedError("the point is on a cut")
        whole = {**at, **{bar: sympy.conjugate(at[z]) for z, bar in pairs.bars.items()}}
        for variable, defect in defects.items():
            rough, fine = (evaluate(defect, whole, n, self.deadline) for n in (50, 80))
            if fine == 0 or abs(rough - fine) > _AGREEMENT * abs(fine):
                continue
            value = complex(fine)
            if not sys.float_info.min <= math.hypot(value.real, value.imag) < math.inf:
                raise NumericalError(f"{self.operator} is out of the range of double precision")
            values, _ = differences(e, at, self.claim, self.deadline)
            if not abs(values[variable] - value) <= _TOLERANCE * abs(value):
                raise UndecidedError("differences do not agree with the formula")
            point = {str(z): complex(number) for z, number in at.items()}
            return Refuted(self.claim, point, value, index, variable)
        return None

    def late(self) -> bool:
        return time.monotonic() > self.deadline

    def out_of_time(self, doing: str) -> Unknown:
        return Unknown(self.claim, f"time limit of {self.limit} s reached while {doing}")
