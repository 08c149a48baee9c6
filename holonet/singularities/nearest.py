"""The singularities of functions of one variable that are nearest to the real axis.

A rational approximation of the values on a clear circle has poles where the function has
singularities (AAA). A Taylor series about a point near each of them gives its place, by the ratios
of the coefficients. Circles round it confirm it, or do not: poles of the approximation at which
nothing is are dropped. A disc that no confirmed singularity bounds is followed by one nearer to
where the function leaves its series, where clusters come apart.
"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool, Complex, Float, Int
from torch import Tensor

from holonet.calculus.examples import nonzero
from holonet.singularities.discs import (
    NODES,
    Discs,
    LineFunctions,
    circle,
    circle_modes_of,
    clear_discs,
    leaves_series,
)
from holonet.singularities.loops import NONE, go_round

__all__ = ["BOUNDS", "SearchResult", "Singularities", "find_singularities", "nothing_found"]

BOUNDS = 1.5  # times the radius of a clear disc: a singularity within that bounds it
PER_DISC = 4  # candidates of one approximation, nearest first
FARTHEST = 2.5  # times the radius of the clear disc
SMALLEST = 1e-9  # residue over distance and variation, of a candidate
APART = 1e-2  # of the distance from the center, between two candidates
SAME = 1e-3  # of the distance from the real axis, between two singularities
NEARER = 3  # times that a disc is moved
APPROACH = 0.7  # of the way
AROUND = 1.5  # times the distance that is left: a disc that is clear so far has no singularity
TERMS = 25  # of an approximation
STEPS = (0.25, 0.1, 0.04)  # of the distance, in front of a candidate, where its series is expanded
SERIES_NODES = 64
SERIES_RADIUS = 0.6  # of the distance to the candidate
FIRST, LAST = 5, 32  # coefficients whose ratios are used
LOOP = 0.05  # radius of the circles round a candidate, of its distance


@dataclass(frozen=True)
class Singularities:
    """A list of places, with the function that each belongs to.

    Args:
        row: number of the function.
        place: in the complex plane, imaginary part not negative.
        kind: index of `loops.KINDS`; 0 for candidates that were not confirmed.
        strength, exponent: as in `loops.Loops`.
    """

    row: Int[Tensor, " places"]
    place: Complex[Tensor, " places"]
    kind: Int[Tensor, " places"]
    strength: Complex[Tensor, " places"]
    exponent: Float[Tensor, " places"]

    @property
    def confirmed(self) -> Bool[Tensor, " places"]:
        """Those with a contour integral or a loop that does not close."""
        return self.kind > NONE

    def at(self, use: Bool[Tensor, " places"]) -> "Singularities":
        """Some of them."""
        return Singularities(*(getattr(self, f.name)[use] for f in fields(self)))


@dataclass(frozen=True)
class SearchResult:
    """What a search gives.

    Args:
        discs: the clear discs about the real centers.
        candidate: distance from each center to the nearest pole of the rational approximation;
            infinity if there is none within 2.5 radii.
        known: confirmed singularities and, where there is none nearer, candidates.
    """

    discs: Discs
    candidate: Float[Tensor, " discs"]
    known: Singularities


@dataclass(frozen=True)
class _Candidates:
    disc: Int[Tensor, " places"]
    place: Complex[Tensor, " places"]


@torch.no_grad()
def find_singularities(
    g: LineFunctions,
    rows: Int[Tensor, " discs"],
    center: Float[Tensor, " discs"],
    reach: float,
    *,
    confirm: bool = True,
) -> SearchResult:
    """The clear discs about real centers, and the singularities next to them.

    Args:
        g: the functions.
        rows, center: the function of each disc, and its center.
        reach: the largest radius; where that disc is clear nothing is looked for.
        confirm: whether candidates at which nothing is are dropped; False shows what AAA makes of
            rounding.
    """
    largest = torch.full_like(center, reach)
    discs = first = clear_discs(g, rows, center + 0j, largest)
    nearest, parts = torch.full_like(center, math.inf), []
    for nearer in range(NEARER + 1):
        candidates = _candidates(discs, largest)
        known = _looked_at(g, discs, candidates, confirm)
        distance = (candidates.place - discs.center[candidates.disc]).abs()
        sure = (known.place - _upper(discs.center)[candidates.disc]).abs()
        sure = torch.where(known.confirmed, sure, math.inf)
        closest = _least(distance, candidates.disc, len(discs.row))
        bounded = _least(sure, candidates.disc, len(discs.row))
        nearest = closest if not nearer else nearest
        # poles behind a confirmed singularity stand for its cut
        parts.append(known.at(known.confirmed | (distance < bounded[candidates.disc])))
        is_open = (bounded > BOUNDS * discs.radius) & (discs.radius > 0) & (discs.radius < largest)
        if nearer == NEARER or not bool(is_open.any()):
            break
        discs = discs.at(is_open)
        towards = leaves_series(g, discs)
        start = discs.center + APPROACH * (towards - discs.center)
        largest = AROUND * (towards - start).abs()
        discs = clear_discs(g, discs.row, start, largest)
    known = _distinct(parts)
    return SearchResult(first, nearest, _distinct([_polished(g, known)]) if confirm else known)


def nothing_found(
    g: LineFunctions,
    rows: Int[Tensor, " discs"],
    center: Float[Tensor, " discs"],
    reach: float,
) -> SearchResult:
    """The clear discs about real centers of functions that are known to be entire."""
    discs = clear_discs(g, rows, center + 0j, torch.full_like(center, reach))
    kinds = (torch.long, torch.complex128, torch.long, torch.complex128, torch.float64)
    none = Singularities(*(torch.empty(0, dtype=kind) for kind in kinds))
    return SearchResult(discs, torch.full_like(center, math.inf), none)


def _polished(g: LineFunctions, known: Singularities) -> Singularities:
    """The confirmed ones looked at once more, on the scale of their distance from the real axis.

    What a far center has confirmed is within its smallest circle, which may be large.
    """
    at = (known.confirmed & (known.place.imag > 0)).nonzero()[:, 0]
    row, old = known.row[at], known.place[at]
    place = _refined(g, row, old.real + 0j, old)
    loops = go_round(g, row, place, LOOP * old.imag)
    better = (loops.kind > NONE) & ((place - old).abs() < STEPS[0] * old.imag)
    at = at[better]
    result = Singularities(*(getattr(known, f.name).clone() for f in fields(known)))
    result.place[at] = _upper(loops.place)[better]
    for name in ("kind", "strength", "exponent"):
        getattr(result, name)[at] = getattr(loops, name)[better]
    return result


def _least(
    values: Float[Tensor, " places"], disc: Int[Tensor, " places"], count: int
) -> Float[Tensor, " discs"]:
    least = torch.full((count,), math.inf, dtype=torch.float64)
    return least.scatter_reduce(0, disc, values, "amin")


def _upper(place: Complex[Tensor, " places"]) -> Complex[Tensor, " places"]:
    return torch.complex(place.real, place.imag.abs())


def _looked_at(
    g: LineFunctions, discs: Discs, candidates: _Candidates, confirm: bool
) -> Singularities:
    """What is at each candidate."""
    row, center = discs.row[candidates.disc], discs.center[candidates.disc]
    place = _refined(g, row, center, candidates.place)
    distance = (place - center).abs()
    loops = go_round(g, row, place, LOOP * distance)
    outside = distance >= discs.radius[candidates.disc]
    kind = torch.where(outside, loops.kind, NONE) if confirm else loops.kind.clamp(min=1)
    sure = kind > NONE
    return Singularities(
        row,
        _upper(torch.where(sure, loops.place, candidates.place)),
        kind,
        loops.strength,
        torch.where(sure, loops.exponent, math.nan),
    )


def _candidates(discs: Discs, largest: Float[Tensor, " discs"]) -> _Candidates:
    """Poles of the rational approximations on the circles, outside and not far away."""
    from scipy.interpolate import AAA

    unit = circle(NODES).numpy()
    size = torch.linalg.vector_norm(discs.modes[:, 1:], dim=1)
    entries: list[tuple[int, complex]] = []
    search = (discs.radius > 0) & (discs.radius < largest) & (size > discs.rounding)
    for at in search.nonzero()[:, 0].tolist():
        mean, variation = complex(discs.values[at].mean()), float(size[at])
        scaled = ((discs.values[at] - mean) / variation).numpy()
        tolerance = max(1e-13, 1e-2 * float(discs.rounding[at]) / variation)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # not converged, doublets removed
            approximation = AAA(unit, scaled, rtol=tolerance, max_terms=TERMS)
            poles, residues = approximation.poles(), approximation.residues()
        use = (abs(poles) > 1) & (abs(poles) < FARTHEST) & (abs(residues) > SMALLEST * abs(poles))
        center, radius = complex(discs.center[at]), float(discs.radius[at])
        apart: list[complex] = []
        for pole in sorted(poles[use].tolist(), key=abs):
            upper = center.imag != 0 or pole.imag >= 0
            if upper and all(abs(pole - other) > APART * abs(pole) for other in apart):
                apart.append(pole)
        for pole in apart[:PER_DISC]:
            entries.append((at, center + radius * pole))
    columns = list(zip(*entries, strict=True)) or [()] * 2
    kinds = (torch.long, torch.complex128)
    return _Candidates(*(torch.tensor(c, dtype=d) for c, d in zip(columns, kinds, strict=True)))


def _refined(
    g: LineFunctions,
    row: Int[Tensor, " places"],
    center: Complex[Tensor, " places"],
    place: Complex[Tensor, " places"],
) -> Complex[Tensor, " places"]:
    """Better places, by Taylor series about points in front of them."""
    for step in STEPS:
        way = place - center
        start = place - step * way
        radius = SERIES_RADIUS * step * way.abs()
        values = g(row, start[:, None] + radius[:, None] * circle(SERIES_NODES))
        values = torch.where(values.isfinite(), values, 0)
        better = start + radius * _ratio_limit(circle_modes_of(values))
        near = (better - place).abs() <= step * way.abs()
        place = torch.where(near, better, place)
    return place


def _ratio_limit(modes: Complex[Tensor, "places nodes"]) -> Complex[Tensor, " places"]:
    """The nearest singularity of a series, in radii of its circle, by Domb and Sykes (1957).

    The ratio of neighboring coefficients of (s - t)^a is (1 - (a + 1) / k) / s. Terms in 1/k^2 and
    1/k^3 stand for the analytic factor.
    """
    if not len(modes):
        return modes[:, 0]
    k = torch.arange(FIRST, LAST, dtype=torch.float64)
    before, now = modes[:, FIRST - 1 : LAST - 1], modes[:, FIRST:LAST]
    weight = before.abs() / nonzero(before.abs().amax(1, keepdim=True))
    weight = (weight / (weight + 1e-8)).to(modes.dtype)  # less where rounding is seen
    ratio = now / torch.where(before == 0, 1, before)
    design = torch.stack([k**-power for power in range(4)], 1).to(modes.dtype)
    fit = torch.linalg.pinv(weight[..., None] * design) @ (weight * ratio)[..., None]
    limit = fit[:, 0, 0]
    return 1 / torch.where(limit == 0, 1, limit)


def _distinct(parts: Sequence[Singularities]) -> Singularities:
    """Each place of a function once, confirmed ones first."""
    known = Singularities(
        *(torch.cat([getattr(part, f.name) for part in parts]) for f in fields(Singularities))
    )
    order = (~known.confirmed).int().argsort(stable=True).tolist()
    kept: dict[int, list[complex]] = {}
    use = torch.zeros_like(known.confirmed)
    for i in order:
        place, others = complex(known.place[i]), kept.setdefault(int(known.row[i]), [])
        if all(abs(place - other) > SAME * place.imag + 1e-12 for other in others):
            others.append(place)
            use[i] = True
    return known.at(use)
