"""TRADES: the risk on the data, and how far the worst points change the probabilities."""

from collections.abc import Sequence

import torch
from torch import Tensor

from holonet._arguments import checked
from holonet._types import Labels, Logits, Numbers, Points, RealTensor, Scalar
from holonet.attacks.ascent import ascend
from holonet.attacks.objectives import logits_of
from holonet.calculus import Probes
from holonet.nn.modes import evaluating
from holonet.threats import ThreatModel
from holonet.training.rules.random_starts import normal_like
from holonet.training.rules.risk import EmpiricalRisk
from holonet.training.rules.robust import require_inside, require_steps
from holonet.training.rules.rule import Model, Penalty
from holonet.training.rules.schedule import Weight, weight_at

__all__ = ["Trades"]

START = 1e-3  # standard deviation of the first offset, at which the divergence has a gradient


@checked
class Trades(EmpiricalRisk):
    """Cross-entropy at x + beta * KL(p(x) || p(x')), x' the point of the set where KL is largest.

    The inner maximum is sought by projected steepest ascent on the divergence from
    x + 0.001 * normal noise, in eval mode and with p(x) held fixed, see `RobustOptimization`; the
    gradient in the parameters goes through both p(x) and p(x').

    Args:
        threat: the set.
        radius: what that of the threat is multiplied by, a number or a schedule.
        beta: a number or a schedule; larger trades accuracy for robustness.
        steps: of ascent, a forward and backward pass each.
        alpha: their length in the threat's norm; None means 2.5 eps / steps.
        penalties: added, at the clean points.
        label_smoothing: of the cross-entropy.

    A training step takes seven to ten standard steps (docs/results.md).

    Law: with beta = 0 or radius 0 it is `EmpiricalRisk`; never below it.

    Raises:
        ConfigError: steps below 1, a negative alpha, radius or beta.

    Example:
        >>> rule = Trades(ThreatModel("Linf", 0.1), beta=6.0)
        >>> model = torch.nn.Linear(4, 3)
        >>> list(rule.terms(model, torch.rand(8, 4), torch.randint(3, (8,))))
        ['risk', 'divergence']

    References:
        Zhang et al. (2019).
    """

    def __init__(
        self,
        threat: ThreatModel,
        *,
        radius: Weight = 1.0,
        beta: Weight = 1.0,
        steps: int = 7,
        alpha: float | None = None,
        penalties: Sequence[Penalty] = (),
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(penalties, label_smoothing)
        require_steps("Trades", steps, alpha)
        weight_at(radius, 1.0, "Trades: radius")
        weight_at(beta, 1.0, "Trades: beta")
        self.threat = threat
        self.radius = radius
        self.beta = beta
        self.steps = steps
        self.alpha = alpha

    def terms(
        self, model: Model, x: Points, y: Labels, probes: Probes | None = None
    ) -> dict[str, Scalar]:
        """`risk`, `divergence` (weighted by beta) and the penalties.

        Raises:
            InputTypeError: the logits are complex or cut off from the points, or a penalty
                refuses the model.
            DomainError: examples outside the box of the threat.
        """
        probes = Probes() if probes is None else probes
        beta = weight_at(self.beta, 1.0, "Trades: beta")
        if beta == 0 or self._current().eps == 0:
            terms = super().terms(model, x, y, probes)
            return {
                "risk": terms.pop("risk"),
                "divergence": torch.zeros((), device=x.device),
            } | terms
        perturbed = self.perturb(model, x, y, probes)
        terms, _ = self._penalized(model, x, y, probes)
        clean = model(x.clone())
        risk = self._losses(clean, y).mean()
        divergences = _divergence(clean.log_softmax(1), model(perturbed))
        divergence = self._weigh(divergences, y, clean.shape[1]).mean()
        return {"risk": risk, "divergence": beta * divergence, **terms}

    def _settle(self, progress: float) -> None:
        super()._settle(progress)
        self.radius = weight_at(self.radius, progress, "Trades: radius")
        self.beta = weight_at(self.beta, progress, "Trades: beta")

    def _current(self) -> ThreatModel:
        return self.threat.scaled(weight_at(self.radius, 1.0, "Trades: radius"))

    def perturb(self, model: Model, x: Points, y: Labels, probes: Probes | None = None) -> Points:
        """The points x', with no gradient; y only tells the shape of the logits."""
        x, threat = x.detach(), self._current()
        require_inside(x, threat)
        probes = Probes() if probes is None else probes
        start = threat.project(x + START * normal_like(x, probes), x)
        alpha = 2.5 * threat.eps / self.steps if self.alpha is None else self.alpha
        with evaluating(model), torch.enable_grad():
            clean = logits_of(model, x, y).detach().log_softmax(1)

            def objective(points: Tensor) -> RealTensor:
                return _divergence(clean, logits_of(model, points, y))

            return ascend(objective, start, x, threat, steps=self.steps, alpha=alpha).detach()

    def _arguments(self) -> list[str]:
        radius = [] if self.radius == 1 else [f"radius={self.radius!r}"]
        own = [f"{k}={getattr(self, k)!r}" for k in ("beta", "steps", "alpha")]
        return [repr(self.threat), *radius, *own, *super()._arguments()]


def _divergence(log_p: Logits, logits: Logits) -> Numbers:
    """KL(p || q) of each example, p by its logarithm and q by its logits."""
    return torch.nn.functional.kl_div(
        logits.log_softmax(1), log_p, reduction="none", log_target=True
    ).sum(1)
