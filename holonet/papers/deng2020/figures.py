"""Figures of the ascents and of the landscape."""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from holonet._page import Section, Table
from holonet.papers.deng2020 import measure as m
from holonet.papers.deng2020.ascent import Rule
from holonet.papers.deng2020.evidence import AT_1, step_name, sweeps
from holonet.papers.deng2020.networks import NETS, loss_of
from holonet.studies.figures import BANDS, Lines
from holonet.studies.results import Result, Results, cells_where

__all__ = ["iterations", "polynomial", "quotients", "regularity"]

Number = float | int

MEASURES: Mapping[str, Callable[[Any], float]] = {
    "distinct maxima": lambda place: max(1, place["distinct"][1]),
    "Lipschitz constant, relative": lambda place: place["relative"],
    "Lipschitz constant": lambda place: place["lipschitz"],
}


def iterations(kind: str, nets: Sequence[str], of: str) -> Callable[[Results], Section]:
    """Iterations against the scale, and a table of medians under all steps and both tolerances."""

    def draw(results: Results) -> Section:
        def row(r: Result) -> list[Number]:
            return _medians(r["steps"][step_name(kind)]["iterations"][m.MAIN])

        panel = _lines(results, nets, "length of the input", m.SCALES, "median iterations", row)
        return Section(
            f"Iterations against the scale, {kind} step: {of}",
            table=_iterations_table(results, kind, nets),
            figure=_figure([panel], cap=_cap(results)),
            caption=f"{BANDS} The dashed line is the cap: a median on it was not reached.",
        )

    return draw


def polynomial(results: Results) -> Section:
    """Iterations against all that is varied at scale 1."""
    varied = {"1 / tolerance": [1 / t for t in m.TOLERANCES], "width": m.WIDTHS, "ratio": m.RATIOS}
    panels = [
        _lines(
            *(results, m.PAPER, name, x, "median iterations"),
            lambda r, name=name: _medians(sweeps(r)[name][1]),
        )
        for name, x in varied.items()
    ]
    title = "Iterations at scale 1, normalised step"
    return Section(title, figure=_figure(panels), caption=BANDS)


def quotients(results: Results) -> Section:
    """Of differences of the gradient."""
    panel = _lines(
        *(results, NETS, "arc / piece", [64.0**k for k in range(1, 6)], "greatest quotient"),
        lambda r: r["places"][AT_1]["zoomed"],
        part="landscape",
    )
    return Section(
        "Difference quotients of the gradient on ever shorter pieces of an arc",
        figure=_figure([panel]),
        caption=f"{BANDS} Level where the gradient is Lipschitz, growing where it jumps.",
    )


def regularity(results: Results) -> Section:
    """Maxima and Lipschitz constants over the scale; below, the loss on planes."""
    panels = [
        _lines(
            *(results, m.PAPER, "length of the input", m.SCALES, name),
            lambda r, pick=pick: [pick(place) for place in r["places"]],
            part="landscape",
        )
        for name, pick in MEASURES.items()
    ]
    return Section(
        "Maxima and Lipschitz constants, free of any step",
        table=_landscape_table(results),
        figure=_figure(panels, slices=(0.2, 1.0, 5.0)),
        caption=f"{BANDS} Below: the loss of one tanh network on a plane through the input, which "
        "is in the middle. The plane holds two maxima, or a maximum and a start. The circle is the "
        "sphere. Colored lines are eight ascents, normalised step, projected onto the plane; "
        "darker is greater.",
    )


def _lines(
    results: Results,
    nets: Sequence[str],
    xlabel: str,
    x: Sequence[Number],
    ylabel: str,
    row: Callable[[Result], Sequence[Number]],
    part: str = "ascent",
) -> Lines:
    """A line for each network, of what each result gives over x."""
    own = {net: [row(r) for r in cells_where(results, part=part, net=net)] for net in nets}
    return Lines(xlabel, ylabel, {net: (x, rows) for net, rows in own.items()})


def _figure(panels: Sequence[Lines], slices: Sequence[Number] = (), cap: int | None = None) -> Any:
    """Panels side by side; below them slices at these scales; a line at the cap."""
    from holonet.plots import new_figure
    from holonet.plots.style import MUTED

    rows, count = 1 + bool(slices), len(panels)
    figure, axes = new_figure(3.4 + 2.6 * count, 3.6 * rows, rows=rows, columns=count)
    for ax, panel in zip(axes, panels, strict=False):
        panel.draw(ax)
        if cap is not None:
            ax.axhline(cap, color=MUTED, linestyle="--", linewidth=1)
    for ax, scale in zip(axes[count:], slices, strict=True):
        _slice(ax, scale)
    return figure


