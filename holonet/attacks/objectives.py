"""What attacks make large, and the one place where they ask a model for logits and gradients."""

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn
from torch.nn import functional

from holonet._arguments import checked
from holonet._types import (
    GivenLabels,
    Labels,
    Logits,
    Mask,
    Numbers,
    Points,
    RealTensor,
    TensorFunction,
)
from holonet.calculus.examples import per_example
from holonet.errors import ConfigError, DataError, DomainError, InputTypeError, ShapeError
from holonet.threats import ThreatModel

__all__ = [
    "AttackLoss",
    "Goal",
    "Model",
    "input_gradient",
    "logits_of",
    "loss_named",
    "margin_of",
    "require_examples",
    "require_labels",
    "require_some",
    "require_targets",
]

AttackLoss = Literal["margin", "cross_entropy", "dlr"]
Model = nn.Module | TensorFunction


@checked
def margin_of(logits: Annotated[RealTensor, Logits], y: GivenLabels) -> Numbers:
    """Logit of the label minus the largest other logit; -inf where a logit is NaN.

    It is -inf too where the label and another class share an infinite logit: neither wins.

    Raises:
        ShapeError: the logits are not (batch, classes), or there is not one label for each.
        DomainError: a label that is not a class.

    Example:
        >>> margin_of(torch.tensor([[3.0, 1.0, 2.0]]), torch.tensor([0]))
        tensor([1.])
    """
    if logits.ndim != 2:
        raise ShapeError(f"logits of shape {tuple(logits.shape)}: they must be (batch, classes)")
    require_labels(y, len(logits))
    _require_classes(y, logits.shape[1])
    return _margin(logits, y)


def _margin(logits: Logits, y: Labels) -> Numbers:
    label = y.long()[:, None]
    others = logits.scatter(1, label, -torch.inf)
    margin = logits.gather(1, label).squeeze(1) - others.amax(1)
    return margin.masked_fill(margin.isnan(), -torch.inf)


def loss_named(name: str, logits: Logits, y: Labels) -> Numbers:
    """The loss of that name for each example: what an untargeted attack makes large.

    "margin": the largest other logit minus the label's; "cross_entropy"; "dlr": the margin over
    the spread of the logits, which no rescaling of the logits changes (at least 3 classes).

    Raises:
        ConfigError: unknown name, or too few classes for "dlr".

    References:
        Carlini and Wagner (2017) for the margin; Croce and Hein (2020) for DLR.
    """
    if name == "margin":
        return -_margin(logits, y)
    if name == "cross_entropy":
        return functional.cross_entropy(logits, y.long(), reduction="none")
    if name != "dlr":
        raise ConfigError(f"loss={name!r}: choose 'margin', 'cross_entropy' or 'dlr'")
    if logits.shape[1] < 3:
        raise ConfigError(f"loss='dlr' with {logits.shape[1]} classes: it needs 3, take 'margin'")
    top = logits.topk(3, dim=1).values
    spread = top[:, 0] - top[:, 2]
    return -_margin(logits, y) / (spread + 1e-12)


@dataclass(frozen=True)
class Goal:
    """What an attack is after: away from the labels, or to the target where there is one.

    Args:
        y: the labels.
        target: the class to be reached for each example; None for any class but the label.
    """

    y: Labels
    target: Labels | None = None

    def margin(self, logits: Logits) -> Numbers:
        """What is missing to the goal: not above 0 where it is reached, -inf where a logit is NaN.

        Without a target it is `margin_of`; with one, the lead of the strongest other class.

        Example:
            >>> logits = torch.tensor([[3.0, 1.0, 2.5]])
            >>> Goal(torch.tensor([0]), torch.tensor([1])).margin(logits)
            tensor([2.])
        """
        if self.target is None:
            return _margin(logits, self.y)
        return (-_margin(logits, self.target)).masked_fill(logits.isnan().any(1), -torch.inf)

    def loss(self, name: str, logits: Logits) -> Numbers:
        """The loss of that name for each example, to be made large.

        With a target it is minus the loss of the target; for "dlr" over the distance of the
        largest logit from the mean of the third and fourth, since it would else be constant
        where the target is third.

        Raises:
            ConfigError: as `loss_named`; "dlr" with a target needs 4 classes.

        References:
            Croce and Hein (2020) for the targeted DLR.
        """
        if self.target is None:
            return loss_named(name, logits, self.y)
        if name != "dlr":
            return -loss_named(name, logits, self.target)
        if logits.shape[1] < 4:
            raise ConfigError(
                f"loss='dlr' against targets with {logits.shape[1]} classes: it needs 4, take "
                "'margin'"
            )
        top = logits.topk(4, dim=1).values
        return _margin(logits, self.target) / (top[:, 0] - top[:, 2:].mean(1) + 1e-12)

    def at(self, index: Int[Tensor, " some"]) -> "Goal":
        """The goal for some of the examples."""
        return Goal(self.y[index], None if self.target is None else self.target[index])


def require_examples(x: Points, y: Labels, threat: ThreatModel) -> None:
    """Refuse examples that no attack can start from.

    Raises:
        DomainError: examples outside the box of valid data, or not finite.
        InputTypeError: not what the threat model perturbs.
        ShapeError: not one label for each example.
    """
    require_labels(y, len(x))
    outside = ~threat.contains(x, x)
    if outside.any():
        raise DomainError(
            f"{int(outside.sum())} of {len(x)} examples are outside the box of valid data "
            f"{threat.bounds} or not finite: give ThreatModel the range of the data, or bounds=None"
        )


