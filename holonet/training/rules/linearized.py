"""First-order robust optimization: the robust loss of the linear part, without an attack."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch
from jaxtyping import Bool
from torch import Tensor, nn
from torch.nn import functional

from holonet._arguments import checked
from holonet._types import Labels, Logits, Numbers, Points, Scalar
from holonet.calculus import Probes, pullback
from holonet.errors import ConfigError, InputTypeError
from holonet.nn.modes import evaluating, running_statistics
from holonet.regularizers.gradient_norm import GradientNorm
from holonet.threats import Box, ThreatModel
from holonet.training.rules.curvature import SquareForm, sampled_entries
from holonet.training.rules.random_starts import uniform_like
from holonet.training.rules.risk import EmpiricalRisk
from holonet.training.rules.rule import Model, Penalty
from holonet.training.rules.schedule import Weight, weight_at

__all__ = ["LinearizedRobustOptimization", "first_order_loss"]

Place = Literal["data", "center", "random", "two-radii", "frank-wolfe"]
"""Where the linear part is taken."""

DUAL = {"Linf": "L1", "L2": "L2", "L1": "Linf", "polydisc": "L1", "complex_ball": "L2"}


@checked
class LinearizedRobustOptimization(EmpiricalRisk):
    """Cross-entropy of logits in which the wrong ones are raised as far as the linear part allows.

    With p the point where the linear part is taken and S the set of perturbations, the loss is that
    of z_k(p) + max over w in S of <grad(z_k - z_y)(p), w - p>, in closed form.

    For an l_inf threat S is the exact image of the ball, cut with the bounds of the data, under the
    monotone layers in front of the network (`attacks.leading_monotone`), and the network is what
    stands behind them. S is a box, and is learned with these layers. At the data of a network
    without such layers, and in the other norms, S is the ball without bounds, and the maximum
    eps ||grad(z_k - z_y)(x)|| in the dual norm.

    Args:
        threat: norm and radius.
        at: the point p. "data": the image of the example. "center" of the box. "random": uniform in
            the box. "two-radii": the mean of the losses at the centers of the boxes of the radius
            and of half of it. "frank-wolfe": for each example by chance the center, or the
            corner where the linear part of the runner-up's lead at the data is largest, which is
            one step of Frank and Wolfe. All but "data" need the norm Linf.
        corners: the probability of the corner with "frank-wolfe", a number or a schedule.
        classes: how many wrong classes are raised, those of the largest logits, a double backward
            pass each; None for all. With fewer the loss is smaller than with all: the
            others stay where they are until they come up. The runner-up alone did as well as
            two on MNIST, at two thirds of the cost (docs/results.md).
        radius: what that of the threat is multiplied by, a number or a schedule.
        curvature: how much of what the margins can lose beyond their linear part is added to the
            maximum, a number or a schedule. With 0 nothing is. With 1 it is all that sums of
            moduli allow, as in the certificate `second_order`, and the quadratic forms are
            multiplied by what is between. For norm Linf and layers of squares, real or complex,
            behind the monotone layers.
        entries: how many rows of the quadratic form of an example are summed; where more entries
            can move, rows are drawn and the sums estimated. A step takes seven standard steps with
            one and twelve with four (tests/benchmarks/step_time.py).
        label_smoothing: of the cross-entropy.

    A training step takes about two standard steps, three with two classes (docs/results.md), twice
    that with "two-radii", and about one more times the share of corners with "frank-wolfe".

    Law: not decreasing in eps and in classes at the data, nor in the curvature. On a linear model
        behind monotone layers, with S and all classes, at least the robust loss, and equal to it
        for two classes (but for "two-radii"). With curvature 1, enough entries and all classes at
        least the robust loss of layers of squares. With radius 0 it is `EmpiricalRisk`.

    Raises:
        ConfigError: classes or entries below 1, a negative radius or curvature, corners outside 0
            to 1, a threat of unknown norm; a point of the box or a curvature with a norm that has
            no box.

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
        at: Place | str = "data",
        corners: Weight = 0.5,
        classes: int | None = 1,
        radius: Weight = 1.0,
        curvature: Weight = 0.0,
        entries: int = 4,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__((), label_smoothing)
        if at not in get_args(Place):
            raise ConfigError(
                f"LinearizedRobustOptimization(at={at!r}): choose one of "
                f"{', '.join(map(repr, get_args(Place)))}"
            )
        if at != "data" and threat.norm != "Linf":
            raise ConfigError(
                f"LinearizedRobustOptimization(at={at!r}) with a threat in the norm "
                f"{threat.norm!r}: only the norm 'Linf' has a box with other points than the data; "
                "choose at='data'"
            )
        if classes is not None and classes < 1:
            raise ConfigError(
                f"LinearizedRobustOptimization(classes={classes}): at least 1, or None for all"
            )
        weight_at(radius, 1.0, "LinearizedRobustOptimization: radius")
        ends = (weight_at(corners, t, "LinearizedRobustOptimization: corners") for t in (0.0, 1.0))
        if max(ends) > 1:
            raise ConfigError(
                f"LinearizedRobustOptimization(corners={corners!r}): a probability, at most 1"
            )
        weight_at(curvature, 1.0, "LinearizedRobustOptimization: curvature")
        if curvature != 0 and threat.norm != "Linf":
            raise ConfigError(
                f"LinearizedRobustOptimization(curvature={curvature!r}) with a threat in the norm "
                f"{threat.norm!r}: the sums of moduli are for the norm 'Linf'; choose curvature=0"
            )
        if entries < 1:
            raise ConfigError(f"LinearizedRobustOptimization(entries={entries}): at least 1")
        dual_norm(threat)  # refuses what has none
        self.threat = threat
        self.place = at
        self.corners = corners
        self.classes = classes
        self.radius = radius
        self.curvature = curvature
        self.entries = entries

    def terms(
        self, model: Model, x: Points, y: Labels, probes: Probes | None = None
    ) -> dict[str, Scalar]:
        """`risk` of the raised logits.

        Raises:
            InputTypeError: the logits are complex.
        """
        threat = self._current()
        if threat.eps == 0:
            return super().terms(model, x, y, probes)
        probes = Probes() if probes is None else probes
        threats = [threat, threat.scaled(0.5)] if self.place == "two-radii" else [threat]
        risks = [self._robust_losses(model, x, y, each, probes).mean() for each in threats]
        return {"risk": torch.stack(risks).mean()}

    def diagnose(self, model: Model, x: Points, y: Labels) -> dict[str, float]:
        """`prediction_gap`: how far the loss at predicted worst points exceeds the predicted loss.

        The worst point is where the linear part of the runner-up's lead is largest, the predicted
        loss that of the linear part of all logits there; both are means over the batch. It is 0
        for linear models. Where it is large, the network is flat where the rule looks and curved
        beside it, so that the loss of the rule says little about robustness.
        """
        threat = self._current()
        if threat.eps == 0:
            return {"prediction_gap": 0.0}
        with evaluating(model), torch.no_grad():
            body, point, region = self._linearized(model, x, y, threat, Probes(0))
            logits, backward = pullback(body, point)
            worst = region.maximizer(backward(_leads(logits, y, 1)[0]))
            _, forward = pullback(backward, torch.zeros_like(logits))  # the transpose's transpose
            change = forward(worst - point)
            gap = self._losses(body(worst), y) - self._losses(logits + change, y)
        return {"prediction_gap": float(gap.mean())}

    def _current(self) -> ThreatModel:
        return self.threat.scaled(weight_at(self.radius, 1.0, "radius"))

    def _robust_losses(
        self, model: Model, x: Points, y: Labels, threat: ThreatModel, probes: Probes
    ) -> Numbers:
        with running_statistics(model) as frozen:
            body, point, region = self._linearized(model, x, y, threat, probes)
            logits, backward = pullback(body, point)
            self._losses(logits, y)  # refuses complex logits in words
            raised = torch.zeros_like(logits)
            leads = _leads(logits, y, self.classes)
            excesses = self._excesses(body, point, region, leads, probes)
            for lead, excess in zip(leads, excesses, strict=True):
                slack = region.rise(backward(lead), point) + excess
                raised = raised + slack.unsqueeze(1) * lead.clamp(min=0)
        logits = body(point.clone()) if frozen else logits
        return self._losses(logits + raised, y)

    def _excesses(
        self,
        body: Model,
        point: Points,
        region: "Box | _Ball",
        leads: list[Logits],
        probes: Probes,
    ) -> Sequence[Numbers | float]:
        """What the leads can gain beyond their linear part, times the curvature."""
        weight = weight_at(self.curvature, 1.0, "curvature")
        if weight == 0:
            return [0.0] * len(leads)
        if not isinstance(body, nn.Module):
            raise InputTypeError(
                "the curvature term reads the layers of a torch.nn.Module, and "
                f"{type(body).__name__} is none: choose curvature=0"
            )
        radii = region.reach(point)
        entries = sampled_entries(radii, self.entries, probes)
        return SquareForm.of(body).excesses(point, radii, leads, weight, entries)

    def _linearized(
        self, model: Model, x: Points, y: Labels, threat: ThreatModel, probes: Probes
    ) -> tuple[Model, Points, "Box | _Ball"]:
        """The network behind its monotone layers, the point, and the set about it."""
        layers, body = threat.front(model)
        if self.place == "data" and not layers:
            return model, x, _Ball(threat, x)
        box = threat.image(layers, x)
        if self.place in ("center", "two-radii"):
            return body, box.center, box
        if self.place == "random":
            return body, box.at(uniform_like(box.low, probes)), box
        point = x
        for layer in layers:
            point = layer(point)
        if self.place == "frank-wolfe":
            share = weight_at(self.corners, 1.0, "corners")
            point = _corners_and_centers(
                body, point, box, y, uniform_like(point.new_empty(len(point)), probes) < share
            )
        return body, point, box

    def _settle(self, progress: float) -> None:
        super()._settle(progress)
        self.radius = weight_at(self.radius, progress, "radius")
        self.corners = weight_at(self.corners, progress, "corners")
        self.curvature = weight_at(self.curvature, progress, "curvature")

    def _arguments(self) -> list[str]:
        names = ["corners"] * (self.place == "frank-wolfe") + ["classes", "radius"]
        names += ["curvature", "entries"] * (self.curvature != 0)
        own = [f"{name}={getattr(self, name)!r}" for name in names]
        return [repr(self.threat), f"at={self.place!r}", *own, *super()._arguments()]


