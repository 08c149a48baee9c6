"""Empirical risk: the cross-entropy on the data, and weighted penalties."""

import copy
import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from holonet._arguments import checked
from holonet._types import Labels, Points, RealTensor, Scalar
from holonet.attacks.objectives import require_labels
from holonet.calculus import Probes
from holonet.errors import ConfigError, DomainError, InputTypeError
from holonet.nn.modes import running_statistics
from holonet.training.rules.rule import Model, Penalty, Rule

__all__ = ["EmpiricalRisk"]


@checked
class EmpiricalRisk(Rule):
    """Mean cross-entropy of the logits, plus weighted penalties.

    The forward pass of the first penalty on the logits or the loss also serves the risk. Batch
    norm layers show penalties their running statistics, so that there the risk has a forward
    pass of its own. A penalty of weight 0 is not evaluated.

    With class weights (`weighted`) the risk is the mean of w_y times the cross-entropy, and that of
    the rules derived from this one too, at their points; so is the divergence of TRADES. The
    worst points stay where they are, since a factor moves no maximum. Penalties on the loss see
    the weighted one, penalties on other functions no weights.

    Law: weights of 1 change no bit. With whole numbers as weights, the number of examples times the
        risk is that of the examples repeated as often. A term of a batch of one class is that
        without weights times the weight, for all rules without penalties but on the loss.

    Args:
        penalties: what is added.
        label_smoothing: of the cross-entropy.

    Raises:
        ConfigError: label_smoothing is not in [0, 1].

    Example:
        >>> rule = EmpiricalRisk()
        >>> model = torch.nn.Linear(4, 3)
        >>> rule(model, torch.rand(8, 4), torch.randint(3, (8,))).shape
        torch.Size([])
    """

    def __init__(self, penalties: Sequence[Penalty] = (), label_smoothing: float = 0.0) -> None:
        if not 0 <= label_smoothing <= 1:
            raise ConfigError(f"label_smoothing={label_smoothing}: choose a number in [0, 1]")
        self.penalties = tuple(penalties)
        self.label_smoothing = label_smoothing
        self.class_weights: tuple[float, ...] = ()

    def terms(
        self, model: Model, x: Points, y: Labels, probes: Probes | None = None
    ) -> dict[str, Scalar]:
        """`risk`, and an entry for each regularizer and target: the sum of their penalties.

        Raises:
            InputTypeError: the logits are complex, labels are no integers, or a penalty refuses
                the model.
            ShapeError: not one class index for each example.
            DomainError: a label that is not a class.
        """
        terms, risk = self._penalized(model, x, y, probes)
        risk = self._losses(model(x.clone()), y).mean() if risk is None else risk
        return {"risk": risk, **terms}

    def at(self, progress: float) -> "EmpiricalRisk":
        """The rule with the weights of that fraction of training, from 0 to 1."""
        rule = copy.copy(self)
        rule._settle(progress)
        return rule

    def weighted(self, weights: Sequence[float | int]) -> "EmpiricalRisk":
        """The rule with the loss of each example multiplied by the weight of its class.

        Raises:
            ConfigError: no weights, one that is negative or not finite, or all are 0.
        """
        rule = copy.copy(self)
        rule.class_weights = tuple(map(float, weights))
        if not all(0 <= w < math.inf for w in rule.class_weights) or not any(rule.class_weights):
            raise ConfigError(
                f"class weights {rule.class_weights}: a finite number from 0 for each class, and "
                "one above 0"
            )
        return rule

    def _settle(self, progress: float) -> None:
        """Take the weights of that moment in place of their schedules."""
        self.penalties = tuple(penalty.at(progress) for penalty in self.penalties)

    def _penalized(
        self, model: Model, x: Points, y: Labels, probes: Probes | None
    ) -> tuple[dict[str, Scalar], Scalar | None]:
        """The penalties at x by name, and the risk there if a penalty had it in passing."""
        probes = Probes() if probes is None else probes
        terms: dict[str, Scalar] = {}
        risk: Scalar | None = None
        with running_statistics(model) as frozen:
            for penalty in self.penalties:
                weight, name = penalty.weight_at(1.0), penalty.name
                if weight == 0:
                    terms.setdefault(name, torch.zeros((), device=x.device))
                    continue
                f = penalty.function(model, lambda logits: self._losses(logits, y))
                points = penalty.points(model, x)
                shared = not (frozen or penalty.lift) and penalty.target in ("logits", "loss")
                if risk is None and shared:
                    value, amount = penalty.regularizer.value_and_penalty(f, points, probes)
                    losses = value if penalty.target == "loss" else self._losses(value, y)
                    risk = losses.mean()
                else:
                    amount = penalty.regularizer(f, points, probes)
                terms[name] = terms[name] + weight * amount if name in terms else weight * amount
        return terms, risk

    def _losses(self, logits: Tensor, y: Tensor) -> RealTensor:
        if logits.is_complex():
            raise InputTypeError(
                f"the model returns complex logits ({logits.dtype}), and cross-entropy takes real "
                "ones: end it with a readout, nn.HolomorphicClassifier(backbone) for example"
            )
        require_labels(y, len(logits))
        try:
            losses = functional.cross_entropy(
                logits,
                y.long(),
                reduction="none",
                ignore_index=torch.iinfo(torch.int64).min,  # torch leaves out labels of -100
                label_smoothing=self.label_smoothing,
            )
        except IndexError:
            raise DomainError(
                f"labels from {int(y.min())} to {int(y.max())} for logits of {logits.shape[1]} "
                "classes: number the classes from 0"
            ) from None
        return self._weigh(losses, y, logits.shape[1])

    def _weigh(self, numbers: RealTensor, y: Tensor, classes: int) -> RealTensor:
        """The numbers, one for each example, times the weights of the classes.

        Raises:
            ConfigError: there is not one weight for each class.
        """
        if not self.class_weights:
            return numbers
        if len(self.class_weights) != classes:
            raise ConfigError(
                f"{len(self.class_weights)} class weights for logits of {classes} classes: give "
                "one for each class (train.class_weights)"
            )
        return numbers * numbers.new_tensor(self.class_weights)[y.long()]

    def _arguments(self) -> list[str]:
        """What the repr shows."""
        smoothing = [f"label_smoothing={self.label_smoothing!r}"] if self.label_smoothing else []
        weights = [f"class_weights={self.class_weights!r}"] if self.class_weights else []
        return [*map(repr, self.penalties), *smoothing, *weights]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self._arguments())})"