def _medians(rows: Sequence[Sequence[Number]]) -> list[Number]:
    """At each place the median over starts, at least 1 for the logarithm."""
    return [max(1, statistics.median(row)) for row in rows]


def _cap(results: Results) -> int:
    return max((result["cap"] for result in results.values()), default=1)


def _iterations_table(results: Results, kind: str, nets: Sequence[str]) -> Table:
    picks = {"sine": lambda r: r["iterations"][m.MAIN], "movement": lambda r: r["movement"]}
    rows = []
    for net in nets:
        found = cells_where(results, part="ascent", net=net)
        for step in m.STEPS:
            name = step_name(kind, step)
            runs = [r["steps"][name] for r in found if name in r["steps"]]
            for tolerance, pick in picks.items() if runs else ():
                pooled = [[v for r in runs for v in pick(r)[k]] for k in range(len(m.SCALES))]
                cells = [_median(values, _cap(results)) for values in pooled]
                rows.append([net, f"{step:g}", tolerance, *cells])
    return Table(
        headers=["network", "step", "on", *(f"{s:g}" for s in m.SCALES)],
        rows=rows,
        caption="Median iterations over starts and networks at each scale until the sine, or the "
        "length of a step, is at most 0.001; > where the median lies beyond the cap; in brackets "
        "the starts that were cut off there, unless none or all were. The tolerance on the "
        "movement is absolute: a smaller sphere meets it sooner whatever the loss is, so it "
        "decides nothing.",
    )


def _median(values: Sequence[Number], cap: int) -> str:
    median, lost = statistics.median(values), 100 * statistics.fmean(v >= cap for v in values)
    share = f" ({lost:.0f}%)" if 0 < lost < 100 else ""
    return f"{f'>{cap}' if median >= cap else f'{median:g}'}{share}"


def _landscape_table(results: Results) -> Table:
    rows = []
    for net in NETS:
        found = cells_where(results, part="landscape", net=net)
        for k, places in enumerate(zip(*(r["places"] for r in found), strict=True)):
            verified = statistics.fmean(p["verified"] for p in places)
            counts = zip(*(p["distinct"] for p in places), strict=True)
            means = " / ".join(f"{statistics.fmean(c):g}" for c in counts)
            bounds = [p["bound"] for p in places if p["bound"] is not None]
            seen = max(p["lipschitz"] for p in places)
            rows.append([net, m.SCALES[k], verified, means, seen, max(bounds, default=None)])
    return Table(
        headers=["network", "scale", "verified", "distinct", "Lipschitz, from", "to"],
        rows=rows,
        caption="Means over networks of the starts that came to a verified maximum by L-BFGS, and "
        f"of the groups among these, {' / '.join(f'{t:g}' for t in m.THRESHOLDS)} radii apart. "
        "Groups are a lower bound of the number of maxima, at most the number of starts. "
        "Lipschitz constants are the greatest over networks: what was seen (of ReLU off its kinks; "
        "it has none), and a closed bound. ReLU has no second derivative, hence no verified "
        "maxima.",
    )


def _slice(ax: Any, scale: float) -> None:
    """The loss of one network on a plane, and ascents projected onto it."""
    from holonet.plots.style import INK, color, label_axes

    loss, x = loss_of("real-tanh", 0, 100, 400)
    center, radius, delta = m.spheres(x, [(scale, 0.5)], 8, 0)
    path, rule, r = [delta], Rule("normalised", m.STEPS[0]), float(radius[0])
    for _ in range(300):
        path.append(rule.move(path[-1], loss.gradient(center + path[-1]), radius))
    apart = (path[-1] - path[-1][0]).norm(dim=1)
    other = path[-1][apart.argmax()] if apart.max() > m.THRESHOLDS[1] * r else delta[1]
    basis = torch.linalg.qr(torch.stack([path[-1][0], other], 1)).Q
    grid = torch.linspace(-1.05 * r, 1.05 * r, 61, dtype=x.dtype)
    plane = torch.cartesian_prod(grid, grid) @ basis.mT
    heights = loss.value(center[:1] + plane).view(61, 61).mT
    ax.contourf(grid.tolist(), grid.tolist(), heights.tolist(), 20, cmap="Greys", alpha=0.7)
    angle = torch.linspace(0, 2 * math.pi, 181)
    ax.plot((r * angle.cos()).tolist(), (r * angle.sin()).tolist(), color=INK, linewidth=1)
    for k, line in enumerate((torch.stack(path) @ basis).unbind(1)):
        ax.plot(*line.mT.tolist(), color=color(k), linewidth=1.2)
        ax.plot(*line[-1:].mT.tolist(), "o", color=color(k), markersize=5)
    ax.set_aspect("equal")
    label_axes(ax, "", "", f"tanh, scale {scale:g}")
