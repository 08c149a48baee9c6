"""Figures of the study: intervals of a claim's tests, and curves over the width."""

import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any

from holonet._page import Section, Table
from holonet.papers.gao2019.evidence import TRAINED, mean, over_seeds, sizes
from holonet.papers.gao2019.networks import KINDS
from holonet.statistics import Interval, mean_interval
from holonet.studies.claims import Results
from holonet.studies.evidence import Evidence

__all__ = ["capacity", "intervals", "kernel_distances", "thresholds", "training", "wide"]

DOTS = "Dots are means over seeds, bars 95% intervals (Student)."
LOGARITHMIC = "Dots are geometric means over seeds, bars 95% intervals of the logarithm (Student)."
COLUMNS = {
    "surrogate": "surrogate",
    "lower": "bound",
    "robust": "robust",
    "moved": "weights",
    "kernel_moved": "kernel",
}


def intervals(
    evidence: Callable[[Results], Evidence], title: str, xlabel: str, caption: str = DOTS
) -> Callable[[Results], Section]:
    """The intervals of the last of a claim's tests beside its threshold."""

    def draw(results: Results) -> Section:
        from holonet.plots import plot_intervals

        test = evidence(results).tests[-1]
        rows = {name: {xlabel: (i.estimate, *i.ends)} for name, i in test.intervals.items()}
        figure = plot_intervals(rows, xlabel=xlabel, reference=test.value)
        return Section(title, figure=figure, caption=f"{caption} Dashed: the threshold.")

    return draw


def kernel_distances(results: Results) -> Section:
    """Of empirical kernels from their limits."""
    curves = {}
    for network in KINDS:
        where = {"part": "kernel", "network": network}
        widths = next(iter(over_seeds(results, "distance", **where).values()), ())
        curves[network] = {int(w): _geometric(results, "distance", w, **where) for w in widths}
    return Section(
        "Empirical kernels approach their limits",
        figure=_curves({"": curves}, "relative distance", "log"),
        caption=f"20 random unit vectors, complex for z^2 and sin z. {LOGARITHMIC}",
    )


def training(results: Results) -> Section:
    """Losses over width and over radius, all numbers of the widest networks in a table."""
    widths = sizes(results, "training", "width")
    where = {"part": "training", "attack": 10}
    panels = {
        f"radius {radius}": {
            n: {w: mean(results, "surrogate", radius, network=n, width=w, **where) for w in widths}
            for n in TRAINED
        }
        for radius in ("5", "15", "60")
    }
    rows = []
    for n, radius in itertools.product(TRAINED, ("5", "15", "30", "60")):
        of = {"network": n, "width": widths[-1], **where}
        rows.append([n, radius, *(mean(results, c, radius, **of).estimate for c in COLUMNS)])
    return Section(
        "Surrogate loss in balls around the start",
        figure=_curves(panels, "least surrogate loss", "linear"),
        caption=f"Training against ten steps. {DOTS}",
        table=Table(
            headers=["network", "radius", *COLUMNS.values()],
            rows=rows,
            caption=f"Width {widths[-1]}, means over seeds: least surrogate loss, lower bound of "
            "the optimum, robust loss of the same weights under the strong attack, relative "
            "movement of weights and kernel. A surrogate below the bound was taken at points that "
            "are not the worst. A kernel that moved by more than itself says that the network is "
            "not lazy and the bound does not apply. At radius 30 and 60 the number of steps is too "
            "small for the bound: the theorem's own grows with the squared radius.",
        ),
    )


def wide(results: Results) -> Section:
    """Robust loss over width after training by Adam."""
    widths = sizes(results, "training", "width")
    curves = {
        n: {w: _geometric(results, "robust_loss", str(w), part="wide", network=n) for w in widths}
        for n in TRAINED
    }
    return Section(
        "Robust loss of wide networks",
        figure=_curves({"": curves}, "robust loss, strong attack", "log"),
        caption=f"20 examples in 10 dimensions, training by Adam against ten steps. {LOGARITHMIC}",
    )


def capacity(results: Results) -> Section:
    """All smallest widths."""
    cap, rows = sizes(results, "capacity", "cap")[-1], []
    for network, n in itertools.product(TRAINED, sizes(results, "capacity", "examples")):
        where = {"part": "capacity", "network": network, "examples": n}
        widths = (over_seeds(results, name, **where).values() for name in ("standard", "robust"))
        texts = [", ".join(str(w) if w <= cap else f">{cap}" for w in of) for of in widths]
        rows.append([network, n, *texts])
    return Section(
        "Smallest widths",
        table=Table(
            headers=["network", "examples", "standard fit", "robust fit"],
            rows=rows,
            caption="Of each seed, 5 dimensions, against balls of half of the largest radius that "
            "separates the labels. In ratios, a width above the cap counts as the cap plus 1.",
        ),
    )


def thresholds(results: Results) -> Section:
    """Of the construction, and of pairs with free centers."""
    from holonet.plots.style import add_legend, label_axes, line_style, marker, new_figure

    of = next((r["dimensions"] for r in results.values() if r["part"] == "balls"), {})
    figure, (ax,) = new_figure()
    names = {"threshold": "sqrt(1 - 1/d), centers c s and -c s", "free": "free centers"}
    for index, (key, name) in enumerate(names.items()):
        ratios = [r[key] for r in of.values()]
        look = {"marker": marker(index), **line_style(index)}
        ax.plot([int(d) for d in of], ratios, label=name, **look)
    label_axes(ax, "d", "least ratio of radius to half distance")
    add_legend(ax, loc="lower right")
    return Section(
        "Thresholds of two balls",
        figure=figure,
        caption="Where all labellings of d basis vectors are realized, from each line upwards.",
    )


def _geometric(results: Results, *path: str, **where: Any) -> Interval:
    """The geometric mean over seeds."""
    values = over_seeds(results, *path, **where).values()
    of = mean_interval([math.log(value) for value in values])
    estimate, low, high = (math.exp(min(end, 700)) for end in (of.estimate, of.low, of.high))
    return Interval(estimate, low, high, of.count, of.method)


def _curves(
    panels: Mapping[str, Mapping[str, Mapping[int, Interval]]], ylabel: str, scale: str
) -> Any:
    """A panel for each title, a line for each name, over the width."""
    from holonet.plots.style import add_legend, color, label_axes, line_style, marker, new_figure

    figure, axes = new_figure(1.6 + 3.2 * len(panels), 3.8, columns=len(panels))
    for ax, (title, curves) in zip(axes, panels.items(), strict=True):
        widths = sorted({width for curve in curves.values() for width in curve})
        for index, (name, curve) in enumerate(curves.items()):
            means = [interval.estimate for interval in curve.values()]
            look = {"marker": marker(index), "markersize": 5, **line_style(index)}
            ax.plot(list(curve), means, label=name, **look)
            for width, interval in curve.items():
                if interval.is_finite:
                    shifted = width * 1.04 ** (index - 2)  # bars beside each other
                    ax.plot([shifted, shifted], interval.ends, color=color(index), linewidth=1)
        ax.set_xscale("log", base=2)
        ax.set_xticks(widths, [str(width) for width in widths])
        ax.set_yscale(scale)
        if scale == "linear":
            ax.set_ylim(0, 0.75)
        label_axes(ax, "width", ylabel if ax is axes[0] else "", title)
    add_legend(axes[-1], loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure
