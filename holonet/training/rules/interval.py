"""Interval bound propagation: the loss of the worst logits that intervals allow."""

import torch

from holonet._arguments import checked
from holonet._types import Labels, Points, Scalar
from holonet.calculus import Probes
from holonet.certify.differentiable import largest_leads
from holonet.errors import ConfigError, InputTypeError
from holonet.threats import ThreatModel
from holonet.training.rules.risk import EmpiricalRisk
from holonet.training.rules.rule import Model
from holonet.training.rules.schedule import Weight, weight_at

__all__ = ["IntervalRule"]


@checked
class IntervalRule(EmpiricalRisk):
    """Cross-entropy of the largest leads that interval arithmetic allows in the threat set.

    With s the share of the loss at the data and u_k an upper bound of z_k - z_y by intervals on
    the set, the loss is s CE(z(x), y) + (1 - s) CE(u, y). The set is the exact image of the ball,
    cut with the bounds of the data, under the monotone layers in front
    (`attacks.leading_monotone`).

    A network that is trained so is certified by `certify(..., ["intervals"])`, whose bounds these
    are, but for rounding. Start from weights that keep the widths of intervals
    (`nn.init.interval_widths_`, `model.gain = "intervals"`), and let radius and share move from
    0 and 1 (`LinearRamp`): large intervals teach nothing.

    Args:
        threat: of norm Linf.
        radius: what that of the threat is multiplied by, a number or a schedule.
        clean_share: s, a number or a schedule.

    A training step takes five to six standard steps.

    Law: with clean_share 0 at least the loss at every point of the set. Not decreasing in eps. With
        radius 0 or clean_share 1 it is `EmpiricalRisk`.

    Raises:
        ConfigError: a norm other than Linf, a negative radius, a share outside 0 to 1.

    References:
        Gowal et al. (2019) for the loss and its warm-up; Shi et al. (2021) for the initialization.

    Example:
        >>> rule = IntervalRule(ThreatModel("Linf", 0.1), clean_share=0.2)
        >>> model = torch.nn.Linear(4, 3)
        >>> list(rule.terms(model, torch.rand(8, 4), torch.randint(3, (8,))))
        ['risk', 'interval']
    """

    def __init__(
        self, threat: ThreatModel, *, radius: Weight = 1.0, clean_share: Weight = 0.0
    ) -> None:
        super().__init__()
        if threat.norm != "Linf":
            raise ConfigError(
                f"IntervalRule with a threat in the norm {threat.norm!r}: intervals enclose the "
                "norm 'Linf' alone"
            )
        weight_at(radius, 1.0, "IntervalRule: radius")
        ends = (weight_at(clean_share, t, "IntervalRule: clean_share") for t in (0.0, 1.0))
        if max(ends) > 1:
            raise ConfigError(f"IntervalRule(clean_share={clean_share!r}): a share, at most 1")
        self.threat = threat
        self.radius = radius
        self.clean_share = clean_share

    def terms(
        self, model: Model, x: Points, y: Labels, probes: Probes | None = None
    ) -> dict[str, Scalar]:
        """`risk` at the data and `interval`, each times its share.

        Raises:
            InputTypeError: the model is no module, or has a layer that intervals do not go
                through, by name; the logits are complex.
        """
        threat = self.threat.scaled(weight_at(self.radius, 1.0, "radius"))
        share = 1.0 if threat.eps == 0 else weight_at(self.clean_share, 1.0, "clean_share")
        nothing = torch.zeros((), device=x.device)
        risk = share * super().terms(model, x, y, probes)["risk"] if share else nothing
        if share == 1:
            return {"risk": risk, "interval": nothing}
        layers, body = threat.front(model)
        if not isinstance(body, torch.nn.Module):
            raise InputTypeError(
                f"IntervalRule goes through the layers of a torch.nn.Module, and {body} is none"
            )
        leads = largest_leads(body, threat.image(layers, x), y.long())
        loss = self._losses(leads, y).mean()
        return {"risk": risk, "interval": (1 - share) * loss}

    def _settle(self, progress: float) -> None:
        super()._settle(progress)
        self.radius = weight_at(self.radius, progress, "radius")
        self.clean_share = weight_at(self.clean_share, progress, "clean_share")

    def _arguments(self) -> list[str]:
        own = [f"{name}={getattr(self, name)!r}" for name in ("radius", "clean_share")]
        return [repr(self.threat), *own, *super()._arguments()]
