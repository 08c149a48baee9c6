"""Figures of the study: curves over the width, the smallest widths, thresholds."""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from holonet._page import Section, Table
from holonet.papers.gao2019.evidence import TRAINED, sizes
from holonet.papers.gao2019.networks import KINDS
from holonet.studies.figures import BANDS, Lines
from holonet.studies.results import Results, by_seed, cells_where, mean_of

__all__ = ["capacity", "kernel_distances", "thresholds", "training", "wide"]

COLUMNS = {
    "surrogate": "surrogate",
    "lower": "bound",
    "robust": "robust",
    "moved": "weights",
    "kernel_moved": "kernel",
}


def kernel_distances(results: Results) -> Section:
    """Of empirical kernels from their limits."""
    curves = {
        network: _curve(by_seed(results, "distance", part="kernel", network=network).values())
        for network in KINDS
    }
    return Section(
        "Empirical kernels approach their limits",
        figure=_panels([Lines("width", "relative distance", curves)]),
        caption=f"20 random unit vectors, complex for z^2 and sin z. {BANDS}",
    )


def training(results: Results) -> Section:
    """Losses over width and over radius, all numbers of the widest networks in a table."""
    widths = sizes(results, "training", "width")
    where = {"part": "training", "attack": 10}
    panels = []
    for radius in ("5", "15", "60"):
        lines = {}
        for n in TRAINED:
            of = [
                by_seed(results, "surrogate", radius, network=n, width=w, **where) for w in widths
            ]
            seeds = set.intersection(*map(set, of))
            lines[n] = (widths, [[losses[seed] for losses in of] for seed in seeds])
        panels.append(Lines("width", "least surrogate loss", lines, f"radius {radius}"))
    rows = []
    for n, radius in itertools.product(TRAINED, ("5", "15", "30", "60")):
        of = {"network": n, "width": widths[-1], **where}
        rows.append([n, radius, *(mean_of(results, c, radius, **of).estimate for c in COLUMNS)])
    return Section(
        "Surrogate loss in balls around the start",
        figure=_panels(panels),
        caption=f"Training against ten steps. {BANDS}",
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
    curves = {
        n: _curve(by_seed(results, "robust_loss", part="wide", network=n).values()) for n in TRAINED
    }
    return Section(
        "Robust loss of wide networks",
        figure=_panels([Lines("width", "robust loss, strong attack", curves)]),
        caption=f"20 examples in 10 dimensions, training by Adam against ten steps. {BANDS}",
    )


def capacity(results: Results) -> Section:
    """All smallest widths."""
    cap, rows = sizes(results, "capacity", "cap")[-1], []
    for network, n in itertools.product(TRAINED, sizes(results, "capacity", "examples")):
        where = {"part": "capacity", "network": network, "examples": n}
        widths = (by_seed(results, name, **where).values() for name in ("standard", "robust"))
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
    of = {int(d): r for c in cells_where(results, part="balls") for d, r in c["dimensions"].items()}
    names = {"threshold": "sqrt(1 - 1/d), centers c s and -c s", "free": "free centers"}
    lines = {name: ([*of], [[r[key] for r in of.values()]]) for key, name in names.items() if of}
    return Section(
        "Thresholds of two balls",
        figure=_panels([Lines("d", "least ratio of radius to half distance", lines)]),
        caption="Where all labellings of d basis vectors are realized, from each line upwards. At "
        "d = 2 free centers need no radius, which is off the axis.",
    )


def _curve(cells: Iterator[dict[str, float]] | Any) -> tuple[list[int], list[list[float]]]:
    """Widths, and the values at each of every seed."""
    rows = [[*cell.values()] for cell in cells]
    return [int(width) for cell in [*cells][:1] for width in cell], rows


def _panels(panels: Sequence[Lines]) -> Any:
    """Side by side, with one legend."""
    from holonet.plots import new_figure

    figure, axes = new_figure(2.6 + 2.8 * len(panels), 3.8, columns=len(panels))
    for ax, panel in zip(axes, panels, strict=True):
        panel.draw(ax, legend=ax is axes[-1])
    return figure