@dataclass(frozen=True)
class _Ball:
    """The ball of a threat about x, without the bounds of the data."""

    threat: ThreatModel
    x: Points

    def rise(self, gradient: Points, point: Points) -> Numbers:
        """The largest <gradient, w - point> over the points w of the ball about point."""
        del point
        return self.threat.eps * self.threat.dual_norm(gradient)

    def reach(self, point: Points) -> Points:
        """How far each entry may be from the point."""
        return torch.full_like(point, self.threat.eps)

    def maximizer(self, gradient: Points) -> Points:
        """Where it is attained."""
        return replace(self.threat, bounds=None).maximizer(gradient, self.x)


def _corners_and_centers(
    body: Model, point: Points, box: Box, y: Labels, chosen: Bool[Tensor, " batch"]
) -> Points:
    """The center of the box, for chosen examples the corner that the linear part points to."""
    if not chosen.any():
        return box.center
    with torch.no_grad():
        logits, backward = pullback(body, point[chosen])
        gradient = backward(_leads(logits, y[chosen], 1)[0])
    corners = Box(box.low[chosen], box.high[chosen]).maximizer(gradient)
    return box.center.index_put((chosen,), corners)


def _leads(logits: Logits, y: Labels, classes: int | None) -> list[Logits]:
    """The forms z_k - z_y of the wrong classes with the largest logits, as rows of 1 and -1."""
    label = functional.one_hot(y.long(), logits.shape[1]).to(logits)
    wrong = logits.shape[1] - 1
    count = wrong if classes is None else min(classes, wrong)
    largest = logits.detach().masked_fill(label > 0, -torch.inf).topk(count, dim=1).indices
    return [functional.one_hot(k, logits.shape[1]).to(logits) - label for k in largest.T]


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
