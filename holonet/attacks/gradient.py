"""Attacks by the gradient of a loss: one step, and projected ascent with restarts."""

import math
from typing import Literal

import torch
from torch import Tensor

from holonet._arguments import checked
from holonet._types import AnyTensor, IntTensor, RealTensor
from holonet.attacks.alarms import Evidence, alarms_from, warn_about, warn_of_probabilities
from holonet.attacks.ascent import ascent_step
from holonet.attacks.objectives import (
    AttackLoss,
    Goal,
    Model,
    input_gradient,
    logits_of,
    require_examples,
    require_targets,
)
from holonet.attacks.result import AttackResult
from holonet.attacks.threat import ThreatModel
from holonet.errors import DomainError
from holonet.nn.modes import evaluating

__all__ = ["fgsm", "pgd"]

LOSSES = ("margin", "cross_entropy", "dlr")
SCHEDULES = ("constant", "cosine", "linear")


@checked
def fgsm(
    model: Model,
    x: Tensor,
    y: Tensor,
    threat: ThreatModel,
    *,
    loss: AttackLoss | str = "cross_entropy",
    random_start: bool = False,
    target: IntTensor | None = None,
    seed: int = 0,
) -> AttackResult:
    """One step: the point of the threat set where the loss linearized at the example is largest.

    Without a box these are the three steps of Shaham et al. about x: eps sign(g) for Linf,
    eps g / |g| for L2, eps in the one entry of largest |g_j| for L1. In a box the linearized loss
    is maximized in what is left of the ball, so that an L1 step which meets a wall goes on in the
    next entry. From a random start it is a step of length 1.25 eps, projected. The clean example
    is kept where the step does not make it worse, and where it is misclassified already.

    Args:
        model: examples (batch, ...) to real logits (batch, classes); in eval mode meanwhile.
        x: examples, in the box of the threat model.
        y: labels.
        threat: the set.
        loss: what is made large: "cross_entropy", "margin" or "dlr".
        random_start: begin at a random point of the threat set.
        target: the class to be reached for each example; None for any but the label.
        seed: of the random start.

    Law: as `pgd`.

    Raises:
        DomainError, InputTypeError, ShapeError: as `pgd`.

    Example:
        >>> model = torch.nn.Linear(2, 2).requires_grad_(False)
        >>> _ = model.weight.copy_(torch.eye(2)), model.bias.zero_()
        >>> x, y = torch.tensor([[0.75, 0.5]]), torch.tensor([0])
        >>> fgsm(model, x, y, ThreatModel("Linf", 0.125)).x_adv
        tensor([[0.6250, 0.6250]])

    References:
        Shaham, Yamada and Negahban (2015); Goodfellow, Shlens and Szegedy (2015); Wong, Rice and
        Kolter (2020) for the random start.
    """
    search = _Search(model, x, y, threat, loss, target)
    with evaluating(model):
        if not random_start:
            search.linearize()
        else:
            search.begin()
            generator = torch.Generator().manual_seed(seed)
            start = threat.random_point(search.x, generator)
            search.ascend(start, lengths=[1.25 * threat.eps], momentum=0.0)
    result = search.result()
    warn_about(result.alarms)
    return result