def require_labels(y: Labels, examples: int) -> None:
    """Refuse labels that are not one class index for each example.

    Raises:
        InputTypeError: they are not integers.
        ShapeError: not one for each example; columns and one-hot rows are told how to become that.

    Example:
        >>> require_labels(torch.eye(3), 3)
        Traceback (most recent call last):
        ...
        holonet.errors.ShapeError: labels of shape (3, 3) for 3 examples: ...
    """
    if y.ndim == 1 and len(y) != examples:
        raise ShapeError(f"got {examples} examples and {len(y)} labels: give one for each")
    if y.ndim != 1:
        column = y.numel() == examples
        hint = f"y.reshape({examples})" if column else "y.argmax(1) where its rows are one-hot"
        raise ShapeError(
            f"labels of shape {tuple(y.shape)} for {examples} examples: give one class index for "
            f"each, {hint}"
        )
    if y.dtype.is_floating_point or y.dtype.is_complex or y.dtype == torch.bool:
        raise InputTypeError(
            f"labels of dtype {y.dtype}: class indices are integers, y.long() if these are"
        )


def require_some(y: Shaped[Tensor, "batch *rest"], name: str) -> None:
    """Refuse data without examples, of which there is nothing to measure.

    Raises:
        DataError: there are none.
    """
    if not len(y):
        raise DataError(f"{name} of 0 examples: give at least one")


def require_targets(target: Labels | None, y: Labels, classes: int) -> None:
    """Refuse targets that are not one class for each label.

    Raises:
        DomainError: a target that is not a class.
        ShapeError: not one target for each label.
    """
    if target is None:
        return
    if target.ndim != 1 or len(target) != len(y):
        raise ShapeError(
            f"got {len(target) if target.ndim == 1 else tuple(target.shape)} targets for {len(y)} "
            "labels: give one class index for each"
        )
    _require_classes(target, classes, "targets")


def logits_of(model: Model, x: Points, y: Labels) -> Logits:
    """The model's logits, checked for what an attack cannot use.

    Raises:
        InputTypeError: the model returns no tensor or complex logits, or takes examples of
            another precision.
        ShapeError: the logits are not (batch, classes), or there is not one label for each.
        DomainError: a label that is not a class.
    """
    require_labels(y, len(x))
    logits = _answer(model, x)
    if logits.is_complex():
        raise InputTypeError(
            f"the model returns complex logits ({logits.dtype}): end it with a readout, "
            "nn.HolomorphicClassifier(backbone, nn.RealPart()) for example"
        )
    if not logits.is_floating_point():
        raise InputTypeError(
            f"the model returns {logits.dtype} logits: an attack needs real numbers, such as the "
            "scores that the decision is made from"
        )
    if logits.ndim != 2 or len(logits) != len(y):
        raise ShapeError(
            f"the model returns logits of shape {tuple(logits.shape)} for {len(y)} labels: they "
            "must be (batch, classes)"
        )
    _require_classes(y, logits.shape[1])
    return logits


def _require_classes(y: Labels, classes: int, name: str = "labels") -> None:
    y = y.long()  # of unsigned numbers torch has no least one
    if len(y) and not 0 <= int(y.min()) <= int(y.max()) < classes:
        raise DomainError(
            f"{name} from {int(y.min())} to {int(y.max())} for logits of {classes} classes: "
            "number the classes from 0"
        )


def _answer(model: Model, x: Tensor) -> Tensor:
    """What the model returns, if it is a tensor."""
    try:
        answer: object = model(x.clone())  # a first layer may work in place
    except RuntimeError as error:
        parameters = model.parameters() if isinstance(model, nn.Module) else ()
        real = {p.dtype.to_real() for p in parameters if p.is_floating_point() or p.is_complex()}
        if not real or x.dtype.to_real() in real:
            raise
        own = real.pop()
        raise InputTypeError(
            f"the examples are {x.dtype} and the model's parameters {own}: give both one "
            f"precision, x.to({own}) for real examples"
        ) from error
    if isinstance(answer, Tensor):
        return answer
    first = "lambda x: model(x)[0] for example" if isinstance(answer, tuple | list) else "a tensor"
    raise InputTypeError(
        f"the model returns a {type(answer).__name__}, and an attack needs its logits alone as a "
        f"tensor (batch, classes): wrap it, {first}"
    )


def input_gradient(
    objective: Float[Tensor, "*values"], point: Points, *, retain_graph: bool = False
) -> tuple[Points, Mask]:
    """The gradient of the summed objective at `point`, and for which examples it is finite.

    Where it is not finite it is set to 0. At complex points it is torch's gradient
    dL/dx + i dL/dy, along which L rises most.

    Raises:
        InputTypeError: autograd cannot follow the objective back to the point.
    """
    gradient = None
    if objective.requires_grad:
        with torch.enable_grad():
            total = objective.sum()
        (gradient,) = torch.autograd.grad(
            total, point, allow_unused=True, retain_graph=retain_graph
        )
    if gradient is None:
        raise InputTypeError(
            "autograd cannot follow the logits back to the examples, so the attack would call "
            "the model robust: remove detach, torch.no_grad and numpy from its forward pass"
        )
    finite = gradient.isfinite().flatten(1).all(1)
    return gradient.resolve_conj().masked_fill(per_example(~finite, gradient), 0), finite
