"""Projected gradient ascent on a loss, with restarts."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holonet._types import BoolTensor, IntTensor, RealTensor
from holonet.attacks.threat import ThreatModel
from holonet.errors import DomainError, InputTypeError, NumericalError

__all__ = ["AttackLoss", "AttackResult", "margin_of", "pgd"]

AttackLoss = Literal["margin", "cross_entropy"]


@dataclass(frozen=True)
class AttackResult:
    """The worst points that an attack found.

    Args:
        x_adv: one point of the threat set for each example.
        margin: logit of the label minus the largest other, at x_adv; negative where misclassified.
    """

    x_adv: RealTensor
    margin: RealTensor

    @property
    def success(self) -> BoolTensor:
        """Which examples are misclassified at x_adv (a tie counts: no strict winner is left)."""
        return self.margin <= 0

    @property
    def accuracy(self) -> float:
        """The fraction of examples that withstood."""
        return float((~self.success).double().mean())


def margin_of(logits: RealTensor, y: IntTensor) -> RealTensor:
    """Logit of the label minus the largest other logit.

    Example:
        >>> margin_of(torch.tensor([[3.0, 1.0, 2.0]]), torch.tensor([0]))
        tensor([1.])
    """
    label = y[:, None]
    others = logits.scatter(1, label, -torch.inf)
    return logits.gather(1, label).squeeze(1) - others.amax(1)


def pgd(
    model: nn.Module | Callable[[Tensor], Tensor],
    x: Tensor,
    y: IntTensor,
    threat: ThreatModel,
    *,
    steps: int = 40,
    alpha: float | None = None,
    restarts: int = 1,
    loss: AttackLoss = "margin",
    seed: int = 0,
) -> AttackResult:
    """Steepest ascent on the loss inside the threat set, from random starts.

    Every iterate is judged by its margin and the worst one kept, the clean example included, so
    that more steps or restarts never look weaker. Restarts go on only with the examples that
    are still classified correctly. The model is put in eval mode and back.

    Args:
        model: real inputs (batch, ...) to real logits (batch, classes).
        x: examples, in the box of the threat model.
        y: labels.
        threat: the set.
        steps: ascent steps from each start.
        alpha: length of a step in the threat's norm; None means 2.5 eps / steps.
        restarts: random starts.
        loss: "margin" (of the logits: no vanishing gradients at confident points) or
            "cross_entropy".
        seed: of the random starts.

    Law: x_adv is in the threat set; on a linear model one step from the center finds the closed
        form; the margin is at most the clean one.

    Raises:
        DomainError: steps or restarts below 1, negative alpha.
        InputTypeError: complex examples or logits.
        NumericalError: the gradient is not finite; the message says for how many examples.

    References:
        Madry et al. (2018); Carlini and Wagner (2017) for the margin loss.
    """
    if steps < 1 or restarts < 1 or (alpha is not None and alpha < 0):
        raise DomainError(
            f"pgd(steps={steps}, restarts={restarts}, alpha={alpha}): "
            "steps and restarts are at least 1, alpha is >= 0 or None"
        )
    step = 2.5 * threat.eps / steps if alpha is None else alpha
    generator = torch.Generator().manual_seed(seed)
    with _evaluating(model):
        with torch.no_grad():
            worst = margin_of(_logits(model, x), y)
        x_adv = x.clone()
        for _ in range(restarts):
            left = (worst > 0).nonzero().squeeze(1)
            start = threat.random_point(x, generator)[left]
            found, margin = _ascend(model, x[left], y[left], start, threat, steps, step, loss)
            better = margin < worst[left]
            worst[left[better]] = margin[better]
            x_adv[left[better]] = found[better]
    return AttackResult(x_adv, worst)


def _ascend(
    model: Callable[[Tensor], Tensor],
    x: Tensor,
    y: Tensor,
    start: Tensor,
    threat: ThreatModel,
    steps: int,
    step: float,
    loss: AttackLoss,
) -> tuple[Tensor, Tensor]:
    """The iterate of least margin on the way from `start`, and that margin."""
    best, least = start.clone(), x.new_full((len(x),), torch.inf)
    point = start
    for k in range(steps + 1):
        point = point.detach().requires_grad_(k < steps)
        logits = _logits(model, point)
        margin = margin_of(logits, y)
        better = margin.detach() < least
        least = torch.where(better, margin.detach(), least)
        best[better] = point.detach()[better]
        if k < steps:
            objective = (
                -margin.sum() if loss == "margin" else F.cross_entropy(logits, y, reduction="sum")
            )
            (gradient,) = torch.autograd.grad(objective, point)
            _require_finite(gradient, k)
            with torch.no_grad():
                point = threat.project(point + step * threat.steepest(gradient), x)
    return best, least


def _logits(model: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    logits = model(x)
    if logits.is_complex():
        raise InputTypeError(
            f"the model returns complex logits ({logits.dtype}): end it with a readout, "
            "nn.HolomorphicClassifier(backbone, nn.RealPart()) for example"
        )
    return logits


def _require_finite(gradient: Tensor, step: int) -> None:
    bad = ~gradient.flatten(1).isfinite().all(1)
    if bad.any():
        raise NumericalError(
            f"the attack met a gradient that is not finite at step {step} for {int(bad.sum())} of "
            f"{len(bad)} examples (the first is number {int(bad.nonzero()[0])}): the model "
            "overflows there; rerun it in nn.to_precision(model, torch.complex128) or attack "
            "with a smaller eps"
        )


class _evaluating:  # noqa: N801 - reads as a statement
    """Put every submodule in eval mode and restore each one's own mode at the end."""

    def __init__(self, model: object) -> None:
        modules = model.modules() if isinstance(model, nn.Module) else ()
        self._modes = [(module, module.training) for module in modules]

    def __enter__(self) -> None:
        for module, _ in self._modes:
            module.training = False

    def __exit__(self, *_: object) -> None:
        for module, mode in self._modes:
            module.training = mode
