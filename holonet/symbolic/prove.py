"""Proofs and refutations that a formula is holomorphic, or harmonic."""

import time
from collections.abc import Sequence
from typing import Any

import sympy
from torch import nn

from holonet.errors import ConfigError, NumericalError
from holonet.functions import HolomorphicFunction
from holonet.symbolic.deadline import within
from holonet.symbolic.evaluate import evaluate, random_points
from holonet.symbolic.formula import Expr, as_expression
from holonet.symbolic.to_sympy import to_sympy
from holonet.symbolic.vanish import Answer, vanishes
from holonet.symbolic.verdict import Proved, Refuted, Unknown, Verdict
from holonet.symbolic.wirtinger import (
    UndecidedError,
    dbar_formulas,
    excluded_sets,
    is_harmonic_tree,
    is_holomorphic_tree,
    laplacian_formula,
    specialize,
)

__all__ = ["prove"]

_CLAIMS = ("holomorphic", "harmonic")
_POINTS = 6
_MAX_OPERATIONS = 3_000
_AGREEMENT = sympy.Rational(1, 10**20)


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
    claim. *Simplification*: if it seems to vanish, sympy must take it to 0, in a process of its
    own that is killed at the time limit.

    A proof is about the formula, in exact arithmetic, and holds off the sets that it lists
    (`Proved.off`): poles, branch cuts, zeros under a modulus. It trusts sympy's rewriting and,
    for a record, the law that its value is its formula. Functions given by cases (Piecewise, Max,
    Heaviside) are refuted where a case is at fault, and never proved.

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
        raise ConfigError(f"prove(time_limit={time_limit}): choose seconds above 0")
    attempt = _Attempt(claim, time.monotonic() + time_limit, time_limit, seed)
    try:
        # a little later than the deadline that is looked at on the way, and that tells more
        return within(time_limit + 0.3, lambda: attempt.decide(_outputs(subject)), _LateError)
    except _NoFormulaError as error:
        return Unknown(claim, str(error))
    except _LateError:
        return attempt.out_of_time("reading or differentiating the formula")


