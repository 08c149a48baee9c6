"""Norms over resolution, and indices of critical points, drawn."""

from collections.abc import Callable, Mapping

import numpy as np

from holonet._page import Section, Table
from holonet.papers.dube2018.evidence import (
    Points,
    cells_of,
    input_points,
    norm_table,
    weight_points,
)
from holonet.studies.figures import BANDS, Lines
from holonet.studies.results import Results

__all__ = ["index_figure", "norm_figure", "weight_figure"]


def norm_figure(
    title: str, part: str, *kinds: str, rms: bool = True
) -> Callable[[Results], Section]:
    """Norms over n in both logarithms, a panel for each kind of images, with 1/sqrt(n)."""

    def draw(results: Results) -> Section:
        from holonet.plots import new_figure

        panels = kinds or ("",)
        figure, axes = new_figure(1.8 + 4.4 * len(panels), 4.0, columns=len(panels))
        label = "RMS norm" if rms else "Euclidean norm"
        for ax, images in zip(axes, panels, strict=True):
            table = norm_table(results, part, images).items()
            lines = {k: (n, (rows / np.sqrt(n) ** rms).tolist()) for k, (n, rows) in table}
            Lines("n (pixels)", label, lines, images, ("1/sqrt(n)", -0.5)).draw(ax)
        table = _accuracies(results, *kinds) if part == "trained" else None
        return Section(title, table=table, figure=figure, caption=BANDS)

    return draw


def _accuracies(results: Results, *kinds: str) -> Table:
    rows = []
    for images in kinds:
        for family in norm_table(results, "trained", images):
            own = cells_of(results, "trained", images, family=family)
            means = 100 * np.mean([cell["accuracy"] for cell in own], 0)
            shown = ", ".join(f"{n}: {a:.1f}" for n, a in zip(own[0]["n"], means, strict=True))
            rows.append([images, family, shown])
    return Table(["images", "family", "test accuracy % by n"], rows, "Means over seeds.")


def index_figure(results: Results) -> Section:
    """Histograms of index over dimension on R^n and on C^n, by family."""
    found = {space: input_points(results, space) for space in ("R^n", "C^n")}
    return _histograms("Index on R^n and on C^n", found)


def weight_figure(results: Results) -> Section:
    """The same of the loss in the weights, by family and start."""
    origins = {"random": "random", "near a minimum": "near minimum"}
    found = {shown: weight_points(results, origin) for origin, shown in origins.items()}
    return _histograms("The loss in the weights", found)


def _histograms(title: str, found: Mapping[str, Points]) -> Section:
    from holonet.plots import new_figure
    from holonet.plots.style import color, label_axes

    points = {f"{family}, {of}": own for of, p in found.items() for family, own in p.items()}
    rows = -(-len(points) // 3)
    figure, axes = new_figure(10.5, 2.8 * rows, rows=rows, columns=3)
    bins = np.linspace(-0.025, 1.025, 22).tolist()
    for k, (ax, (name, own)) in enumerate(zip(axes, points.items(), strict=False)):
        ax.hist([index / dimension for index, dimension in own], bins=bins, color=color(k // 3))
        label_axes(ax, "index / dimension", "points", f"{name} ({len(own)})")
    for ax in axes[len(points) :]:
        ax.remove()
    caption = "Verified critical points; index 0 is a minimum, the dimension a maximum."
    return Section(title, figure=figure, caption=caption)
