"""Attacks by the gradient of a loss: one step, and projected ascent with restarts."""

import functools
import math
from typing import Literal

import torch

from holonet._arguments import checked
from holonet._types import (
    AnyTensor,
    GivenClasses,
    GivenLabels,
    GivenPoints,
    IntTensor,
    Labels,
    Points,
)
from holonet.attacks.alarms import warn_of_probabilities
from holonet.attacks.ascent import ascent_step
from holonet.attacks.image_box import on_image_box
from holonet.attacks.objectives import AttackLoss, Model
from holonet.attacks.result import AttackResult
from holonet.attacks.search import Ascent, WorstPoints, evaluator, where_examples
from holonet.calculus.examples import per_example
from holonet.errors import ConfigError
from holonet.nn.modes import evaluating
from holonet.threats import ThreatModel

__all__ = ["fgsm", "pgd"]

LOSSES = ("margin", "cross_entropy", "dlr")
SCHEDULES = ("constant", "cosine", "linear")


@checked
@on_image_box
def fgsm(
    model: Model,
    x: GivenPoints,
    y: GivenLabels,
    threat: ThreatModel,
    *,
    loss: AttackLoss | str = "cross_entropy",
    random_start: bool = False,
    target: GivenClasses | None = None,
    seed: int = 0,
) -> AttackResult:
    """One step: the point of the threat set where the loss linearized at the example is largest.

    Without a box these are the three steps of Shaham et al. about x: eps sign(g) for Linf,
    eps g / |g| for L2, eps in the one entry of largest |g_j| for L1. In a box the linearized loss
    is maximized in what is left of the ball, so that an L1 step which meets a wall goes on in the
    next entry. From a random start it is a step of length 1.25 eps, projected. The clean example
    is kept where the step does not make it worse, and where it is misclassified already.

    Args:
        model, x, y, threat, loss, target: as in `pgd`.
        random_start: begin at a random point of the threat set.
        seed: of the random start.

    Law: as `pgd`.

    Raises:
        ConfigError, DomainError, InputTypeError, ShapeError: as `pgd`.

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
    with evaluating(model):
        worst = _begin(model, x, y, threat, loss, target)
        if not random_start:
            _linearize(worst, loss)
        else:
            robust, start = worst.random_starts(torch.Generator().manual_seed(seed))
            _ascend(worst, loss, robust, start, lengths=[1.25 * threat.eps], momentum=0.0)
    return worst.result()


@checked
@on_image_box
def pgd(
    model: Model,
    x: GivenPoints,
    y: GivenLabels,
    threat: ThreatModel,
    *,
    steps: int = 40,
    alpha: float | None = None,
    restarts: int = 1,
    loss: AttackLoss | str = "margin",
    random_start: bool = True,
    momentum: float = 0.0,
    schedule: Literal["constant", "cosine", "linear"] | str = "constant",
    target: GivenClasses | None = None,
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
        model: examples (batch, *event) to real logits (batch, classes); in eval mode meanwhile.
        x: examples (batch, *event), in the box of the threat model.
        y: labels (batch,).
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
        ConfigError: steps or restarts below 1, several restarts with no random start, negative
            alpha or momentum, unknown loss or schedule.
        DomainError: examples outside the box, labels or targets that are no class.
        InputTypeError: examples that the threat model does not perturb, complex logits, logits
            that autograd cannot follow back to the examples.
        ShapeError: the logits are not (batch, classes), or labels or targets are missing.

    References:
        Madry et al. (2018); Carlini and Wagner (2017) for the margin loss; Dong et al. (2018) for
        the momentum.
    """
    if steps < 1 or restarts < 1 or not (alpha is None or 0 <= alpha < math.inf):
        raise ConfigError(
            f"pgd(steps={steps}, restarts={restarts}, alpha={alpha}): "
            "steps and restarts are at least 1, alpha is >= 0 or None"
        )
    if not 0 <= momentum < math.inf:
        raise ConfigError(f"pgd(momentum={momentum}): a weight of the past, finite and >= 0")
    if schedule not in SCHEDULES:
        raise ConfigError(f"pgd(schedule={schedule!r}): choose 'constant', 'cosine' or 'linear'")
    if restarts > 1 and not random_start:
        raise ConfigError(
            f"pgd(restarts={restarts}, random_start=False) would repeat one ascent: take "
            "restarts=1 or random starts"
        )
    shares = [_schedule(schedule, k / steps) for k in range(steps)]
    first = 2.5 * threat.eps / sum(shares) if alpha is None else alpha
    lengths = [first * share for share in shares]
    generator = torch.Generator().manual_seed(seed)
    with evaluating(model):
        worst = _begin(model, x, y, threat, loss, target)
        if threat.norm != "Linf":
            _linearize(worst, loss)
        for _ in range(restarts):
            if random_start:
                robust, start = worst.random_starts(generator)
            else:
                robust, start = worst.robust, worst.x[worst.robust]
            _ascend(worst, loss, robust, start, lengths=lengths, momentum=momentum)
    return worst.result()


def _schedule(name: str, progress: float) -> float:
    if name == "cosine":
        return (1 + math.cos(math.pi * progress)) / 2
    return 1 - progress if name == "linear" else 1.0


def _begin(
    model: Model,
    x: Points,
    y: Labels,
    threat: ThreatModel,
    loss: str,
    target: IntTensor | None,
) -> WorstPoints:
    if loss not in LOSSES:
        raise ConfigError(f"loss={loss!r}: choose 'margin', 'cross_entropy' or 'dlr'")
    worst = WorstPoints(model, x, y, threat, target)
    warn_of_probabilities(worst.logits)
    return worst


def _linearize(worst: WorstPoints, loss: str) -> None:
    """Judge the points where the losses linearized at the examples are largest."""
    robust = worst.robust
    if len(robust):
        x, goal = worst.x[robust], worst.goal.at(robust)
        start = evaluator(worst.model, goal, functools.partial(goal.loss, loss))(x)
        _finish(worst, loss, robust, Ascent(x, start), worst.threat.maximizer(start.gradient, x))


def _ascend(
    worst: WorstPoints,
    loss: str,
    robust: IntTensor,
    start: AnyTensor,
    lengths: list[float],
    momentum: float,
) -> None:
    """Ascend from the starts of the examples that still stand, and judge every iterate."""
    if not len(robust):
        return
    x, goal, threat = worst.x[robust], worst.goal.at(robust), worst.threat
    evaluate = evaluator(worst.model, goal, functools.partial(goal.loss, loss))
    point, now = start, evaluate(start)
    ascent, velocity = Ascent(point, now), torch.zeros_like(x)
    for k, length in enumerate(lengths):
        if k:
            now = evaluate(point)
            ascent.add(point, now)
        if momentum:  # each gradient at dual norm 1, so that none outweighs the others
            size = threat.dual_norm(now.gradient)
            size = per_example(size.clamp(min=torch.finfo(size.dtype).tiny), x)
            velocity = momentum * velocity + now.gradient / size
        else:
            velocity = now.gradient
        moved = ascent_step(point, velocity, x, threat, length)
        point = where_examples(now.finite, moved, point)
    _finish(worst, loss, robust, ascent, point)


def _finish(
    worst: WorstPoints, loss: str, robust: IntTensor, ascent: Ascent, last: AnyTensor
) -> None:
    """Judge the last point of an ascent, where no gradient is needed, and keep what it found."""
    goal = worst.goal.at(robust)
    logits = worst.logits_at(last, goal.y)
    ascent.add_values(last, goal.loss(loss, logits), goal.margin(logits))
    worst.add(robust, ascent)
