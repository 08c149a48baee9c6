"""Entrywise layers on enclosures: records, the threshold, and ReLU."""

import torch
from jaxtyping import Bool
from torch import Tensor

from holonet.certify.enclosure import Enclosure
from holonet.certify.lines import Lines, lines
from holonet.certify.rows import Rows
from holonet.certify.step import Note, Step, Trace, stored
from holonet.errors import InputTypeError
from holonet.functions import (
    HolomorphicFunction,
    disc_bounds,
    get_function,
    range_on,
    rounding_bound,
)
from holonet.functions.rounding import UNIT, margin
from holonet.nn import Activation, Threshold

__all__ = ["Pointwise", "Relu", "ThresholdStep"]


class Pointwise(Step):
    """The record's function of every entry."""

    is_affine = False

    def __init__(self, name: str, layer: Activation) -> None:
        super().__init__(name)
        self.record = layer.function
        self.is_monotone = self.record.monotone

    def image(self, enclosure: Enclosure, trace: Trace) -> Enclosure:
        """The exact range of real numbers, and of squares; else of discs."""
        enclosure = trace.flushed(enclosure)
        if not self.record.real_on_real:
            enclosure = enclosure.as_complex()
        if enclosure.is_complex:
            image = self._complex_image(enclosure, trace)
        else:
            low, high = enclosure.low, enclosure.high
            image = Enclosure.between(*range_on(self.record, low, high))
            if trace.semantics.dtype is not None:
                units = rounding_bound(self.record, low, high) * trace.semantics.unit
                image = image.widened(units + _underflow(trace, enclosure.size))
        self._note(enclosure, image, trace)
        return image

    def pull(self, rows: Rows, trace: Trace) -> Rows:
        """By lines below and above the function, chosen by the sign of the coefficient."""
        enclosure = trace.flushed(trace.inputs[self])
        if enclosure.is_complex or not self.record.real_on_real:
            return self._pulled_complex(rows, enclosure, trace)
        found, executed = lines(self.record, enclosure), 0.0
        if trace.semantics.dtype is not None:
            executed = rounding_bound(self.record, enclosure.low, enclosure.high)
            steepest = torch.maximum(found.below.abs(), found.above.abs())
            lost = _underflow(trace, enclosure.size + steepest)
            executed = executed * trace.semantics.unit + lost
        return _pulled(rows, found, trace.images[self], executed)

    def _pulled_complex(self, rows: Rows, enclosure: Enclosure, trace: Trace) -> Rows:
        """Through f(c) + f'(c) (z - c) on the rectangle; the rest by |f''|, for squares exactly."""
        count, whole, image = len(enclosure.center), enclosure.as_complex(), trace.images[self]
        cu, cv = whole.center.unsqueeze(2)
        ru, rv = whole.radius.unsqueeze(2)
        center, reach = torch.complex(*whole.center), torch.hypot(*whole.radius)
        reach = reach + margin(reach)
        bounds = disc_bounds(self.record, center, reach)
        value = self.record.value(center).unsqueeze(1)
        slope = self.record.derivative(center).expand(center.shape).unsqueeze(1)
        a, b = slope.real, slope.imag
        u, v = rows.value
        along = torch.stack([u * a + v * b, v * a - u * b])
        offset = torch.stack([u * value.real - along[0] * cu, v * value.imag - along[1] * cv])
        size = center.abs() + reach
        rounding = margin(bounds[0] + size * bounds[1])
        if trace.semantics.dtype is not None:
            rounding = rounding + 16 * trace.semantics.unit * (bounds[0] + size * bounds[1])
            rounding = rounding + _underflow(trace, size + bounds[1])
        moduli = torch.hypot(u, v) * (1 + 1e-12)
        if self.record is get_function("square"):
            rest = u.clamp(max=0).abs() * ru**2 + u.clamp(min=0) * rv**2 + 2 * v.abs() * ru * rv
        else:
            rest = moduli * (bounds[2] * reach * reach / 2).unsqueeze(1)
        unsure = rest + moduli * (4 * rounding).unsqueeze(1)
        unsure = torch.stack(
            [unsure, torch.zeros_like(unsure)]
        ) + rows.error * image.size.unsqueeze(2)
        return rows.replaced(along[:count], offset, unsure)

    def _complex_image(self, enclosure: Enclosure, trace: Trace) -> Enclosure:
        center = torch.complex(*enclosure.center)
        radius = torch.hypot(*enclosure.radius)
        radius = radius + margin(radius)
        bounds = disc_bounds(self.record, center, radius)
        value = self.record.value(center)
        slope = self.record.derivative(center).abs().expand(value.shape)
        size = center.abs() + radius
        rounding = margin(bounds[0] + size * bounds[1])
        if trace.semantics.dtype is not None:
            rounding = rounding + 16 * trace.semantics.unit * (bounds[0] + size * bounds[1])
            rounding = rounding + _underflow(trace, size + bounds[1])
        if self.record is get_function("square"):
            return _squares(enclosure).widened(rounding.expand(enclosure.center.shape))
        reach = slope * radius + radius * radius * bounds[2] / 2
        both = torch.stack([value.real, value.imag])
        return Enclosure(both, (reach + margin(reach)).expand(both.shape)).widened(
            rounding.expand(both.shape)
        )

    def _note(self, enclosure: Enclosure, image: Enclosure, trace: Trace) -> None:
        lost = image.radius.isinf() & enclosure.radius.isfinite().all(0)
        if not bool(lost.any()):
            return
        examples = lost.any(0).flatten(1).any(1)
        formula, known = self.record.formula, _has_bounds(self.record)
        if not (known and self.record.obstacles):
            text = (
                f"{self.name}: the numbers that may reach {formula} are too large for a bound"
                if known
                else f"{self.name}: nothing is known of the values of {formula}"
            )
            trace.notes += [Note(int(i), text) for i in examples.nonzero()]
            return
        whole = enclosure.as_complex()
        clearance = self.record.clearance(torch.complex(*whole.center))
        distance = (clearance - torch.hypot(*whole.radius)).flatten(1).amin(1).clamp(min=0)
        trace.notes += [
            Note(
                int(i),
                f"{self.name}: the numbers that may reach {formula} come within "
                f"{distance[i].item():.3g} of a singularity or cut",
            )
            for i in examples.nonzero()
        ]


