"""Verdicts: what intervals over seeds, or networks, say about a claim."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Literal

from holonet.statistics import Interval, paired_difference

__all__ = ["Criterion", "Evidence", "Finding", "Side", "Verdict", "judge", "paired_by_seed"]

Side = Literal["above", "below"]
Number = float | int


class Verdict(StrEnum):
    """Of several verdicts the last in this order holds for all together."""

    CONFIRMED = "confirmed"
    UNDECIDED = "undecided"
    REFUTED = "refuted"
    NOT_TESTABLE = "not testable"


def judge(interval: Interval, side: Side, value: Number = 0.0) -> Verdict:
    """The verdict on a claim that a quantity is above or below a value.

    Confirmed if the whole interval lies on the claimed side, refuted if it lies on the other,
    undecided if it contains the value, not testable if it is infinite.

    Example:
        >>> judge(Interval(1.0, -0.5, 2.5, 5, "t"), "above")
        <Verdict.UNDECIDED: 'undecided'>
    """
    if not interval.is_finite:
        return Verdict.NOT_TESTABLE
    if not (interval.is_above(value) or interval.is_below(value)):
        return Verdict.UNDECIDED
    holds = interval.is_above(value) if side == "above" else interval.is_below(value)
    return Verdict.CONFIRMED if holds else Verdict.REFUTED


def paired_by_seed(first: Mapping[int, Number], second: Mapping[int, Number]) -> Interval:
    """The mean of first - second over the seeds that both have, by Student's t.

    Raises:
        DataError: they have no seed in common, or a value is not finite.

    Example:
        >>> paired_by_seed({0: 3.0, 1: 5.0}, {1: 4.0, 2: 9.0}).estimate
        1.0
    """
    seeds = sorted(first.keys() & second.keys())
    return paired_difference([first[s] for s in seeds], [second[s] for s in seeds])


@dataclass(frozen=True)
class Finding:
    """The verdict on a claim.

    Args:
        claim: the key of the claim.
        verdict: computed from the numbers.
        numbers: the intervals behind the verdict, in plain types.
        text: the numbers in words.
        effect: the size of the effect, for a table; empty if the text alone has it.
        otherwise: what would have changed the verdict.
    """

    claim: str
    verdict: Verdict
    numbers: dict[str, Any]
    text: str
    effect: str = ""
    otherwise: str = ""


@dataclass(frozen=True)
class Criterion:
    """Intervals that must all lie on one side of a value.

    Args:
        intervals: by name.
        side: of the value.
        value: the threshold.
        factor, unit, digits: how numbers are written: 100 and " points" for example.
    """

    intervals: Mapping[str, Interval]
    side: Side
    value: Number = 0.0
    factor: Number = 1
    unit: str = ""
    digits: int = 2

    @property
    def verdicts(self) -> dict[str, Verdict]:
        """By name of the interval."""
        return {name: judge(i, self.side, self.value) for name, i in self.intervals.items()}

    @property
    def text(self) -> str:
        """Every number with its verdict.

        Example:
            >>> Criterion({"a": Interval(0.2, 0.1, 0.3, 5, "t")}, "above").text
            'a: 0.20 (95% interval 0.10 to 0.30), confirmed.'
        """
        verdicts = self.verdicts
        parts = (
            f"{name}: {i.scaled(self.factor).text(self.digits, self.unit)}, {verdicts[name]}"
            for name, i in self.intervals.items()
        )
        return f"{'; '.join(parts)}."


@dataclass(frozen=True)
class Evidence:
    """What a verdict rests on.

    Args:
        tests: all must be passed; without any the claim is not testable.
        beside: intervals that are shown and decide nothing.
        remark: what else a reader should know.
    """

    tests: Sequence[Criterion] = ()
    beside: Mapping[str, Interval] = field(default_factory=dict)
    remark: str = ""

    @property
    def verdict(self) -> Verdict:
        """The last of the tests' verdicts in the order of `Verdict`."""
        verdicts = {verdict for test in self.tests for verdict in test.verdicts.values()}
        return next((v for v in reversed(Verdict) if v in verdicts), Verdict.NOT_TESTABLE)

    @property
    def intervals(self) -> dict[str, Interval]:
        """All by name, those that decide first."""
        tested = {name: i for test in self.tests for name, i in test.intervals.items()}
        return {**tested, **self.beside}

    def finding(self, claim: str) -> Finding:
        """The verdict with its numbers."""
        numbers = {name: asdict(i) for name, i in self.intervals.items()}
        text = " ".join(filter(None, [*(test.text for test in self.tests), self.remark]))
        return Finding(claim, self.verdict, numbers, text)
