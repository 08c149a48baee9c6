"""Figures show what decides a claim, and lines over what was varied."""

from typing import Any

import numpy as np
import pytest

from holonet._page import Table
from holonet.errors import DataError
from holonet.plots import new_figure
from holonet.statistics import Interval
from holonet.studies.evidence import Criterion, Evidence
from holonet.studies.figures import Lines, interval_figure


def interval(estimate: float) -> Interval:
    return Interval(estimate, estimate - 0.1, estimate + 0.1, 5, "t")


def test_intervals_stand_beside_their_threshold_in_their_unit() -> None:
    test = Criterion({"a": interval(0.5)}, "above", 0.3, factor=100)
    found = Evidence([test], {"b": interval(0.2)})
    table = Table(["n"], [[1]])
    section = interval_figure("T", "points", lambda results: found, "Shares.", lambda r: table)({})
    figure: Any = section.figure
    (ax,) = figure.axes
    assert [t.get_text() for t in ax.get_yticklabels()] == ["a", "b"]
    assert list(ax.get_lines()[0].get_xdata()) == [30, 30]
    assert section.caption.startswith("Shares. Bars are 95% intervals")
    assert section.table is table


def test_the_caption_says_at_which_levels_the_bars_are() -> None:
    wide = Interval(0.5, 0.1, 0.9, 5, "t", 0.99)
    found = Evidence([Criterion({"a": wide}, "above")], {"b": interval(0.2)})
    caption = interval_figure("T", "x", lambda results: found)({}).caption
    assert "of the first, which decide, at 99%, of the others at 95%" in caption


def test_lines_are_medians_over_seeds_on_logarithmic_axes() -> None:
    ax = new_figure()[1][0]
    rows = [[1.0, 8.0], [2.0, 4.0], [9.0, 5.0]]
    Lines("n", "loss", {"net": ([16, 64], rows), "none": ([16], [])}, guide=("1/n", -1)).draw(ax)
    lines = {line.get_label(): np.array(line.get_ydata()).tolist() for line in ax.get_lines()}
    assert lines == {"net": [2.0, 5.0], "1/n": [2.0, 0.5]}
    assert [t.get_text() for t in ax.get_xticklabels()] == ["16", "64"]
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")


def test_without_a_line_nothing_is_drawn() -> None:
    with pytest.raises(DataError, match="loss over n"):
        Lines("n", "loss", {}).draw(new_figure()[1][0])
