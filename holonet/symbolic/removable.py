"""Removable singularities: where a formula divides by 0 and is holomorphic all the same.

Which of the declared poles of a formula are none is decided by its Laurent series there, with
exact coefficients; what is undecided stays a pole. About a removable point the formula cancels in
floating-point arithmetic, so its Taylor polynomial takes its place there.
"""

import cmath
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sympy
import torch

from holonet.domains import Obstacle, PeriodicPoints, PointSet
from holonet.errors import DomainError
from holonet.functions import Singularity, SingularityKind
from holonet.symbolic.formula import Expr
from holonet.symbolic.known_functions import FUNCTIONS
from holonet.symbolic.laurent import UndecidedSeriesError, laurent
from holonet.symbolic.preimage import affine, double
from holonet.symbolic.zeros import Points, exact_points, exact_zeros

__all__ = ["Patch", "split_removable"]

_TERMS = 64
_FIRST_TERMS = (4, 8, 16, 32)
_NO_BOUND = -(10**9)
_NEIGHBORS = range(-3, 4)
_MOST_CLASSES = 4
_SHRINK = 0.45
_SAME = 1e-9


@dataclass(frozen=True)
class Patch:
    """The Taylor polynomial that stands for a formula about a removable point.

    Args:
        point: where the formula divides by 0.
        radius: how far the polynomial is used.
        coefficients: of (z - point)^k, ascending.
        period: of the formula, where all points at that distance are alike; 0 if there is none.
    """

    point: complex
    radius: float
    coefficients: tuple[complex, ...]
    period: complex = 0j


_Removed = tuple[Expr, Expr]
"""A removable point, exact, with the period of the formula or 0."""


def split_removable(
    e: Expr, z: sympy.Symbol, singularities: Sequence[Singularity], cuts: Sequence[Obstacle]
) -> tuple[tuple[Singularity, ...], tuple[Patch, ...]]:
    """The singularities that remain, and patches about the poles that are none.

    Points are tested one by one. Of a progression with a period of the formula every class is
    tested; of another one the seven points next to its offset are.

    Example:
        >>> z = sympy.Symbol("z")
        >>> pole = Singularity(PointSet((0j,)))
        >>> remaining, (patch,) = split_removable(sympy.sin(z) / z, z, [pole], [])
        >>> remaining, patch.coefficients[:3]
        ((), ((1+0j), 0j, (-0.16666666666666666+0j)))
    """
    return _Search(e, z, cuts).split(singularities)


