"""What a formula is: its class, its singularities and its branch cuts, read off its tree."""

import functools
import operator
from dataclasses import dataclass, replace

import sympy

from holonet.domains import Obstacle
from holonet.errors import ConfigError
from holonet.functions import (
    CATALOGUE,
    FunctionClass,
    HolomorphicFunction,
    Singularity,
    SingularityKind,
    compose,
)
from holonet.symbolic.formula import Expr, quote
from holonet.symbolic.known_functions import FUNCTIONS
from holonet.symbolic.preimage import affine, degree, pull_back, square_slits
from holonet.symbolic.removable import Patch, split_removable
from holonet.symbolic.zeros import no_closed_form, zeros

__all__ = ["Analysis", "analyze"]

_POLE, _BRANCH = SingularityKind.POLE, SingularityKind.BRANCH_POINT
_LOG = FUNCTIONS[sympy.log].record


@dataclass(frozen=True)
class Analysis:
    """What is known of a formula without evaluating it; the class of a constant is None.

    Law: holomorphic off the singularities and cuts, which may be more than necessary: a removable
        singularity that is not found to be one counts as a pole.

    Args:
        patches: subexpression -> the Taylor polynomials about its removable singularities.
    """

    function_class: FunctionClass | None
    singularities: tuple[Singularity, ...] = ()
    branch_cuts: tuple[Obstacle, ...] = ()
    patches: tuple[tuple[Expr, tuple[Patch, ...]], ...] = ()

    def with_sets_of(self, *others: "Analysis") -> "Analysis":
        """The same class, and the singularities, cuts and patches of all of them."""
        everyone = (self, *others)
        return replace(
            self,
            singularities=tuple(dict.fromkeys(s for a in everyone for s in a.singularities)),
            branch_cuts=tuple(dict.fromkeys(c for a in everyone for c in a.branch_cuts)),
            patches=tuple(dict.fromkeys(p for a in everyone for p in a.patches)),
        )


def analyze(e: Expr, z: sympy.Symbol) -> Analysis:
    """The class, singularities and cuts of a holomorphic formula in z.

    Raises:
        DomainError: a singular set has no closed form that obstacles can describe.
        ConfigError: a function is not among `FUNCTIONS`.

    Example:
        >>> z = sympy.Symbol("z")
        >>> analyze(1 / (z - 2), z).singularities[0].where
        PointSet(points=((2+0j),))
    """
    if z not in e.free_symbols:
        return Analysis(None)
    if e.is_polynomial(z):
        one = degree(e, z) <= 1
        return Analysis(FunctionClass.AFFINE if one else FunctionClass.POLYNOMIAL)
    if e.is_Add or e.is_Mul:
        return _without_removable(e, z, _combine(e, z))
    if e.is_Pow:
        base, exponent = e.as_base_exp()
        return _without_removable(e, z, _power(base, exponent, z))
    return _function(e, z)


def _without_removable(e: Expr, z: sympy.Symbol, analysis: Analysis) -> Analysis:
    """Poles of a sum, product or power at which it has none, replaced by patches."""
    singularities, patches = split_removable(e, z, analysis.singularities, analysis.branch_cuts)
    if not patches:
        return analysis
    function_class = analysis.function_class
    if not singularities:
        if function_class is FunctionClass.MEROMORPHIC:
            function_class = FunctionClass.ENTIRE
        if function_class is FunctionClass.RATIONAL:
            one = degree(sympy.cancel(e), z) <= 1
            function_class = FunctionClass.AFFINE if one else FunctionClass.POLYNOMIAL
    return replace(
        analysis,
        function_class=function_class,
        singularities=singularities,
        patches=(*analysis.patches, (e, patches)),
    )


def _combine(e: Expr, z: sympy.Symbol) -> Analysis:
    """A sum or a product."""
    parts = [analyze(a, z) for a in e.args]
    classes = [part.function_class for part in parts if part.function_class is not None]
    # products that are no polynomials join as sums do
    return Analysis(functools.reduce(operator.or_, classes)).with_sets_of(*parts)