@checked
def pgd(
    model: Model,
    x: Tensor,
    y: Tensor,
    threat: ThreatModel,
    *,
    steps: int = 40,
    alpha: float | None = None,
    restarts: int = 1,
    loss: AttackLoss | str = "margin",
    random_start: bool = True,
    momentum: float = 0.0,
    schedule: Literal["constant", "cosine", "linear"] | str = "constant",
    target: IntTensor | None = None,
    seed: int = 0,
) -> AttackResult:
    """Steepest ascent on the loss inside the threat set, from random starts.

    Every iterate is judged by its margin and the worst one kept, the clean example included, so
    that more restarts never look weaker, nor more steps of the same length. Restarts go on only
    with the examples that are still classified correctly. In every norm but Linf the point of
    `fgsm` is judged first: there the ascent alone comes only near the maximum of a linear loss.
    The model is put in eval mode and back.

    An example at which the gradient is not finite stays there, with its worst point until then.
    What makes a failure doubtful is in the alarms of the result, and the serious part of it also
    an `AttackWarning`.

    Args:
        model: examples (batch, ...) to real logits (batch, classes).
        x: examples, in the box of the threat model.
        y: labels.
        threat: the set.
        steps: ascent steps from each start.
        alpha: length of the first step in the threat's norm; None lets the steps of the schedule
            add up to 2.5 eps.
        restarts: starts.
        loss: "margin" (of the logits: no vanishing gradients at confident points),
            "cross_entropy" or "dlr".
        random_start: begin at a random point of the threat set; else at the example, once.
        momentum: weight of the past gradients, each at dual norm 1, in the direction of a step.
        schedule: how the steps shorten: "constant", or down to 0 along a "cosine" or a "linear"
            ramp.
        target: the class to be reached for each example, None for any but the label. With one,
            the margin of the result is the lead of the strongest other class over the target.
        seed: of the random starts.

    Law: x_adv is in the threat set; the margin is at most the clean one; on a linear model of
        two classes it is that of `threat.maximizer` (with Linf, if the steps add up to at least
        2 eps).

    Raises:
        DomainError: steps or restarts below 1, several restarts with no random start, negative
            alpha or momentum, unknown loss or schedule, examples outside the box, labels or
            targets that are no class.
        InputTypeError: examples that the threat model does not perturb, complex logits, logits
            that autograd cannot follow back to the examples.
        ShapeError: the logits are not (batch, classes), or labels or targets are missing.

    References:
        Madry et al. (2018); Carlini and Wagner (2017) for the margin loss; Dong et al. (2018) for
        the momentum.
    """
    _require_options(
        steps=steps, restarts=restarts, alpha=alpha, momentum=momentum, schedule=schedule
    )
    if restarts > 1 and not random_start:
        raise DomainError(
            f"pgd(restarts={restarts}, random_start=False) would repeat one ascent: take "
            "restarts=1 or random starts"
        )
    search = _Search(model, x, y, threat, loss, target)
    shape = [_schedule(schedule, k / steps) for k in range(steps)]
    first = 2.5 * threat.eps / sum(shape) if alpha is None else alpha
    lengths = [first * share for share in shape]
    generator = torch.Generator().manual_seed(seed)
    with evaluating(model):
        if threat.norm == "Linf":
            search.begin()
        else:
            search.linearize()
        for _ in range(restarts if threat.eps > 0 else 0):
            start = threat.random_point(search.x, generator) if random_start else search.x
            search.ascend(start, lengths=lengths, momentum=momentum)
    result = search.result()
    warn_about(result.alarms)
    return result


def _schedule(name: str, progress: float) -> float:
    if name == "cosine":
        return (1 + math.cos(math.pi * progress)) / 2
    return 1 - progress if name == "linear" else 1.0