class _Search:
    """The search of one formula."""

    def __init__(self, e: Expr, z: sympy.Symbol, cuts: Sequence[Obstacle]) -> None:
        self.e, self.z, self.cuts = e, z, cuts
        self.known: dict[Expr, bool] = {}

    def split(
        self, singularities: Sequence[Singularity]
    ) -> tuple[tuple[Singularity, ...], tuple[Patch, ...]]:
        poles = [s for s in singularities if s.kind is SingularityKind.POLE]
        self.barriers = [s.where for s in singularities if s not in poles] + list(self.cuts)
        exact = tuple(_denominator_zeros(self.e, self.z)) if poles else ()
        remaining: list[Singularity] = []
        removed: list[_Removed] = []
        for s in singularities:
            if s not in poles:
                remaining.append(s)
                continue
            places, points = self.reduced(s.where, exact)
            remaining += [replace(s, where=place) for place in places]
            removed += points
        if not removed:
            return tuple(singularities), ()
        rest = [s.where for s in remaining] + list(self.cuts)
        try:
            patches = tuple(self.patch(*r, rest) for r in dict.fromkeys(removed))
        except UndecidedSeriesError:
            return tuple(singularities), ()
        return tuple(dict.fromkeys(remaining)), patches

    def reduced(
        self, where: Obstacle, exact: Sequence[Points]
    ) -> tuple[list[Obstacle], list[_Removed]]:
        """What remains of a set of poles, and what was taken out of it."""
        match where:
            case PointSet(points):
                remaining, removed = [], []
                for p in points:
                    q = _exact_point(p, exact)
                    if q is not None and self.is_removable(q):
                        removed.append((q, sympy.Integer(0)))
                    else:
                        remaining.append(p)
                return [PointSet(tuple(remaining))] if remaining else [], removed
            case PeriodicPoints(offset, period, without):
                for known in exact:
                    rounded = known.points[0].has(sympy.Float)  # nothing can be decided there
                    if known.obstacle() == PeriodicPoints(offset, period) and not rounded:
                        return self.reduced_progression(where, known, without)
        return [where], []

    def reduced_progression(
        self, where: PeriodicPoints, known: Points, without: tuple[int, ...]
    ) -> tuple[list[Obstacle], list[_Removed]]:
        (offset,), step = known.points, known.period or sympy.Integer(0)
        classes = 0 if without else self.classes(step)
        if not classes:
            removable = [
                k for k in _NEIGHBORS if k not in without and self.is_removable(offset + k * step)
            ]
            removed = [(offset + k * step, sympy.Integer(0)) for k in removable]
            return [replace(where, without=tuple(sorted((*without, *removable))))], removed
        period = classes * step
        removable = [k for k in range(classes) if self.is_removable(offset + k * step)]
        if not removable:
            return [where], []
        others = [k for k in range(classes) if k not in removable]
        remaining = [Points((offset + k * step,), period).obstacle() for k in others]
        return remaining, [(offset + k * step, period) for k in removable]

    def classes(self, step: Expr) -> int:
        """How many steps make a period of the formula, 0 if a few do not."""
        for count in range(1, _MOST_CLASSES + 1):
            if _has_period(self.e, self.z, count * step):
                return count
        return 0

    def is_removable(self, q: Expr) -> bool:
        """Whether the Laurent series at q has no principal part; False where that is undecided."""
        q = sympy.expand(q)
        if q not in self.known:
            self.known[q] = self.decide(q)
        return self.known[q]

    def decide(self, q: Expr) -> bool:
        if _distance(double(q), self.barriers) < _SAME:
            return False
        for terms in _FIRST_TERMS:
            try:  # many digits find the poles sooner
                series = laurent(self.e, self.z, q, terms, floating=True)
                if series.coefficients and series.order < 0:
                    return False
                if _least_order(self.e, self.z, q, terms) >= 0:
                    return True
            except UndecidedSeriesError:
                return False
        return False

    def patch(self, at: Expr, step: Expr, rest: Sequence[Obstacle]) -> Patch:
        """The Taylor polynomial at a removable point.

        Raises:
            UndecidedSeriesError: the series in floating-point numbers is another one.
        """
        exact = at.is_Rational and self.e.is_rational_function(self.z)
        series = laurent(self.e, self.z, at, _TERMS, floating=not exact)
        if series.order < 0:
            raise UndecidedSeriesError("rounding left a principal part")
        coefficients = [0j] * series.order + [complex(c) for c in series.coefficients]
        point, period = double(at), double(step)
        limit = _distance(point, rest) / 2
        if period:
            limit = min(limit, abs(period) / 4)
        radius = min(_natural_radius(coefficients, abs(point)), limit)
        if not (math.isfinite(radius) and radius > 0 and all(map(cmath.isfinite, coefficients))):
            raise UndecidedSeriesError("the coefficients leave double precision")
        return Patch(point, radius, _shortened(coefficients, radius), period)


def _least_order(e: Expr, z: sympy.Symbol, q: Expr, terms: int) -> int:
    """A number that the order of vanishing at q is not below, in exact arithmetic.

    Orders of factors add up, so products are not expanded; nor are terms and entire functions
    whose coefficients become too large and do not matter, since they have no pole.

    Raises:
        UndecidedSeriesError: there is no series, or it cannot be worked out.
    """
    if z not in e.free_symbols:
        return 0
    if e.is_Mul:
        return sum(_least_order(factor, z, q, terms) for factor in e.args)
    if e.is_Pow and e.exp.is_Integer and e.exp.is_positive:
        return int(e.exp) * _least_order(e.base, z, q, terms)
    if e.is_Pow and e.exp.is_Integer:
        base = laurent(e.base, z, q, terms)  # whose order is known where a coefficient is
        return int(e.exp) * base.order if base.coefficients else _NO_BOUND
    try:
        return laurent(e, z, q, terms).order
    except UndecidedSeriesError:
        known = FUNCTIONS.get(type(e))
        if e.is_Add:
            orders = [_least_order(term, z, q, terms) for term in e.args]
            polar = [term for term, order in zip(e.args, orders, strict=True) if order < 0]
            if len(polar) < len(e.args):
                whole = laurent(sympy.Add(*polar), z, q, terms).order if polar else 0
                return min(whole, 0)
        entire = known is not None and not known.record.obstacles
        if entire and _least_order(e.args[0], z, q, terms) >= 0:
            return 0
        raise


