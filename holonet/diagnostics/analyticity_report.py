"""What `analyticity` finds: singularities line by line, and a verdict in words."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from jaxtyping import Bool, Complex, Float, Int
from torch import Tensor

from holonet._arguments import checked
from holonet.errors import ConfigError, DataError
from holonet.singularities.loops import KINDS as CONFIRMED
from holonet.singularities.nearest import BOUNDS
from holonet.statistics import Interval, rank_correlation_interval

__all__ = ["FOUND", "KINDS", "NONE_WITHIN", "NO_DIRECTION", "UNRESOLVED", "Analyticity", "joined"]

KINDS = (*CONFIRMED, "kink")
STATES = ("found", "none within reach", "unresolved", "no direction")
FOUND, NONE_WITHIN, UNRESOLVED, NO_DIRECTION = range(4)
FEWEST = 5  # examples that a rank correlation is from

OfLines = Float[Tensor, "examples directions"]


@dataclass(frozen=True)
class Analyticity:
    """The nearest singularities of t -> f(x + t v), |v| = 1, about t = 0, example by example.

    Args:
        outputs: "logits" or "margins".
        directions: kinds of lines, in the order of the second axis.
        reach: singularities and changes of the answer are looked for up to this |t|.
        segment: the strip is over -segment <= Re t <= segment.
        declared: the class that the model declares, such as "entire"; empty if it declares none.
        classes: the class of each example.
        state: index of `STATES`.
        place: of the nearest confirmed singularity, imaginary part not negative; on the real axis
            for kinks. NaN if none is found.
        kind: index of `KINDS`, 0 if none is found.
        strength: residue of a pole, difference round a branch point.
        exponent: -1 for simple poles, 1/2 for square roots, 0 for logarithms.
        candidate: distance of the nearest candidate outside of the clear disc that was not
            confirmed; infinity if none.
        clear: radius of the largest disc about the example, of those tried, that is clear.
        radius: of convergence of the Taylor series about the example: estimate, lower end, upper
            end; infinite for series that end or keep steepening.
        decay: |a_k| r^k of that series, k = 0, 1, ..., at the clear radius r.
        strip: the least imaginary part of a confirmed singularity over the segment; infinity if
            none is found.
        strip_clear: the strip that the clear discs cover, at least 0.
        boundary: the first t > 0 at which the answer changes; infinity if none up to the reach.
    """

    outputs: str
    directions: tuple[str, ...]
    reach: float
    segment: float
    declared: str
    classes: Int[Tensor, " examples"]
    state: Int[Tensor, "examples directions"]
    place: Complex[Tensor, "examples directions"]
    kind: Int[Tensor, "examples directions"]
    strength: Complex[Tensor, "examples directions"]
    exponent: OfLines
    candidate: OfLines
    clear: OfLines
    radius: Float[Tensor, "examples directions 3"]
    decay: Float[Tensor, "examples directions shown"]
    strip: OfLines
    strip_clear: OfLines
    boundary: OfLines

    @property
    def distance(self) -> OfLines:
        """|t| of the nearest singularity; infinity for none within reach, NaN if unresolved."""
        nearest = torch.where(self.state == FOUND, self.place.abs(), math.nan)
        return torch.where(self.state == NONE_WITHIN, math.inf, nearest)

    @property
    def kinds(self) -> list[list[str]]:
        """The kind on each line, or the state where nothing is found."""
        return [
            [KINDS[k] if s == FOUND else STATES[s] for s, k in zip(states, kinds, strict=True)]
            for states, kinds in zip(self.state.tolist(), self.kind.tolist(), strict=True)
        ]

    @property
    def jumps_nearer(self) -> Bool[Tensor, "examples directions"]:
        """Where the formula jumps nearer than the continuation is singular.

        The jump is that of a principal root or logarithm. It is no singularity of the continuation.
        """
        return (self.state == FOUND) & (self.place.imag > 0) & (self.distance > BOUNDS * self.clear)

    @checked
    def rank_correlation(
        self, direction: str = "gradient", *, resamples: int = 2000, seed: int = 0
    ) -> Interval | None:
        """Spearman's correlation over examples of `distance` with `boundary` on the same line.

        Lines that are unresolved or without direction are left out. What is not found within reach
        counts as farther than all that is. None where fewer than 5 examples are left, or one of the
        two does not vary.

        Raises:
            ConfigError: that direction was not looked at.
        """
        at = self._index(direction)
        use = (self.state[:, at] == FOUND) | (self.state[:, at] == NONE_WITHIN)
        beyond = 2 * self.reach
        x, y = (v[use, at].clamp(max=beyond).tolist() for v in (self.distance, self.boundary))
        if len(x) < FEWEST:
            return None
        try:
            return rank_correlation_interval(x, y, resamples=resamples, seed=seed)
        except DataError:  # one of them is constant
            return None

    def text(self) -> str:
        """The verdict, and lines for each direction."""
        lines = [self._verdict()]
        for name in self.directions:
            lines += self._about(name)
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.text()

    def to_json(self) -> dict[str, Any]:
        """Everything in plain types: complex numbers as pairs, what is not finite as None."""
        plain = {f.name: _plain(getattr(self, f.name)) for f in fields(self)}
        correlations = {name: self.rank_correlation(name) for name in self.directions}
        return plain | {
            "verdict": self._verdict(),
            "distance": _plain(self.distance),
            "kinds": self.kinds,
            "rank_correlation": {
                name: None if one is None else [one.estimate, *map(_finite, one.ends)]
                for name, one in correlations.items()
            },
        }

    def _index(self, direction: str) -> int:
        if direction not in self.directions:
            raise ConfigError(
                f"the direction {direction!r} was not looked at: one of {list(self.directions)}"
            )
        return self.directions.index(direction)

    def _verdict(self) -> str:
        examples = len(self.classes)
        what = f"{self.outputs} at {examples} examples, on lines up to |t| = {self.reach:.3g}"
        if self.declared in ("affine", "polynomial", "entire"):
            what = f"{what}; the model is declared {self.declared}: it has no singularities"
        if bool((self.kind == KINDS.index("kink")).any()):
            return (
                f"{what}: no continuation: the model is made of pieces, and the nearest kinks are "
                f"at a median distance of {self._median(self.kind == KINDS.index('kink')):.3g}"
            )
        found = self.state == FOUND
        if not bool(found.any()):
            unresolved = int((self.state == UNRESOLVED).sum())
            rest = f"; {unresolved} lines are unresolved" if unresolved else ""
            return f"{what}: no singularity found{rest}"
        nearest = self.distance.masked_fill(~found, math.inf)
        example, way = divmod(int(nearest.argmin()), len(self.directions))
        place = complex(self.place[example, way])
        return (
            f"{what}: the nearest complex singularity is at a median distance of "
            f"{self._median(found):.3g}; the nearest of all is a {KINDS[self.kind[example, way]]} "
            f"at t = {place:.4g}, example {example}, {self.directions[way]} direction"
        )

    def _median(self, use: Tensor) -> float:
        return float(self.distance[use].median())

    def _about(self, name: str) -> list[str]:
        at = self._index(name)
        state, distance = self.state[:, at], self.distance[:, at]
        counted = Counter(row[at] for row in self.kinds)
        words = ", ".join(f"{kind} on {number}" for kind, number in counted.most_common())
        words = words.replace("within reach", f"within {self.reach:.3g}")
        lines = [f"  {name}: {words} of {len(state)} lines"]
        known = (state == FOUND) | (state == NONE_WITHIN)
        if bool(known.any()):
            low, middle, high = (
                _length(_quantile(distance[known], q), self.reach) for q in (0.25, 0.5, 0.75)
            )
            lines.append(f"    distance of the nearest: median {middle}, quartiles {low}, {high}")
            height = torch.minimum(self.strip[:, at], self.reach * torch.ones_like(distance))[known]
            sure = self.strip_clear[:, at][known]
            lines.append(
                f"    strip over |Re t| <= {self.segment:.3g}: median half width "
                f"{_length(_quantile(height, 0.5), self.reach)}, clear at least up to "
                f"{_length(float(sure.min()), self.reach)} on all lines"
            )
        unresolved = state == UNRESOLVED
        if bool(unresolved.any()):
            clear = float(self.clear[:, at][unresolved].median())
            lines.append(f"    unresolved lines are clear up to a median of {clear:.3g}")
        jumps = int(self.jumps_nearer[:, at].sum())
        if jumps:
            lines.append(
                f"    on {jumps} lines the formula jumps nearer, on a principal branch cut, where "
                "the continuation has no singularity"
            )
        doubtful = self.candidate[:, at].isfinite()
        open_, nearer = doubtful & (state == UNRESOLVED), self.candidate[:, at] < distance
        if bool(open_.any()):
            lines.append(
                f"    on {int(open_.sum())} unresolved lines there is a candidate, not confirmed"
            )
        if bool(nearer.any()):
            lines.append(
                f"    on {int(nearer.sum())} lines a candidate nearer than that was not confirmed"
            )
        crossed = self.boundary[:, at]
        lines.append(
            f"    first change of the answer: median {_length(_quantile(crossed, 0.5), self.reach)}"
            f", on {int(crossed.isinf().sum())} lines none within {self.reach:.3g}"
        )
        correlation = self.rank_correlation(name)
        if correlation is not None:
            lines.append(f"    rank correlation of the two over examples: {correlation.text(2)}")
        return lines


def joined(parts: Sequence[Analyticity]) -> Analyticity:
    """Groups of examples together."""
    names = [f.name for f in fields(Analyticity) if isinstance(getattr(parts[0], f.name), Tensor)]
    return replace(
        parts[0], **{name: torch.cat([getattr(part, name) for part in parts]) for name in names}
    )


def _quantile(values: Float[Tensor, " lines"], q: float) -> float:
    """The value below which that part of them lies; of infinite ones too."""
    return float(values.sort().values[round(q * (len(values) - 1))])


def _length(value: float, reach: float) -> str:
    return f"{value:.3g}" if value < reach else f"above {reach:.3g}"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _plain(value: Any) -> Any:
    if isinstance(value, Tensor):
        value = torch.view_as_real(value) if value.is_complex() else value
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return _finite(value) if isinstance(value, float) else value
