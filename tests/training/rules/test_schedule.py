"""Schedules: monotone between two levels, and told apart by their repr."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cases import each
from holonet.errors import ConfigError
from holonet.training import CosineRamp, LinearRamp, Schedule
from holonet.training.rules.schedule import weight_at

fractions = st.floats(0, 1)
weights = st.floats(0, 1e6)
RAMPS = [LinearRamp, CosineRamp]


@pytest.mark.parametrize("ramp", RAMPS)
@given(
    initial=weights, final=weights, ends=st.tuples(fractions, fractions), p=fractions, q=fractions
)
def test_ramps_are_monotone_between_their_levels(ramp, initial, final, ends, p, q):
    start, end = sorted(ends)
    if end - start < 1e-9:
        end, start = 1.0, 0.0
    schedule = ramp(final, initial, start, end)
    assert (schedule(start), schedule(1.0)) == (initial, final)
    early, late = sorted((p, q))
    sign = 1 if final >= initial else -1
    slack = 1e-9 * max(initial, final)
    assert sign * (schedule(late) - schedule(early)) >= -slack
    if early <= start:
        assert schedule(early) == initial
    if late >= end:
        assert schedule(late) == final
    level = sorted((initial, final))
    assert level[0] - slack <= schedule(p) <= level[1] + slack


@given(p=fractions)
def test_ramps_by_formula(p):
    assert LinearRamp(3.0, 1.0)(p) == pytest.approx(1 + 2 * p)
    assert CosineRamp(3.0, 1.0)(p) == pytest.approx(2 - math.cos(math.pi * p))
    assert LinearRamp(2.0, start=0.5)(0.75) == 1.0


@given(value=weights, p=fractions)
def test_numbers_stay(value, p):
    assert weight_at(value, p, "w") == value
    assert weight_at(3, p, "w") == 3.0


@each("ramp", RAMPS)
@each(
    ("arguments", "match"),
    [
        ((-1.0,), "weights >= 0"),
        ((1.0, math.nan), "weights >= 0"),
        ((math.inf,), "weights >= 0"),
        ((1.0, 0.0, 0.5, 0.5), "start < end"),
        ((1.0, 0.0, 0.0, 1.5), "start < end"),
        ((1.0, 0.0, -0.1, 1.0), "start < end"),
    ],
)
def test_faulty_ramps_are_refused(ramp, arguments, match):
    with pytest.raises(ConfigError, match=rf"{ramp.__name__}\(final=.*{match}"):
        ramp(*arguments)


@pytest.mark.parametrize("progress", [-0.1, 1.1, math.nan])
def test_progress_is_a_fraction(progress):
    with pytest.raises(ConfigError, match=f"progress={progress}: give the fraction"):
        weight_at(1.0, progress, "w")


class Negative(Schedule):
    def __call__(self, progress):
        return 0.5 - progress


def test_a_schedule_of_ones_own_is_checked_where_it_is_used():
    assert weight_at(Negative(), 0.25, "beta") == 0.25
    with pytest.raises(ConfigError, match=r"beta=-0.5: choose a finite weight >= 0"):
        weight_at(Negative(), 1.0, "beta")


def test_repr_shows_the_schedule():
    shown = {repr(s) for s in (LinearRamp(1.0), CosineRamp(1.0), LinearRamp(2.0))}
    shown |= {repr(s) for s in (LinearRamp(1.0, end=0.5), LinearRamp(1.0, start=0.5))}
    assert len(shown) == 5
    assert repr(LinearRamp(1.0, 0.5)) == "LinearRamp(final=1.0, initial=0.5, start=0.0, end=1.0)"
    assert LinearRamp(1.0) != CosineRamp(1.0)
