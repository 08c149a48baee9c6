"""What an attack found, and what makes its verdict doubtful."""

from dataclasses import dataclass
from enum import StrEnum

from holonet._types import Mask, Numbers, Points

__all__ = ["Alarm", "AlarmKind", "AttackResult"]


class AlarmKind(StrEnum):
    """Why an attack may have missed what is there: the signs of a masked gradient, and NaN."""

    ZERO_GRADIENT = "zero gradient"
    VANISHING_GRADIENT = "vanishing gradient"
    FLAT_LOSS = "flat loss"
    NOT_FINITE = "not finite"
    BLACK_BOX_WINS = "black box wins"
    HEURISTIC = "heuristic"


@dataclass(frozen=True)
class Alarm:
    """One reason to doubt that an example withstands.

    Args:
        kind: which.
        count: how many examples it concerns.
        examples: of how many.
        advice: what it means and what to do about it.
    """

    kind: AlarmKind
    count: int
    examples: int
    advice: str

    def __str__(self) -> str:
        return f"{self.kind} for {self.count} of {self.examples} examples: {self.advice}"


@dataclass(frozen=True)
class AttackResult:
    """The worst points that an attack found.

    Args:
        x_adv: one point of the threat set for each example.
        margin: logit of the label minus the largest other, at x_adv; negative where misclassified,
            -inf where a logit is NaN.
        alarms: reasons to doubt that the rest withstands.
        searched_in: where the attack searched, if not in the threat set itself.
    """

    x_adv: Points
    margin: Numbers
    alarms: tuple[Alarm, ...] = ()
    searched_in: str = ""

    @property
    def success(self) -> Mask:
        """Which examples are misclassified at x_adv (a tie counts: no strict winner is left)."""
        return ~(self.margin > 0)

    @property
    def accuracy(self) -> float:
        """The fraction of examples that withstood."""
        return float((~self.success).double().mean())

    def __str__(self) -> str:
        robust, total = int((~self.success).sum()), len(self.margin)
        share = f"{100 * robust / total:.1f}%" if total else "none"
        where = f" in {self.searched_in}" if self.searched_in else ""
        lines = [f"{share} withstand ({robust} of {total}), as far as this attack found{where}"]
        return "\n".join([*lines, *(f"  doubt: {alarm}" for alarm in self.alarms)])
