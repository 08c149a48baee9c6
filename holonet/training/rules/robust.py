"""Robust optimization: the risk at the worst points of a set about each example."""

import math
from collections.abc import Callable, Sequence
from typing import Literal

import torch

from holonet._arguments import checked
from holonet._types import Labels, Numbers, Points, Scalar
from holonet.attacks.ascent import ascend
from holonet.attacks.objectives import input_gradient, logits_of, loss_named
from holonet.calculus import Probes
from holonet.errors import ConfigError, DomainError
from holonet.nn.modes import evaluating
from holonet.threats import ThreatModel
from holonet.training.rules.random_starts import random_start
from holonet.training.rules.risk import EmpiricalRisk
from holonet.training.rules.rule import Model, Penalty
from holonet.training.rules.schedule import Weight, weight_at

__all__ = ["InnerSolver", "RobustOptimization", "fgsm_rs", "shaham"]

BatchObjective = Callable[[Points], Numbers]
InnerSolver = Callable[[BatchObjective, Points, Points, ThreatModel], Points]
"""(objective: points -> one number an example, start, x, threat) -> points of larger objective."""


@checked
class RobustOptimization(EmpiricalRisk):
    """min over parameters of E max over the set of the loss: the perturbed batch replaces it.

    The inner maximum is sought by projected steepest ascent, in eval mode: batch norm uses its
    running statistics and does not move them, dropout is off, and each module gets its mode back
    for the pass that is learned from. Only the points are differentiated in there, so that no
    gradient reaches the parameters; they keep their requires_grad, since freezing them for the
    inner passes saved no more than 2% of their time (784-256-256-10, batch 256, one CPU thread).
    By Danskin's theorem the gradient of the maximum is that of the loss at the maximizer, which
    is held fixed.

    Args:
        threat: the set; for one of another shape subclass `ThreatModel`, whose `project`,
            `steepest` and `maximizer` are all that is asked, or give a solver.
        radius: what that of the threat is multiplied by, a number or a schedule.
        steps: of ascent, a forward and backward pass each.
        alpha: their length in the threat's norm. None: the whole way to the point of the set
            where the linear part of the loss is largest, for one step without a random start
            (Shaham et al.); 1.25 eps for one step with it; 2.5 eps / steps for several.
        random_start: from a uniform point of the set instead of the example.
        loss: that the inner steps make large: "cross_entropy", "margin" or "dlr".
        penalties: added to the risk.
        penalties_at: "perturbed" or "clean" points.
        label_smoothing: of the risk.
        solver: another inner solver: (objective, start, x, threat) -> points.

    A training step takes about two standard steps for one step of ascent, six to eight for seven
    (docs/results.md).

    Law: with radius 0 it is `EmpiricalRisk`. The perturbed points are in the set, and the same
        to rounding however the batch is split over processes. Parameter gradients are those of
        the risk at these points, and nothing else of the model changes but by the pass at them.

    Raises:
        ConfigError: steps below 1, a negative alpha or radius, an unknown loss or place of
            penalties.

    Example:
        >>> rule = RobustOptimization(ThreatModel("Linf", 0.1), steps=3)
        >>> model = torch.nn.Linear(4, 3)
        >>> rule(model, torch.rand(8, 4), torch.randint(3, (8,))).shape
        torch.Size([])

    References:
        Shaham, Yamada and Negahban (2015) for the min-max with one step; Madry et al. (2018) for
        several from a random start; Wong, Rice and Kolter (2020) for one from a random start.
    """

    def __init__(
        self,
        threat: ThreatModel,
        *,
        radius: Weight = 1.0,
        steps: int = 1,
        alpha: float | None = None,
        random_start: bool = True,
        loss: Literal["margin", "cross_entropy", "dlr"] | str = "cross_entropy",
        penalties: Sequence[Penalty] = (),
        penalties_at: Literal["clean", "perturbed"] | str = "perturbed",
        label_smoothing: float = 0.0,
        solver: InnerSolver | None = None,
    ) -> None:
        super().__init__(penalties, label_smoothing)
        require_steps("RobustOptimization", steps, alpha)
        weight_at(radius, 1.0, "RobustOptimization: radius")
        if loss not in ("margin", "cross_entropy", "dlr"):
            raise ConfigError(
                f"RobustOptimization(loss={loss!r}): choose 'margin', 'cross_entropy' or 'dlr'"
            )
        if penalties_at not in ("clean", "perturbed"):
            raise ConfigError(
                f"RobustOptimization(penalties_at={penalties_at!r}): choose 'clean' or 'perturbed'"
            )
        self.threat = threat
        self.radius = radius
        self.steps = steps
        self.alpha = alpha
        self.random_start = random_start
        self.loss = loss
        self.penalties_at = penalties_at
        self.solver = solver

    def terms(
        self, model: Model, x: Points, y: Labels, probes: Probes | None = None
    ) -> dict[str, Scalar]:
        """`risk` at the perturbed points, and the penalties.

        Raises:
            InputTypeError: the logits are complex or cut off from the points, or a penalty
                refuses the model.
            DomainError: examples outside the box of the threat.
        """
        probes = Probes() if probes is None else probes
        perturbed = self.perturb(model, x, y, probes)
        if self.penalties_at == "perturbed":
            return super().terms(model, perturbed, y, probes)
        terms, _ = self._penalized(model, x, y, probes)
        return {"risk": self._losses(model(perturbed.clone()), y).mean(), **terms}

    def perturb(self, model: Model, x: Points, y: Labels, probes: Probes | None = None) -> Points:
        """The points that the rule learns from, with no gradient."""

        def objective(points: Points) -> Numbers:
            return loss_named(self.loss, logits_of(model, points, y), y)

        x, threat = x.detach(), self._current()
        require_inside(x, threat)
        if threat.eps == 0:
            return x
        probes = Probes() if probes is None else probes
        start = random_start(x, threat, probes) if self.random_start else x
        with evaluating(model), torch.enable_grad():
            return self._solve(objective, start, x, threat).detach()

    def _settle(self, progress: float) -> None:
        super()._settle(progress)
        self.radius = weight_at(self.radius, progress, "RobustOptimization: radius")

    def _current(self) -> ThreatModel:
        return self.threat.scaled(weight_at(self.radius, 1.0, "RobustOptimization: radius"))

    def _solve(
        self, objective: BatchObjective, start: Points, x: Points, threat: ThreatModel
    ) -> Points:
        if self.solver is not None:
            return self.solver(objective, start, x, threat)
        if self.alpha is None and self.steps == 1 and not self.random_start:
            point = x.clone().requires_grad_()  # where the linear part is largest
            return threat.maximizer(input_gradient(objective(point), point)[0], x)
        usual = (1.25 if self.steps == 1 else 2.5 / self.steps) * threat.eps
        alpha = usual if self.alpha is None else self.alpha
        return ascend(objective, start, x, threat, steps=self.steps, alpha=alpha)

    def _arguments(self) -> list[str]:
        own = [f"{k}={getattr(self, k)!r}" for k in ("steps", "alpha", "random_start", "loss")]
        solver = getattr(self.solver, "__qualname__", repr(self.solver))
        return [
            repr(self.threat),
            *([] if self.radius == 1 else [f"radius={self.radius!r}"]),
            *own,
            *super()._arguments(),
            f"penalties_at={self.penalties_at!r}",
            *([] if self.solver is None else [f"solver={solver}"]),
        ]


