"""Auto-PGD: projected ascent that chooses its own steps, untargeted and against chosen classes."""

import functools
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from holonet._arguments import checked
from holonet._types import GivenClasses, GivenLabels, GivenPoints, IntTensor, RealTensor
from holonet.attacks.adaptive_ascent import adaptive_ascent
from holonet.attacks.alarms import warn_of_probabilities
from holonet.attacks.image_box import on_image_box
from holonet.attacks.objectives import AttackLoss, Model
from holonet.attacks.result import AttackResult
from holonet.attacks.search import Ascent, Evaluator, WorstPoints, evaluator
from holonet.errors import ConfigError
from holonet.nn.modes import evaluating
from holonet.threats import ThreatModel

__all__ = ["apgd", "apgd_targeted"]

LOSSES = ("cross_entropy", "margin", "dlr")
L1_STAGES = ((3.0, 0.3), (2.0, 0.43))  # multiples of eps, shares of the steps that are left


@checked
@on_image_box
def apgd(
    model: Model,
    x: GivenPoints,
    y: GivenLabels,
    threat: ThreatModel,
    *,
    steps: int = 100,
    restarts: int = 1,
    loss: AttackLoss | str = "cross_entropy",
    target: GivenClasses | None = None,
    seed: int = 0,
) -> AttackResult:
    """Steepest ascent with momentum, whose steps shrink, from the best point, when they fail.

    The first step is the maximizer of the loss linearized at a random start: for Linf that is
    the step of length 2 eps of the paper, projected. At checkpoints that come ever closer, a step
    is halved if fewer than 3/4 of the steps since the last one improved, or if neither the step
    nor the best loss has changed since. The worst iterate by margin is kept, the clean example
    included. In L1 the steps are sparse, with no momentum, and begin in balls of radius 3 eps and
    2 eps. With 2 classes "dlr", which needs 3, is replaced by the margin.

    Args:
        model, x, y, threat, loss, target: as in `pgd`.
        steps: from each start.
        restarts: random starts, each for the examples that are still classified correctly.
        seed: of the random starts. The result depends on the batch that an example is in: the
            numbers are drawn for all examples of a batch at once.

    Law: x_adv is in the threat set; the margin is at most the clean one, and does not rise with
        more restarts; on a linear model of two classes it is that of `threat.maximizer`.

    Raises:
        ConfigError: steps or restarts below 1, unknown loss.
        DomainError, InputTypeError, ShapeError: as `pgd`.

    References:
        Croce and Hein (2020); Croce and Hein (2021) for L1.
    """
    _require_positive("apgd", steps=steps, restarts=restarts)
    if loss not in LOSSES:
        raise ConfigError(f"apgd(loss={loss!r}): choose one of {', '.join(LOSSES)}")
    generator = torch.Generator().manual_seed(seed)
    with evaluating(model):
        worst = WorstPoints(model, x, y, threat, target)
        warn_of_probabilities(worst.logits)

        def objective(logits: RealTensor, robust: IntTensor) -> RealTensor:
            few = loss == "dlr" and logits.shape[1] < 3
            return worst.goal.at(robust).loss("margin" if few else loss, logits)

        for _ in range(restarts):
            _ascend(worst, objective, generator, steps)
    return worst.result()


@checked
@on_image_box
def apgd_targeted(
    model: Model,
    x: GivenPoints,
    y: GivenLabels,
    threat: ThreatModel,
    *,
    targets: int = 9,
    steps: int = 100,
    restarts: int = 1,
    seed: int = 0,
) -> AttackResult:
    """Auto-PGD against the likeliest wrong classes in turn, on the targeted DLR loss.

    The classes are in the order of the clean logits; with fewer than 4 classes the loss is the
    difference of the two logits. Later classes are tried on the examples that are still classified
    correctly.

    Args:
        model, x, y, threat, steps, restarts, seed: as in `apgd`.
        targets: how many wrong classes, at most; all of them if there are fewer.

    Law: as for `apgd`; the margin does not rise with more targets.

    Raises:
        ConfigError: targets, steps or restarts below 1.
        DomainError, InputTypeError, ShapeError: as `pgd`.

    References:
        Croce and Hein (2020).
    """
    _require_positive("apgd_targeted", targets=targets, steps=steps, restarts=restarts)
    generator = torch.Generator().manual_seed(seed)
    with evaluating(model):
        worst = WorstPoints(model, x, y, threat)
        warn_of_probabilities(worst.logits)
        others = worst.logits.scatter(1, y.long()[:, None], -torch.inf)
        order = others.argsort(1, descending=True)[:, : min(targets, others.shape[1] - 1)]
        for aim in [aim for _ in range(restarts) for aim in order.unbind(1)]:
            _ascend(worst, functools.partial(_aimed_dlr, y, aim), generator, steps)
    return worst.result()


def _aimed_dlr(y: IntTensor, aim: IntTensor, logits: RealTensor, robust: IntTensor) -> RealTensor:
    """How far the class `aim` is ahead of the label, over the spread of the logits."""
    ahead, label = (logits.gather(1, k[robust, None].long()).squeeze(1) for k in (aim, y))
    if logits.shape[1] < 4:
        return ahead - label
    top = logits.topk(4, dim=1).values
    return (ahead - label) / (top[:, 0] - (top[:, 2] + top[:, 3]) / 2 + 1e-12)


def _ascend(
    worst: WorstPoints,
    objective: Callable[[RealTensor, IntTensor], RealTensor],
    generator: torch.Generator,
    steps: int,
) -> None:
    """One ascent from random points for the examples that still stand.

    Args:
        worst: the search.
        objective: (logits, indices of these examples) -> what is made large.
        generator: of the random points.
        steps: of the ascent.
    """
    robust, start = worst.random_starts(generator)
    if len(robust):
        goal = worst.goal.at(robust)
        evaluate = evaluator(worst.model, goal, lambda logits: objective(logits, robust))
        worst.add(robust, _search(evaluate, start, worst.x[robust], worst.threat, steps))


def _search(
    evaluate: Evaluator, start: Tensor, x: Tensor, threat: ThreatModel, steps: int
) -> Ascent:
    """One ascent; in L1 first two in larger balls, whose best points are where the next begins."""
    if threat.norm != "L1":
        return adaptive_ascent(evaluate, start, x, threat, steps)
    corner = threat.maximizer(evaluate(start).gradient, x)  # sparse steps only come near it
    for factor, share in L1_STAGES:
        if early := int(share * steps):
            larger = replace(threat, eps=factor * threat.eps)
            steps, start = steps - early, adaptive_ascent(evaluate, start, x, larger, early).top
    ascent = adaptive_ascent(evaluate, threat.project(start, x), x, threat, steps)
    at_corner = evaluate(corner)
    ascent.add_values(corner, at_corner.loss, at_corner.margin)
    return ascent


def _require_positive(name: str, **options: int) -> None:
    if min(options.values()) < 1:
        given = ", ".join(f"{key}={value}" for key, value in options.items())
        raise ConfigError(f"{name}({given}): all of them are at least 1")
