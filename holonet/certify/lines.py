"""Lines below and above a real function on intervals.

Three lines are tried for each entry, and the one nearest at the center is taken: the tangent at
the center, the chord, and the horizontal line. With the range [m, M] of f'' on the interval, f lies
above the tangent by between min(m, 0) r^2 / 2 and max(M, 0) r^2 / 2, and below the chord likewise.
So a convex function has a tangent below and a chord above. A function that is convex to the left of
0 and concave to the right has tangents from its ends too.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from holonet.certify.enclosure import Enclosure
from holonet.functions import CATALOGUE, HolomorphicFunction, range_on
from holonet.functions.rounding import margin

__all__ = ["Lines", "lines"]

Sides = Float64[Tensor, "parts batch *event"]

_S_SHAPED = tuple(CATALOGUE[name] for name in ("tanh", "sigmoid", "erf", "atan", "asinh"))
_HALVINGS = 12


@dataclass(frozen=True)
class Lines:
    """below x + floor <= f(x) <= above x + ceiling on each interval."""

    below: Sides
    floor: Sides
    above: Sides
    ceiling: Sides


def lines(record: HolomorphicFunction, enclosure: Enclosure) -> Lines:
    """For a record that is real on the real axis.

    Example:
        >>> box = Enclosure(torch.zeros(1, 1, 1).double(), torch.ones(1, 1, 1).double())
        >>> found = lines(CATALOGUE["square"], box)
        >>> round(found.floor.item(), 9) + 0.0, round(found.ceiling.item(), 9)
        (0.0, 1.0)
    """
    low, high, center = enclosure.low, enclosure.high, enclosure.center
    square = enclosure.radius * enclosure.radius * (0.5 + 1e-12) + 1e-300
    bend, most = range_on(record, low, high, 2)
    dip, bulge = (-bend).clamp(min=0) * square, most.clamp(min=0) * square

    slope, base, error = _tangent(record, center, enclosure)
    tangent = slope, base - dip - error, base + bulge + error
    slope, base, error = _chord(record, low, high)
    chord = slope, base - bulge - error, base + dip + error
    candidates = [tangent, chord, (torch.zeros_like(center), *range_on(record, low, high))]
    if record in _S_SHAPED:
        candidates += _from_ends(record, enclosure, chord[0], base, error)
    below, floor = _best([(s, bottom) for s, bottom, _ in candidates], center, -1)
    above, ceiling = _best([(s, top) for s, _, top in candidates], center, 1)
    return Lines(below, floor, above, ceiling)


def _best(candidates: list[tuple[Tensor, Tensor]], at: Tensor, sign: int) -> tuple[Tensor, Tensor]:
    """The line of the least sign * value at a point; one that is not finite is never taken."""
    slope, offset = candidates[-1]
    best = torch.full_like(at, math.inf)
    for s, t in candidates:
        value = torch.where(s.isfinite() & t.isfinite(), sign * (s * at + t), math.inf)
        better = value < best
        slope, offset = torch.where(better, s, slope), torch.where(better, t, offset)
        best = torch.where(better, value, best)
    return slope, torch.where(best.isinf(), sign * math.inf, offset)


def _point(record: HolomorphicFunction, x: Tensor, order: int) -> tuple[Tensor, Tensor]:
    """A derivative at a point, and its error."""
    least, largest = range_on(record, x, x, order)
    value = least / 2 + largest / 2
    return value, largest - value + margin(value)


def _tangent(
    record: HolomorphicFunction, at: Tensor, enclosure: Enclosure
) -> tuple[Tensor, Tensor, Tensor]:
    """Slope and offset of the tangent at a point of the interval, and their error on it."""
    (value, error), (slope, tilt) = _point(record, at, 0), _point(record, at, 1)
    offset = value - slope * at
    error = error + tilt * 2 * enclosure.radius + margin(value.abs() + slope.abs() * enclosure.size)
    return slope, offset, error


def _chord(record: HolomorphicFunction, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Slope and offset of the line through the ends, and their error on the interval."""
    (start, first), (end, second) = _point(record, low, 0), _point(record, high, 0)
    slope = (end - start) / (high - low)
    size = slope.abs() * torch.maximum(low.abs(), high.abs())
    error = 2 * (first + second) + margin(start.abs() + end.abs() + size)
    return slope, start - slope * low, error


def _from_ends(
    record: HolomorphicFunction, enclosure: Enclosure, chord: Tensor, base: Tensor, error: Tensor
) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Lines of an S-shaped function on intervals about 0, which are above or below it alone.

    A tangent at d >= 0 lies above the concave side, and above the convex one where it does so at
    its end. The chord lies above where it is flatter than the function is at the upper end.
    """
    low, high = enclosure.low, enclosure.high
    both = (low < 0) & (high > 0)
    infinite = torch.full_like(low, math.inf)
    found = []
    for end, other, sign in ((low, high, 1), (high, low, -1)):
        at_end, slack = _point(record, end, 0)
        near, far = torch.zeros_like(other), other
        for _ in range(_HALVINGS):
            middle = (near + far) / 2
            slope, offset, _ = _tangent(record, middle, enclosure)
            holds = sign * (slope * end + offset - at_end) > 0
            near, far = torch.where(holds, near, middle), torch.where(holds, middle, far)
        slope, offset, wrong = _tangent(record, far, enclosure)
        room = sign * (slope * end + offset - at_end) + wrong
        valid = both & (room >= slack + margin(slope.abs() * end.abs() + offset.abs()))
        found.append(_one_sided(slope, offset, wrong, valid, sign, infinite))
        steepness, tilt = _point(record, other, 1)
        valid = both & (chord <= steepness - tilt - margin(chord))
        found.append(_one_sided(chord, base, error, valid, sign, infinite))
    return found


def _one_sided(
    slope: Tensor, offset: Tensor, error: Tensor, valid: Tensor, sign: int, infinite: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    line = torch.where(valid, offset + sign * error, sign * infinite)
    return (slope, -infinite, line) if sign > 0 else (slope, line, infinite)
