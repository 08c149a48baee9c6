"""How every network of a comparison is attacked, the same for all."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from torch import nn

from holonet.attacks import ThreatModel, worst_case
from holonet.data import Dataset
from holonet.diagnostics import RobustnessPoint, robustness_curve
from holonet.errors import ConfigError
from holonet.interop import autoattack

__all__ = ["ATTACKERS", "Protocol", "batches", "measure_robustness"]

ATTACKERS = ("pgd", "strong", "autoattack")
BATCH = 250  # examples attacked at once by the ensembles


@dataclass(frozen=True)
class Protocol:
    """The attack on the first test examples at each radius.

    "pgd" climbs the margin; "strong" is `attacks.STRONG`, the worst case over APGD on two losses,
    targeted APGD and Square; "autoattack" is AutoAttack's standard version, the attack of record.
    Steps and restarts are of PGD. The box of the threat is replaced by the data's own.

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
) -> list[RobustnessPoint]:
    """The accuracy at each radius; radius 0 is the clean accuracy on the same examples.

    An example broken at a radius counts as broken at every larger one, since the point found lies
    in those sets too, and the ensembles do not attack it again.

    Args:
        model: real inputs to real logits.
        data: its first test examples are attacked.
        protocol: how.
        on_batch: called after each batch at each different radius, for a progress bar.
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
    standing = torch.ones(len(y), dtype=torch.bool)
    points = {}
    for radius in sorted(set(protocol.eps)):
        at_radius = replace(threat, eps=radius)
        for batch in torch.arange(len(y)).split(BATCH):
            left = batch[standing[batch]]
            if len(left):
                attack = autoattack if protocol.attack == "autoattack" and radius else worst_case
                found = attack(model, x[left], y[left], at_radius)
                standing[left] = (found.margin > 0).cpu()
            if on_batch is not None:
                on_batch()
        points[radius] = RobustnessPoint(radius, int(standing.sum()), len(y))
    return [points[radius] for radius in protocol.eps]


def batches(data: Dataset, protocol: Protocol) -> int:
    """How often `measure_robustness` will call `on_batch`."""
    examples = min(protocol.examples, len(data.y_test))
    size = examples if protocol.attack == "pgd" else BATCH
    return len(set(protocol.eps)) * -(-examples // size)
