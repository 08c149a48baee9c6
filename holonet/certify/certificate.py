"""What a certificate claims, and what it rests on."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from holonet.threats import ThreatModel

__all__ = ["Certificate"]


@dataclass(frozen=True)
class Certificate:
    """Lower bounds of the margins of one example over a threat set.

    Args:
        label: the class y.
        threat: the set of perturbations.
        margins: for each class k a lower bound of z_y - z_k on the set; infinite at y.
        method: how they were found.
        semantics: "exact" for the stored weights in exact arithmetic; "executed float32" or
            "executed float64" for all that this dtype may return, in any order of summation.
        theorem: what makes the bounds hold.
        hypotheses: what was checked for it.
        notes: what kept the bounds from being finite, if anything.
        weights, example: SHA-256 of the model and of the example.
        witness: for each class what an independent check of its margin needs; empty for methods
            that it does not know.
    """

    label: int
    threat: ThreatModel
    margins: tuple[float, ...]
    method: str
    semantics: str
    theorem: str
    hypotheses: tuple[str, ...]
    notes: tuple[str, ...]
    weights: str
    example: str
    witness: Mapping[int, Any] = field(default_factory=dict)

    @property
    def margin(self) -> float:
        """The least of the margins; -infinity where one is no number."""
        return min(-math.inf if math.isnan(bound) else bound for bound in self.margins)

    @property
    def holds(self) -> bool:
        """Whether every point of the set is proved to be of class `label`."""
        return self.margin > 0

    @property
    def claim(self) -> str:
        """What is proved, in words."""
        if not self.holds:
            return f"nothing is proved of class {self.label} in {self.threat}"
        return (
            f"every point of {self.threat} has class {self.label}, by a margin of at least "
            f"{self.margin:.6g} ({self.semantics} semantics)"
        )
