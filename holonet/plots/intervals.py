"""Estimates with their intervals, side by side."""

import math
from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from holonet._arguments import checked
from holonet.errors import DataError, DomainError
from holonet.plots.style import (
    LINE_WIDTH,
    MUTED,
    add_legend,
    color,
    figure_of,
    label_axes,
    marker,
    new_figure,
)

__all__ = ["plot_intervals"]

SPREAD = 0.6  # of the distance between two rows, what the series of one row take


@checked
def plot_intervals(
    rows: Mapping[str, Mapping[str, tuple[float | int, float | int, float | int]]],
    *,
    ax: Axes | None = None,
    xlabel: str = "",
    reference: float | int | None = None,
    title: str | None = None,
) -> Figure:
    """One row for each name, in it a dot and a bar for each series.

    A bar with an infinite end, that of a single value, is left out.

    Args:
        rows: name -> series -> (estimate, low, high); the first row stands on top.
        ax: axes to draw in; a new figure if none are given.
        xlabel: what is estimated.
        reference: a value to be compared with, drawn as a line.
        title: what stands above the picture.

    Raises:
        DataError: nothing to draw.
        DomainError: an estimate that is not finite, or outside its own interval.

    Example:
        >>> figure = plot_intervals({"net": {"clean": (0.9, 0.8, 0.95)}}, xlabel="accuracy")
        >>> figure.axes[0].get_xlabel()
        'accuracy'
    """
    names = list(dict.fromkeys(name for series in rows.values() for name in series))
    if not names:
        raise DataError(
            "there is no interval to plot: give name -> series -> (estimate, low, high)"
        )
    for row, series in rows.items():
        for name, (estimate, low, high) in series.items():
            if not (math.isfinite(estimate) and low <= estimate <= high):
                raise DomainError(
                    f"{name!r} of {row!r} is {estimate} in [{low}, {high}]: order it as "
                    "(estimate, low, high), with a finite estimate"
                )
    height = 1.1 + (0.3 + 0.17 * len(names)) * len(rows)
    ax = ax or new_figure(6.4, height)[1][0]
    if reference is not None:
        ax.axvline(reference, color=MUTED, linewidth=1.0, linestyle="--")
    for index, name in enumerate(names):
        shift = SPREAD * ((index + 0.5) / len(names) - 0.5)
        placed = [(k + shift, s[name]) for k, s in enumerate(rows.values()) if name in s]
        look: dict[str, Any] = {"color": color(index)}
        for y, (_, low, high) in placed:
            if math.isfinite(high - low):
                ax.plot([low, high], [y, y], linewidth=LINE_WIDTH, **look)
        heights, estimates = [y for y, _ in placed], [interval[0] for _, interval in placed]
        ax.plot(estimates, heights, marker(index), markersize=5, label=name, **look)
    ax.set_yticks(range(len(rows)), list(rows), parse_math=False)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    label_axes(ax, xlabel, "", title)
    if len(names) > 1:
        add_legend(ax, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure_of(ax)
