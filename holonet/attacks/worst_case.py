"""The worst case over several attacks, each on what the ones before did not break."""

import functools
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol, runtime_checkable

import torch

from holonet._arguments import checked
from holonet._types import GivenLabels, GivenPoints, Labels, Numbers, Points
from holonet.attacks.alarms import ADVICE, warn_about
from holonet.attacks.apgd import apgd, apgd_targeted
from holonet.attacks.gradient import fgsm, pgd
from holonet.attacks.objectives import Model, require_examples
from holonet.attacks.result import Alarm, AlarmKind, AttackResult
from holonet.attacks.search import WorstPoints
from holonet.attacks.square import square
from holonet.attacks.torus import torus
from holonet.errors import ConfigError
from holonet.threats import ThreatModel

__all__ = ["ATTACKS", "STRONG", "Attack", "WorstCase", "worst_case"]

BLACK_BOX_SHARE = 0.002  # of the examples: what a black box may break by luck


@runtime_checkable
class Attack(Protocol):
    """What every attack can be asked, whatever other options it has."""

    def __call__(
        self, model: Model, x: Points, y: Labels, threat: ThreatModel, *, seed: int
    ) -> AttackResult:
        """The worst points found in the threat set about x."""
        ...


STRONG: Mapping[str, Attack] = MappingProxyType(
    {
        "apgd-ce": functools.partial(apgd, loss="cross_entropy"),
        "apgd-dlr": functools.partial(apgd, loss="dlr"),
        "apgd-t": apgd_targeted,
        "square": square,
    }
)
"""Auto-PGD on three losses, then random search: what a claim of robustness should withstand."""

ATTACKS: Mapping[str, Attack] = MappingProxyType(
    {
        "fgsm": fgsm,
        "pgd": pgd,
        **STRONG,
        "torus": torus,
    }
)
"""Every attack by its name."""


@dataclass(frozen=True)
class WorstCase(AttackResult):
    """The worst points that several attacks found.

    Args:
        broken_by: for each example the attack that broke it, "clean" if it is misclassified
            without one, "" if it stands.
        clean_margin: of each example as it is.
        predicted: its class as it is; -1 where a logit is NaN.
    """

    broken_by: tuple[str, ...] = ()
    clean_margin: Numbers = field(default_factory=lambda: torch.zeros(0))
    predicted: Labels = field(default_factory=lambda: torch.zeros(0).long())


@checked
def worst_case(
    model: Model,
    x: GivenPoints,
    y: GivenLabels,
    threat: ThreatModel,
    attacks: Mapping[str, Attack] = STRONG,
    *,
    seed: int = 0,
    batch_size: int = 500,
    on_batch: Callable[[], None] | None = None,
) -> WorstCase:
    """Run the attacks in their order, each on the examples that are still classified correctly.

    Every attack gets a seed of its own for each batch, made of `seed`, the name of the attack and
    the number of the batch: the same call gives the same result, and another batch size another
    one. The alarms of the attacks are collected with the attack's name in front. If `square`, which
    uses no gradients, breaks more than 0.2% of all examples after every other attack has failed
    on them, the result has an alarm that the gradients mislead.

    Args:
        model, x, y, threat: as in `pgd`.
        attacks: name -> attack, in the order in which they run; put `square` last.
        seed: of all random numbers.
        batch_size: examples attacked at once.
        on_batch: called once for each attack and batch.

    Law: x_adv is in the threat set; the accuracy is at most that of every prefix of the attacks;
        margin, broken_by and x_adv agree with each other.

    Raises:
        ConfigError: no attacks, or batch_size below 1.
        DomainError, InputTypeError, ShapeError: as `pgd`.

    References:
        Croce and Hein (2020).
    """
    if not attacks or batch_size < 1:
        raise ConfigError(
            f"worst_case of {len(attacks)} attacks with batch_size={batch_size}: at least 1 each"
        )
    require_examples(x, y, threat)
    parts: list[WorstCase] = []
    searched: set[str] = set()
    alarms: Counter[tuple[AlarmKind, str]] = Counter()
    batches = zip(x.split(batch_size), y.split(batch_size), strict=True)
    for number, (part_x, part_y) in enumerate(batches):
        worst = WorstPoints(model, part_x, part_y, threat)
        clean = worst.margin.clone()
        names = ["" if margin > 0 else "clean" for margin in clean.tolist()]
        for name, attack in attacks.items():
            robust = worst.robust
            if len(robust):
                own_seed = _mixed(seed, name, number)
                result = attack(model, worst.x[robust], part_y[robust], threat, seed=own_seed)
                worst.update(robust, result.x_adv.detach(), result.margin)
                searched.add(result.searched_in)
                for example in robust[result.success].tolist():
                    names[example] = name
                for alarm in result.alarms:
                    alarms[alarm.kind, f"{name}: {alarm.advice}"] += alarm.count
            if on_batch is not None:
                on_batch()
        predicted = worst.logits.argmax(1).masked_fill(worst.logits.isnan().any(1), -1)
        parts.append(WorstCase(worst.x_adv, worst.margin, (), "", tuple(names), clean, predicted))
    tensors = ("x_adv", "margin", "clean_margin", "predicted")
    joined = {name: torch.cat([getattr(part, name) for part in parts]) for name in tensors}
    broken_by = tuple(by for part in parts for by in part.broken_by)
    collected = tuple(Alarm(kind, n, len(y), advice) for (kind, advice), n in alarms.items())
    surprise = _black_box_alarm(broken_by, attacks)
    warn_about(surprise)
    return WorstCase(
        **joined,
        broken_by=broken_by,
        alarms=(*collected, *surprise),
        searched_in=" and ".join(sorted(searched - {""})),
    )


def _black_box_alarm(
    broken_by: tuple[str, ...], attacks: Mapping[str, Attack]
) -> tuple[Alarm, ...]:
    """The alarm that black boxes broke what every attack with gradients had left standing."""
    black = [name for name, attack in attacks.items() if _is_black_box(attack)]
    white = [name for name in attacks if name not in black]
    if not white:
        return ()
    order = list(attacks)
    late = {name for name in black if order.index(name) > order.index(white[-1])}
    count = sum(name in late for name in broken_by)
    kind = AlarmKind.BLACK_BOX_WINS
    if count <= BLACK_BOX_SHARE * len(broken_by):
        return ()
    return (Alarm(kind, count, len(broken_by), ADVICE[kind]),)


def _is_black_box(attack: object) -> bool:
    while isinstance(attack, functools.partial):
        attack = attack.func
    return attack is square


def _mixed(seed: int, name: str, number: int) -> int:
    """A seed made of all three, the same in every process."""
    return random.Random(f"{seed}/{name}/{number}").getrandbits(63)