class ThresholdStep(Step):
    """(1 + erf(a (x - b))) / 2: the image of a box is the box of the images of its ends."""

    is_affine = False
    is_monotone = True

    def __init__(self, name: str, layer: Threshold) -> None:
        super().__init__(name)
        (self.log_slope,) = stored(name, layer.log_slope)
        self.slope = self.log_slope.exp()
        self.middle = stored(name, layer.center)[0]

    def image(self, enclosure: Enclosure, trace: Trace) -> Enclosure:
        """The values at the ends; the argument, erf and the sum are within 32 roundoffs."""
        _require_real(enclosure, self.name)
        shape = (-1,) + (1,) * max(enclosure.center.ndim - 3, 0) if self.slope.ndim else ()
        slope, middle = self.slope.view(shape), self.middle.view(shape)
        ends = [
            torch.special.erfc(-slope * (x - middle)) / 2 for x in (enclosure.low, enclosure.high)
        ]
        image = Enclosure.between(*ends)
        return image.widened(32 * (UNIT + trace.semantics.unit) + trace.semantics.tiny)

    def pull(self, rows: Rows, trace: Trace) -> Rows:
        """The least value on the image: behind a threshold the box is exact."""
        image = trace.images[self]
        offset = rows.value * image.center.unsqueeze(2)
        unsure = rows.value.abs() * image.radius.unsqueeze(2) + rows.error * image.size.unsqueeze(2)
        return rows.replaced(torch.zeros_like(rows.value), offset, unsure)


class Relu(Step):
    """max(x, 0), exact in every dtype but for what is flushed to 0."""

    is_affine = False
    is_monotone = True

    def bent(self, enclosure: Enclosure) -> Bool[Tensor, "entries"]:
        """Those with 0 inside."""
        return ((enclosure.low < 0) & (enclosure.high > 0)).any(1).flatten()

    def image(self, enclosure: Enclosure, trace: Trace) -> Enclosure:
        """The values at the ends."""
        _require_real(enclosure, self.name)
        image = Enclosure.between(enclosure.low.clamp(min=0), enclosure.high.clamp(min=0))
        return trace.flushed(image)

    def pull(self, rows: Rows, trace: Trace) -> Rows:
        """The chord above; below, 0 or the identity, whichever leaves less area."""
        enclosure = trace.inputs[self]
        low, high = enclosure.low, enclosure.high
        live, dead = low >= 0, high <= 0
        chord = high / torch.where(live | dead, 1.0, high - low)
        above = torch.where(live, 1.0, torch.where(dead, 0.0, chord))
        rise = torch.where(live | dead, 0.0, -chord * low)
        below = (live | (~dead & (high > -low))).double()
        rise = rise + margin(rise + low.abs() + high.abs())
        found = Lines(below, torch.zeros_like(low), above, rise)
        flushed = 0.0 if trace.semantics.dtype is None else trace.semantics.tiny
        return _pulled(rows, found, trace.images[self], flushed)


def _require_real(enclosure: Enclosure, name: str) -> None:
    if enclosure.is_complex:
        raise InputTypeError(
            f"{name} is reached by complex numbers, where certificates do not know it: put it in "
            "front of the first complex layer"
        )


def _has_bounds(record: HolomorphicFunction) -> bool:
    """Whether something is known of its values, at least near its base point."""
    center = torch.tensor([record.base_point], dtype=torch.complex128)
    return bool(disc_bounds(record, center, torch.zeros(1, dtype=torch.float64))[0].isfinite())


def _underflow(trace: Trace, size: Tensor) -> Tensor:
    """What execution loses: of the value, of its argument times the slope, or of a factor."""
    return 4 * trace.semantics.tiny * (1 + size)


def _squares(enclosure: Enclosure) -> Enclosure:
    """u^2 - v^2 and 2 u v on a rectangle, exactly but for rounding."""
    low, high = enclosure.low, enclosure.high
    least = torch.where((low <= 0) & (high >= 0), 0.0, torch.minimum(low.abs(), high.abs())) ** 2
    largest = torch.maximum(low.abs(), high.abs()) ** 2
    corners = torch.stack([2 * u * v for u in (low[0], high[0]) for v in (low[1], high[1])])
    below = torch.stack([least[0] - largest[1], corners.amin(0)])
    above = torch.stack([largest[0] - least[1], corners.amax(0)])
    rounding = margin(largest[0] + largest[1])
    return Enclosure.between(below - rounding, above + rounding)


def _pulled(rows: Rows, found: Lines, image: Enclosure, executed: Tensor | float) -> Rows:
    """The form through lines; the errors of coefficients and of execution are paid on the image."""
    below, floor, above, ceiling = (
        side.unsqueeze(2) for side in (found.below, found.floor, found.above, found.ceiling)
    )
    up, moduli = rows.value > 0, rows.value.abs()
    value = rows.value * torch.where(up, below, above)
    offset = torch.where(rows.value == 0, 0.0, rows.value * torch.where(up, floor, ceiling))
    unsure = rows.error * image.size.unsqueeze(2)
    executed = executed.unsqueeze(2) if isinstance(executed, Tensor) else executed
    unsure = unsure + moduli * executed
    return rows.replaced(value, offset, unsure)