@checked
def shaham(
    threat: ThreatModel, *, radius: Weight = 1.0, penalties: Sequence[Penalty] = ()
) -> RobustOptimization:
    """One step from the example to the point where the linear part of the loss is largest.

    For l_inf it is training on the fast gradient sign method. The box of valid data, which
    Shaham et al. do not have, is taken into account; bounds=None leaves it out.

    References:
        Shaham, Yamada and Negahban (2015); Goodfellow, Shlens and Szegedy (2015).
    """
    return RobustOptimization(threat, radius=radius, random_start=False, penalties=penalties)


@checked
def fgsm_rs(
    threat: ThreatModel, *, radius: Weight = 1.0, penalties: Sequence[Penalty] = ()
) -> RobustOptimization:
    """One step of 1.25 eps from a uniform point of the set, projected.

    It can overfit to its own step all of a sudden (catastrophic overfitting): watch the accuracy
    under several steps.

    References:
        Wong, Rice and Kolter (2020).
    """
    return RobustOptimization(threat, radius=radius, penalties=penalties)


def require_steps(asked: str, steps: int, alpha: float | None) -> None:
    """Steps and their length must make sense.

    Raises:
        ConfigError: they do not.
    """
    if steps < 1 or not (alpha is None or 0 <= alpha < math.inf):
        raise ConfigError(
            f"{asked}(steps={steps}, alpha={alpha}): at least 1 step, of a finite length >= 0 or "
            "None for the usual one"
        )


def require_inside(x: Points, threat: ThreatModel) -> None:
    """The examples must lie in the box of the threat, lest it move them by more than its radius.

    Raises:
        DomainError: some do not.
    """
    if threat.bounds is None or x.is_complex():
        return
    low, high = threat.bounds
    outside = int(((x < low) | (x > high)).flatten(1).any(1).sum())
    if outside:
        raise DomainError(
            f"{outside} of {len(x)} examples are outside the box of valid data {threat.bounds}: "
            "give ThreatModel the range of the data, or bounds=None (rule.bounds = 'none' in a "
            "configuration)"
        )
