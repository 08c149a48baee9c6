"""What `harmonicity` finds: numbers by radius, example and output, and a verdict in words."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from holonet._arguments import checked
from holonet.calculus.checks import require_count
from holonet.calculus.estimate import Estimate
from holonet.diagnostics.harmonicity_summary import (
    RadiusSummary,
    WorstPoint,
    measured,
    plain_estimate,
    share_interval,
)
from holonet.statistics import wilson_interval

__all__ = ["Harmonicity"]

RISK = 1e-3  # of one false positive in all examples, outputs and radii together
NOISE = {False: 1e-8, True: 1e-3}  # of the defect, from autograd and from second differences
DIGITS = 1e3  # times rounding, that a gap must exceed

OfSpheres = Bool[Tensor, "radii examples outputs"]


@dataclass(frozen=True)
class Harmonicity:
    """How far real outputs are from harmonic about each example. Estimates carry standard errors.

    Args:
        outputs: "logits" or "margins".
        coordinates: "real" or "complex".
        dimensions: real coordinates of an example, those of imaginary parts included.
        radii: of the spheres, increasing.
        probes: pairs of random directions that second derivatives are from, if not exact.
        laplacian: over all coordinates, for each example and output.
        defect: |Laplacian| / (sqrt(dimensions) |D2u|), with the Frobenius norm: 0 for harmonic
            functions, 1 for |x|^2, NaN where the second derivative is 0.
        mixed_share: of |D2u|^2 the part that is not pluriharmonic; None in real coordinates.
        exact: whether the last three are exact, and not from random directions.
        by_differences: whether they are from second differences of values, good to 8 digits.
        gap: mean over the sphere minus value at the center, by radius, example and output.
        beyond_affine: mean square over the sphere of what an affine fit through the center leaves.
        share: gap^2 / beyond_affine: the part that no harmonic function with that value at the
            center accounts for. NaN where affine.
        affine: where the function is affine to rounding.
        extreme_inside: where the largest or the least of the values in the ball is inside.
        rounding: of the values.
        draws: gap^2 and beyond_affine with each random frame left out.
        baseline: the same of the model beside.
        baseline_name: "untrained", "baseline", or empty.
        kept: parameters that the untrained twin has in common with the model.
    """

    outputs: str
    coordinates: str
    dimensions: int
    radii: tuple[float, ...]
    probes: int
    laplacian: Estimate
    defect: Estimate
    mixed_share: Estimate | None
    exact: bool
    by_differences: bool
    gap: Estimate
    beyond_affine: Estimate
    share: Estimate
    affine: OfSpheres
    extreme_inside: OfSpheres
    rounding: Float[Tensor, "radii examples outputs"]
    draws: Float[Tensor, "2 frames radii examples outputs"]
    baseline: "Harmonicity | None" = None
    baseline_name: str = ""
    kept: tuple[str, ...] = ()

    @property
    def gaps_found(self) -> OfSpheres:
        """Where the gap is beyond its error: one false positive in 1,000 such results."""
        limit = _limit(self.draws.shape[1], self.affine.numel())
        noise = limit * self.gap.standard_error + DIGITS * self.rounding
        return self.gap.value.abs() > noise

    @property
    def laplacians_found(self) -> Bool[Tensor, "examples outputs"]:
        """Where the Laplacian is beyond its error, in units of the second derivative."""
        limit = _limit(self.probes, self.laplacian.value.numel())
        noise = limit * self.defect.standard_error + NOISE[self.by_differences]
        return (self.defect.value > noise) & self._bent

    @property
    def _bent(self) -> Bool[Tensor, "examples outputs"]:
        """Where the second derivative is more than rounding on the largest sphere."""
        size = self.laplacian.value.abs() / (math.sqrt(self.dimensions) * self.defect.value)
        size = torch.where(size.isfinite(), size, torch.inf)
        curved = size * self.radii[-1] ** 2 > DIGITS * self.rounding[-1]
        return curved & self.defect.value.isfinite()

    @property
    def is_affine(self) -> bool:
        """Whether every output is affine to rounding on every sphere."""
        return bool(self.affine.all())

    @property
    def is_harmonic(self) -> bool:
        """Whether no violation was found: evidence, and not proof."""
        pooled = any(self._pooled(at)[2] for at in range(len(self.radii)))
        found = bool(self.gaps_found.any()) or bool(self.laplacians_found.any())
        return not (pooled or found or bool(self.extreme_inside.any()))

    @property
    def is_flattered(self) -> bool:
        """Whether gaps are beyond their errors and no Laplacian is, as that of kinks is not."""
        return not bool(self.laplacians_found.any()) and bool(self.gaps_found.any())

    @property
    def summary(self) -> tuple[RadiusSummary, ...]:
        """All examples and outputs together, radius by radius."""
        return tuple(self._summary(at) for at in range(len(self.radii)))

    @checked
    def worst(self, count: int = 5) -> tuple[WorstPoint, ...]:
        """The examples and outputs of the largest shares beyond their errors, each at one radius.

        A place is ranked by its share less two standard errors.

        Raises:
            ConfigError: count below 1.
        """
        require_count("count", count, 1, "worst")
        value, error = self.share.value, self.share.standard_error
        sure = torch.where(self.affine | ~self.gaps_found, -torch.inf, value - 2 * error)
        best, at = sure.max(0)
        order = best.flatten().argsort(descending=True)[:count]
        rows = [divmod(int(k), best.shape[1]) for k in order if bool(best.flatten()[k].isfinite())]
        places = [(int(at[i, j]), i, j) for i, j in rows]
        return tuple(
            WorstPoint(i, j, self.radii[r], float(value[r, i, j]), float(error[r, i, j]))
            for r, i, j in places
        )

    def text(self) -> str:
        """The verdict, a line for each radius, the Laplacian, and the worst points."""
        lines = [self._verdict(), *self._compared()]
        lines.append(
            f"of what an affine fit leaves, the part that is not harmonic, in {self._where}:"
        )
        besides = self.baseline.summary if self.baseline else (None,) * len(self.radii)
        for own, beside in zip(self.summary, besides, strict=True):
            line = f"  radius {own.radius:.3g}: {own.text()}"
            if beside is not None:
                line += f"; {self.baseline_name}: {beside.text()}"
            extremes = own.extremes.scaled(100).text(unit="%")
            lines.append(f"{line}; balls with an extreme value inside: {extremes}")
        lines.append(self._bending())
        if self.kept:
            lines.append(
                f"the untrained twin has these parameters as trained: {', '.join(self.kept)}"
            )
        for point in self.worst():
            lines.append(f"  worst: {point}")
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.text()

    def to_json(self) -> dict[str, Any]:
        """Everything in plain types, NaN as None."""
        mixed = self.mixed_share
        return {
            "verdict": self._verdict(),
            "is_harmonic": self.is_harmonic,
            "is_affine": self.is_affine,
            "outputs": self.outputs,
            "coordinates": self.coordinates,
            "dimensions": self.dimensions,
            "radii": list(self.radii),
            "exact": self.exact,
            "by_differences": self.by_differences,
            "laplacian": plain_estimate(self.laplacian),
            "defect": plain_estimate(self.defect),
            "mixed_share": None if mixed is None else plain_estimate(mixed),
            "gap": plain_estimate(self.gap),
            "beyond_affine": plain_estimate(self.beyond_affine),
            "share": plain_estimate(self.share),
            "affine": self.affine.tolist(),
            "extreme_inside": self.extreme_inside.tolist(),
            "summary": [one.to_json() for one in self.summary],
            "worst": [vars(point) for point in self.worst()],
            "baseline_name": self.baseline_name,
            "kept": list(self.kept),
            "baseline": None if self.baseline is None else self.baseline.to_json(),
        }

    @property
    def _where(self) -> str:
        kind = "of real data" if self.coordinates == "real" else "of complex examples, both parts"
        return f"the {self.dimensions} real coordinates {kind}"

    def _verdict(self) -> str:
        what = f"the {self.outputs} at {self.affine.shape[1]} examples, over {self._where}"
        if self.is_affine:
            return f"{what}: affine to rounding, so harmonic; there is no share to speak of"
        largest = max((s for s in self.summary if not math.isnan(s.share)), key=lambda s: s.share)
        if self.is_harmonic:
            most = max(0.0, largest.share) + 2 * largest.standard_error
            return (
                f"{what}: no violation of harmonicity found; the part that is not harmonic, of "
                f"what an affine fit leaves, is at most {most:.2g}"
            )
        verdict = (
            f"{what}: not harmonic; the part that is not harmonic, of what an affine fit leaves, "
            f"is largest at radius {largest.radius:.3g}: {largest.text()}"
        )
        if self.is_flattered:
            verdict += (
                ". The Laplacian at the points shows nothing and the mean-value gap does: the "
                "function has kinks, as networks of ReLUs do, or bends away from the points"
            )
        return verdict

    def _compared(self) -> list[str]:
        """Less or more than the baseline, where the intervals are apart."""
        if self.baseline is None:
            return []
        words = []
        for own, beside in zip(self.summary, self.baseline.summary, strict=True):
            a, b = own.interval, beside.interval
            if not (own.found or beside.found):  # neither is more than its error
                continue
            if a is None or b is None or not (a.is_finite and b.is_finite):
                continue
            if a.high < b.low:
                words.append(f"less at radius {own.radius:.3g}")
            elif a.low > b.high:
                words.append(f"more at radius {own.radius:.3g}")
        found = ", ".join(words) or "no difference beyond the intervals"
        line = f"beside the {self.baseline_name} model, the part that is not harmonic: {found}"
        once = "; that is one initialization, and the intervals are over examples"
        return [line + once if self.baseline_name == "untrained" else line]

    def _bending(self) -> str:
        how = "exact" if self.exact else "from random directions"
        how += ", by second differences" if self.by_differences else ""
        bent = self._bent
        if not bool(bent.any()):
            return f"Laplacian ({how}): the second derivative is 0 at all examples"
        size, defect = self.laplacian.value[bent].abs(), self.defect.value[bent]
        error = float(self.defect.standard_error[bent].median())
        line = (
            f"Laplacian ({how}): median {float(size.median()):.3g}, largest "
            f"{float(size.max()):.3g}; relative to the second derivative median "
            f"{measured(float(defect.median()), error)}, largest {float(defect.max()):.3g}"
        )
        if self.mixed_share is not None:
            mixed = self.mixed_share.value[bent]
            line += f"; part of it that is not pluriharmonic: median {float(mixed.median()):.3g}"
        return line

    def _pooled(self, at: int) -> tuple[float, float, bool]:
        """The share of all examples and outputs at a radius, its error, and whether it is found."""
        use = ~self.affine[at]
        if not bool(use.any()):
            return math.nan, math.nan, False
        beyond = self.beyond_affine.value[at][use].sum()
        share = (self.share.value * self.beyond_affine.value)[at][use].sum() / beyond
        square, left = (part[:, at][:, use].sum(-1) for part in self.draws)
        ratio = square / left
        frames = len(ratio)
        error = float((ratio - ratio.mean()).square().sum().mul((frames - 1) / frames).sqrt())
        noise = _limit(frames, len(self.radii)) * error + float(
            (DIGITS * self.rounding[at][use]).square().sum() / beyond
        )
        return float(share), error, bool(share > noise)

    def _summary(self, at: int) -> RadiusSummary:
        share, error, found = self._pooled(at)
        extremes = self.extreme_inside[at].any(1)
        return RadiusSummary(
            radius=self.radii[at],
            share=share,
            standard_error=error,
            found=found,
            interval=share_interval(
                self.share.value[at], self.beyond_affine.value[at], self.affine[at]
            ),
            affine=float(self.affine[at].double().mean()),
            extremes=wilson_interval(int(extremes.sum()), len(extremes)),
        )


def _limit(draws: int, comparisons: int) -> float:
    """Standard errors, estimated from that number of draws, that chance exceeds once in 1,000."""
    from scipy.special import stdtrit

    return float(stdtrit(draws - 1, 1 - RISK / (2 * max(1, comparisons))))
