"""Ranges of real functions and of their first three derivatives on intervals, rounded outward.

Between two neighboring zeros of its derivative a function is monotone. So its range on an interval
is spanned by its values at the ends and at the zeros inside of it. A zero is known up to rounding,
which changes the value by the square of that.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from holonet._arguments import checked
from holonet.errors import InputTypeError
from holonet.functions.catalogue import CATALOGUE
from holonet.functions.disc_bounds import disc_bounds
from holonet.functions.polynomial import Horner, Monomial
from holonet.functions.rational import Blaschke, Moebius
from holonet.functions.record import HolomorphicFunction
from holonet.functions.rounding import margin

__all__ = ["derivative_bound", "extremal_points", "range_on", "rounding_bound"]

Ends = Float64[Tensor, "*shape"]
Real = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class _Facts:
    """What is known of a function on the real axis.

    Args:
        derivatives: it and its first three, of float64 tensors.
        turns: for each of them the zeros of its derivative.
        period: of these zeros, which then repeat.
        scale: (order, x) -> moduli of the terms that a derivative is the sum of.
        forms_products: torch's value is x times a number in [0, 1] with an absolute error.
        whole_axis: no singularity lies on the real axis.
    """

    derivatives: tuple[Real, ...]
    turns: tuple[tuple[float, ...], ...] = ((), (), (), ())
    period: float | None = None
    scale: Callable[[int, Tensor], Tensor] | None = None
    forms_products: bool = False
    whole_axis: bool = True


@checked
def range_on(
    record: HolomorphicFunction, low: Ends, high: Ends, order: int = 0
) -> tuple[Ends, Ends]:
    """The least and the largest value of a derivative of order 0 to 3 on [low, high].

    Both are infinite where the interval may hold a singularity, or nothing is known of the record.

    Law: every value on the interval lies between them; for records of the catalogue they are
        attained, up to a few units in the last place.

    Example:
        >>> from holonet.functions import get_function
        >>> low, high = torch.tensor([-1.0], dtype=torch.float64), torch.tensor([2.0]).double()
        >>> bounds = range_on(get_function("square"), low, high)
        >>> [round(bound.item(), 9) + 0.0 for bound in bounds]
        [0.0, 4.0]
    """
    facts = _facts(record)
    if facts is None:
        return _range_on_discs(record, low, high, order)
    f = facts.derivatives[order]
    ends = _extremes(facts, order, low, high)
    values = [f(x) for x in ends]
    scales = [_scale(facts, order, x, v) for x, v in zip(ends, values, strict=True)]
    least = torch.stack([v - margin(s) for v, s in zip(values, scales, strict=True)]).amin(0)
    largest = torch.stack([v + margin(s) for v, s in zip(values, scales, strict=True)]).amax(0)
    if facts.period is not None and facts.whole_axis:  # turns far out are lost to rounding
        far = torch.maximum(low.abs(), high.abs()) > 1e8
        least, largest = torch.where(far, -1.0, least), torch.where(far, 1.0, largest)
    reached = torch.zeros_like(low, dtype=torch.bool)
    if not facts.whole_axis:
        middle, half = low / 2 + high / 2, margin(high - low) + (high - low) / 2
        distance = record.clearance(torch.complex(middle, torch.zeros_like(middle)))
        reached = distance - margin(distance + middle.abs()) <= half
    unknown = reached | low.isnan() | high.isnan() | least.isnan() | largest.isnan()
    unknown |= low.isinf() | high.isinf()
    return least.masked_fill(unknown, -math.inf), largest.masked_fill(unknown, math.inf)


@checked
def extremal_points(
    record: HolomorphicFunction, low: Float[Tensor, "*shape"], high: Float[Tensor, "*shape"]
) -> list[Float[Tensor, "*shape"]]:
    """Points of [low, high] among which the function is least and largest there, up to rounding.

    They carry the gradients of the ends.

    Raises:
        InputTypeError: a record of which nothing is known on the real axis, or with singularities
            there.

    Example:
        >>> from holonet.functions import get_function
        >>> low, high = torch.tensor([-1.0]), torch.tensor([2.0])
        >>> [point.item() for point in extremal_points(get_function("cosh"), low, high)]
        [-1.0, 2.0, 0.0]
    """
    facts = _facts(record)
    if facts is None or not facts.whole_axis:
        raise InputTypeError(
            f"the range of {record.name}, {record.formula}, on real intervals is not known or not "
            "bounded: choose a function that is analytic on the whole real axis, of holonet list "
            "activations or a polynomial"
        )
    return _extremes(facts, 0, low, high)


@checked
def derivative_bound(record: HolomorphicFunction, low: Ends, high: Ends, order: int) -> Ends:
    """The largest modulus of the derivative of order 1, 2 or 3 on [low, high], or more.

    Example:
        >>> from holonet.functions import get_function
        >>> low, high = torch.tensor([-1.0], dtype=torch.float64), torch.tensor([2.0]).double()
        >>> round(derivative_bound(get_function("square"), low, high, 1).item(), 9)
        4.0
    """
    least, largest = range_on(record, low, high, order)
    return torch.maximum(least.abs(), largest.abs())


@checked
def rounding_bound(record: HolomorphicFunction, low: Ends, high: Ends) -> Ends:
    """The error of torch's value at a point of [low, high], in units of its roundoff u, at most.

    It is 16 (|f| + |x f'|), tested in float32 and float64; infinite for records of whose
    arithmetic nothing is known.
    """
    facts, size = _facts(record), torch.maximum(low.abs(), high.abs())
    if facts is None:
        return torch.full_like(low, math.inf)
    if facts.scale is not None:
        return 16 * torch.maximum(facts.scale(0, low), facts.scale(0, high))
    value = torch.stack([end.abs() for end in range_on(record, low, high)]).amax(0)
    scale = value + size * derivative_bound(record, low, high, 1)
    return 16 * (scale + size if facts.forms_products else scale)


def _extremes(facts: _Facts, order: int, low: Tensor, high: Tensor) -> list[Tensor]:
    return [low, high, *(torch.clamp(t, low, high) for t in _turns(facts, order, low))]


def _turns(facts: _Facts, order: int, low: Tensor) -> list[Tensor]:
    """Those of periodic functions that come next after the lower end, two each."""
    points = [torch.full_like(low, t) for t in facts.turns[order]]
    if facts.period is None:
        return points
    first = [t + torch.ceil((low - t) / facts.period) * facts.period for t in points]
    return [*first, *(t + facts.period for t in first)]


def _scale(facts: _Facts, order: int, x: Tensor, value: Tensor) -> Tensor:
    if facts.scale is not None:
        return facts.scale(order, x)
    return value.abs() + float(order > 0)


def _range_on_discs(
    record: HolomorphicFunction, low: Tensor, high: Tensor, order: int
) -> tuple[Tensor, Tensor]:
    """By the disc about the interval, for a record that is known on discs alone."""
    if not record.real_on_real or order > 2:
        return torch.full_like(low, -math.inf), torch.full_like(low, math.inf)
    middle = low / 2 + high / 2
    radius = torch.maximum(high - middle, middle - low)
    center = torch.complex(middle, torch.zeros_like(middle))
    bounds = disc_bounds(record, center, radius + margin(radius))
    if order:
        return -bounds[order], bounds[order]
    value = record.value(center).real
    reach = radius * bounds[1]
    reach = reach + margin(reach + value.abs() + middle.abs() * bounds[1])
    unknown = ~(reach + value).isfinite()
    least, largest = value - reach, value + reach
    return least.masked_fill(unknown, -math.inf), largest.masked_fill(unknown, math.inf)


def _logistic(x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The sigmoid and three derivatives, by the tanh of half of x."""
    e = torch.exp(-x.abs())
    slope, t = e / ((1 + e) * (1 + e)), torch.tanh(x / 2)
    return torch.sigmoid(x), slope, -slope * t, slope * (3 * t * t - 1) / 2


def _softplus(x: Tensor) -> Tensor:
    return x.clamp(min=0) + torch.log1p(torch.exp(-x.abs()))


def _silu(order: int) -> Real:
    def derivative(x: Tensor) -> Tensor:
        s = _logistic(x)
        return x * s[0] if order == 0 else order * s[order - 1] + x * s[order]

    return derivative


def _normal(order: int) -> Real:
    def derivative(x: Tensor) -> Tensor:
        density = torch.exp(-x * x / 2) / math.sqrt(2 * math.pi)
        area = torch.special.erfc(-x / math.sqrt(2)) / 2
        near = x.clamp(-40, 40)  # beyond, the density is 0
        if order == 0:
            return x * area
        if order == 1:
            return area + near * density
        return density * (2 - near * near) if order == 2 else density * near * (near * near - 4)

    return derivative


def _gauss(order: int) -> Real:
    def derivative(x: Tensor) -> Tensor:
        density, near = torch.exp(-x * x) * (2 / math.sqrt(math.pi)), x.clamp(-40, 40)
        return density * (1.0, -2 * near, 4 * near * near - 2)[order - 1]

    return torch.erf if order == 0 else derivative


def _tanh(order: int) -> Real:
    return lambda x: torch.tanh(x) if order == 0 else 2 * 2**order * _logistic(2 * x)[order]


def _tan(order: int) -> Real:
    def derivative(x: Tensor) -> Tensor:
        t = torch.tan(x)
        s = 1 + t * t
        return (t, s, 2 * t * s, 2 * s * (1 + 3 * t * t))[order]

    return derivative


def _asinh(order: int) -> Real:
    def derivative(x: Tensor) -> Tensor:
        root = torch.hypot(x, torch.ones_like(x))
        return (root**-1, -(x / root) / root**2, (2 * (x / root) ** 2 - 1 / root**2) / root**3)[
            order - 1
        ]

    return torch.asinh if order == 0 else derivative


def _atan(order: int) -> Real:
    def derivative(x: Tensor) -> Tensor:
        root = torch.hypot(x, torch.ones_like(x))
        r, t = root**-2, x / root
        return (r, -2 * t * r / root, (6 * t * t - 2 / root**2) * r * r)[order - 1]

    return torch.atan if order == 0 else derivative


def _power(factor: float, exponent: float) -> Real:
    return lambda x: factor * x**exponent


def _negative(f: Real) -> Real:
    return lambda x: -f(x)


def _orders(f: Callable[[int], Real]) -> tuple[Real, Real, Real, Real]:
    return f(0), f(1), f(2), f(3)


_A, _B = math.atanh(1 / math.sqrt(3)), math.atanh(math.sqrt(2 / 3))
_S = 2.39935728051546767, 3.43584099353511069, 4.42923510055722798, 1.03195824178074912
_G = math.sqrt((7 + math.sqrt(33)) / 2), math.sqrt((7 - math.sqrt(33)) / 2)
_HALF = math.pi / 2
_SINE = (torch.sin, torch.cos, _negative(torch.sin), _negative(torch.cos))
_R = math.sqrt(0.5), math.sqrt(1.5), math.sqrt(2), 1 / math.sqrt(3)

_FACTS: Mapping[str, _Facts] = {
    "exp": _Facts((torch.exp,) * 4),
    "sin": _Facts(_SINE, ((_HALF,), (0.0,), (_HALF,), (0.0,)), math.pi),
    "cos": _Facts((*_SINE[1:], _SINE[0]), ((0.0,), (_HALF,), (0.0,), (_HALF,)), math.pi),
    "tan": _Facts(_orders(_tan), ((), (0.0,), (), (0.0,)), math.pi, whole_axis=False),
    "sinh": _Facts((torch.sinh, torch.cosh) * 2, ((), (0.0,), (), (0.0,))),
    "cosh": _Facts((torch.cosh, torch.sinh) * 2, ((0.0,), (), (0.0,), ())),
    "tanh": _Facts(_orders(_tanh), ((), (0.0,), (_A, -_A), (0.0, _B, -_B))),
    "asinh": _Facts(_orders(_asinh), ((), (0.0,), (_R[0], -_R[0]), (0.0, _R[1], -_R[1]))),
    "atan": _Facts(_orders(_atan), ((), (0.0,), (_R[3], -_R[3]), (0.0, 1.0, -1.0))),
    "log": _Facts(
        (torch.log, torch.reciprocal, _power(-1.0, -2.0), _power(2.0, -3.0)), whole_axis=False
    ),
    "sqrt": _Facts(
        (torch.sqrt, _power(0.5, -0.5), _power(-0.25, -1.5), _power(0.375, -2.5)), whole_axis=False
    ),
    "sigmoid": _Facts(
        _orders(lambda order: lambda x: _logistic(x)[order]),
        ((), (0.0,), (2 * _A, -2 * _A), (0.0, 2 * _B, -2 * _B)),
    ),
    "softplus": _Facts(
        (_softplus, *_orders(lambda order: lambda x: _logistic(x)[order])[:3]),
        ((), (), (0.0,), (2 * _A, -2 * _A)),
    ),
    "silu": _Facts(
        _orders(_silu),
        (
            (-1.2784645427610738,),
            (_S[0], -_S[0]),
            (0.0, _S[1], -_S[1]),
            (_S[2], -_S[2], _S[3], -_S[3]),
        ),
        forms_products=True,
    ),
    "erf": _Facts(_orders(_gauss), ((), (0.0,), (_R[0], -_R[0]), (0.0, _R[1], -_R[1]))),
    "gelu": _Facts(
        _orders(_normal),
        (
            (-0.751791524693564457,),
            (_R[2], -_R[2]),
            (0.0, 2.0, -2.0),
            (_G[0], -_G[0], _G[1], -_G[1]),
        ),
        forms_products=True,
    ),
}


def _facts(record: HolomorphicFunction) -> _Facts | None:
    """Of a record of the catalogue or of its families; None where nothing is known."""
    if CATALOGUE.get(record.name) is record and record.name in _FACTS:
        return _FACTS[record.name]
    if not record.real_on_real:
        return None
    value = record.value
    if isinstance(value, Monomial):
        return _polynomial((0.0,) * value.power + (float(value.factor),))
    if isinstance(value, Horner):
        return _polynomial(tuple(complex(c).real for c in value.coefficients))
    if value is torch.reciprocal:
        return _moebius(0.0, 1.0, 1.0, 0.0)
    if isinstance(value, Moebius) and all(complex(e).imag == 0 for e in value.entries):
        return _moebius(*(complex(e).real for e in value.entries))
    if isinstance(value, Blaschke) and len(value.zeros) == 1:
        (a,), turn = value.zeros, value.turn.real
        return _moebius(turn, -turn * a.real, -a.real, 1.0)
    return None


def _polynomial(coefficients: tuple[float, ...]) -> _Facts:
    """Zeros of derivatives by numpy, in double precision, with a step of Newton's method."""
    p = np.polynomial.Polynomial(coefficients)
    derived = [p.deriv(k) if k else p for k in range(6)]
    turns = []
    for k in range(4):
        slope, bend = derived[k + 1], derived[k + 2]
        roots = [float(r.real) for r in slope.roots()] if slope.degree() > 0 else []
        better = [r - slope(r) / bend(r) for r in roots if bend(r) != 0]
        turns.append(tuple(float(r) for r in (*roots, *better) if math.isfinite(r)))

    def derivative(order: int) -> Real:
        return Horner(tuple(float(c) for c in derived[order].coef))

    def scale(order: int, x: Tensor) -> Tensor:
        moduli = Horner(tuple(abs(float(c)) for c in derived[order].coef))
        return len(coefficients) * moduli(x.abs())

    facts = _Facts(_orders(derivative), tuple(turns))
    # one product or power is as accurate as any function
    return facts if sum(map(bool, coefficients)) == 1 else replace(facts, scale=scale)


def _moebius(a: float, b: float, c: float, d: float) -> _Facts:
    """Monotone on each side of the pole, and so are its derivatives."""
    determinant = a * d - b * c

    def derivative(order: int) -> Real:
        if order == 0:
            return lambda x: (a * x + b) / (c * x + d)
        factor = determinant * math.factorial(order) * (-c) ** (order - 1)
        return lambda x: factor / (c * x + d) ** (order + 1)

    def scale(order: int, x: Tensor) -> Tensor:
        bottom = (c * x + d).abs()
        condition = (order + 1) * (abs(c) * x.abs() + abs(d)) / bottom
        value = derivative(order)(x).abs()
        top = (abs(a) * x.abs() + abs(b)) / bottom if order == 0 else value
        cancellation = (abs(a * d) + abs(b * c)) / abs(determinant)
        return (top + value) * (1 + condition) * (1.0 if order == 0 else cancellation)

    return _Facts(_orders(derivative), scale=scale, whole_axis=c == 0)
