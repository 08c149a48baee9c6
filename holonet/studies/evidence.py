"""Intervals, where a claim puts them, and the verdict that follows."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Literal

from holonet.statistics import Interval
from holonet.studies.claims import Finding, Verdict, judge_all
from holonet.studies.study import Result

__all__ = ["Criterion", "Evidence", "of_part"]


@dataclass(frozen=True)
class Criterion:
    """Intervals that must all lie on one side of a value.

    Args:
        intervals: by name.
        claimed: the side.
        value: of what.
        factor, unit, digits: how they are written.
    """

    intervals: Mapping[str, Interval]
    claimed: Literal["above", "below"]
    value: float | int = 0.0
    factor: float | int = 1
    unit: str = ""
    digits: int = 2


@dataclass(frozen=True)
class Evidence:
    """What a verdict rests on.

    Args:
        tests: all must be passed; none at all means that nothing can be tested.
        beside: intervals that are shown and not judged.
        remark: what else a reader should know, in words that follow the numbers.
    """

    tests: Sequence[Criterion] = ()
    beside: Mapping[str, Interval] = field(default_factory=dict)
    remark: str = ""

    def finding(self, claim: str) -> Finding:
        """The verdict with its reason."""
        if not self.tests:
            return Finding(claim, Verdict.NOT_TESTABLE, {}, self.remark)
        judged = [
            judge_all(
                test.intervals,
                test.claimed,
                test.value,
                factor=test.factor,
                unit=test.unit,
                digits=test.digits,
            )
            for test in self.tests
        ]
        verdicts = {verdict for verdict, _ in judged}
        worst = next(v for v in reversed(Verdict) if v in verdicts)
        numbers = {name: asdict(i) for t in self.tests for name, i in t.intervals.items()}
        numbers |= {name: asdict(i) for name, i in self.beside.items()}
        text = " ".join(filter(None, [*(reason for _, reason in judged), self.remark]))
        return Finding(claim, worst, numbers, text)


def of_part(results: Mapping[str, Result], part: str) -> list[Result]:
    """The results of one part of the study."""
    return [result for result in results.values() if result["part"] == part]
