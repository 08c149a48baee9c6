"""The figures of a diagnosis, from the plain numbers of its sections."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from holonet._arguments import checked
from holonet.diagnostics.analyticity_report import FOUND, NONE_WITHIN
from holonet.plots.curves import plot_robustness
from holonet.plots.phase_portrait import phase_portrait
from holonet.plots.spectra import plot_modes
from holonet.plots.style import (
    INK,
    MUTED,
    TICK_SIZE,
    add_legend,
    color,
    label_axes,
    line_style,
    marker,
    new_figure,
)

__all__ = [
    "plot_decay",
    "plot_distances_on_lines",
    "plot_gaps",
    "plot_layers",
    "plot_line",
    "plot_plane",
    "plot_reports",
    "plot_witnesses",
]

Numbers = Mapping[str, Any]

LEAST = 0.05  # of the height of an axis of shares: smaller ones are near 0 and look so


@checked
def plot_gaps(harmonicity: Numbers, baseline_name: str = "baseline") -> Figure:
    """The mean-value gap and the share that is not harmonic against the radius, beside a baseline.

    Args:
        harmonicity: one part of the section harmonicity.
        baseline_name: of the model beside.
    """
    figure, (left, right) = new_figure(8.6, 3.5, columns=2)
    radii = harmonicity["radii"]
    beside = harmonicity["baseline"]
    models = [("model", harmonicity, "rms_gap")]
    models += [(baseline_name, beside, "baseline_rms_gap")] if beside else []
    for index, (name, part, gap) in enumerate(models):
        look = {**line_style(index), "marker": marker(index), "markersize": 5}
        left.errorbar(
            radii, harmonicity[gap], 2 * np.array(harmonicity[f"{gap}_error"]), label=name, **look
        )
        share, low, high = _shares(part["summary"])
        right.fill_between(radii, low, high, color=color(index), alpha=0.16, linewidth=0)
        right.plot(radii, share, label=name, **look)
    for ax in (left, right):
        ax.set_xscale("log")
        ax.set_xticks(radii, [f"{radius:.2g}" for radius in radii])
        ax.minorticks_off()
    if all(min(harmonicity[gap]) > 0 for _, _, gap in models):
        left.set_yscale("log")
    right.set_ylim(0, max(1.05 * right.get_ylim()[1], LEAST))
    label_axes(left, "radius", "mean-value gap (rms)")
    label_axes(right, "radius", "share not harmonic")
    add_legend(left, loc="best")
    return figure


def _shares(summary: Sequence[Numbers]) -> tuple[list[float], list[float], list[float]]:
    """Shares and ends of intervals, NaN where there are none."""
    rows = []
    for one in summary:
        share = np.nan if one["share"] is None else one["share"]
        ends = one["interval"] or (None, None)
        rows.append(np.maximum([share, *(share if end is None else end for end in ends)], 0.0))
    share, low, high = zip(*rows, strict=True)
    return list(share), list(low), list(high)


@checked
def plot_layers(layers: Sequence[Numbers], tolerance: float) -> Figure:
    """The defect behind each call of a module, in the order of execution.

    Args:
        layers: of `violations_by_module`, as plain numbers.
        tolerance: what rounding may leave.
    """
    shown = layers[-40:]
    figure, (ax,) = new_figure(6.4, 1.2 + 0.24 * len(shown))
    floor = 1e-17
    places = np.arange(len(shown))
    defects = np.array([max(one["defect"] or 0.0, floor) for one in shown])
    bad = defects > tolerance
    for index, (mask, name) in enumerate(((~bad, "holomorphic so far"), (bad, "not holomorphic"))):
        if mask.any():
            ax.hlines(places[mask], floor, defects[mask], color=color(index), linewidth=2)
            look = {"linestyle": "none", "marker": marker(index), "markersize": 6}
            ax.plot(defects[mask], places[mask], color=color(index), label=name, **look)
    ax.axvline(tolerance, color=MUTED, linestyle=(0, (4, 3)), linewidth=1.0, label="rounding")
    ax.set_xscale("log")
    ax.set_xlim(floor, 2)
    names = [f"{one['path'] or 'the model'} ({one['type_name']})"[-34:] for one in shown]
    ax.set_yticks(places, names, fontsize=TICK_SIZE, parse_math=False)
    ax.invert_yaxis()
    label_axes(ax, "share of the derivative in conj z", "", pad=24)
    add_legend(ax, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=3, columnspacing=1.2)
    return figure


@checked
def plot_witnesses(check: Numbers) -> Figure | None:
    """The Fourier modes on the worst circle, if there are any.

    Args:
        check: the numbers of a `HolomorphyCheck`.
    """
    modes = [np.nan if mode is None else mode for mode in check["modes"]]
    if not np.isfinite(modes).all() or not any(modes):
        return None
    return plot_modes(modes)


@checked
def plot_reports(robustness: Numbers) -> Figure:
    """Accuracy against the size of the attack, beside a baseline if that was attacked.

    Args:
        robustness: the numbers of the section.
    """

    def curve(reports: Sequence[Numbers]) -> tuple[list[float], list[float], list[float]]:
        points = [report["robust"] for report in reports]
        low, high = zip(*(point["interval"] for point in points), strict=True)
        return [point["accuracy"] for point in points], list(low), list(high)

    reports = robustness["reports"]
    curves = {"model": curve(reports)}
    if robustness["baseline"]:
        curves["baseline"] = curve(robustness["baseline"])
    norm = reports[0]["threat"]["norm"]
    return plot_robustness([r["threat"]["eps"] for r in reports], curves, xlabel=f"eps ({norm})")


@checked
def plot_decay(analyticity: Numbers) -> Figure:
    """How the Taylor coefficients along the lines fall: medians, with the quartiles as bands.

    Args:
        analyticity: the numbers of an `Analyticity`.
    """
    figure, (ax,) = new_figure(6.4, 3.6)
    decay = _floats(analyticity["decay"])  # examples, directions, coefficients
    for index, name in enumerate(analyticity["directions"]):
        rows = decay[:, index]
        use = np.isfinite(rows).any(0)
        if not use.any():
            continue
        low, middle, high = np.nanquantile(rows[:, use], (0.25, 0.5, 0.75), axis=0)
        k = np.arange(rows.shape[1])[use]
        ax.fill_between(k, low, high, color=color(index), alpha=0.16, linewidth=0)
        ax.plot(k, middle, label=name, **line_style(index))
    if (decay[np.isfinite(decay)] > 0).any():
        ax.set_yscale("log")
    label_axes(ax, "coefficient k", "|a_k| r^k")
    if ax.lines:
        add_legend(ax, loc="best")
    return figure


@checked
def plot_distances_on_lines(analyticity: Numbers) -> Figure:
    """The first change of the answer against the nearest singularity, a point for each line.

    Points at the edges are lines on which one of the two is not within the reach.

    Args:
        analyticity: the numbers of an `Analyticity`.
    """
    figure, (ax,) = new_figure(5.2, 4.2)
    reach = analyticity["reach"]
    distance, boundary = (_floats(analyticity[k]) for k in ("distance", "boundary"))
    known = np.isin(np.array(analyticity["state"]), (FOUND, NONE_WITHIN))
    edge = 1.15 * reach
    for index, name in enumerate(analyticity["directions"]):
        use = known[:, index]
        x, y = (np.nan_to_num(part[use, index], nan=edge) for part in (distance, boundary))
        look = {"linestyle": "none", "marker": marker(index), "markersize": 6, "alpha": 0.8}
        look |= {"color": color(index), "markeredgecolor": "white"}
        ax.plot(x.clip(max=edge), y.clip(max=edge), label=name, **look)
    for line in (ax.axvline, ax.axhline):
        line(reach, color=MUTED, linestyle=(0, (4, 3)), linewidth=1.0)
    farthest = np.nan_to_num(distance[known], nan=reach).max(initial=0.0)
    ax.set_xlim(0, 1.22 * reach if farthest > reach / 2 else 1.1 * farthest)  # kinks are near
    ax.set_ylim(0, 1.22 * reach)
    label_axes(ax, "distance of the nearest singularity", "first change of the answer", pad=24)
    add_legend(ax, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=3, columnspacing=1.2)
    return figure


def _floats(values: Any) -> np.ndarray:
    """Nested lists as an array, None as NaN."""
    return np.array(values, dtype=np.float64)


@checked
def plot_line(line: Numbers, title: str | None = None) -> Figure:
    """The phase portrait of a difference of logits on a complex line, its singularity marked.

    Args:
        line: the box, the real and the imaginary parts at its pixels, and the singularity.
        title: what stands above.
    """
    marks: dict[str, Sequence[complex]] = {}
    if "singularity" in line:
        x, y, kind = line["singularity"]
        marks[kind] = [complex(x, y), complex(x, -y)]
    real, imag = (
        torch.tensor(
            [[np.nan if v is None else v for v in row] for row in line[part]], dtype=torch.float64
        )
        for part in ("real", "imag")
    )
    values = torch.complex(real, imag)
    return phase_portrait(
        lambda z: values.flatten().to(z),
        domain=tuple(line["box"]),
        resolution=max(values.shape),
        chunk=values.numel(),
        marks={"example": [0j], "boundary": [1 + 0j], **marks},
        title=title,
    )


@checked
def plot_plane(plane: Numbers) -> Figure:
    """Level sets of a margin on a plane: solid above 0, dashed below, the boundary heavy.

    Args:
        plane: the box and the values.
    """
    values = np.array(plane["values"], dtype=np.float64)
    left, right, bottom, top = plane["box"]
    x, y = np.linspace(left, right, values.shape[1]), np.linspace(bottom, top, values.shape[0])
    figure, (ax,) = new_figure(5.2, 4.6)
    ax.grid(False)
    _levels(ax, x, y, values)
    ax.plot([0], [0], color=INK, linestyle="none", marker="o", markersize=6)
    ax.annotate("example", (0, 0), (5, 5), textcoords="offset points", fontsize=TICK_SIZE)
    ax.set_aspect("equal")
    label_axes(ax, "steps towards the boundary", "steps across")
    return figure


def _levels(ax: Axes, x: np.ndarray, y: np.ndarray, values: np.ndarray) -> None:
    finite = values[np.isfinite(values)]
    if not len(finite) or not np.ptp(finite):
        return
    size = float(np.quantile(np.abs(finite), 0.95)) or 1.0
    steps = np.linspace(size / 5, size, 5)
    for levels, index, dashes in ((steps, 0, "solid"), (-steps[::-1], 1, "dashed")):
        lines = ax.contour(x, y, values, levels, colors=color(index), linestyles=dashes)
        lines.set_linewidth(1.3)
        ax.clabel(lines, fontsize=TICK_SIZE - 1.5, fmt="%.3g")
    if finite.min() < 0 < finite.max():
        ax.contour(x, y, values, [0.0], colors=INK, linewidths=2.6)
