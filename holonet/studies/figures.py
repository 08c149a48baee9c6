"""Figures of a claim: the intervals of its evidence, and lines over what is varied."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from holonet._page import Section, Table
from holonet.errors import DataError
from holonet.studies.evidence import Evidence
from holonet.studies.results import Results

__all__ = ["BANDS", "Lines", "interval_figure"]

BANDS = "Lines are medians over seeds, bands the range."
"""What `Lines` draws, for a caption."""

MANY = 24  # characters of labels, over which the axis has its own ticks

Number = float | int


def interval_figure(
    title: str,
    xlabel: str,
    evidence: Callable[[Results], Evidence],
    caption: str = "",
    table: Callable[[Results], Table] | None = None,
) -> Callable[[Results], Section]:
    """All intervals of an evidence, those that decide first, and the first threshold."""

    def draw(results: Results) -> Section:
        from holonet.plots import plot_intervals

        found = evidence(results)
        factor = found.tests[0].factor
        rows = {
            name: {xlabel: (factor * i.estimate, factor * i.low, factor * i.high)}
            for name, i in found.intervals.items()
        }
        return Section(
            title,
            figure=plot_intervals(rows, xlabel=xlabel, reference=factor * found.tests[0].value),
            caption=f"{caption} {_levels(found)} The dashed line is the threshold.".strip(),
            table=table(results) if table else None,
        )

    return draw


def _levels(evidence: Evidence) -> str:
    """What the bars are."""
    tested = [i for test in evidence.tests for i in test.intervals.values()]
    first, rest = (
        {f"{100 * i.confidence:.3g}%" for i in some} for some in (tested, evidence.beside.values())
    )
    if rest <= first:
        return f"Bars are {', '.join(first)} intervals."
    count = "first" if len(tested) == 1 else f"first {len(tested)}"
    return (
        f"Bars are intervals: of the {count}, which decide, at {', '.join(first)}, of the others "
        f"at {', '.join(rest)}."
    )


@dataclass(frozen=True)
class Lines:
    """A panel of values over a quantity in logarithms, one line a name.

    Args:
        xlabel, ylabel, title: of the panel.
        lines: name -> the quantity, and the values at each of it, a row for each seed.
        guide: name and exponent of a power, dotted from where the first line begins.
    """

    xlabel: str
    ylabel: str
    lines: Mapping[str, tuple[Sequence[Number], Sequence[Sequence[Number]]]]
    title: str = ""
    guide: tuple[str, Number] | None = None

    def draw(self, ax: Any, *, legend: bool = True) -> None:
        """Medians over seeds, and bands of their range.

        Raises:
            DataError: there is no line.
        """
        from holonet.plots.style import MUTED, add_legend, color, label_axes, line_style, marker

        lines = {name: (x, np.array(rows)) for name, (x, rows) in self.lines.items() if len(rows)}
        if not lines:
            raise DataError(f"no result is left to draw {self.ylabel} over {self.xlabel}")
        for index, (name, (x, rows)) in enumerate(lines.items()):
            ax.fill_between(x, rows.min(0), rows.max(0), color=color(index), alpha=0.15, lw=0)
            look = {"marker": marker(index), "markersize": 5, **line_style(index)}
            ax.plot(x, np.median(rows, 0), label=name, **look)
        if self.guide:
            (label, exponent), (x, rows) = self.guide, next(iter(lines.values()))
            power = np.median(rows, 0)[0] * (np.array(x) / x[0]) ** exponent
            ax.plot(x, power, ":", color=MUTED, label=label)
        ax.set(xscale="log", yscale="log")
        places = sorted({value for x, _ in lines.values() for value in x})
        labels = [f"{value:g}" for value in places]
        if len("".join(labels)) <= MANY:
            ax.set_xticks(places, labels)
            ax.set_xticks([], minor=True)
        label_axes(ax, self.xlabel, self.ylabel, self.title or None)
        if legend:
            add_legend(ax, loc="best")
