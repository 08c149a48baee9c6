"""When not to believe an attack that failed: the signs of masked gradients."""

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import torch

from holonet._types import EntryMask, Logits, Mask, Numbers
from holonet.attacks.result import Alarm, AlarmKind
from holonet.errors import AttackWarning

__all__ = [
    "Evidence",
    "alarms_from",
    "silent",
    "warn_about",
    "warn_of_probabilities",
]

DOUBTFUL_SHARE = {
    AlarmKind.FLAT_LOSS: 0.1,
    AlarmKind.BLACK_BOX_WINS: 0.01,
    AlarmKind.VANISHING_GRADIENT: 0.01,
}
"""The share of all examples from which on an alarm makes the verdict doubtful; else any example.

A single example may sit on a maximum of its loss, and a single one fall to luck.
"""

ADVICE = {
    AlarmKind.ZERO_GRADIENT: (
        "every gradient was exactly 0, so the attack did not search; look for saturated or "
        "underflowing outputs, attack with loss='margin' and in double precision "
        "(nn.to_precision), and with attacks.square, which needs no gradient"
    ),
    AlarmKind.VANISHING_GRADIENT: (
        "at entries where every gradient was exactly 0, random moves alone changed the margin: the "
        "attack did not search there; look for saturated layers (a threshold in front, which "
        "attacks climb behind if it is the first layer of an nn.Sequential), and attack in double "
        "precision (nn.to_precision) and with attacks.square, which needs no gradient"
    ),
    AlarmKind.FLAT_LOSS: (
        "no step raised the loss above that of the start; take smaller steps, more restarts and "
        "attacks.square, which needs no gradient"
    ),
    AlarmKind.NOT_FINITE: (
        "a gradient was not finite, so the attack stopped there and kept the worst point until "
        "then; rerun it in nn.to_precision(model, torch.complex128) or with a smaller eps"
    ),
    AlarmKind.BLACK_BOX_WINS: (
        "an attack without gradients broke what the one with gradients left standing; the "
        "gradients mislead, believe only the worst case of several attacks"
    ),
}


@dataclass(frozen=True)
class Evidence:
    """What an attack with gradients saw, for each example.

    Args:
        first: the objective where an ascent began.
        last: its largest value after that.
        blind: for each entry, whether every gradient was exactly 0 there.
        finite: every gradient was finite.
    """

    first: Numbers
    last: Numbers
    blind: EntryMask
    finite: Mask

    @property
    def zero(self) -> Mask:
        """Where every gradient was exactly 0."""
        return self.blind.flatten(1).all(1)

    @property
    def rose(self) -> Mask:
        """Where the objective rose above its beginning."""
        return self.last > self.first


def alarms_from(
    evidence: Iterable[Evidence], standing: Mask, unseen: Mask | None = None
) -> tuple[Alarm, ...]:
    """The alarms of an attack's ascents, about the examples that still stand.

    An example counts once: as not finite if any gradient was; else as a zero gradient if all were
    0; else as a vanishing one if `unseen`; else as a flat loss if no ascent rose.

    Args:
        evidence: of each ascent, over the same examples; none gives no alarm.
        standing: which examples the attack did not break.
        unseen: which examples depend on entries that no gradient saw.

    Example:
        >>> yes, no = torch.tensor([True]), torch.tensor([False])
        >>> saw = Evidence(torch.zeros(1), torch.zeros(1), blind=no[None], finite=yes)
        >>> [str(alarm.kind) for alarm in alarms_from([saw], standing=yes)]
        ['flat loss']
    """
    ascents = list(evidence)
    if not ascents:
        return ()
    finite = torch.stack([e.finite for e in ascents]).all(0)
    zero = torch.stack([e.zero for e in ascents]).all(0) & finite
    vanishing = torch.zeros_like(zero) if unseen is None else unseen & ~zero & finite
    flat = ~torch.stack([e.rose for e in ascents]).any(0) & ~zero & ~vanishing & finite
    masks = {
        AlarmKind.NOT_FINITE: ~finite,
        AlarmKind.ZERO_GRADIENT: zero,
        AlarmKind.VANISHING_GRADIENT: vanishing,
        AlarmKind.FLAT_LOSS: flat,
    }
    counts = {kind: int((where & standing).sum()) for kind, where in masks.items()}
    return tuple(
        Alarm(kind, count, len(standing), ADVICE[kind]) for kind, count in counts.items() if count
    )


def warn_about(alarms: Iterable[Alarm]) -> None:
    """One `AttackWarning` for each alarm that makes the verdict doubtful.

    Those are zero and not finite gradients for any example, a flat loss for more than a tenth of
    the examples, a vanishing gradient for more than a hundredth, and a black-box attack ahead on
    more than a hundredth. Other alarms, and
    `AlarmKind.HEURISTIC`, are only on record in the result.
    """
    for alarm in alarms:
        if alarm.kind is AlarmKind.HEURISTIC:
            continue
        if alarm.count > DOUBTFUL_SHARE.get(alarm.kind, 0.0) * alarm.examples:
            _warn(str(alarm))


def warn_of_probabilities(logits: Logits) -> None:
    """An `AttackWarning` if the outputs look like probabilities: nowhere negative, with sum 1.

    Attacks on them meet the gradients of a saturated softmax. One class, or no example, tells
    nothing.
    """
    if not len(logits) or logits.shape[1] < 2:
        return
    slack = 1e-2 if torch.finfo(logits.dtype).bits < 32 else 1e-4
    if bool((logits >= 0).all()) and bool(((logits.sum(1) - 1).abs() <= slack).all()):
        _warn(
            f"the model's outputs for all {len(logits)} examples are >= 0 and add up to 1, as "
            "probabilities do: return logits, without the softmax, lest the gradients of a "
            "saturated softmax hide what the attack looks for"
        )


_silent: ContextVar[bool] = ContextVar("holonet_attacks_silent", default=False)


@contextmanager
def silent() -> Iterator[None]:
    """No `AttackWarning` from the attacks inside, in this thread: Python's filters are global."""
    token = _silent.set(True)
    try:
        yield
    finally:
        _silent.reset(token)


def _warn(text: str) -> None:
    """For who called the attack."""
    if not _silent.get():
        warnings.warn(text, AttackWarning, stacklevel=4)
