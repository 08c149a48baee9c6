"""Spectra on circles: a holomorphic function has no negative Fourier modes."""

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from jaxtyping import Shaped
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from holonet._arguments import checked
from holonet.errors import NumericalError, ShapeError
from holonet.plots.style import (
    MUTED,
    add_legend,
    color,
    figure_of,
    label_axes,
    new_figure,
)

__all__ = ["plot_modes"]


@checked
def plot_modes(
    coefficients: Annotated[Tensor, Shaped[Tensor, " modes"]]
    | np.ndarray
    | Sequence[complex | float | int],
    *,
    ax: Axes | None = None,
    title: str | None = None,
) -> Figure:
    """Stems of the modulus of each Fourier coefficient over its mode, on a logarithmic axis.

    Negative modes, which only an anti-holomorphic part can fill, have a color of their own. The
    dashed line is the rounding level, eps times the largest coefficient: what stays below it is
    noise. Coefficients equal to 0 leave a gap. Modes beyond the last one above 100 times that
    level are out of the picture. High modes that the samples cannot tell apart show up at the far
    left (aliasing): take more samples before blaming the function.

    Args:
        coefficients: N of them, mode k at index k + N//2, so from -N//2 up to (N-1)//2.
        ax: axes to draw in; a new figure if none are given.
        title: what stands above the picture.

    Raises:
        ShapeError: not one row of at least two coefficients.
        NumericalError: a coefficient that is not finite, or none that differs from 0.

    Example:
        >>> figure = plot_modes([0, 0.1, 0.5, 1])
        >>> figure.axes[0].get_xlabel()
        'Fourier mode'
    """
    if isinstance(coefficients, Tensor):
        coefficients = coefficients.numpy(force=True)
    values = np.asarray(coefficients)
    if values.ndim != 1 or len(values) < 2:
        raise ShapeError(
            f"coefficients of shape {values.shape} are not a spectrum: give one row of at least 2"
        )
    size = np.abs(values)
    if not np.isfinite(size).all() or not size.any():
        raise NumericalError(
            "the spectrum is not finite or all zero: check the values of the function on its circle"
        )
    modes = np.arange(len(size)) - len(size) // 2
    ax = ax or new_figure(6.4, 3.6)[1][0]
    rounding = _eps(values.dtype) * size.max()
    floor = min(rounding, size[size > 0].min()) / 10
    for chosen, index, name in (
        (modes < 0, 1, "negative (anti-holomorphic)"),
        (modes >= 0, 0, "modes 0, 1, 2, …"),
    ):
        k, height = modes[chosen & (size > 0)], size[chosen & (size > 0)]
        ax.vlines(k, floor, height, color=color(index), linewidth=2.0, alpha=0.55)
        look = {"linestyle": "none", "marker": "o", "markersize": 4.5}
        ax.plot(k, height, color=color(index), label=name, **look)
    dashes = {"linestyle": (0, (4, 3)), "linewidth": 1.0, "zorder": 1}
    ax.axhline(rounding, color=MUTED, label="rounding", **dashes)
    ax.set_yscale("log")
    ax.set_ylim(floor, size.max() * 10)
    largest = max(8, *np.abs(modes[size > 100 * rounding])) + 1  # beyond is rounding
    ax.set_xlim(max(modes[0] - 1, -largest), min(modes[-1] + 1, largest))
    ax.grid(False, axis="x")
    label_axes(ax, "Fourier mode", "|coefficient|", title, pad=30)
    add_legend(ax, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=3, columnspacing=1.2)
    return figure_of(ax)


def _eps(dtype: np.dtype) -> float:
    """The rounding unit of the numbers; integers count as doubles."""
    return float(np.finfo(dtype if np.issubdtype(dtype, np.inexact) else np.float64).eps)
