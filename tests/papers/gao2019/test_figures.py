"""Figures of made-up results."""

from typing import Any

import pytest

from holonet.errors import DataError
from holonet.papers.gao2019 import evidence, figures
from holonet.papers.gao2019.networks import KINDS
from holonet.studies.figures import interval_figure

QUANTITIES = ("surrogate", "lower", "robust", "moved", "kernel_moved")


@pytest.fixture
def results() -> dict[str, Any]:
    """Of two seeds; no width of x^2 fits 18 examples."""
    cells: list[dict[str, Any]] = []
    for seed in (0, 1):
        for network in KINDS:
            distance = {"8": 0.5, "32": 0.2 + 0.01 * seed}
            of = {"network": network, "seed": seed}
            cells.append({"part": "kernel", **of, "distance": distance})
        for network in evidence.TRAINED:
            of = {"network": network, "seed": seed}
            values = dict.fromkeys(("5", "15", "30", "60"), 0.5 + 0.01 * seed)
            cells += [
                {"part": "training", **of, "width": width, "attack": 10}
                | dict.fromkeys(QUANTITIES, values)
                for width in (4, 16)
            ]
            cells.append({"part": "wide", **of, "robust_loss": {"4": 0.6, "16": 0.4}})
            least = 5 if network == "x^2" else 3
            cells.append(
                {"part": "capacity", **of, "examples": 18, "cap": 4}
                | {"standard": least, "robust": least}
            )
    return {str(k): cell for k, cell in enumerate(cells)}


def test_intervals_show_every_test_of_the_claim(results: dict[str, Any]) -> None:
    section = interval_figure("title", "exponent", evidence.kernel_limit)(results)
    labels = [t.get_text() for t in section.figure.axes[0].get_yticklabels()]
    assert labels == ["relu", "x^2", "z^2", "sin x", "sin z"]


def test_curves_have_a_line_for_each_network(results: dict[str, Any]) -> None:
    kernel = figures.kernel_distances(results).figure
    assert len(kernel.axes) == 1
    assert [t.get_text() for t in kernel.axes[0].get_legend().get_texts()] == [
        "relu",
        "x^2",
        "z^2",
        "sin x",
        "sin z",
    ]
    assert len(figures.training(results).figure.axes) == 3
    assert figures.wide(results).figure.axes[0].get_xscale() == "log"


def test_table_of_the_training_has_every_ball(results: dict[str, Any]) -> None:
    table = figures.training(results).table
    assert len(table.rows) == 16
    assert [row[:2] for row in table.rows[:2]] == [["relu", "5"], ["relu", "15"]]


def test_widths_above_the_cap_are_written_as_such(results: dict[str, Any]) -> None:
    table = figures.capacity(results).table
    row = next(r for r in table.rows if r[:2] == ["x^2", 18])
    assert row[3] == ">4, >4"


def test_nothing_is_drawn_without_results() -> None:
    with pytest.raises(DataError):
        figures.training({})
