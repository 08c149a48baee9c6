"""Pictures of attacks: accuracy against eps, distances, transfer, and the examples themselves."""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from holonet._arguments import checked
from holonet._types import AnyTensor, GivenClasses, Points
from holonet.diagnostics import MinimumNorms, RobustnessPoint, RobustnessReport, TransferMatrix
from holonet.errors import DataError, ShapeError
from holonet.plots.curves import plot_robustness
from holonet.plots.style import (
    INK,
    MUTED,
    TICK_SIZE,
    add_legend,
    color,
    figure_of,
    label_axes,
    line_style,
    new_figure,
)

__all__ = [
    "curve_of",
    "plot_certification",
    "plot_distances",
    "plot_evaluation",
    "plot_examples",
    "plot_transfer",
]

WORST = "worst case"


@checked
def plot_evaluation(
    reports: Sequence[RobustnessReport], *, ax: Axes | None = None, title: str | None = None
) -> Figure:
    """Accuracy left after each attack of an ensemble in turn, against eps, and the worst case.

    The band is Wilson's interval of the worst case. The axis says where the attacks searched, if
    not in the threat set itself.

    Args:
        reports: of the same ensemble at different radii, `evaluate_radii` gives them.
        ax: axes to draw in; a new figure if none are given.
        title: what stands above the picture.

    Raises:
        DataError: no report, or reports of different ensembles or norms.
    """
    kinds = {(report.attacks, report.threat.norm) for report in reports}
    if len(kinds) != 1:
        raise DataError(
            f"{len(reports)} reports of {len(kinds)} different ensembles or norms: draw reports "
            "of the same attacks at different radii"
        )
    ordered = sorted(reports, key=lambda report: report.threat.eps)
    (*others, last), norm = ordered[0].attacks, ordered[0].threat.norm
    rows = {f"after {name}": [report.after[name] for report in ordered] for name in others}
    rows[WORST if others else last] = [report.robust for report in ordered]
    eps = [float(report.threat.eps) for report in ordered]
    curves = {name: curve_of(points) for name, points in rows.items()}
    for name in list(curves)[:-1]:  # one band can be read, four on top of each other cannot
        accuracy = curves[name][0]
        curves[name] = (accuracy, accuracy, accuracy)
    places = sorted({report.searched_in for report in ordered} - {""})
    searched = f", searched in {' and '.join(places)}" if places else ""
    return plot_robustness(eps, curves, ax=ax, xlabel=f"eps ({norm}){searched}", title=title)


@checked
def plot_certification(
    curve: Sequence[Mapping[str, Any]],
    norm: str,
    *,
    ax: Axes | None = None,
    title: str | None = None,
) -> Figure:
    """Clean, attacked and certified accuracy against eps, each with Wilson's interval.

    Args:
        curve: of certification.json, which `holonet certify` writes, in any order.
        norm: of the threat.
        ax: axes to draw in; a new figure if none are given.
        title: what stands above the picture.

    Raises:
        DataError: no radius.
    """
    if not curve:
        raise DataError("there is no radius to draw certificates at: certify at one at least")
    rows = sorted(curve, key=lambda row: row["eps"])
    curves = {}
    for name in ("clean", "attacked", "certified"):
        low, high = zip(*(row[name]["interval"] for row in rows), strict=True)
        curves[name] = [row[name]["accuracy"] for row in rows], low, high
    return plot_robustness(
        [row["eps"] for row in rows], curves, ax=ax, xlabel=f"eps ({norm})", title=title
    )


@checked
def plot_distances(
    distances: Mapping[str, MinimumNorms], *, ax: Axes | None = None, title: str | None = None
) -> Figure:
    """The share of examples without a misclassified point within eps.

    The height at eps is the accuracy left there. A curve starts at the clean accuracy and ends
    where its search ended, or where nothing is left.

    Raises:
        DataError: nothing to draw, or distances in different norms.
    """
    norms = {result.threat.norm for result in distances.values()}
    if len(norms) != 1:
        raise DataError(f"distances in {len(norms)} norms: draw at least one, all in one norm")
    ax = ax or new_figure(6.0, 3.9)[1][0]
    ordered = {
        name: np.sort(result.distance.double().numpy(force=True))
        for name, result in distances.items()
    }
    everything = np.concatenate(list(ordered.values()))
    right = 1.05 * float(np.max(everything, where=np.isfinite(everything), initial=0)) or 1.0
    for index, (name, result) in enumerate(distances.items()):
        d = ordered[name]
        shown = d[np.isfinite(d)]
        x = np.concatenate([[0.0], shown, [max(0.0, *shown[-1:], min(right, result.threat.eps))]])
        left = 100 * (len(d) - np.searchsorted(d, x, side="right")) / len(d)
        ax.step(x, left, where="post", label=name, **line_style(index))
        if math.isfinite(result.median):
            dashes = {"linestyle": (0, (4, 3)), "linewidth": 1.0}
            ax.axvline(result.median, color=color(index), alpha=0.7, **dashes)
    ax.set_xlim(0, right)
    ax.set_ylim(0, 102)
    label_axes(ax, f"distance ({norms.pop()}); median dashed", "still classified (%)", title)
    add_legend(ax, loc="best")
    return figure_of(ax)


