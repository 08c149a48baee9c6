"""Where a formula may fail to be smooth: poles, branch cuts, zeros under a modulus."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import sympy
import torch

from holonet.domains import Obstacle, PointSet, Ray
from holonet.symbolic.cases import has_cases
from holonet.symbolic.evaluate import value_or_none
from holonet.symbolic.formula import Expr, quote
from holonet.symbolic.known_functions import FUNCTIONS
from holonet.symbolic.sheets import constant_values, vanishes_nowhere_dense, varies_everywhere
from holonet.symbolic.signs import is_nonnegative, is_positive
from holonet.symbolic.wirtinger import Pairs, UndecidedError, check_constant

__all__ = ["ExcludedSet", "conditions", "excluded_sets"]

_ROUNDING = 1e-12
_NOISE = 1e-45
_CUT_OF_LOG = FUNCTIONS[sympy.log]
_ZERO = (PointSet((0j,)),)


@dataclass(frozen=True)
class ExcludedSet:
    """The points at which the value of `argument` lies in one of the sets `where`.

    Args:
        argument: a formula in the variables.
        where: closed sets of the plane.
        words: the same to read, such as "z in (-oo, 0]".
    """

    argument: Expr
    where: tuple[Obstacle, ...]
    words: str

    def __str__(self) -> str:
        return self.words

    def distance(self, point: Mapping[str, complex | float | int]) -> float:
        """How far the argument is from the sets, in its own plane; 0 where it has no value."""
        return self.clearance(_exact_point(point))

    def contains(self, point: Mapping[str, complex | float | int]) -> bool:
        """Whether the point (variable -> value) is excluded, up to rounding.

        Example:
            >>> z = sympy.Symbol("z")
            >>> cut = ExcludedSet(z**2, FUNCTIONS[sympy.log].record.obstacles, "z**2 in (-oo, 0]")
            >>> cut.contains({"z": 2j}), cut.contains({"z": 2})
            (True, False)
        """
        at = _exact_point(point)
        value = value_or_none(self.argument, at)
        if value is None:
            return True
        return self._distance_of(value) <= _ROUNDING * abs(value) + _NOISE

    def clearance(self, at: Mapping[Expr, Expr], deadline: float = math.inf) -> float:
        """`distance` at exact numbers."""
        value = value_or_none(self.argument, at, deadline=deadline)
        return 0.0 if value is None else self._distance_of(value)

    def _distance_of(self, value: complex) -> float:
        z = torch.tensor(value, dtype=torch.complex128)
        return min(float(obstacle.distance(z)) for obstacle in self.where)


def _exact_point(point: Mapping[str, complex | float | int]) -> dict[Expr, Expr]:
    return {sympy.Symbol(name): _exact(value) for name, value in point.items()}


def conditions(e: Expr) -> tuple[ExcludedSet, ...]:
    """What the argument of every node must keep away from, for the rules to hold at a point.

    Raises:
        UndecidedError: a subterm without variables has no value.
    """
    visited: set[Expr] = set()
    sets: dict[ExcludedSet, None] = {}

    def visit(node: Expr) -> None:
        if node in visited:
            return
        visited.add(node)
        if not node.free_symbols:
            check_constant(node)
            return
        condition = _condition(node)
        if condition is not None:
            sets[condition] = None
        for a in node.args:
            if isinstance(a, Expr):
                visit(a)

    visit(e)
    return tuple(sets)


def _condition(e: Expr) -> ExcludedSet | None:
    """What the arguments of one node must keep away from."""
    if e.is_Pow:
        base, exponent = e.args
        if not base.free_symbols:
            check_constant(sympy.log(base))
        elif not exponent.is_Integer:
            return _at_cut(base)
        elif exponent.is_negative:
            return _at_zero(base)
    elif type(e) in FUNCTIONS and FUNCTIONS[type(e)].excluded:
        known = FUNCTIONS[type(e)]
        return ExcludedSet(e.args[0], known.record.obstacles, f"{e.args[0]} in {known.excluded}")
    elif isinstance(e, sympy.Abs | sympy.sign):
        return _at_zero(e.args[0])
    elif isinstance(e, sympy.arg):
        return _at_cut(e.args[0])
    elif isinstance(e, sympy.atan2):
        return _at_cut(e.args[1] + sympy.I * e.args[0])
    return None


def _at_cut(u: Expr) -> ExcludedSet:
    return ExcludedSet(u, _CUT_OF_LOG.record.obstacles, f"{u} in {_CUT_OF_LOG.excluded}")


def _at_zero(u: Expr) -> ExcludedSet:
    return ExcludedSet(u, _ZERO, f"{u} = 0")


def excluded_sets(e: Expr, pairs: Pairs) -> tuple[ExcludedSet, ...]:
    """All points off which the rules hold: closed sets without interior.

    A condition whose argument stays off the set everywhere is left out.

    Raises:
        UndecidedError: an argument has no value, or may lie on a cut or pole on an open set.
    """
    if has_cases(e):
        raise UndecidedError(
            "the formula is given by cases; what happens between the cases is not decided"
        )
    sets: dict[ExcludedSet, None] = {}
    for condition in conditions(e):
        for thin in _thin(condition, pairs):
            sets[thin] = None
    return tuple(s for s in sets if not any(_is_part(s, other) for other in sets))


def _is_part(s: ExcludedSet, other: ExcludedSet) -> bool:
    """Whether one set is listed with another one that holds it."""
    return s.argument == other.argument and set(s.where) < set(other.where)


def _thin(condition: ExcludedSet, pairs: Pairs) -> Iterator[ExcludedSet]:
    """The condition, in parts that have no interior."""
    u = condition.argument
    value, other = pairs.both(u)
    if condition.where == _ZERO:
        yield from _zeros(u, pairs)
        return
    rays = [obstacle for obstacle in condition.where if isinstance(obstacle, Ray)]
    if not rays or _is_of_one_kind(value, pairs):
        # an open map, or a discrete set: only where u is constant can it stay in the set
        if not varies_everywhere(value):
            constants = constant_values(value)
            clear = constants is not None and all(
                float(o.distance(torch.tensor(c, dtype=torch.complex128))) > 1e-3
                for c in constants
                for o in condition.where
            )
            if not clear:
                raise _on_open_set(condition)
        yield condition
        return
    if all(vanishes_nowhere_dense(_offset(value, other, ray)) for ray in rays):
        yield condition
        return
    if not pairs.is_real(u):
        raise _on_open_set(condition)
    for ray in rays:
        start = _exact(ray.start)
        ahead = (start - u) * _exact(ray.direction)  # positive where u is not on the ray
        if is_positive(ahead, pairs):
            continue
        if not is_nonnegative(ahead, pairs):
            raise _on_open_set(condition)
        if start == 0:
            yield from _zeros(u, pairs)
        elif vanishes_nowhere_dense(value - start):
            yield ExcludedSet(u, (PointSet((ray.start,)),), f"{u} = {start}")
        else:
            raise _on_open_set(condition)


def _zeros(u: Expr, pairs: Pairs) -> Iterator[ExcludedSet]:
    """Where u vanishes, told of its factors."""
    if is_positive(u, pairs):
        return
    if isinstance(u, sympy.Abs | sympy.conjugate):
        yield from _zeros(u.args[0], pairs)
    elif u.is_Pow and u.exp.is_positive:
        yield from _zeros(u.base, pairs)
    elif u.is_Mul:
        for factor in u.args:
            if factor.free_symbols:
                yield from _zeros(factor, pairs)
            elif abs(check_constant(factor)) == 0:
                raise _on_open_set(_at_zero(u))
    elif vanishes_nowhere_dense(pairs.both(u)[0]):
        yield _at_zero(u)
    else:
        raise _on_open_set(_at_zero(u))


def _is_of_one_kind(value: Expr, pairs: Pairs) -> bool:
    """Whether a formula is holomorphic in the variables, or in their conjugates."""
    bars = set(pairs.bars.values())
    return not value.free_symbols & bars or not value.free_symbols - bars


def _offset(value: Expr, other: Expr, ray: Ray) -> Expr:
    """A multiple of the distance from the line that a ray lies on."""
    start, direction = _exact(ray.start), _exact(ray.direction)
    return (value - start) * sympy.conjugate(direction) - (
        other - sympy.conjugate(start)
    ) * direction


def _exact(c: complex | float | int) -> Expr:
    return sympy.Rational(complex(c).real) + sympy.I * sympy.Rational(complex(c).imag)


def _on_open_set(condition: ExcludedSet) -> UndecidedError:
    return UndecidedError(
        f"it is not excluded that {quote(condition.words)} on an open set of points, where the "
        "formula has no value or the rules do not hold"
    )
