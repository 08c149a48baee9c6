"""Norms over resolution, and indices of critical points, drawn."""

from collections.abc import Callable

import numpy as np

from holonet._page import Section, Table
from holonet.papers.dube2018.evidence import (
    Points,
    cells_of,
    input_points,
    norm_table,
    weight_points,
)
from holonet.studies.claims import Results
from holonet.studies.evidence import Evidence

__all__ = ["index_figure", "intervals_figure", "norm_figure", "weight_figure"]


def norm_figure(
    title: str, part: str, *kinds: str, rms: bool = True
) -> Callable[[Results], Section]:
    """Mean norms over n in both logarithms, a panel for each kind of images, with 1/sqrt(n)."""

    def draw(results: Results) -> Section:
        from holonet.plots import new_figure
        from holonet.plots.style import MUTED, add_legend, color, label_axes, line_style, marker

        panels = kinds or ("",)
        figure, axes = new_figure(1.4 + 4.4 * len(panels), 4.0, columns=len(panels))
        for ax, images in zip(axes, panels, strict=True):
            for k, (name, (n, norms)) in enumerate(norm_table(results, part, images).items()):
                values = np.array(norms) / np.sqrt(n) ** rms
                ax.fill_between(n, values.min(0), values.max(0), color=color(k), alpha=0.12)
                ax.plot(n, values.mean(0), label=name, marker=marker(k), **line_style(k))
                line = values.mean(0)[0] * np.sqrt(n[0] / np.array(n))
                ax.plot(n, line, ":", color=MUTED, label=None if k else "1/sqrt(n)")
            ax.set(xscale="log", yscale="log")
            label_axes(ax, "n (pixels)", "RMS norm" if rms else "Euclidean norm", images or None)
            add_legend(ax, loc="best")
        caption = "Lines are means over seeds, bands their range."
        table = _accuracies(results, *kinds) if part == "trained" else None
        return Section(title, table=table, figure=figure, caption=caption)

    return draw


def _accuracies(results: Results, *kinds: str) -> Table:
    rows = []
    for images in kinds:
        for family in norm_table(results, "trained", images):
            own = [c for c in cells_of(results, "trained", images) if c["family"] == family]
            means = 100 * np.mean([cell["accuracy"] for cell in own], 0)
            shown = ", ".join(f"{n}: {a:.1f}" for n, a in zip(own[0]["n"], means, strict=True))
            rows.append([images, family, shown])
    return Table(["images", "family", "test accuracy % by n"], rows, "Means over seeds.")


def index_figure(results: Results) -> Section:
    """Histograms of index over dimension on R^n and on C^n, by family."""
    points = {
        f"{family}, {space}": found
        for space in ("R^n", "C^n")
        for family, found in input_points(results, space).items()
    }
    return _histograms("Index on R^n and on C^n", points)


def weight_figure(results: Results) -> Section:
    """The same of the loss in the weights, by family and start."""
    points = {
        f"{family}, {origin}": found
        for origin in ("random", "near a minimum")
        for family, found in weight_points(results, origin).items()
    }
    return _histograms("The loss in the weights", points)


def _histograms(title: str, points: Points) -> Section:
    from holonet.plots import new_figure
    from holonet.plots.style import color, label_axes

    rows = -(-len(points) // 3)
    figure, axes = new_figure(10.5, 2.8 * rows, rows=rows, columns=3)
    bins = np.linspace(-0.025, 1.025, 22).tolist()
    for k, (ax, (name, found)) in enumerate(zip(axes, points.items(), strict=False)):
        ax.hist([index / dimension for index, dimension in found], bins=bins, color=color(k // 3))
        label_axes(ax, "index / dimension", "points", f"{name} ({len(found)})")
    for ax in axes[len(points) :]:
        ax.remove()
    caption = "Verified critical points; index 0 is a minimum, the dimension a maximum."
    return Section(title, figure=figure, caption=caption)


def intervals_figure(
    title: str, evidence: Callable[[Results], Evidence], xlabel: str
) -> Callable[[Results], Section]:
    """The intervals of an evidence, those beside it too, and the threshold."""

    def draw(results: Results) -> Section:
        from holonet.plots import plot_intervals

        found = evidence(results)
        shown = {**found.tests[0].intervals, **found.beside}
        rows = {name: {xlabel: (i.estimate, *i.ends)} for name, i in shown.items()}
        figure = plot_intervals(rows, xlabel=xlabel, reference=found.tests[0].value)
        return Section(title, figure=figure, caption="95% intervals; the line is the threshold.")

    return draw
