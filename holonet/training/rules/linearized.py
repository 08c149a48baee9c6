"""First-order robust optimization: the robust loss of the linear part, without an attack."""

import torch
from torch.nn import functional

from holonet._arguments import checked
from holonet._types import Labels, Points, Scalar
from holonet.attacks.threat import ThreatModel
from holonet.calculus import Probes, pullback
from holonet.calculus.examples import lengths
from holonet.errors import ConfigError
from holonet.nn.modes import running_statistics
from holonet.regularizers.gradient_norm import GradientNorm
from holonet.training.rules.risk import EmpiricalRisk
from holonet.training.rules.rule import Model, Penalty
from holonet.training.rules.schedule import Weight, weight_at

__all__ = ["LinearizedRobustOptimization", "first_order_loss"]

DUAL = {"Linf": "L1", "L2": "L2", "L1": "Linf", "polydisc": "L1", "complex_ball": "L2"}


@checked
class LinearizedRobustOptimization(EmpiricalRisk):
    """Cross-entropy of the logits z_k + eps ||grad(z_k - z_y)||_*, in the dual norm.

    To first order, that is the most by which a perturbation of the threat can raise each wrong
    logit against the label's. The box of valid data is not used: it only makes the threat
    smaller.

    Args:
        threat: norm and radius.
        classes: how many wrong classes are raised, those of the largest logits, a double backward
            pass each; None for all. With fewer the loss is smaller than with all: the
            others stay where they are until they come up. The runner-up alone did as well as
            two on MNIST, at two thirds of the cost (docs/results.md).
        radius: what that of the threat is multiplied by, a number or a schedule.
        label_smoothing: of the cross-entropy.

    A training step takes about two standard steps, three with two classes (docs/results.md).

    Law: not decreasing in eps and in classes. On a linear model without a box and with all
        classes, at least the robust loss, and equal to it for two classes.

    Raises:
        ConfigError: classes below 1, a negative radius, a threat of unknown norm.

    References:
        Shaham, Yamada and Negahban (2015) for the inner maximum to first order; Elsayed et al.
        (2018) for the linear distance to the boundary as the margin.

    Example:
        >>> rule = LinearizedRobustOptimization(ThreatModel("Linf", 0.1))
        >>> model = torch.nn.Linear(4, 3)
        >>> rule(model, torch.rand(8, 4), torch.randint(3, (8,))).shape
        torch.Size([])
    """

    def __init__(
        self,
        threat: ThreatModel,
        *,
        classes: int | None = 1,
        radius: Weight = 1.0,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__((), label_smoothing)
        if classes is not None and classes < 1:
            raise ConfigError(
                f"LinearizedRobustOptimization(classes={classes}): at least 1, or None for all"
            )
        weight_at(radius, 1.0, "LinearizedRobustOptimization: radius")
        self.norm = dual_norm(threat)
        self.threat = threat
        self.classes = classes
        self.radius = radius

    def terms(
        self, model: Model, x: Points, y: Labels, probes: Probes | None = None
    ) -> dict[str, Scalar]:
        """`risk` of the raised logits.

        Raises:
            InputTypeError: the logits are complex.
        """
        radius = self.threat.eps * weight_at(self.radius, 1.0, "radius")
        if radius == 0:
            return super().terms(model, x, y, probes)
        with running_statistics(model) as frozen:
            logits, backward = pullback(model, x)
            self._losses(logits, y)  # refuses complex logits in words
            label = functional.one_hot(y.long(), logits.shape[1]).to(logits)
            wrong = logits.shape[1] - 1
            count = wrong if self.classes is None else min(self.classes, wrong)
            largest = logits.detach().masked_fill(label > 0, -torch.inf).topk(count, dim=1).indices
            raised = torch.zeros_like(logits)
            for k in largest.T:
                other = functional.one_hot(k, logits.shape[1]).to(logits)
                slack = lengths(backward(other - label), self.norm)
                raised = raised + radius * slack.unsqueeze(1) * other
        logits = model(x.clone()) if frozen else logits
        return {"risk": self._losses(logits + raised, y).mean()}

    def _settle(self, progress: float) -> None:
        super()._settle(progress)
        self.radius = weight_at(self.radius, progress, "radius")

    def _arguments(self) -> list[str]:
        own = [f"{k}={getattr(self, k)!r}" for k in ("classes", "radius")]
        return [repr(self.threat), *own, *super()._arguments()]


@checked
def first_order_loss(threat: ThreatModel) -> EmpiricalRisk:
    """The loss + eps ||grad loss||_*: the robust loss to first order in the radius.

    Raises:
        ConfigError: a threat of unknown norm.

    Example:
        >>> first_order_loss(ThreatModel("Linf", 0.1)).penalties[0].weight
        0.1

    References:
        Finlay and Oberman (2019); Rodriguez-Munoz, Wang and Torralba (2024).
    """
    return EmpiricalRisk([Penalty(GradientNorm(dual_norm(threat)), threat.eps, "loss")])


def dual_norm(threat: ThreatModel) -> str:
    """The norm of a gradient that belongs to the threat's, as `GradientNorm` calls it.

    Raises:
        ConfigError: the threat has a norm of its own.
    """
    if threat.norm not in DUAL:
        raise ConfigError(
            f"a threat in the norm {threat.norm!r} has no known dual norm: choose one of "
            f"{', '.join(map(repr, DUAL))}"
        )
    return DUAL[threat.norm]