class _LateError(Exception):
    """The time is over."""


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

    def decide(self, outputs: list[Expr]) -> Verdict:
        """All outputs: the first refutation, else the first doubt, else the proofs as one."""
        proofs: list[Proved] = []
        doubts: list[Unknown] = []
        for index, e in enumerate(outputs):
            match self.decide_one(e, index):
                case Refuted() as refuted:
                    return refuted
                case Proved() as proved:
                    proofs.append(proved)
                case Unknown() as unknown:
                    doubts.append(unknown)
        return doubts[0] if doubts else self.joined(proofs)

    def joined(self, proofs: list[Proved]) -> Proved:
        """All outputs are proved: the methods, steps and sets of each, once."""
        return Proved(
            self.claim,
            ", ".join(dict.fromkeys(p.method for p in proofs)),
            tuple(dict.fromkeys(step for p in proofs for step in p.steps)),
            tuple(dict.fromkeys(place for p in proofs for place in p.off)),
        )

    def decide_one(self, e: Expr, index: int) -> Proved | Refuted | Unknown:
        """One output: structure first, then a witness, then simplification."""
        if is_holomorphic_tree(e):
            step = "variables, numbers, sums, products, powers and holomorphic functions only"
            steps = (step,) if self.claim == "holomorphic" else (step, "holomorphic: harmonic")
            return Proved(self.claim, "structure", steps, excluded_sets(e))
        if self.claim == "harmonic" and is_harmonic_tree(e):
            step = "a sum of multiples of parts, arguments and log-moduli of holomorphic functions"
            return Proved(self.claim, "structure", (step,), excluded_sets(e))
        if self.late():
            return self.out_of_time("looking at the structure")
        size = int(sympy.count_ops(e))
        if size > _MAX_OPERATIONS:
            return Unknown(
                self.claim, f"{size} operations are too many to differentiate ({_MAX_OPERATIONS})"
            )
        bars = {
            z: sympy.Dummy(f"{z.name}_bar")
            for z in sorted(e.free_symbols, key=str)
            if isinstance(z, sympy.Symbol)
        }
        try:
            return self.by_cases(e, index, bars) if _has_cases(e) else self.smooth(e, index, bars)
        except UndecidedError as reason:
            return Unknown(self.claim, str(reason))
        except TimeoutError:
            return self.out_of_time("looking for a witness")

    def smooth(self, e: Expr, index: int, bars: dict[Expr, Expr]) -> Proved | Refuted | Unknown:
        """A formula that is analytic in the real coordinates."""
        defects = self.defects(e, bars)
        left = {z: d for z, d in defects.items() if d != 0}
        operator = "d/dzbar" if self.claim == "holomorphic" else "the Laplacian"
        steps = (f"{operator} formed with z and zbar independent",)
        if not left:
            return Proved(
                self.claim, "differentiation", (*steps, "it is 0 as it stands"), excluded_sets(e)
            )
        seen = 0
        for at in random_points(list(bars), _POINTS, self.seed):
            if self.late():
                return self.out_of_time("looking for a witness")
            try:
                refuted = self.witness(left, at, index, bars)
            except NumericalError:
                continue
            seen += 1
            if refuted is not None:
                return refuted
        if not seen:
            return Unknown(self.claim, f"{operator} is out of range at {_POINTS} random points")
        answer = vanishes(list(left.values()), self.deadline - time.monotonic())
        if answer is Answer.LATE:
            return self.out_of_time(f"simplifying {operator}")
        if answer is Answer.ZERO:
            return Proved(
                self.claim, "simplification", (*steps, "it simplifies to 0"), excluded_sets(e)
            )
        return Unknown(
            self.claim,
            f"{operator} shows no value but 0 at {seen} random points, "
            "and sympy does not simplify it to 0",
        )

    def by_cases(self, e: Expr, index: int, bars: dict[Expr, Expr]) -> Proved | Refuted | Unknown:
        """A formula with cases: at each point, the one that holds near it."""
        for at in random_points(list(bars), _POINTS, self.seed):
            if self.late():
                return self.out_of_time("looking for a witness")
            try:
                refuted = self.witness(self.defects(specialize(e, at), bars), at, index, bars)
            except (NumericalError, UndecidedError):
                continue
            if refuted is not None:
                return refuted
        return Unknown(
            self.claim,
            f"the formula is given by cases; no fault was found near {_POINTS} random points, "
            "but "
            "what happens between the cases is not decided",
        )

    def defects(self, e: Expr, bars: dict[Expr, Expr]) -> dict[str, Expr]:
        """What has to vanish, by the name of the variable ("" for the Laplacian)."""
        if self.claim == "harmonic":
            return {"": laplacian_formula(e, bars)}
        return {str(z): d for z, d in dbar_formulas(e, bars).items()}

    def witness(
        self, defects: dict[str, Expr], at: dict[Expr, Expr], index: int, bars: dict[Expr, Expr]
    ) -> Refuted | None:
        """A refutation, if one of the defects is clearly not 0 at the point.

        Raises:
            NumericalError: a defect is out of range there.
        """
        whole = {**at, **{bar: sympy.conjugate(at[z]) for z, bar in bars.items()}}
        for variable, defect in defects.items():
            rough, fine = (evaluate(defect, whole, n, self.deadline) for n in (50, 80))
            if fine != 0 and abs(rough - fine) <= _AGREEMENT * abs(fine):
                point = {str(z): complex(value) for z, value in at.items()}
                return Refuted(self.claim, point, complex(fine), index, variable)
        return None

    def late(self) -> bool:
        return time.monotonic() > self.deadline

    def out_of_time(self, doing: str) -> Unknown:
        return Unknown(self.claim, f"time limit of {self.limit} s reached while {doing}")


def _has_cases(e: Expr) -> bool:
    return e.has(sympy.Piecewise, sympy.Max, sympy.Min, sympy.Heaviside)
