"""Training rules: what a model is asked to make small on a batch."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from holonet._types import AnyTensor, IntTensor, RealTensor
from holonet.calculus import Probes
from holonet.errors import ConfigError, InputTypeError
from holonet.regularizers import DirichletEnergy, Regularizer

__all__ = ["AnalyticRule", "EmpiricalRisk", "Penalty", "PenaltyTarget", "Rule"]

PenaltyTarget = Literal["logits", "probabilities", "loss"]
Model = Callable[[Tensor], Tensor]


class Rule(ABC):
    """A map (model, x, y) -> scalar loss, usable in any loop: `rule(model, x, y).backward()`."""

    @abstractmethod
    def terms(
        self, model: Model, x: AnyTensor, y: IntTensor, probes: Probes | None = None
    ) -> dict[str, RealTensor]:
        """The summands of the loss by name, each already weighted, averaged over the batch."""

    def __call__(
        self, model: Model, x: AnyTensor, y: IntTensor, probes: Probes | None = None
    ) -> RealTensor:
        """The loss, the sum of the terms."""
        return torch.stack(list(self.terms(model, x, y, probes).values())).sum()

    def __repr__(self) -> str:
        """What tells this rule from others: a run is resumed only under one that reads the same."""
        return f"{type(self).__name__}()"


@dataclass(frozen=True)
class Penalty:
    """A regularizer with a weight, applied to the logits, the probabilities or the loss.

    Raises:
        ConfigError: a negative weight or an unknown target.
    """

    regularizer: Regularizer
    weight: float
    on: PenaltyTarget | str = "logits"

    def __post_init__(self) -> None:
        if not 0 <= self.weight < float("inf"):
            raise ConfigError(f"Penalty(weight={self.weight}): choose a finite weight >= 0")
        if self.on not in ("logits", "probabilities", "loss"):
            raise ConfigError(
                f"Penalty(on={self.on!r}): choose 'logits', 'probabilities' or 'loss'"
            )

    def __repr__(self) -> str:
        plain = {
            k: v
            for k, v in vars(self.regularizer).items()
            if v is None or isinstance(v, (bool, int, float, str))
        }
        arguments = ", ".join(f"{k}={v!r}" for k, v in plain.items())
        return f"{self.weight!r} * {type(self.regularizer).__name__}({arguments}) on {self.on}"


class EmpiricalRisk(Rule):
    """Mean cross-entropy of the logits, plus weighted penalties.

    The forward pass of the first penalty on the logits or the loss also serves the risk.

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

    def terms(
        self, model: Model, x: AnyTensor, y: IntTensor, probes: Probes | None = None
    ) -> dict[str, RealTensor]:
        """`risk`, and an entry for each regularizer and target: the sum of their penalties.

        Raises:
            InputTypeError: the logits are complex.
        """
        probes = Probes() if probes is None else probes
        found: dict[str, RealTensor] = {}
        risk: RealTensor | None = None
        for penalty in self.penalties:
            f = self._target(model, y, penalty.on)
            value, amount = penalty.regularizer.value_and_penalty(f, x, probes)
            name = f"{type(penalty.regularizer).__name__}({penalty.on})"
            weighted = penalty.weight * amount
            found[name] = found[name] + weighted if name in found else weighted
            if risk is None and penalty.on != "probabilities":
                risk = value.mean() if penalty.on == "loss" else self._losses(value, y).mean()
        if risk is None:
            risk = self._losses(model(x), y).mean()
        return {"risk": risk, **found}

    def _losses(self, logits: Tensor, y: IntTensor) -> RealTensor:
        if logits.is_complex():
            raise InputTypeError(
                f"the model returns complex logits ({logits.dtype}), and cross-entropy takes real "
                "ones: end it with a readout, nn.HolomorphicClassifier(backbone) for example"
            )
        return functional.cross_entropy(
            logits, y, reduction="none", label_smoothing=self.label_smoothing
        )

    def _target(self, model: Model, y: IntTensor, on: str) -> Model:
        """The function that a penalty sees."""
        if on == "logits":
            return model
        if on == "probabilities":
            return lambda x: model(x).softmax(-1)
        return lambda x: self._losses(model(x), y)

    def __repr__(self) -> str:
        smoothing = [f"label_smoothing={self.label_smoothing!r}"] if self.label_smoothing else []
        return f"{type(self).__name__}({', '.join([*map(repr, self.penalties), *smoothing])})"


class AnalyticRule(EmpiricalRisk):
    """Empirical risk + weight * Dirichlet energy (1/2) E ||J||_F^2: the analytic robust rule.

    No attack is run in training. Reconstructed: Barati et al. derive a rule with the Dirichlet
    energy of the hypothesis; whether the hypothesis is the logits, the probabilities or the
    loss is not known, so all three are offered.

    Args:
        weight: of the energy.
        on: "logits", "probabilities" or "loss".
        count: random directions for each example; None for the exact energy.
        mode: "reverse" or "forward", see `regularizers.DirichletEnergy`.

    References:
        Barati, Safabakhsh and Rahmati (2022), reconstructed.
    """

    def __init__(
        self,
        weight: float = 0.3,
        on: PenaltyTarget | str = "logits",
        count: int | None = 1,
        mode: Literal["forward", "reverse"] = "reverse",
    ) -> None:
        super().__init__([Penalty(DirichletEnergy(count, mode), weight, on)])
