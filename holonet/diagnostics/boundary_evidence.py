"""What two witnesses say of everything that crosses the boundaries of modules in a network.

The derivative d/dzbar, and Fourier modes on a circle for what jumps or has kinks between
holomorphic pieces.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from holonet._types import ComplexPoints, ComplexTensor
from holonet.calculus.circle import unit_circle
from holonet.calculus.examples import nonzero
from holonet.calculus.hardy import MOST_SAMPLES, ROUNDING, CircleModes, is_rough, modes_of_values
from holonet.calculus.witnesses import CIRCLE_CENTER, DIFFERENCE_NOISE, tangents
from holonet.diagnostics.boundaries import Recorder
from holonet.functions.modulus import modulus

__all__ = ["Evidence", "circle_evidence", "derivative_evidence"]

WIDTH = 512  # numbers that are kept of what crosses a boundary; of more, sums with random signs
CIRCLE_WIDTH = 16  # the same at each point of a circle
CIRCLE_EXAMPLES = 8  # that move on a circle
FEWEST_SAMPLES = 64
CHUNK = 32  # points of a circle that are passed at once
LARGEST_NOISE = 1e-8  # of rounding, in the highest modes; what is rough above it has jumps or kinks
STEEPEST = 1e3  # values on a circle against most of them; towers of exponentials are not resolved
HALVINGS = 12  # of a circle that leaves the domain of a layer

OfBoundaries = Float[Tensor, " boundaries"]
Flags = Bool[Tensor, " boundaries"]


@dataclass(frozen=True)
class Evidence:
    """What one witness says of every boundary.

    Args:
        defect: as `FirstViolation.defect`.
        share: of the energy, the antiholomorphic part.
        bad: where the defect is beyond rounding, or what crosses is behind such a boundary.
        tolerance: the defect that rounding may leave.
        witness: which one.
        looked: boundaries in front of that one were looked at.
    """

    defect: OfBoundaries
    share: OfBoundaries
    bad: Flags
    tolerance: float
    witness: Literal["derivative", "circle"]
    looked: int


def derivative_evidence(
    recorder: Recorder, z: ComplexPoints, v: ComplexPoints, radius: float
) -> Evidence:
    """d/dzbar along v at the points and beside them, where a symmetry of the first is broken."""

    def f(batches: Tensor) -> Tensor:
        return torch.stack([recorder(batch, WIDTH) for batch in batches.unbind(0)])

    energies = []
    forward, finite = True, torch.ones((), dtype=torch.bool, device=z.device)
    for at in (z, z + (1e-2 * radius * CIRCLE_CENTER) * v):
        along, across, by_forward_mode = tangents(f, at.unsqueeze(0), v.unsqueeze(0))
        parts = torch.stack([along + 1j * across, along - 1j * across]).squeeze(1)
        finite = finite & parts.isfinite().all(-1).all(0)
        parts = torch.where(parts.isfinite(), parts, 0)
        energies.append(parts.abs().square().sum(-1))
        forward &= by_forward_mode
    antilinear, linear = torch.stack(energies).sum(0)
    total = antilinear.sqrt() + linear.sqrt()
    rounding = ROUNDING * torch.finfo(total.dtype).eps
    tolerance = rounding if forward else DIFFERENCE_NOISE
    defect = torch.where(total > 0, antilinear.sqrt() / total, 0.0)
    share = torch.where(total > 0, antilinear / (antilinear + linear), 0.0)
    varies = (
        total > tolerance * total.cummax(0).values
    )  # a constant has the derivatives of rounding
    looked = int(finite.cummin(0).values.sum())
    bad = (defect > tolerance) & varies
    bad[looked:] = bool(bad[:looked].any())  # not known to be repaired
    return Evidence(defect, share, bad, tolerance, "derivative", looked)


def circle_evidence(
    recorder: Recorder, z: ComplexPoints, v: ComplexPoints, radius: float, before: int
) -> Evidence:
    """Negative modes in front of that boundary, on the largest circle that each layer admits.

    Modes that fall geometrically are those of a pole inside the circle, as d/dzbar is 0 there.
    """
    z, step = z[:CIRCLE_EXAMPLES], radius * v[:CIRCLE_EXAMPLES]
    defect = z.real.new_zeros(len(recorder.boundaries))
    bad = torch.zeros_like(defect, dtype=torch.bool)
    looked = 0
    for _ in range(HALVINGS):
        reach = min(before, recorder.reach(z, step))
        if reach > looked:
            modes = _modes(recorder, z, step, reach)
            shown = (modes.negative > 0) | (modes.aliasing > LARGEST_NOISE)
            rough = ~modes.resolved & shown & is_rough(modes.coefficients)
            new = slice(looked, len(rough))
            energy = torch.where(rough, _negative_energy(modes.coefficients), 0)
            defect[new], bad[new] = energy.sqrt()[new], rough[new]
            looked = max(looked, len(rough))
        if looked >= before or bool(bad.any()):
            break
        step = step / 2
    if bool(bad.any()):
        bad[looked:] = True  # not known to be repaired
    tolerance = ROUNDING * torch.finfo(defect.dtype).eps
    return Evidence(defect, defect.square(), bad, tolerance, "circle", looked)


def _modes(recorder: Recorder, z: ComplexPoints, step: ComplexPoints, before: int) -> CircleModes:
    """The modes at the boundaries in front of that one, up to infinite or steep values."""

    def at(turn: Tensor) -> Tensor:
        return recorder(z + (CIRCLE_CENTER + turn) * step, CIRCLE_WIDTH)[:before]

    def values(turns: Tensor) -> Tensor:
        try:
            return torch.vmap(at, randomness="same", chunk_size=CHUNK)(turns)
        except (RuntimeError, ValueError):  # running statistics, or a branch on values
            return torch.stack([at(turn) for turn in turns])

    samples = FEWEST_SAMPLES
    found = values(unit_circle(samples, 0.0, z))
    while True:
        size = modulus(found).amax(-1)
        steep = size.amax(0) > STEEPEST * nonzero(size.median(0).values)
        usable = size.isfinite().all(0) & ~steep
        modes = modes_of_values(found[:, : int(usable.cummin(0).values.sum())])
        if bool(modes.resolved.all()) or 2 * samples > MOST_SAMPLES:
            return modes
        between = values(unit_circle(2 * samples, 0.0, z)[1::2])
        found, samples = torch.stack([found, between], 1).flatten(0, 1), 2 * samples


def _negative_energy(coefficients: ComplexTensor) -> OfBoundaries:
    """The energy of the negative modes over that of all but the mean."""
    energy = modulus(coefficients).square().sum(-1)
    middle = len(energy) // 2
    varying = energy.sum(0) - energy[middle]
    return torch.where(varying > 0, energy[:middle].sum(0) / varying, 0.0)
