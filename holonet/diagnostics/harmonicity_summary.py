"""All examples and outputs at one radius, and single ones that stand out."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from holonet.calculus.estimate import Estimate
from holonet.statistics import Interval, bootstrap_interval

__all__ = [
    "RadiusSummary",
    "WorstPoint",
    "measured",
    "number",
    "plain_estimate",
    "share_interval",
]

SMALLEST = 1e-12  # of a share that a reader is told


@dataclass(frozen=True)
class WorstPoint:
    """One of the places where a model is furthest from harmonic.

    Args:
        example, output: positions.
        radius: of the sphere.
        share: of what an affine fit leaves there, the part that is not harmonic.
        standard_error: of the share.
    """

    example: int
    output: int
    radius: float
    share: float
    standard_error: float

    def __str__(self) -> str:
        place = f"example {self.example}, output {self.output}, radius {self.radius:.3g}"
        return f"{place}: {measured(self.share, self.standard_error)}"


@dataclass(frozen=True)
class RadiusSummary:
    """All examples and outputs at one radius.

    Args:
        radius: of the spheres.
        share: the gaps squared over what affine fits leave, each summed; NaN where all is affine.
        standard_error: of the share, from the random frames.
        found: whether the share is beyond its error and rounding.
        interval: of the share at 95% over the examples, by the bootstrap; None with one example.
        affine: the fraction of spheres on which the function is affine to rounding.
        extremes: the fraction of examples with an output whose largest or least value in the ball
            is inside, with Wilson's interval; 0 for harmonic functions.
    """

    radius: float
    share: float
    standard_error: float
    found: bool
    interval: Interval | None
    affine: float
    extremes: Interval

    def text(self) -> str:
        """The share with its error and interval; at most what, where it is not beyond its error."""
        if math.isnan(self.share):
            return "affine to rounding"
        if not self.found:
            most = max(0.0, self.share) + 2 * self.standard_error
            if most < SMALLEST:
                return f"0 to rounding (below {SMALLEST:.0g})"
            return f"none found, at most {most:.1g}"
        own = measured(self.share, self.standard_error)
        if self.interval is None:
            return own
        low, high = self.interval.ends
        return f"{own}, 95% interval over examples {low:.3g} to {high:.3g}"

    def to_json(self) -> dict[str, Any]:
        """Numbers, ends of intervals; None for what is not defined."""
        return {
            "radius": self.radius,
            "share": number(self.share),
            "standard_error": number(self.standard_error),
            "found": self.found,
            "interval": None if self.interval is None else [number(e) for e in self.interval.ends],
            "affine": self.affine,
            "extremes": self.extremes.estimate,
            "extremes_interval": list(self.extremes.ends),
        }


def measured(value: float, error: float) -> str:
    """A number with its standard error in words."""
    return f"{value:.3g} (standard error {error:.1g})"


def number(value: float) -> float | None:
    """None for what is not finite."""
    return value if math.isfinite(value) else None


def share_interval(
    share: Float[Tensor, "examples outputs"],
    beyond_affine: Float[Tensor, "examples outputs"],
    affine: Bool[Tensor, "examples outputs"],
) -> Interval | None:
    """Of the summed share over the examples; None where all is affine or there is one example."""
    if bool(affine.all()) or len(affine) < 2:
        return None
    beyond = torch.where(affine, 0, beyond_affine).sum(1)
    square = torch.where(affine, 0, share * beyond_affine).sum(1)
    rows = torch.stack([square, beyond], 1) / beyond.sum()

    def ratio(drawn: Any) -> Any:
        total = drawn.sum(-2)
        with np.errstate(invalid="ignore"):  # examples that are all affine
            return total[..., 0] / total[..., 1]

    return bootstrap_interval(ratio, rows.numpy())


def plain_estimate(estimate: Estimate) -> dict[str, Any]:
    """The numbers of an estimate in plain types, None for what is not finite."""

    def plain(value: Any) -> Any:
        return [plain(v) for v in value] if isinstance(value, list) else number(value)

    return {
        "value": plain(estimate.value.tolist()),
        "standard_error": plain(estimate.standard_error.tolist()),
    }
