"""Readouts that are increasing functions of the modulus, on enclosures."""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from holonet.certify.enclosure import Enclosure, moduli
from holonet.certify.rows import Rows
from holonet.certify.step import Note, Step, Trace
from holonet.functions.rounding import margin
from holonet.nn import LogModulus, Modulus

__all__ = ["Radial", "log_modulus", "modulus"]

Moduli = Float64[Tensor, "batch *event"]

_ROUNDOFFS = 16
"""Of an executed value, in units of 1 and itself; tests hold torch to half of them."""


@dataclass(frozen=True)
class Profile:
    """An increasing function g of m >= 0, and what is known of g(|z|).

    Args:
        value, slope: g and its derivative.
        bend: a bound of second derivatives in all directions, where |z| is at least a number.
        is_convex: it lies above its tangents.
    """

    value: Callable[[Moduli], Moduli]
    slope: Callable[[Moduli], Moduli]
    bend: Callable[[Moduli], Moduli]
    is_convex: bool


class Radial(Step):
    """g(|z|) of real or complex numbers: the modulus, or its logarithm."""

    is_affine = False

    def __init__(self, name: str, profile: Profile) -> None:
        super().__init__(name)
        self.profile = profile

    def image(self, enclosure: Enclosure, trace: Trace) -> Enclosure:
        """Between the values at the least and the largest modulus."""
        low, high = self._ends(trace.flushed(enclosure))
        image = Enclosure.between(low[None], high[None])
        image = image.widened(self._executed(image.size, trace))
        lost = image.radius.isinf() & enclosure.radius.isfinite().all(0)
        for example in lost.flatten(2).any(2).any(0).nonzero():
            text = f"{self.name}: the numbers that may reach it come within 0 of a singularity"
            trace.notes.append(Note(int(example), text))
        return image

    def pull(self, rows: Rows, trace: Trace) -> Rows:
        """By the tangent at the center, or a constant where that is nearer there.

        The values are within B r^2 / 2 of the tangent, for the radius r of a disc about the center
        and the bound B of second derivatives on it.
        """
        image, enclosure = trace.images[self], trace.flushed(trace.inputs[self])
        center, size = enclosure.center, moduli(enclosure.center)
        reach = moduli(enclosure.radius)
        reach = reach + margin(reach)
        nearest = (size - reach - margin(size)).clamp(min=0)
        rest = self.profile.bend(nearest) * reach.square() * (0.5 + 1e-9)
        value, slope = self.profile.value(size), self.profile.slope(size)
        rounding = margin(1 + value.abs() + slope * (size + reach))
        floor, ceiling = self._ends(enclosure)
        below = value - rounding - (0.0 if self.profile.is_convex else rest)
        above = value + rounding + rest
        # comparisons with NaN, at a center of 0, are false
        rises, falls = (below > floor).unsqueeze(1), (above < ceiling).unsqueeze(1)
        low = torch.where(rises, below.unsqueeze(1), floor.unsqueeze(1))
        high = torch.where(falls, above.unsqueeze(1), ceiling.unsqueeze(1))

        v = rows.value
        gradient = (slope * center / size).unsqueeze(2)
        tangent = torch.where(v > 0, rises, falls) & (v != 0)
        along = torch.where(tangent, v * gradient, 0.0)
        ends = torch.where(v == 0, 0.0, v * torch.where(v > 0, low, high))
        offset = torch.cat([ends, -along * center.unsqueeze(2)])
        # what may be infinite below has a largest value all the same
        unsure = torch.where(rows.error == 0, 0.0, rows.error * image.size.unsqueeze(2))
        end = torch.where(v > 0, low.abs(), high.abs()) + (slope * reach).unsqueeze(1) * tangent
        unsure = unsure + torch.where(v == 0, 0.0, v.abs() * self._executed(end, trace))
        return rows.replaced(along, offset, unsure)

    def _ends(self, enclosure: Enclosure) -> tuple[Moduli, Moduli]:
        """The least and the largest value on the rectangle, or beyond."""
        low, high = enclosure.low, enclosure.high
        least = torch.where((low < 0) & (high > 0), 0.0, torch.minimum(low.abs(), high.abs()))
        least, most = moduli(least), moduli(enclosure.size)
        ends = (least - margin(least)).clamp(min=0), most + margin(most)
        floor, ceiling = (self.profile.value(end) for end in ends)
        return floor - margin(1 + floor.abs()), ceiling + margin(1 + ceiling.abs())

    def _executed(self, size: Tensor, trace: Trace) -> Tensor:
        """How far an executed value may be from the exact one of that modulus."""
        semantics = trace.semantics
        if semantics.dtype is None:
            return torch.zeros_like(size)
        return _ROUNDOFFS * semantics.unit * (1 + size) + 4 * semantics.tiny


def modulus(name: str, layer: Modulus) -> Radial:
    """The step of |z|, whose second derivatives are 0 and 1 / |z|."""
    del layer
    profile = Profile(lambda m: m, torch.ones_like, torch.reciprocal, is_convex=True)
    return Radial(name, profile)


def log_modulus(name: str, layer: LogModulus) -> Radial:
    """The step of log(|z|^2 + e^2) / 2: its second derivatives are below 1 / (|z|^2 + e^2)."""
    size = functools.partial(torch.hypot, other=torch.tensor(layer.eps, dtype=torch.float64))
    profile = Profile(
        value=lambda m: size(m).log(),
        slope=lambda m: m / size(m) / size(m),
        bend=lambda m: size(m).square().reciprocal(),
        is_convex=False,
    )
    return Radial(name, profile)
