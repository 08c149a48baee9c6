"""Sums of rules."""

import copy
from collections.abc import Sequence

from holonet._arguments import checked
from holonet._types import Labels, Points, Scalar
from holonet.calculus import Probes
from holonet.errors import ConfigError
from holonet.training.rules.rule import Model, Rule
from holonet.training.rules.schedule import Weight, weight_at

__all__ = ["Mixture"]


@checked
class Mixture(Rule):
    """A weighted sum of rules: half the risk on the data and half that at perturbed points.

    Args:
        parts: (weight, rule) pairs; a weight is a number or a schedule.

    Law: linear in the weights.

    Raises:
        ConfigError: no parts, or a negative weight.

    Example:
        >>> from holonet.training.rules.risk import EmpiricalRisk
        >>> Mixture([(0.5, EmpiricalRisk()), (0.5, EmpiricalRisk())])
        Mixture(0.5 * EmpiricalRisk(), 0.5 * EmpiricalRisk())
    """

    def __init__(self, parts: Sequence[tuple[Weight, Rule]]) -> None:
        if not parts:
            raise ConfigError("Mixture of no rules: give (weight, rule) pairs")
        for weight, _ in parts:
            weight_at(weight, 1.0, "Mixture: weight")
        self.parts = tuple(parts)

    def terms(
        self, model: Model, x: Points, y: Labels, probes: Probes | None = None
    ) -> dict[str, Scalar]:
        """The terms of the parts, weighted; those of one name are added."""
        probes = Probes() if probes is None else probes
        sums: dict[str, Scalar] = {}
        for weight, rule in self.parts:
            factor = weight_at(weight, 1.0, "Mixture: weight")
            for name, term in rule.terms(model, x, y, probes).items():
                sums[name] = sums[name] + factor * term if name in sums else factor * term
        return sums

    def diagnose(self, model: Model, x: Points, y: Labels) -> dict[str, float]:
        """What the parts have to say; of one name the last."""
        return {k: v for _, rule in self.parts for k, v in rule.diagnose(model, x, y).items()}

    def at(self, progress: float) -> "Mixture":
        """The mixture, and its parts, with the weights of that fraction of training."""
        rule = copy.copy(self)
        rule.parts = tuple(
            (weight_at(w, progress, "Mixture: weight"), part.at(progress)) for w, part in self.parts
        )
        return rule

    def weighted(self, weights: Sequence[float | int]) -> "Mixture":
        """The mixture of the parts with these class weights."""
        rule = copy.copy(self)
        rule.parts = tuple((w, part.weighted(weights)) for w, part in self.parts)
        return rule

    def __repr__(self) -> str:
        return f"Mixture({', '.join(f'{w!r} * {rule!r}' for w, rule in self.parts)})"