@checked
def plot_transfer(matrix: TransferMatrix, *, title: str | None = None) -> Figure:
    """Heat map of how often points made for a source (row) fool a target (column), in percent.

    The last row is the control: random signs of the same norm. The diagonal is the white-box
    attack, framed; a column should have nothing larger.
    """
    number = len(matrix.names)
    rates = [[r.value for r in row] for row in (*matrix.fooled, matrix.control)]
    values = 100 * np.array(rates, dtype=np.float64)
    longest = max(map(len, (*matrix.names, "random signs")))
    width, height = 2.2 + 0.95 * number + 0.07 * longest, 1.7 + 0.62 * number
    _, (ax,) = new_figure(max(width, 4.4), max(height, 3.0))
    ax.imshow(values, cmap="Blues", vmin=0, vmax=100, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        ink = "white" if value > 55 else INK
        text = f"{value:.1f}"
        ax.text(column, row, text, ha="center", va="center", fontsize=TICK_SIZE, color=ink)
    corners = np.arange(number)
    for k in corners:
        ax.plot(
            k + np.array([-0.5, 0.5, 0.5, -0.5, -0.5]) * 0.94,
            k + np.array([-0.5, -0.5, 0.5, 0.5, -0.5]) * 0.94,
            color=color(1),
            linewidth=1.6,
            zorder=3,
        )
    ax.axhline(number - 0.5, color="white", linewidth=4, zorder=2)
    turn = 25 if longest > 10 else 0
    ax.set_xticks(corners, matrix.names, rotation=turn, ha="center", parse_math=False)
    ax.set_yticks(np.arange(number + 1), (*matrix.names, "random signs"), parse_math=False)
    ax.set_ylim(number + 0.5, -0.5)
    ax.set_xlim(-0.5, number - 0.5)
    ax.grid(False)
    what = f"fooled (%), {matrix.threat.norm} {matrix.threat.eps:g}, {matrix.examples} examples"
    label_axes(ax, "target", "made for", title or what)
    return figure_of(ax)


@checked
def plot_examples(
    x: Annotated[AnyTensor, Points],
    x_adv: Annotated[AnyTensor, Points],
    *,
    labels: GivenClasses | Sequence[int],
    answers: GivenClasses | Sequence[int],
    shape: tuple[int, int] | None = None,
    count: int = 6,
    title: str | None = None,
) -> Figure:
    """Columns of examples: as they are, as they were attacked, and the difference.

    The difference is drawn about gray, on the scale of its own largest entry, which stands below.
    Of complex examples the real part is shown. Images of three channels are drawn in colour.

    Args:
        x: the examples.
        x_adv: what the attack made of them.
        labels: the right classes.
        answers: what the model says at x_adv.
        shape: height and width of one example of a single channel; a square unless given.
        count: number of examples shown.
        title: what stands above the picture.

    Raises:
        DataError: nothing to show.
        ShapeError: not as many attacked examples, labels or answers, or examples that have not
            this shape.
    """
    clean, attacked = (np.real(part[:count].numpy(force=True)) for part in (x, x_adv))
    right, said = ([int(v) for v in values][:count] for values in (labels, answers))
    if not len(clean):
        raise DataError("there is no example to show: give at least one")
    if not (clean.shape == attacked.shape and len(right) == len(said) == len(clean)):
        raise ShapeError(
            f"examples {tuple(x.shape)}, attacked {tuple(x_adv.shape)}, {len(labels)} labels and "
            f"{len(answers)} answers: give one of each for every example"
        )
    in_colour = shape is None and clean.ndim == 4 and clean.shape[1] == 3
    if in_colour:
        clean, attacked = (np.moveaxis(part, 1, 3) for part in (clean, attacked))
    else:
        flat = (len(clean), *_image_shape(clean, shape))
        clean, attacked = clean.reshape(flat), attacked.reshape(flat)
    number = len(clean)
    figure, axes = new_figure(1.1 + 1.15 * number, 4.1, rows=3, columns=number)
    low, high = min(clean.min(), attacked.min()), max(clean.max(), attacked.max())
    for k in range(number):
        difference = attacked[k] - clean[k]
        largest = float(np.abs(difference).max())
        top, middle, bottom = axes[k], axes[number + k], axes[2 * number + k]
        images = (clean[k], attacked[k])
        if in_colour:  # colours are in [0, 1], and have no scale
            images = [(image - low) / ((high - low) or 1) for image in images]
            difference = 0.5 + 0.5 * difference / (largest or 1)
        for ax, image in zip((top, middle), images, strict=True):
            ax.imshow(image, cmap="gray", vmin=low, vmax=high)
        bottom.imshow(difference, cmap="RdBu_r", vmin=-(largest or 1.0), vmax=largest or 1.0)
        size = {"fontsize": TICK_SIZE, "pad": 4}
        top.set_title(str(right[k]), color=INK, **size)
        middle.set_title(str(said[k]), color=color(1) if said[k] != right[k] else INK, **size)
        bottom.set_xlabel(f"max {largest:.2g}", fontsize=TICK_SIZE, color=MUTED)
    for ax in axes:
        ax.grid(False)
        ax.set(xticks=[], yticks=[])
        for spine in ax.spines.values():
            spine.set_visible(False)
    for row, text in enumerate(("example", "attacked", "difference")):
        axes[row * number].set_ylabel(text, fontsize=TICK_SIZE, color=INK)
    if title:
        figure.suptitle(title, x=0.02, ha="left", fontsize=12, color=INK, parse_math=False)
    return figure


def curve_of(points: Sequence[RobustnessPoint]) -> tuple[list[float], list[float], list[float]]:
    """(accuracy, low, high) of each, as `plot_robustness` takes them."""
    low, high = zip(*(point.interval for point in points), strict=True)
    return [point.accuracy for point in points], list(low), list(high)


def _image_shape(examples: np.ndarray, shape: tuple[int, int] | None) -> tuple[int, int]:
    size = examples[0].size
    side = math.isqrt(size)
    if shape is None:
        shape = (side, side)
    if shape[0] * shape[1] != size:
        raise ShapeError(
            f"an example has {size} numbers, which is no {shape[0]} x {shape[1]} image: give "
            "shape=(height, width)"
        )
    return shape
