"""What every training rule is, and the weighted penalties that rules are made of."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import nn

from holonet._arguments import checked
from holonet._types import (
    ComplexPoints,
    GivenLabels,
    Labels,
    Logits,
    Numbers,
    Points,
    Scalar,
    TensorFunction,
)
from holonet.attacks.objectives import logits_of, require_labels
from holonet.calculus import Probes
from holonet.errors import ConfigError, HolonetError, InputTypeError
from holonet.nn import DeclaredModule
from holonet.nn.coefficients import complex_dtype
from holonet.nn.modes import evaluating
from holonet.regularizers import Regularizer
from holonet.training.rules.schedule import Weight, weight_at

__all__ = ["Model", "Penalty", "PenaltyTarget", "Rule", "lifted"]

PenaltyTarget = Literal["logits", "probabilities", "loss", "map"]
Model = TensorFunction


@checked
class Rule(ABC):
    """A map (model, x, y) -> scalar loss, usable in any loop: `rule(model, x, y).backward()`.

    Where weights have schedules: `rule.at(progress)(model, x, y).backward()`.
    """

    argument_advice = "such as EmpiricalRisk() or RuleConfig(name='pgd').build()"

    @abstractmethod
    def terms(
        self, model: Model, x: Points, y: Labels, probes: Probes | None = None
    ) -> dict[str, Scalar]:
        """The summands of the loss by name, each already weighted, averaged over the batch."""

    def __call__(
        self, model: Model, x: Points, y: GivenLabels, probes: Probes | None = None
    ) -> Scalar:
        """The loss, the sum of the terms.

        Raises:
            InputTypeError, ShapeError, DomainError: the model, the examples and the labels do not
                fit, or the rule refuses them.
        """
        require_labels(y, len(x))
        try:
            return torch.stack(list(self.terms(model, x, y, probes).values())).sum()
        except HolonetError:
            raise
        except (AttributeError, RuntimeError, TypeError):
            with evaluating(model), torch.no_grad():
                logits_of(model, x, y)  # says in words what does not fit, if that was it
            raise

    def diagnose(self, model: Model, x: Points, y: Labels) -> dict[str, float]:
        """What the rule has to say of itself on a batch, by name; the journal keeps it each epoch.

        It changes no gradient, no mode and no stream of random numbers.
        """
        del model, x, y
        return {}

    def at(self, progress: float) -> "Rule":
        """The rule with the weights of that fraction of training, from 0 to 1.

        A rule without schedules is the same all the time. One whose schedules were never asked
        for a moment has the weights of the end of training.
        """
        return self

    def weighted(self, weights: Sequence[float | int]) -> "Rule":
        """The rule with the loss of each example multiplied by the weight of its class.

        Raises:
            ConfigError: the rule has no class weights; no weights, one that is negative or not
                finite, or all are 0.
        """
        raise ConfigError(
            f"{type(self).__name__} has no class weights: give it a method weighted(weights), or "
            "derive it from EmpiricalRisk; or set train.class_weights = 'none'"
        )

    def __repr__(self) -> str:
        """What tells this rule from others: a run is resumed only under one that reads the same."""
        return f"{type(self).__name__}()"


@checked
@dataclass(frozen=True)
class Penalty:
    """A regularizer with a weight, applied to the logits, the probabilities, the loss or the map.

    Args:
        regularizer: of a function about points.
        weight: a number or a schedule.
        target: which function. "map" is the complex one in front of the readout, a method
            `holomorphic_map` of the model.
        lift: give real points to the regularizer as complex ones, so that all complex directions
            count and not the real ones alone.

    Raises:
        ConfigError: a negative weight or an unknown target.
    """

    regularizer: Regularizer
    weight: Weight
    target: PenaltyTarget | str = "logits"
    lift: bool = False

    def __post_init__(self) -> None:
        self.weight_at(1.0)
        if self.target not in ("logits", "probabilities", "loss", "map"):
            raise ConfigError(
                f"Penalty(target={self.target!r}): choose 'logits', 'probabilities' or 'loss', or "
                "'map' for the complex map in front of the readout"
            )

    @property
    def name(self) -> str:
        """What the journal calls it."""
        return f"{type(self.regularizer).__name__}({self.target}{', lifted' if self.lift else ''})"

    def weight_at(self, progress: float) -> float:
        """The weight when that fraction of training is done."""
        return weight_at(self.weight, progress, "Penalty: weight")

    def at(self, progress: float) -> "Penalty":
        """The penalty with the weight of that moment."""
        return replace(self, weight=self.weight_at(progress))

    def points(self, model: Model, x: Points) -> Points:
        """Where the regularizer looks.

        Raises:
            InputTypeError: complex points are asked for, and the model takes none.
        """
        return lifted(model, x) if self.lift else x

    def function(self, model: Model, losses: Callable[[Logits], Numbers]) -> Model:
        """The function that the regularizer sees.

        Args:
            model: gives the logits.
            losses: of the logits, one for each example.

        Raises:
            InputTypeError: the map is asked for of a model that names none.
        """
        if self.target == "logits":
            return model
        if self.target == "probabilities":
            return lambda x: model(x).softmax(-1)
        if self.target == "loss":
            return lambda x: losses(model(x))
        complex_map = getattr(model, "holomorphic_map", None)
        if complex_map is None:
            raise InputTypeError(
                f"{self.name} needs the complex map in front of the readout, and "
                f"{type(model).__name__} has no method holomorphic_map: take "
                "nn.HolomorphicClassifier, or give your model that method. For real logits there "
                "is PluriharmonicPenalty, with lift=True"
            )
        return lambda x: complex_map(lifted(model, x))

    def __repr__(self) -> str:
        plain = {
            k: v
            for k, v in vars(self.regularizer).items()
            if v is None or isinstance(v, (bool, int, float, str))
        }
        arguments = ", ".join(f"{k}={v!r}" for k, v in plain.items())
        points = " at complex points" if self.lift else ""
        penalty = f"{type(self.regularizer).__name__}({arguments})"
        return f"{self.weight!r} * {penalty} on {self.target}{points}"


def lifted(model: object, x: Points) -> ComplexPoints:
    """The points as complex ones, in the precision of the model.

    Raises:
        InputTypeError: all parameters of the model are real, and its layers are torch's, which take
            no complex points then.
    """
    if x.is_complex():
        return x
    dtypes = [p.dtype for p in model.parameters()] if isinstance(model, nn.Module) else []
    continues = isinstance(model, DeclaredModule) or any(dtype.is_complex for dtype in dtypes)
    if dtypes and not continues:
        raise InputTypeError(
            f"{type(model).__name__} has real parameters alone and takes no complex points: choose "
            "directions='real' (lift=False), or build it of holonet.nn's layers"
        )
    return x.to(complex_dtype(dtypes[0] if dtypes else x.dtype))
