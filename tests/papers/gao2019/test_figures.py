"""Figures from a tiny run."""

import pytest

from holonet.errors import DataError
from holonet.papers.gao2019 import evidence, figures
from holonet.studies.figures import interval_figure
from holonet.studies.runner import StudyResult


def test_intervals_show_every_test_of_the_claim(done: StudyResult) -> None:
    section = interval_figure("title", "exponent", evidence.kernel_limit)(done.results)
    labels = [t.get_text() for t in section.figure.axes[0].get_yticklabels()]
    assert labels == ["relu", "x^2", "z^2", "sin x", "sin z"]


def test_curves_have_a_line_for_each_network(done: StudyResult) -> None:
    kernel = figures.kernel_distances(done.results).figure
    assert len(kernel.axes) == 1
    assert [t.get_text() for t in kernel.axes[0].get_legend().get_texts()] == [
        "relu",
        "x^2",
        "z^2",
        "sin x",
        "sin z",
    ]
    assert len(figures.training(done.results).figure.axes) == 3
    assert figures.wide(done.results).figure.axes[0].get_xscale() == "log"


def test_table_of_the_training_has_every_ball(done: StudyResult) -> None:
    table = figures.training(done.results).table
    assert len(table.rows) == 16
    assert [row[:2] for row in table.rows[:2]] == [["relu", "5"], ["relu", "15"]]


def test_widths_above_the_cap_are_written_as_such(done: StudyResult) -> None:
    table = figures.capacity(done.results).table
    row = next(r for r in table.rows if r[:2] == ["x^2", 18])
    assert row[3] == ">4, >4"


def test_nothing_is_drawn_without_results() -> None:
    with pytest.raises(DataError):
        figures.training({})
