"""Three witnesses of holomorphy: derivatives, contours, and whether the two agree.

Each alone has false negatives. A pointwise d/dzbar passes what is holomorphic piece by piece, a
circle about a center of symmetry passes what is symmetric, and autograd takes a wrong backward rule
for the derivative.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Complex, Shaped
from torch import Tensor

from holonet._arguments import checked
from holonet._types import (
    ComplexPoints,
    ComplexTensor,
    Entries,
    Mask,
    Numbers,
    Scalar,
    TensorFunction,
)
from holonet.calculus.checks import require_complex, values_at
from holonet.calculus.examples import lengths, nonzero, per_example
from holonet.calculus.hardy import ROUNDING, BatchModes, CircleModes, line_modes
from holonet.calculus.wirtinger import directional_derivative, gradient
from holonet.errors import InputTypeError

__all__ = [
    "CIRCLE_CENTER",
    "CIRCLE_REACH",
    "CRITICAL",
    "Witnesses",
    "cauchy_derivative",
    "holomorphy_witnesses",
    "tangents",
]

ComplexValues = Complex[Tensor, "batch *out"]

CIRCLE_CENTER = 0.4 + 0.3j
"""Center of the circles about a point, in units of their radius: off the point."""

CIRCLE_REACH = 1.0 + abs(CIRCLE_CENTER)
"""How far from the point the circles go, in units of their radius."""

SHRINKINGS = 6  # of a radius that 1024 samples do not resolve
CRITICAL = 1e-2  # a derivative that small, against the variation on the circle, may be rounding
DIFFERENCE_NOISE = 1e-5  # relative error that central differences are allowed


@dataclass(frozen=True)
class Witnesses:
    """What three witnesses say of f near each of some points; 0 is what holomorphic f gives.

    Args:
        dbar: |df/dzbar conj(v)| / (|df/dz v| + |df/dzbar conj(v)|), (batch,), in a random
            direction v; up to 1. At critical points the variation on the circle is the unit.
        negative_modes: amplitude fraction of the negative Fourier modes on an off-center circle
            in the complex line along v, (batch,).
        derivative: disagreement of the derivatives by forward and by reverse mode with Cauchy's
            integral over the circle, (batch,), relative to the largest of them or to the
            variation on the circle. Zero where the circle is not resolved, or f has no
            derivative by either mode.
        forward_mode: whether f could be differentiated by forward mode. If not, `dbar` is from
            central differences, good to 5 digits, and `error` ignores it below that.
        decided: lines whose circle was resolved, or shows negative modes all the same, (batch,).
        modes: on the circles.
    """

    dbar: Numbers
    negative_modes: Numbers
    derivative: Numbers
    forward_mode: bool
    decided: Mask
    modes: CircleModes

    @property
    def tolerance(self) -> float:
        """What rounding may leave of `error`."""
        return ROUNDING * torch.finfo(self.dbar.dtype).eps

    @property
    def error(self) -> Numbers:
        """The largest of the three at each point, (batch,); NaN where undecided or not finite."""
        dbar = self.dbar
        if not self.forward_mode:
            dbar = torch.where(dbar < DIFFERENCE_NOISE, 0, dbar)
        error = torch.stack([dbar, self.negative_modes, self.derivative]).amax(0)
        return torch.where(self.decided, error, math.nan)


@checked
def holomorphy_witnesses(
    f: TensorFunction,
    z: Shaped[Tensor, "batch *event"],
    v: Entries,
    *,
    radius: Scalar | Numbers | float | int,
    samples: int = 64,
) -> Witnesses:
    """Ask all three about f, at every point z, along the complex line through it in direction v.

    A circle that 1024 samples do not resolve and that shows no negative mode is halved, up to six
    times.

    Args:
        f: takes a batch of complex points to complex values, each example on its own.
        z: (batch, *event), in double precision where small errors matter.
        v: directions, in the shape of z; random ones see whatever is antilinear.
        radius: of the circles, in units of v; one number or one for each point. The circles
            reach 1.5 radius v from the points; f should be holomorphic on the disc up to there.
        samples: points on each circle, at first.

    Law: all three are unchanged if f is multiplied by a constant, and 0 up to rounding for f
        holomorphic.

    Raises:
        InputTypeError: z is real, or f is real-valued.
        ConfigError: a radius that is not positive and finite, or below 8 samples.
        ShapeError: v has not the shape of z.

    Example:
        >>> z = torch.randn(4, 3, dtype=torch.complex128)
        >>> found = holomorphy_witnesses(torch.sin, z, torch.ones_like(z), radius=0.5)
        >>> bool((found.error < found.tolerance).all())
        True
    """
    require_complex(z, "holomorphy_witnesses")
    radius = torch.as_tensor(radius, dtype=z.dtype.to_real(), device=z.device).expand(len(z))
    with torch.no_grad():
        if not values_at(f, z, "holomorphy_witnesses").is_complex():
            raise InputTypeError(
                "holomorphy of a real-valued function was asked: it is constant if holomorphic. "
                "Check the map in front of the readout, HolomorphicClassifier.holomorphic_map, or "
                "ask whether it is harmonic"
            )
        modes, radius = _resolved_modes(f, z, v, radius, samples)
        along, across, forward = tangents(f, z, v)
    by_cauchy = cauchy_derivative(modes.coefficients, radius)
    unit = torch.nan_to_num(modes.scale / radius, nan=0.0)  # the points speak for themselves
    disagreement = _disagreement(f, z, v, along if forward else None, by_cauchy, unit)
    antilinear = lengths(along + 1j * across)
    total = torch.maximum(antilinear + lengths(along - 1j * across), CRITICAL * unit)
    return Witnesses(
        dbar=antilinear / nonzero(total),
        negative_modes=modes.negative,
        derivative=torch.where(modes.resolved, disagreement, 0),
        forward_mode=forward,
        decided=modes.resolved | ~(modes.negative == 0),
        modes=modes,
    )


def _resolved_modes(
    f: TensorFunction, z: ComplexPoints, v: ComplexTensor, radius: Numbers, samples: int
) -> tuple[CircleModes, Numbers]:
    """The modes on circles, those halved that could not be resolved and show nothing."""
    modes = line_modes(f, z, v, radius=radius, center=CIRCLE_CENTER, samples=samples)
    for _ in range(SHRINKINGS):
        undecided = ~modes.resolved & (modes.negative == 0)
        if not bool(undecided.any()):
            break
        radius = torch.where(undecided, radius / 2, radius)
        modes = line_modes(f, z, v, radius=radius, center=CIRCLE_CENTER, samples=samples)
    return modes, radius


def tangents(
    f: TensorFunction, z: ComplexPoints, v: ComplexPoints
) -> tuple[ComplexValues, ComplexValues, bool]:
    """Df[v], Df[iv], and whether they are by forward mode; by central differences otherwise."""
    try:
        return directional_derivative(f, z, v)[1], directional_derivative(f, z, 1j * v)[1], True
    except (InputTypeError, RuntimeError, NotImplementedError):
        # no jvp, nothing that autograd follows, or running statistics updated in place
        step = torch.finfo(z.dtype).eps ** (1 / 3) * (1 + float(lengths(z).max()))
        along, across = ((f(z + step * w) - f(z - step * w)) / (2 * step) for w in (v, 1j * v))
        return along, across, False


@checked
def cauchy_derivative(coefficients: BatchModes, radius: Numbers) -> ComplexValues:
    """d/dt f(z + tv) at t = 0 from the modes on the circle about `CIRCLE_CENTER`."""
    positive = coefficients[len(coefficients) // 2 :].movedim(0, -1)
    k = torch.arange(positive.shape[-1], device=positive.device)
    weight = k * torch.pow(torch.tensor(-CIRCLE_CENTER, dtype=positive.dtype), (k - 1).clamp(min=0))
    return (positive @ weight) / radius.view(-1, *[1] * (positive.ndim - 2))


def _disagreement(
    f: TensorFunction,
    z: ComplexPoints,
    v: ComplexPoints,
    along: ComplexTensor | None,
    by_cauchy: ComplexTensor,
    unit: Numbers,
) -> Numbers:
    """Of autograd's derivatives along v with Cauchy's, relative to the largest or to `unit`."""
    length = lengths(by_cauchy)
    size = torch.maximum(length, unit)
    worst = torch.zeros_like(size)
    if along is not None:
        size = torch.maximum(size, lengths(along))
        worst = lengths(along - by_cauchy)
    # J^H w along v must be w^H J v, with w in the direction where that is largest
    w = by_cauchy / per_example(nonzero(length), by_cauchy)
    try:
        pulled_back = gradient(f, z, w)
    except (RuntimeError, NotImplementedError):  # no backward for complex tensors
        return worst / nonzero(size)
    pulled = (pulled_back.conj() * v).unsqueeze(-1).flatten(1).sum(1)
    expected = (w.conj() * by_cauchy).unsqueeze(-1).flatten(1).sum(1)
    size = torch.maximum(size, pulled.abs())
    worst = torch.maximum(worst, (pulled - expected).abs())
    return worst / nonzero(size)
