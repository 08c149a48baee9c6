"""What a paper claims, and what was found about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from holonet.statistics import Interval

__all__ = ["Claim", "Finding", "Standing", "Verdict", "judge", "judge_all"]


class Standing(StrEnum):
    """How sure it is that the paper says so."""

    CERTAIN = "certain"
    RECONSTRUCTED = "reconstructed"
    ADDED = "not claimed by the paper"


class Verdict(StrEnum):
    """What the numbers come to."""

    CONFIRMED = "confirmed"
    NOT_CONFIRMED = "not confirmed"
    NOT_TESTABLE = "not testable here"


@dataclass(frozen=True)
class Claim:
    """One sentence that can be wrong.

    Args:
        key: its name in results.json.
        statement: what is claimed.
        source: where it is from, and what of it is reconstructed.
        test: how it is tested here, and what counts as a confirmation.
        standing: how sure it is that the paper says so.
    """

    key: str
    statement: str
    source: str
    test: str
    standing: Standing = Standing.CERTAIN


@dataclass(frozen=True)
class Finding:
    """What was found about a claim.

    Args:
        claim: the key of the claim.
        verdict: computed from the numbers, never typed.
        numbers: what the verdict rests on, in plain types.
        text: the verdict's reason, in words that follow the numbers.
    """

    claim: str
    verdict: Verdict
    numbers: dict[str, Any]
    text: str


def judge(
    interval: Interval, claimed: Literal["above", "below"], value: float | int = 0.0
) -> tuple[Verdict, str]:
    """The verdict on a claim that a quantity is above or below a value, with its reason.

    Confirmed if the whole interval lies on the claimed side. Not confirmed otherwise, where the
    reason says whether the opposite holds or nothing is decided; one value alone, which has no
    interval, makes the claim not testable.

    Example:
        >>> judge(Interval(1.0, -0.5, 2.5, 5, "t"), "above")
        (<Verdict.NOT_CONFIRMED: 'not confirmed'>, 'undecided, the interval contains 0')
    """
    if not interval.is_finite:
        return Verdict.NOT_TESTABLE, "one value has no interval: more seeds are needed"
    if not (interval.is_above(value) or interval.is_below(value)):
        return Verdict.NOT_CONFIRMED, f"undecided, the interval contains {value:g}"
    side = "above" if interval.is_above(value) else "below"
    where = f"the whole interval lies {side} {value:g}"
    if side == claimed:
        return Verdict.CONFIRMED, where
    return Verdict.NOT_CONFIRMED, f"the opposite holds, {where}"


def judge_all(
    intervals: Mapping[str, Interval],
    claimed: Literal["above", "below"],
    value: float | int = 0.0,
    *,
    factor: float | int = 1,
    unit: str = "",
    digits: int = 1,
) -> tuple[Verdict, str]:
    """The verdict on a claim about several quantities at once, with each one's number and reason.

    Confirmed if it is for every one of them, not testable if it is for any.

    Args:
        intervals: by name.
        claimed: where the claim says that all of them lie.
        value: of what.
        factor, unit, digits: how the text writes the numbers, 100 and " points" for example.

    Example:
        >>> judge_all({"a": Interval(0.2, 0.1, 0.3, 5, "t")}, "above", factor=100, unit=" points")
        (<Verdict.CONFIRMED: 'confirmed'>, 'a: 20.0 points (95% interval 10.0 to 30.0), confirmed.')
    """
    verdicts = {name: judge(interval, claimed, value) for name, interval in intervals.items()}
    parts = []
    for name, (verdict, reason) in verdicts.items():
        number = intervals[name].scaled(factor).text(digits, unit)
        parts.append(f"{name}: {number}, {verdict if verdict is Verdict.CONFIRMED else reason}")
    found = {verdict for verdict, _ in verdicts.values()}
    text = f"{'; '.join(parts)}."
    for verdict in (Verdict.NOT_TESTABLE, Verdict.NOT_CONFIRMED):
        if verdict in found or not found:
            return verdict, text
    return Verdict.CONFIRMED, text