def _power(base: Expr, exponent: Expr, z: sympy.Symbol) -> Analysis:
    if z in exponent.free_symbols:  # exp(exponent * log(base))
        inner = analyze(exponent * sympy.log(base), z)
        return _compose(FUNCTIONS[sympy.exp].record, inner)
    inner = analyze(base, z)
    if exponent.is_Integer:
        if exponent > 0:
            return replace(inner, function_class=_composed(FunctionClass.POLYNOMIAL, inner))
        poles = Analysis(None, tuple(Singularity(o, _POLE) for o in zeros(base, z)))
        return Analysis(_composed(FunctionClass.RATIONAL, inner)).with_sets_of(inner, poles)
    return Analysis(FunctionClass.HOLOMORPHIC).with_sets_of(inner, _cut_of_log(base, z))


def _function(e: Expr, z: sympy.Symbol) -> Analysis:
    known = FUNCTIONS.get(type(e))
    if known is None:
        raise ConfigError(
            f"{quote(e)}: no rule for {type(e).__name__}. Known: "
            f"{', '.join(sorted(f.__name__ for f in FUNCTIONS))}"
        )
    (u,) = e.args
    inner = analyze(u, z)
    if isinstance(e, sympy.log):
        return Analysis(FunctionClass.HOLOMORPHIC).with_sets_of(inner, _cut_of_log(u, z))
    if known.record.obstacles:
        return Analysis(_composed(known.record.function_class, inner)).with_sets_of(
            inner, _pulled_back(known.record, u, e, z)
        )
    return _compose(known.record, inner)


def _compose(record: HolomorphicFunction, inner: Analysis) -> Analysis:
    """An entire function, not a polynomial, of something: poles become essential."""
    kinds = tuple(
        replace(s, kind=SingularityKind.ESSENTIAL) if s.kind is _POLE else s
        for s in inner.singularities
    )
    return replace(
        inner, function_class=_composed(record.function_class, inner), singularities=kinds
    )


def _composed(outer: FunctionClass, inner: Analysis) -> FunctionClass:
    return outer if inner.function_class is None else compose(outer, inner.function_class)


def _pulled_back(record: HolomorphicFunction, u: Expr, e: Expr, z: sympy.Symbol) -> Analysis:
    line = affine(u, z)
    if line is None:
        raise no_closed_form(e, f"where {record.name} of something that is not a*z + b is singular")
    return Analysis(
        None,
        tuple(replace(s, where=pull_back(s.where, *line)) for s in record.singularities),
        tuple(pull_back(cut, *line) for cut in record.branch_cuts),
    )


def _cut_of_log(u: Expr, z: sympy.Symbol) -> Analysis:
    """Where the principal logarithm of u branches and jumps: u in (-oo, 0]."""
    if affine(u, z) is not None:
        return _pulled_back(_LOG, u, sympy.log(u), z)
    slits = square_slits(u, z)
    if slits is not None:
        ends = tuple(Singularity(o, _BRANCH) for o in zeros(u, z))
        return Analysis(None, ends, slits)
    softplus = _scaled_exponent(u, z)
    if softplus is not None:
        return _pulled_back(CATALOGUE["softplus"], softplus, sympy.log(u), z)
    raise no_closed_form(u, "the cut of a logarithm or a power, where this lies in (-oo, 0]")


def _scaled_exponent(u: Expr, z: sympy.Symbol) -> Expr | None:
    """The v of u = c (1 + exp(v)) with c > 0, if u has that form."""
    constant, rest = u.as_independent(z, as_Add=True)
    if not constant.is_positive:
        return None
    factor, exponential = (rest / constant).as_independent(z, as_Add=False)
    if not isinstance(exponential, sympy.exp):
        return None
    return exponential.args[0] + sympy.log(factor)
