"""Dots and bars stand where the numbers say."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holonet.errors import DataError, DomainError
from holonet.plots.intervals import plot_intervals

numbers = st.floats(-1e3, 1e3)


def bars(figure):
    """The ends of every bar, by its height."""
    drawn = figure.axes[0].lines
    lines = [a for a in drawn if a.get_linestyle() == "-" and a.get_marker() == "None"]
    return {round(line.get_ydata()[0], 6): tuple(line.get_xdata()) for line in lines}


@settings(max_examples=5)
@given(low=numbers, width=st.floats(0, 10), other=numbers)
def test_the_bar_ends_at_the_interval(low, width, other):
    estimate = low + width / 2
    figure = plot_intervals({"a": {"s": (estimate, low, low + width)}, "b": {"s": (other,) * 3}})
    assert bars(figure)[0.0] == (low, low + width)
    assert bars(figure)[1.0] == (other, other)


def test_rows_are_named_from_the_top_and_series_stand_apart():
    rows = {"a": {"s": (1, 0, 2), "t": (1, 0, 2)}, "b": {"t": (3, 2, 4)}}
    figure = plot_intervals(rows, xlabel="points", reference=0)
    ax = figure.axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b"]
    assert ax.get_ylim()[0] > ax.get_ylim()[1]
    found = bars(figure)
    assert sorted(found) == [-0.15, 0.15, 1.15]
    assert found[1.15] == (2, 4)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["s", "t"]
    assert ax.get_xlabel() == "points"


def test_the_reference_is_drawn():
    figure = plot_intervals({"a": {"s": (1, 0, 2)}}, reference=0.5)
    assert (0.5, 0.5) in [tuple(line.get_xdata()) for line in figure.axes[0].lines]


def test_one_value_has_a_dot_and_no_bar():
    figure = plot_intervals({"a": {"s": (1, -math.inf, math.inf)}})
    assert not bars(figure)
    assert list(figure.axes[0].lines[0].get_xdata()) == [1]


@pytest.mark.parametrize(
    ("rows", "error", "match"),
    [
        ({}, DataError, "no interval"),
        ({"a": {}}, DataError, "no interval"),
        ({"a": {"s": (3, 0, 2)}}, DomainError, "3 in"),
        ({"a": {"s": (math.nan, 0, 2)}}, DomainError, "nan in"),
    ],
)
def test_what_cannot_be_drawn_is_refused(rows, error, match):
    with pytest.raises(error, match=match):
        plot_intervals(rows)
