"""Which evidence makes which alarm, and which alarms are worth a warning."""

import warnings

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from cases import each
from holonet.attacks import Alarm, AlarmKind
from holonet.attacks.alarms import (
    Evidence,
    alarms_from,
    warn_about,
    warn_of_probabilities,
)
from holonet.errors import AttackWarning

flags = st.lists(st.booleans(), min_size=6, max_size=6)


def evidence(rose: list[bool], zero: list[bool], finite: list[bool]) -> Evidence:
    first = torch.arange(6.0)
    return Evidence(
        first, first + torch.tensor(rose).float(), torch.tensor(zero)[:, None], torch.tensor(finite)
    )


def saw(
    ascents: list[Evidence], standing: list[bool], unseen: list[bool] | None = None
) -> dict[str, int]:
    alarms = alarms_from(
        ascents, torch.tensor(standing), None if unseen is None else torch.tensor(unseen)
    )
    assert all(alarm.examples == 6 and alarm.advice for alarm in alarms)
    return {alarm.kind.name: alarm.count for alarm in alarms}


def test_each_alarm_by_hand() -> None:
    yes, no = [True] * 6, [False] * 6
    assert saw([evidence(yes, no, yes)], yes) == {}
    assert saw([evidence(no, no, yes)], yes) == {"FLAT_LOSS": 6}
    assert saw([evidence(no, yes, yes)], yes) == {"ZERO_GRADIENT": 6}
    assert saw([evidence(yes, yes, yes)], yes) == {"ZERO_GRADIENT": 6}  # by a lucky start
    assert saw([evidence(yes, yes, no)], yes) == {"NOT_FINITE": 6}
    assert saw([evidence(yes, no, yes)], yes, unseen=yes) == {"VANISHING_GRADIENT": 6}
    assert saw([evidence(yes, yes, yes)], yes, unseen=yes) == {"ZERO_GRADIENT": 6}
    assert saw([evidence(no, yes, no)], no) == {}
    assert saw([], yes) == {}


@given(rows=st.lists(st.tuples(flags, flags, flags), min_size=1, max_size=3), standing=flags)
def test_an_example_counts_once_and_only_where_it_stands(rows, standing):
    found = saw([evidence(*row) for row in rows], standing)
    expected = {"NOT_FINITE": 0, "ZERO_GRADIENT": 0, "FLAT_LOSS": 0}
    for k in range(6):
        if standing[k]:
            if not all(finite[k] for _, _, finite in rows):
                expected["NOT_FINITE"] += 1
            elif all(zero[k] for _, zero, _ in rows):
                expected["ZERO_GRADIENT"] += 1
            elif not any(rose[k] for rose, _, _ in rows):
                expected["FLAT_LOSS"] += 1
    assert found == {kind: count for kind, count in expected.items() if count}


def test_an_objective_that_is_nan_did_not_rise() -> None:
    one = torch.ones(1)
    assert not Evidence(one, one * torch.nan, one > 2, one > 0).rose.any()


@each(
    ("kind", "count", "loud"),
    [
        (AlarmKind.ZERO_GRADIENT, 1, True),
        (AlarmKind.NOT_FINITE, 1, True),
        (AlarmKind.VANISHING_GRADIENT, 10, False),
        (AlarmKind.VANISHING_GRADIENT, 11, True),
        (AlarmKind.FLAT_LOSS, 100, False),
        (AlarmKind.FLAT_LOSS, 101, True),
        (AlarmKind.BLACK_BOX_WINS, 10, False),
        (AlarmKind.BLACK_BOX_WINS, 11, True),
        (AlarmKind.HEURISTIC, 1000, False),
    ],
)
def test_only_doubtful_verdicts_warn(kind: AlarmKind, count: int, loud: bool) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_about([Alarm(kind, count, 1000, "look again")])
    assert [w.category for w in caught] == [AttackWarning] * loud
    assert all(f"{count} of 1000" in str(w.message) for w in caught)


def test_one_warning_for_each_alarm() -> None:
    with pytest.warns(AttackWarning) as caught:
        warn_about([Alarm(AlarmKind.NOT_FINITE, 1, 2, "a"), Alarm(AlarmKind.FLAT_LOSS, 1, 2, "b")])
    assert len(caught) == 2


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_probabilities(dtype: torch.dtype) -> None:
    logits = 3 * torch.randn(20, 10)
    probabilities = logits.softmax(1).to(dtype)
    with pytest.warns(AttackWarning, match="all 20 examples"):
        warn_of_probabilities(probabilities)
    quiet: list[Tensor] = [logits, logits.abs(), logits.log_softmax(1), probabilities[:0]]
    quiet += [probabilities * 1.1, torch.cat([probabilities[:-1], 1 + probabilities[-1:]])]
    quiet += [torch.cat([probabilities, 2 * probabilities[:1] - 0.1]), torch.ones(5, 1)]
    for other in quiet:
        warn_of_probabilities(other.to(dtype))