class _Search:
    """The worst point found so far for each example, and what was seen on the way."""

    def __init__(
        self,
        model: Model,
        x: Tensor,
        y: Tensor,
        threat: ThreatModel,
        loss: str,
        target: IntTensor | None,
    ) -> None:
        if loss not in LOSSES:
            raise DomainError(f"loss={loss!r}: choose 'margin', 'cross_entropy' or 'dlr'")
        require_examples(x, y, threat)
        self.model, self.x, self.threat, self.loss = model, x.detach(), threat, loss
        self.goal = Goal(y, target)
        self.x_adv = self.x.clone()
        self.margin: RealTensor
        self.evidence: list[Evidence] = []

    def begin(self) -> None:
        """Evaluate the clean examples."""
        with torch.no_grad():
            self._judge_clean(logits_of(self.model, self.x, self.goal.y))

    def linearize(self) -> None:
        """Evaluate the clean examples and the maximizers of their linearized losses."""
        if self.threat.eps == 0:
            self.begin()
            return
        logits, objective, gradient, finite = self._differentiate(self.x, self.goal)
        self._judge_clean(logits)
        left = (self.margin > 0).nonzero().squeeze(1)
        if not len(left):
            return
        goal, gradient = self.goal.at(left), gradient[left]
        point = self.threat.maximizer(gradient, self.x[left])
        with torch.no_grad():
            logits = logits_of(self.model, point, goal.y)
        self._keep(left, point, logits)
        last = goal.loss(self.loss, logits)
        self._record(left, objective[left], last, _is_zero(gradient), finite[left])

    def ascend(self, start: AnyTensor, lengths: list[float], momentum: float) -> None:
        """Ascend from `start` with the examples that still stand, and judge every iterate."""
        left = (self.margin > 0).nonzero().squeeze(1)
        if not len(left) or self.threat.eps == 0:
            return
        x, goal, point = self.x[left], self.goal.at(left), start[left]
        velocity = torch.zeros_like(x)
        first, last = self.margin.new_full((2, len(left)), -torch.inf)
        zero = finite = torch.ones_like(left, dtype=torch.bool)
        for k, length in enumerate(lengths):
            logits, objective, gradient, good = self._differentiate(point, goal)
            self._keep(left, point, logits)
            if k == 0:
                first = objective
            else:
                last = last.maximum(objective)
            zero, finite = zero & _is_zero(gradient), finite & good
            velocity = momentum * velocity + self._unit(gradient) if momentum else gradient
            moved = ascent_step(point, velocity, x, self.threat, length)
            point = torch.where(good.view(-1, *[1] * (x.ndim - 1)), moved, point)
        with torch.no_grad():
            logits = logits_of(self.model, point, goal.y)
        self._keep(left, point, logits)
        self._record(left, first, last.maximum(goal.loss(self.loss, logits)), zero, finite)

    def result(self) -> AttackResult:
        """The worst points, with the alarms."""
        return AttackResult(self.x_adv, self.margin, alarms_from(self.evidence, self.margin > 0))

    def _judge_clean(self, logits: RealTensor) -> None:
        require_targets(self.goal.target, self.goal.y, logits.shape[1])
        warn_of_probabilities(logits)
        self.margin = self.goal.margin(logits)

    def _differentiate(
        self, points: AnyTensor, goal: Goal
    ) -> tuple[RealTensor, RealTensor, AnyTensor, Tensor]:
        """Logits and objective at the points, its gradient, and where that is finite."""
        with torch.enable_grad():
            points = points.detach().requires_grad_()
            logits = logits_of(self.model, points, goal.y)
            require_targets(goal.target, goal.y, logits.shape[1])
            objective = goal.loss(self.loss, logits)
        gradient, finite = input_gradient(objective, points)
        return logits.detach(), objective.detach(), gradient, finite

    def _unit(self, gradient: AnyTensor) -> AnyTensor:
        """The gradient at dual norm 1, so that none of the past outweighs the others."""
        norm = self.threat.dual_norm(gradient)
        norm = norm.clamp(min=torch.finfo(norm.dtype).tiny)
        return gradient / norm.view(-1, *[1] * (gradient.ndim - 1))

    def _keep(self, index: IntTensor, point: AnyTensor, logits: RealTensor) -> None:
        """Remember the points that are worse than the worst until now."""
        margin = self.goal.at(index).margin(logits)
        better = margin < self.margin[index]
        self.margin[index[better]] = margin[better]
        self.x_adv[index[better]] = point[better]

    def _record(
        self, index: IntTensor, first: RealTensor, last: RealTensor, zero: Tensor, finite: Tensor
    ) -> None:
        """Keep the evidence of an ascent from these examples; the others were broken before."""
        none = torch.zeros_like(self.margin)
        everywhere = torch.ones_like(none, dtype=torch.bool)
        self.evidence.append(
            Evidence(
                none.index_copy(0, index, first),
                none.index_copy(0, index, last),
                everywhere.index_copy(0, index, zero),
                everywhere.index_copy(0, index, finite),
            )
        )


def _is_zero(gradient: AnyTensor) -> Tensor:
    return (gradient == 0).flatten(1).all(1)


def _require_options(
    *, steps: int, restarts: int, alpha: float | None, momentum: float, schedule: str
) -> None:
    if steps < 1 or restarts < 1 or not (alpha is None or 0 <= alpha < math.inf):
        raise DomainError(
            f"pgd(steps={steps}, restarts={restarts}, alpha={alpha}): "
            "steps and restarts are at least 1, alpha is >= 0 or None"
        )
    if not 0 <= momentum < math.inf:
        raise DomainError(f"pgd(momentum={momentum}): a weight of the past, finite and >= 0")
    if schedule not in SCHEDULES:
        raise DomainError(f"pgd(schedule={schedule!r}): choose 'constant', 'cosine' or 'linear'")
