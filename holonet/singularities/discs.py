"""Discs on which functions of one variable are analytic, by Fourier modes on their circles.

On a circle a function that is analytic inside has no negative modes. A pole inside leaves some, and
so does a jump across a branch cut. The largest clear disc is found by bisection, of many functions
at once.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool, Complex, Float, Int
from torch import Tensor

from holonet.calculus.examples import nonzero
from holonet.calculus.taylor import ConvergenceRadius, TaylorCoefficients, radius_of_series
from holonet.errors import NumericalError

__all__ = [
    "NODES",
    "RATIO",
    "Discs",
    "LineFunctions",
    "circle",
    "circle_modes_of",
    "clear_discs",
    "leaves_series",
]

NODES = 128  # on a circle; about a real point half of them are evaluated
RATIO = 1.2  # from one radius that is tried to the next
RUNGS = 28  # radii that are tried, the smallest is 1/137 of the largest
RESOLVED = 1e-4  # of the variation, in the highest modes
ROUNDING = 1e3  # times eps and the largest value
LIKELY = 5.0  # root mean squares: one in 10^10 of Gaussian modes is larger
HIGHEST = 8  # modes that tell how large aliases are

LineFunctions = Callable[
    [Int[Tensor, " rows"], Complex[Tensor, "rows points"]], Complex[Tensor, "rows points"]
]
"""(numbers of functions, points for each) -> values. Each is real on the real axis."""


@dataclass(frozen=True)
class Discs:
    """For each function the largest disc about its center, of those tried, that is clear.

    Args:
        row: number of the function.
        center: of the circle.
        radius: 0 where no disc was clear.
        values: at `NODES` points of the circle of that radius, at angles (j + 1/2) 2 pi / NODES.
        rounding: what the values may be off, estimated from their size.
    """

    row: Int[Tensor, " discs"]
    center: Complex[Tensor, " discs"]
    radius: Float[Tensor, " discs"]
    values: Complex[Tensor, "discs nodes"]
    rounding: Float[Tensor, " discs"]

    @property
    def modes(self) -> Complex[Tensor, "discs nodes"]:
        """Modes 0, 1, ..., NODES/2 - 1, then the negative ones, -NODES/2 first."""
        return circle_modes_of(self.values)

    def at(self, use: Bool[Tensor, " discs"]) -> "Discs":
        """Some of them."""
        return Discs(*(getattr(self, f.name)[use] for f in fields(self)))

    def radius_of_convergence(self, at: int) -> ConvergenceRadius:
        """Of the Taylor series about the center of one disc, from its modes.

        Infinite where the series ends or keeps steepening. A disc of radius 0 tells nothing.
        """
        radius, noise = float(self.radius[at]), float(self.rounding[at])
        if not radius:
            return ConvergenceRadius(math.nan, 0.0, math.inf, 0)
        upper, lower = circle_modes_of(self.values[at : at + 1])[0].chunk(2)
        error = LIKELY * lower[NODES // 4 :].abs().square().mean().sqrt()
        error = error + upper[-HIGHEST:].abs().amax() + 1e-2 * noise
        powers = radius ** torch.arange(NODES // 2, dtype=torch.float64)
        try:
            return radius_of_series(TaylorCoefficients(upper / powers, error / powers), radius)
        except NumericalError:  # a polynomial to rounding
            return ConvergenceRadius(math.inf, radius, math.inf, 0)


def circle_modes_of(values: Complex[Tensor, "rows nodes"]) -> Complex[Tensor, "rows nodes"]:
    """Fourier modes of values at the angles (j + 1/2) 2 pi / N, in the order of `torch.fft`."""
    count = values.shape[1]
    if not len(values):
        return values
    k = torch.fft.fftfreq(count, 1 / count, dtype=torch.float64)
    back = torch.polar(torch.ones_like(k), -k * (math.pi / count))
    return torch.fft.fft(values, norm="forward") * back


@torch.no_grad()
def clear_discs(
    g: LineFunctions,
    rows: Int[Tensor, " discs"],
    center: Complex[Tensor, " discs"],
    reach: Float[Tensor, " discs"],
) -> Discs:
    """The largest radius reach / RATIO^k, for each function, at which its circle is clear.

    A disc is clear where the values are finite, the modes have decayed at the highest ones, and the
    negative modes are rounding. A singularity nearer than about 1.2 radii prevents the second.
    """
    values = torch.zeros(len(rows), NODES, dtype=torch.complex128)
    rounding = torch.zeros(len(rows), dtype=torch.float64)
    best = torch.full((len(rows),), RUNGS)  # the clear rung with the largest disc
    low, high = torch.zeros_like(best), torch.full_like(best, RUNGS)
    tried = low.clone()
    while bool((active := low < high).any()):
        at = active.nonzero()[:, 0]
        radius = reach[at] * RATIO ** -tried[at].double()
        on_circle = _circle_values(g, rows[at], center[at], radius)
        clear, noise = _is_clear(on_circle)
        won = at[clear]
        best[won], values[won], rounding[won] = tried[won], on_circle[clear], noise[clear]
        high[won], low[at[~clear]] = tried[won], tried[at[~clear]] + 1
        tried = (low + high) // 2
    radius = torch.where(best < RUNGS, reach * RATIO ** -best.double(), 0.0)
    return Discs(rows, center, radius, values, rounding)


def circle(count: int) -> Complex[Tensor, " count"]:
    """Points of the unit circle, at angles (j + 1/2) 2 pi / count."""
    angle = (torch.arange(count, dtype=torch.float64) + 0.5) * (2 * math.pi / count)
    return torch.polar(torch.ones_like(angle), angle)


@torch.no_grad()
def leaves_series(g: LineFunctions, discs: Discs) -> Complex[Tensor, " discs"]:
    """Where on the next larger circle the function is farthest from its Taylor series."""
    w = RATIO * circle(NODES)
    points = discs.center[:, None] + discs.radius[:, None] * w
    series = discs.modes[:, : NODES // 2] @ torch.linalg.vander(w, N=NODES // 2).T
    off = (g(discs.row, points) - series).abs().nan_to_num(nan=math.inf)
    return points.gather(1, off.argmax(1, keepdim=True))[:, 0]


def _circle_values(
    g: LineFunctions,
    rows: Int[Tensor, " discs"],
    center: Complex[Tensor, " discs"],
    radius: Float[Tensor, " discs"],
) -> Complex[Tensor, "discs nodes"]:
    """Values on circles; about real points those of the lower half are conjugates."""
    real = not bool(center.imag.any())
    unit = circle(NODES)[: NODES // 2 if real else NODES]
    values = g(rows, center[:, None] + radius[:, None] * unit)
    return torch.cat([values, values.flip(1).conj()], 1) if real else values


def _is_clear(
    values: Complex[Tensor, "discs nodes"],
) -> tuple[Bool[Tensor, " discs"], Float[Tensor, " discs"]]:
    """Whether the circles are clear, and what rounding may be."""
    modes = circle_modes_of(values).abs()
    half = NODES // 2
    size = torch.linalg.vector_norm(modes[:, 1:], dim=1)
    highest = modes[:, half * 3 // 4 : half].amax(1)
    negative = modes[:, -half // 2 :].amax(1)
    noise = ROUNDING * torch.finfo(torch.float64).eps * values.abs().amax(1)
    aliases = 100 * highest.square() / nonzero(size)
    clear = (highest <= RESOLVED * size + noise) & (negative <= noise + aliases)
    return clear & values.isfinite().all(1), noise
