"""What is found on the lines of a group of examples: the rows of an `Analyticity`."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from holonet._types import OwnShape
from holonet.calculus.taylor import ConvergenceRadius
from holonet.diagnostics.analyticity_report import (
    FOUND,
    KINDS,
    NO_DIRECTION,
    NONE_WITHIN,
    UNRESOLVED,
    Analyticity,
)
from holonet.diagnostics.lines import ModelOnLines
from holonet.diagnostics.norm_zeros import nearest_zeros
from holonet.singularities.discs import NODES
from holonet.singularities.loops import BRANCH_POINT
from holonet.singularities.nearest import (
    BOUNDS,
    Singularities,
    find_singularities,
    nothing_found,
)

__all__ = ["Search"]

GRID = 201  # points of the segment at which the height of the clear discs is taken
SHOWN = 48  # Taylor coefficients that are kept
KINK = KINDS.index("kink")
SAME = 0.05  # of the distance, between what circles find and a zero


@dataclass(frozen=True)
class Search:
    """What is looked for on every line."""

    outputs: str
    directions: tuple[str, ...]
    reach: float
    segment: float
    centers: int

    @torch.no_grad()
    def at(self, lines: ModelOnLines, defined: Bool[Tensor, "examples directions"]) -> Analyticity:
        """The rows of a group of examples."""
        shape, count = defined.shape, defined.numel()
        entire = lines.model.is_entire
        centers = 1 if entire else self.centers
        spread = torch.linspace(-self.segment, self.segment, centers, dtype=torch.float64)
        middle = centers // 2
        spread[middle] = 0.0  # also where it is the only one
        rows = torch.arange(count).repeat_interleave(centers)
        find = nothing_found if entire else find_singularities
        search = find(lines, rows, spread.repeat(count), self.reach)
        discs, known = search.discs, search.known
        pole = search.candidate.view(count, centers)[:, middle]
        clear = discs.radius.view(count, centers)
        modes = discs.modes.view(count, centers, NODES)[:, middle]
        radii = [discs.radius_of_convergence(i) for i in range(middle, len(rows), centers)]
        if entire:
            radii = [ConvergenceRadius(math.inf, math.inf, math.inf, 0)] * count
        kink = self._kinks(lines).flatten()
        table = [
            self.line(known.at(known.row == i), clear[i, middle], pole[i], radii[i])
            for i in range(count)
        ]
        found = {name: torch.stack([row[name] for row in table]) for name in table[0]}
        if lines.model.has_zeros:
            self._by_zeros(lines, found, clear[:, middle])
        nearer = kink.abs() < found["place"].abs().nan_to_num(nan=self.reach)
        state = torch.where(nearer, FOUND, found["state"])
        state = torch.where(defined.flatten(), NONE_WITHIN if entire else state, NO_DIRECTION)
        height = self._height(spread, clear)
        height = torch.full_like(height, math.inf) if entire else height

        def shaped(values: Tensor) -> Tensor:
            return values.view(*shape, *values.shape[1:])

        return Analyticity(
            outputs=self.outputs,
            directions=self.directions,
            reach=self.reach,
            segment=self.segment,
            declared=str(declared.value) if (declared := lines.model.declared) else "",
            classes=lines.own.cpu(),
            state=shaped(state),
            place=shaped(torch.where(nearer, kink + 0j, found["place"])),
            kind=shaped(torch.where(nearer, KINK, found["kind"])),
            strength=shaped(torch.where(nearer, math.nan, found["strength"])),
            exponent=shaped(torch.where(nearer, math.nan, found["exponent"])),
            candidate=shaped(found["candidate"]),
            clear=shaped(clear[:, middle]),
            radius=shaped(
                torch.tensor([[r.value, r.lower, r.upper] for r in radii], dtype=torch.float64)
            ),
            decay=shaped(modes[:, :SHOWN].abs()),
            strip=shaped(found["strip"]),
            strip_clear=shaped(height),
            boundary=lines.boundary(self.reach),
        )

    def line(
        self,
        known: Singularities,
        clear: Float[Tensor, ""],
        pole: Float[Tensor, ""],
        radius: ConvergenceRadius,
    ) -> dict[str, OwnShape]:
        """The nearest singularity of one line, and what is told of others."""
        sure, doubtful = known.at(known.confirmed), known.at(~known.confirmed)
        near = (sure.place.real.abs() <= self.segment).nonzero()[:, 0]
        inside = torch.tensor(math.inf, dtype=torch.float64)
        row = {
            "state": torch.tensor(UNRESOLVED),
            "place": torch.tensor(complex(math.nan, math.nan), dtype=torch.complex128),
            "kind": torch.tensor(0),
            "strength": torch.tensor(complex(math.nan, math.nan), dtype=torch.complex128),
            "exponent": torch.tensor(math.nan, dtype=torch.float64),
            "candidate": inside,
            "strip": sure.place[near].imag.min() if len(near) else inside,
        }
        if float(clear) >= self.reach:
            row["state"] = torch.tensor(NONE_WITHIN)
            return row
        if len(sure.row):
            first = int(sure.place.abs().argmin())
            distance = float(sure.place[first].abs())
            bounds_disc = distance <= BOUNDS * float(clear)
            jumps = float(pole) > BOUNDS * float(clear) > 0  # the continuation goes on behind
            jumps = jumps and math.isfinite(radius.value)
            if bounds_disc or (jumps and distance <= radius.upper):
                row["state"] = torch.tensor(FOUND if distance <= self.reach else NONE_WITHIN)
            if int(row["state"]) == FOUND:
                names = ("place", "kind", "strength", "exponent")
                row.update({name: getattr(sure, name)[first] for name in names})
        doubts = doubtful.place.abs()
        doubts = doubts[doubts > clear]  # the clear disc refutes those inside
        if len(doubts):
            row["candidate"] = doubts.min()
        return row

    def _by_zeros(
        self, lines: ModelOnLines, found: dict[str, Any], clear: Float[Tensor, " lines"]
    ) -> None:
        """The answer by zeros of variances, where these are all that is singular.

        What circles say of the kind stays. A zero in the clear disc is no singularity.
        """
        zero = nearest_zeros(lines, torch.arange(len(clear)), self.reach)
        open_ = found["state"] == UNRESOLVED
        found["state"][zero.real.isinf() & open_] = NONE_WITHIN
        at = (zero.isfinite() & (zero.abs() > clear)).nonzero()[:, 0]
        place = zero[at]
        same = (found["place"][at] - place).abs() < SAME * place.abs()
        for name, other in (("kind", BRANCH_POINT), ("strength", math.nan), ("exponent", math.nan)):
            found[name][at] = torch.where(same, found[name][at], other)
        found["state"][at], found["place"][at] = FOUND, place
        strip = torch.minimum(found["strip"][at], place.imag)
        found["strip"][at] = torch.where(
            place.real.abs() <= self.segment, strip, found["strip"][at]
        )

    def _kinks(self, lines: ModelOnLines) -> Float[Tensor, "examples directions"]:
        """The nearest kink on each line, before or behind its example; infinity if none is."""
        continuation = lines.model.continuation
        nearest = torch.full(lines.v.shape[:2], math.inf, dtype=torch.float64)
        if continuation is None or continuation.pieces != "frozen":
            return nearest
        for at in range(lines.v.shape[1]):
            for sign in (1.0, -1.0):
                parts = zip(
                    lines.x.split(lines.chunk), lines.v[:, at].split(lines.chunk), strict=True
                )
                t = torch.cat([continuation.reach(x, sign * v) for x, v in parts]).cpu()
                closer = (t < nearest[:, at].abs()) & (t <= self.reach)
                nearest[:, at] = torch.where(closer, sign * t, nearest[:, at])
        return nearest

    def _height(
        self, spread: Float[Tensor, " centers"], clear: Float[Tensor, "lines centers"]
    ) -> Float[Tensor, " lines"]:
        """The least height over the segment of the union of the clear discs."""
        t = torch.linspace(-self.segment, self.segment, GRID, dtype=torch.float64)
        square = clear.square()[:, None] - (t[:, None] - spread).square()
        return square.clamp(min=0).sqrt().amax(2).amin(1)
