"""How every network of a comparison is attacked, the same for all."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from torch import Tensor, nn

from holonet._types import IntTensor
from holonet.attacks import STRONG, AttackResult, ThreatModel
from holonet.attacks.objectives import Model
from holonet.data import Dataset
from holonet.diagnostics import RobustnessPoint, evaluate_radii, robustness_curve
from holonet.errors import ConfigError
from holonet.interop import autoattack

__all__ = ["ATTACKERS", "Protocol", "batches", "measure_robustness"]

ATTACKERS = ("pgd", "strong", "autoattack")
BATCH = 250  # examples attacked at once by the ensembles


@dataclass(frozen=True)
class Protocol:
    """The attack on the first test examples at each radius.

    "pgd" is PGD on the margin. "strong" is `attacks.STRONG`, the worst case over APGD on two
    losses, targeted APGD and Square. "autoattack" is AutoAttack's standard version. Steps and
    restarts are those of PGD. The bounds of the data replace those of the threat.

    Raises:
        ConfigError: an unknown attack, or no examples.
    """

    threat: ThreatModel = field(default_factory=ThreatModel)
    eps: tuple[float, ...] = (0.0, 0.02, 0.05, 0.1, 0.15, 0.2)
    steps: int = 40
    restarts: int = 3
    examples: int = 1000
    attack: Literal["pgd", "strong", "autoattack"] | str = "pgd"

    def __post_init__(self) -> None:
        if self.attack not in ATTACKERS:
            raise ConfigError(f"attack={self.attack!r}: choose one of {', '.join(ATTACKERS)}")
        if self.examples < 1:
            raise ConfigError(f"examples={self.examples}: attack at least one")


def measure_robustness(
    model: nn.Module,
    data: Dataset,
    protocol: Protocol,
    on_batch: Callable[[], None] | None = None,
    folder: Path | None = None,
) -> list[RobustnessPoint]:
    """The accuracy at each radius; radius 0 is the clean accuracy on the same examples.

    An example broken at a radius counts as broken at every larger one, whose sets contain the
    same point. The ensembles do not attack it again.

    Args:
        model: real inputs to real logits.
        data: its first test examples are attacked.
        protocol: how.
        on_batch: called after each batch at each different radius, for a progress bar.
        folder: where the ensembles keep each batch, so that a second call goes on after a crash.
    """
    x, y = data.x_test[: protocol.examples], data.y_test[: protocol.examples]
    threat = replace(protocol.threat, bounds=data.bounds)
    if protocol.attack == "pgd":
        return robustness_curve(
            model,
            x,
            y,
            protocol.eps,
            threat=threat,
            steps=protocol.steps,
            restarts=protocol.restarts,
            batch_size=len(y),
            on_batch=on_batch,
        )
    attacks = {"autoattack": _autoattack} if protocol.attack == "autoattack" else STRONG
    options = {"attacks": attacks, "batch_size": BATCH, "on_batch": on_batch, "folder": folder}
    reports = evaluate_radii(model, x, y, protocol.eps, threat, **options)
    return [report.robust for report in reports]


def _autoattack(
    model: Model, x: Tensor, y: IntTensor, threat: ThreatModel, *, seed: int
) -> AttackResult:
    """AutoAttack with the seed that its results are reported with, whatever the batch's."""
    return autoattack(model, x, y, threat, seed=0)


def batches(data: Dataset, protocol: Protocol) -> int:
    """How often `measure_robustness` will call `on_batch`."""
    examples = min(protocol.examples, len(data.y_test))
    size = examples if protocol.attack == "pgd" else BATCH
    return len(set(protocol.eps)) * -(-examples // size)
