"""Curves: accuracy under attack, and what happened in training."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from holonet._arguments import checked
from holonet.errors import DataError, DomainError, ShapeError
from holonet.plots.style import (
    add_legend,
    color,
    figure_of,
    label_axes,
    line_style,
    marker,
    new_figure,
)

__all__ = ["plot_robustness", "plot_training"]


@checked
def plot_robustness(
    eps: Any,
    curves: Mapping[str, tuple[Any, Any, Any]],
    *,
    ax: Axes | None = None,
    xlabel: str = "eps",
    title: str | None = None,
) -> Figure:
    """Accuracy in percent against the size of the attack, each curve with its interval shaded.

    Args:
        eps: the attack sizes, a sequence of numbers.
        curves: name -> (accuracy, low, high), three sequences of fractions in [0, 1], one for
            each eps; low and high bound the accuracy (Wilson's interval, for example).
        ax: axes to draw in; a new figure if none are given.
        xlabel: the threat, e.g. "eps (max norm)".
        title: what stands above the picture.

    Raises:
        DataError: no curve.
        ShapeError: a curve whose length is not that of eps.
        DomainError: an accuracy outside [0, 1] or outside its own interval.

    Example:
        >>> figure = plot_robustness([0, 0.1], {"net": ([0.9, 0.5], [0.8, 0.4], [0.95, 0.6])})
        >>> figure.axes[0].get_ylabel()
        'accuracy (%)'
    """
    if not curves:
        raise DataError(
            "there is no curve to plot: give at least one name -> (accuracy, low, high)"
        )
    x = np.asarray(eps, dtype=np.float64)
    checked = {name: _interval(name, curve, x.shape) for name, curve in curves.items()}
    ax = ax or new_figure(6.0, 3.9)[1][0]
    for index, (name, (accuracy, low, high)) in enumerate(checked.items()):
        ax.fill_between(x, 100 * low, 100 * high, color=color(index), alpha=0.16, linewidth=0)
        ax.plot(
            x, 100 * accuracy, label=name, **line_style(index), marker=marker(index), markersize=5
        )
    ax.set_ylim(0, 102)
    ax.margins(x=0.02)
    label_axes(ax, xlabel, "accuracy (%)", title)
    add_legend(ax, loc="best")
    return figure_of(ax)


def _interval(
    name: str, curve: tuple[Any, Any, Any], shape: tuple[int, ...]
) -> tuple[Float[np.ndarray, " eps"], Float[np.ndarray, " eps"], Float[np.ndarray, " eps"]]:
    """(accuracy, low, high) as arrays, checked."""
    accuracy, low, high = (np.asarray(part, dtype=np.float64) for part in curve)
    for part in (accuracy, low, high):
        if len(shape) != 1 or part.shape != shape:
            raise ShapeError(
                f"curve {name!r} has shape {part.shape} where eps has {shape}: "
                "give one number for each eps"
            )
        if not ((part >= 0) & (part <= 1)).all():
            raise DomainError(
                f"curve {name!r} leaves [0, 1]: {part.tolist()}; give fractions, not percent"
            )
    rounding = 1e-9
    if not ((low <= accuracy + rounding) & (accuracy <= high + rounding)).all():
        raise DomainError(
            f"curve {name!r} leaves its own interval: order it as (accuracy, low, high)"
        )
    return accuracy, low, high


@checked
def plot_training(
    histories: Mapping[str, Sequence[Mapping[str, Any]]],
    *,
    metrics: Sequence[str] = ("loss", "accuracy"),
    title: str | None = None,
) -> Figure:
    """The course of training, one panel for each metric that was recorded.

    The horizontal axis is the epoch where every record has one, else the step. A panel is
    logarithmic if its values are positive and span a factor of ten; metrics that end in
    "accuracy" are fractions in [0, 1], drawn in percent.

    Args:
        histories: name -> records, each with "epoch" or "step" and any of the metrics; a record
            without a metric (or with None) adds nothing to that panel.
        metrics: the keys to draw, each in its panel if any record has it.
        title: what stands above the first panel.

    Raises:
        DataError: no record has a metric, or one has neither epoch nor step.
        DomainError: an accuracy outside [0, 1].

    Example:
        >>> records = [{"epoch": 0, "loss": 2.3}, {"epoch": 1, "loss": 0.2}]
        >>> [ax.get_ylabel() for ax in plot_training({"net": records}).axes]
        ['loss']
    """
    everything = [record for records in histories.values() for record in records]
    shown = [key for key in metrics if any(record.get(key) is not None for record in everything)]
    if not shown:
        raise DataError(
            f"no record has any of {', '.join(metrics)}: pass records that hold one, or name the "
            "keys with metrics=(...)"
        )
    clock = "epoch" if all("epoch" in record for record in everything) else "step"
    if not all(clock in record for record in everything):
        raise DataError("a record has neither an epoch nor a step: give each record one of them")
    figure, axes = new_figure(0.8 + 3.9 * len(shown), 3.4, columns=len(shown))
    for ax, key in zip(axes, shown, strict=True):
        _draw_metric(ax, histories, clock, key)
        label_axes(ax, clock, f"{key.replace('_', ' ')}{' (%)' * _is_fraction(key)}")
    label_axes(axes[0], axes[0].get_xlabel(), axes[0].get_ylabel(), title)
    if len(histories) > 1:
        add_legend(axes[0], loc="best")
    return figure


def _draw_metric(
    ax: Axes, histories: Mapping[str, Sequence[Mapping[str, Any]]], clock: str, key: str
) -> None:
    """One metric of every history that recorded it."""
    heights = []
    for index, (name, records) in enumerate(histories.items()):
        points = [(r[clock], r[key]) for r in records if r.get(key) is not None]
        x, y = np.array(points, dtype=np.float64).reshape(-1, 2).T
        if _is_fraction(key):
            if not ((y >= 0) & (y <= 1)).all():
                raise DomainError(f"{key} of {name!r} leaves [0, 1]: give fractions, not percent")
            y = 100 * y
        dots = {"marker": marker(index), "markersize": 4} if len(x) <= 30 else {}
        ax.plot(x, y, label=name, **line_style(index), **dots)
        heights.append(y[np.isfinite(y)])
    values = np.concatenate(heights)
    if _is_fraction(key):
        ax.set_ylim(None, min(100.5, ax.get_ylim()[1]))
    elif len(values) and values.min() > 0 and values.max() >= 10 * values.min():
        ax.set_yscale("log")


def _is_fraction(key: str) -> bool:
    """Whether the metric is a share of 1, to be drawn in percent."""
    return key.endswith("accuracy")
