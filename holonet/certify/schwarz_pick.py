"""The lemma of Schwarz and Pick: holomorphic maps of discs do not increase hyperbolic distances.

So where layers map the unit polydisc into discs by construction, however many they are, each value
stays in a disc about that at the center of the set, in closed form.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float64
from torch import Tensor

from holonet._types import Labels
from holonet.certify.affine import Affine
from holonet.certify.enclosure import EXACT, Enclosure, Polydisc, Semantics, moduli
from holonet.certify.methods import CHECKED, Bounds, Method
from holonet.certify.network import Network
from holonet.certify.pointwise import Pointwise
from holonet.certify.rows import Rows
from holonet.certify.step import Note, Reshape, Step, Trace
from holonet.errors import InputTypeError
from holonet.functions import largest_about_zero
from holonet.functions.rounding import margin

__all__ = ["SCHWARZ_PICK", "SchwarzPick"]

Radii = Float64[Tensor, "batch *event"]


@dataclass(frozen=True, eq=False)
class _Discs(Polydisc):
    """A radius for each entry, in units of the length."""

    radii: Radii

    def summand(self, moduli: Float64[Tensor, "*forms"]) -> Float64[Tensor, "*forms"]:
        """The moduli times the radii."""
        return moduli * self.radii.unsqueeze(1)


@dataclass(frozen=True)
class SchwarzPick(Method):
    """The best of all places in the network where the set lies in the unit polydisc.

    The pseudo-hyperbolic distance is |z - c| / |1 - conj(c) z|, of vectors the largest of all
    entries.
    """

    norms: ClassVar[tuple[str, ...]] = ("Linf", "L2", "polydisc", "complex_ball")

    def margins(
        self, network: Network, enclosure: Enclosure, y: Labels, semantics: Semantics
    ) -> Bounds:
        """Forms in front of the affine layers at the end, on one disc for each entry there."""
        if semantics.dtype is not None:
            raise InputTypeError(
                f"{self.name} bounds exact arithmetic alone, not '{semantics}': certify with "
                "Semantics(), on the command line with --semantics exact"
            )
        steps, tail = network.steps, network.tail
        logits, trace = self.enclose(network, enclosure, y, semantics)
        point = Enclosure(enclosure.center, torch.zeros_like(enclosure.radius))
        last, center = network.enclose(point, semantics)
        rows = Rows.differences(y, logits.center.shape[2], len(y))
        rows = network.pulled(rows, len(steps), tail, trace)
        values = center.inputs[steps[tail]] if tail < len(steps) else last
        best, reach = torch.full_like(rows.constant, -math.inf), 1.0
        for start in range(tail):
            reach = _reach(steps[start:tail], trace)
            if math.isfinite(reach):
                sets = (side.inputs[steps[start]] for side in (trace, center))
                discs = _discs(values, reach, _distance(*sets))
                best = torch.maximum(best, rows.lower(discs))
        if not math.isfinite(reach):  # of the last step by itself
            raise InputTypeError(
                f"{steps[tail - 1].name} is not known to map the unit disc into a disc: "
                f"{self.name} is for Blaschke products and polynomials between affine layers"
            )
        notes = [
            Note(int(i), "at no layer the numbers that may reach it are inside of the unit disc")
            for i in best.isneginf().all(1).nonzero()
        ]
        return best, trace.notes + notes, [{}] * len(y)


def _reach(steps: Sequence[Step], trace: Trace) -> float:
    """The largest modulus of a value of the steps on the unit polydisc, or more."""
    reach = 1.0
    for step in steps:
        if isinstance(step, Pointwise):
            reach = largest_about_zero(step.record, reach)
        elif isinstance(step, Affine):
            zero = torch.zeros(2, 1, *trace.inputs[step].center.shape[2:], dtype=torch.float64)
            ball = Polydisc(zero, torch.full((1,), reach, dtype=torch.float64))
            image = step.image(Enclosure(zero, zero + reach, ball), Trace(EXACT))
            sizes = moduli(image.center) + image.radius.amax(0)
            reach = float((sizes + margin(sizes)).max())
        elif not isinstance(step, Reshape):
            return math.inf
    return reach


def _away(middle: Tensor, radius: Tensor, center: Tensor) -> Radii:
    """The largest pseudo-hyperbolic distance of a disc from a point; NaN or infinite if unknown."""
    size, away = moduli(center), moduli(middle - center) + radius
    away = away + margin(away + size)
    room = 1 - size * size - size * away - margin(torch.ones_like(size))
    distance = away / room
    return torch.where(room > 0, distance + margin(distance), math.inf)


def _distance(reached: Enclosure, center: Enclosure) -> Float64[Tensor, "batch"]:
    """Of all points of a set from the value at its center, which is known to within a radius."""
    distance = _away(reached.center, moduli(reached.radius), center.center)
    if isinstance(ball := reached.ball, Polydisc):
        length = ball.length.view(-1, *[1] * (distance.ndim - 1))
        distance = torch.minimum(distance, _away(ball.middle, length, center.center))
    distance = distance + _away(center.center, moduli(center.radius), center.center)
    return distance.flatten(1).amax(1)


def _discs(values: Enclosure, reach: float, distance: Float64[Tensor, "batch"]) -> Enclosure:
    """Where values are that are no further from those at the center, on discs of radius reach."""
    scaled = values.center / reach
    size = moduli(scaled)
    own = _away(scaled, moduli(values.radius) / reach, scaled)
    r = distance.view(-1, *[1] * (own.ndim - 1)) + own
    room = 1 - (r * size).square()
    middle = values.center * ((1 - r.square()) / room)
    radius = reach * r * (1 - size.square()) / room
    radius = torch.where(r < 1, radius + margin(3 * reach / room), math.inf)
    discs = _Discs(middle, torch.ones_like(distance), radius)
    return Enclosure(middle, radius.expand(middle.shape), discs)


SCHWARZ_PICK = SchwarzPick(
    "schwarz_pick",
    "holomorphic maps of the unit polydisc into a disc do not increase the pseudo-hyperbolic "
    "distance (Schwarz and Pick; Kobayashi 1970, Hyperbolic Manifolds and Holomorphic Mappings)",
    (
        *CHECKED,
        "from some layer on the set is in the unit polydisc, and the layers map this into a disc: "
        "affine ones by sums of moduli, polynomials by those of their coefficients, Blaschke "
        "products by construction",
    ),
)