def _has_period(e: Expr, z: sympy.Symbol, period: Expr) -> bool:
    """Whether z stands in exponential, circular and hyperbolic functions with that period alone."""
    if z not in e.free_symbols:
        return True
    if e.is_Pow and z not in e.base.free_symbols:
        e = sympy.exp(e.exp * sympy.log(e.base), evaluate=False)
    line = affine(e.args[0], z) if type(e) in _PERIODS else None
    if line is not None:
        return bool(sympy.simplify(line[0] * period / _PERIODS[type(e)]).is_Integer)
    return bool(e.args) and all(_has_period(part, z, period) for part in e.args)


_PERIODS: dict[type, Expr] = {
    **dict.fromkeys((sympy.tan, sympy.cot), sympy.pi),
    **dict.fromkeys((sympy.sin, sympy.cos, sympy.sec, sympy.csc), 2 * sympy.pi),
    **dict.fromkeys((sympy.tanh, sympy.coth), sympy.I * sympy.pi),
    **dict.fromkeys(
        (sympy.exp, sympy.sinh, sympy.cosh, sympy.sech, sympy.csch), 2 * sympy.I * sympy.pi
    ),
}


def _natural_radius(coefficients: Sequence[complex], size: float) -> float:
    """How far the terms fall by a factor of about 2 each.

    One of the first terms is taken for the leading one, whichever reaches furthest.
    """
    radii = []
    for lead in range(min(4, len(coefficients))):
        if coefficients[lead] == 0:
            continue
        reach = [
            (abs(coefficients[lead]) / abs(c)) ** (1 / (k - lead))
            for k, c in enumerate(coefficients)
            if k > lead and c != 0
        ]
        radii.append(_SHRINK * min(reach) if reach else max(1.0, size))
    return max(radii, default=max(1.0, size))


def _shortened(coefficients: list[complex], radius: float) -> tuple[complex, ...]:
    """Without the terms that are too small to count at the radius, also in second derivatives."""
    sizes = [abs(c) * radius**k for k, c in enumerate(coefficients)]
    least = 2.0**-58 * max(sizes)
    count = max((k + 1 for k, size in enumerate(sizes) if size * (k + 1) ** 2 > least), default=1)
    return tuple(coefficients[:count])


def _denominator_zeros(e: Expr, z: sympy.Symbol) -> Iterator[Points]:
    """Where the parts of a formula divide by 0 or have poles."""
    nodes: Any = sympy.preorder_traversal(e)
    for node in nodes:
        if node.is_Pow and node.exp.is_Integer and node.exp.is_negative:
            try:
                yield from exact_zeros(node.base, z)
            except DomainError:
                continue
        elif type(node) in FUNCTIONS and (line := affine(node.args[0], z)) is not None:
            for s in FUNCTIONS[type(node)].record.singularities:
                if s.kind is SingularityKind.POLE:
                    yield exact_points(s.where, *line)


def _exact_point(p: complex | float | int, exact: Sequence[Points]) -> Expr | None:
    """The exact number that p was rounded from, if it is known."""
    for points in exact:
        for q in points.points if points.period is None else ():
            if abs(double(q) - p) <= 1e-14 * max(1.0, abs(p)) and not q.has(sympy.Float):
                return q
    return None


def _distance(point: complex, places: Sequence[Obstacle]) -> float:
    z = torch.tensor(point, dtype=torch.complex128)
    return min((float(place.distance(z)) for place in places), default=math.inf)
