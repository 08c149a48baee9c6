"""Projected gradient ascent on a loss, with restarts."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from holonet._types import BoolTensor, IntTensor, RealTensor
from holonet.attacks.threat import ThreatModel
from holonet.errors import DomainError, InputTypeError, NumericalError, ShapeError

__all__ = ["AttackLoss", "AttackResult", "evaluating", "margin_of", "pgd"]

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
        return ~(self.margin > 0)

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
    label = y.long()[:, None]
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
    loss: AttackLoss | str = "margin",
    seed: int = 0,
) -> AttackResult:
    """Steepest ascent on the loss inside the threat set, from random starts.

    Every iterate is judged by its margin and the worst one kept, the clean example included, so
    that more restarts never look weaker, nor more steps of the same length. Restarts go on only
    with the examples that are still classified correctly. The model is put in eval mode and back.

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

    Law: x_adv is in the threat set; the margin is at most the clean one; on a linear model of
        two classes without a box, steps longer than 2 eps converge to the closed form, for Linf
        in one step.

    Raises:
        DomainError: steps or restarts below 1, negative alpha, unknown loss, examples outside
            the box.
        InputTypeError: examples that are not real floating point, complex logits, logits that
            autograd cannot follow back to the examples.
        NumericalError: a logit is NaN or the gradient not finite; says for how many examples.
        ShapeError: the logits are not (batch, classes), or labels are missing.

    References:
        Madry et al. (2018); Carlini and Wagner (2017) for the margin loss.
    """
    if steps < 1 or restarts < 1 or not (alpha is None or alpha >= 0):
        raise DomainError(
            f"pgd(steps={steps}, restarts={restarts}, alpha={alpha}): "
            "steps and restarts are at least 1, alpha is >= 0 or None"
        )
    if loss not in ("margin", "cross_entropy"):
        raise DomainError(f"pgd(loss={loss!r}): choose 'margin' or 'cross_entropy'")
    x = x.detach()
    _require_inside(x, y, threat)
    step = 2.5 * threat.eps / steps if alpha is None else alpha
    generator = torch.Generator().manual_seed(seed)
    with evaluating(model):
        with torch.no_grad():
            worst = margin_of(_logits(model, x, y), y)
        x_adv = x.clone()
        if threat.eps == 0:
            return AttackResult(x_adv, worst)
        for _ in range(restarts):
            left = (worst > 0).nonzero().squeeze(1)
            start = threat.random_point(x, generator)[left]
            found, margin = _ascend(
                model, x[left], y[left], start, threat, steps=steps, step=step, loss=loss
            )
            better = margin < worst[left]
            worst[left[better]] = margin[better]
            x_adv[left[better]] = found[better]
    return AttackResult(x_adv, worst)


@contextmanager
def evaluating(model: object) -> Iterator[None]:
    """Put every submodule in eval mode, and back in its own mode at the end.

    Example:
        >>> model = nn.Sequential(nn.Dropout(), nn.Dropout().eval())
        >>> with evaluating(model):
        ...     model[0].training
        False
        >>> model[0].training, model[1].training
        (True, False)
    """
    modules = list(model.modules()) if isinstance(model, nn.Module) else []
    modes = [module.training for module in modules]
    try:
        for module in modules:
            module.training = False
        yield
    finally:
        for module, mode in zip(modules, modes, strict=True):
            module.training = mode


def _ascend(
    model: Callable[[Tensor], Tensor],
    x: Tensor,
    y: Tensor,
    start: Tensor,
    threat: ThreatModel,
    *,
    steps: int,
    step: float,
    loss: str,
) -> tuple[Tensor, Tensor]:
    """The iterate of least margin on the way from `start`, and that margin."""
    best, least = start.clone(), x.new_full((len(x),), torch.inf)
    point = start
    for k in range(steps + 1):
        with torch.enable_grad():
            point = point.detach().requires_grad_(k < steps)
            logits = _logits(model, point, y)
            margin = margin_of(logits, y)
            objective = (
                -margin.sum()
                if loss == "margin"
                else functional.cross_entropy(logits, y, reduction="sum")
            )
        better = margin.detach() < least
        least = torch.where(better, margin.detach(), least)
        best[better] = point.detach()[better]
        if k < steps:
            gradient = _gradient(objective, point, k)
            point = threat.project(point.detach() + step * threat.steepest(gradient), x)
    return best, least


def _logits(model: Callable[[Tensor], Tensor], x: Tensor, y: Tensor) -> Tensor:
    logits = model(x)
    if logits.is_complex():
        raise InputTypeError(
            f"the model returns complex logits ({logits.dtype}): end it with a readout, "
            "nn.HolomorphicClassifier(backbone, nn.RealPart()) for example"
        )
    if logits.ndim != 2 or len(logits) != len(y):
        raise ShapeError(
            f"the model returns logits of shape {tuple(logits.shape)} for {len(y)} labels: they "
            "must be (batch, classes)"
        )
    undefined = logits.isnan().any(1)
    if undefined.any():
        raise NumericalError(
            f"the model returns NaN logits for {int(undefined.sum())} of {len(logits)} examples "
            f"under attack: {_OVERFLOW}"
        )
    return logits


def _gradient(objective: Tensor, point: Tensor, step: int) -> Tensor:
    """The gradient, or an error where there is none or it is not finite."""
    gradient = None
    if objective.requires_grad:
        (gradient,) = torch.autograd.grad(objective, point, allow_unused=True)
    if gradient is None:
        raise InputTypeError(
            "autograd cannot follow the logits back to the examples, so the attack would call "
            "the model robust: remove detach, torch.no_grad and numpy from its forward pass"
        )
    bad = ~gradient.flatten(1).isfinite().all(1)
    if bad.any():
        raise NumericalError(
            f"the attack met a gradient that is not finite at step {step} for {int(bad.sum())} of "
            f"{len(bad)} examples: {_OVERFLOW}"
        )
    return gradient


_OVERFLOW = (
    "the model overflows there; rerun it in nn.to_precision(model, torch.complex128) or attack "
    "with a smaller eps"
)


def _require_inside(x: Tensor, y: Tensor, threat: ThreatModel) -> None:
    if len(x) != len(y):
        raise ShapeError(f"pgd got {len(x)} examples and {len(y)} labels: give one for each")
    outside = ~threat.contains(x, x)
    if outside.any():
        raise DomainError(
            f"{int(outside.sum())} of {len(x)} examples are outside the box of valid data "
            f"{threat.bounds}: give ThreatModel the range of the data, or bounds=None"
        )
