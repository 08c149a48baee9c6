"""One look for every figure: colors, sizes and line widths, without pyplot's global state."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from holonet._arguments import checked
from holonet.errors import DomainError

__all__ = [
    "DASHES",
    "GRID",
    "INK",
    "LABEL_SIZE",
    "LINE_WIDTH",
    "MARKERS",
    "MUTED",
    "PALETTE",
    "TICK_SIZE",
    "TITLE_SIZE",
    "UNDEFINED",
    "add_legend",
    "color",
    "figure_of",
    "label_axes",
    "line_style",
    "marker",
    "new_figure",
    "style_axes",
]

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's colors, told apart by every kind of color vision; their yellow, too pale on
white, is left out."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
"""A second cue beside the color, for gray prints. One longer than the palette: color and marker
together repeat after 56 lines."""

DASHES = ("-", (0, (6, 2)), (0, (1.5, 1.5)), (0, (7, 2, 1.5, 2)), (0, (3, 1.5)))
"""A third cue, of lines without markers."""

INK = "#1F2430"
MUTED = "#667085"
GRID = "#E4E7EC"
UNDEFINED = "#808080"
"""Where a function has no finite value."""

TITLE_SIZE = 12.0
LABEL_SIZE = 11.0
TICK_SIZE = 9.5
LINE_WIDTH = 1.8


def color(index: int) -> str:
    """The color of the line with this number; they come round again after the palette's end.

    Example:
        >>> color(0), color(len(PALETTE)) == color(0)
        ('#0072B2', True)
    """
    return PALETTE[index % len(PALETTE)]


def marker(index: int) -> str:
    """The marker of the line with this number."""
    return MARKERS[index % len(MARKERS)]


def line_style(index: int) -> dict[str, Any]:
    """Color, dashes and width of the line with this number."""
    dashes = DASHES[index % len(DASHES)]
    return {"color": color(index), "linestyle": dashes, "linewidth": LINE_WIDTH}


@checked
def new_figure(
    width: float | int = 5.6, height: float | int = 3.8, *, rows: int = 1, columns: int = 1
) -> tuple[Figure, list[Axes]]:
    """A figure of styled axes in row-major order, width and height in inches.

    The figure belongs to the caller alone: pyplot never hears of it, so nothing stays open.

    Raises:
        DomainError: a size or a count that is not positive.

    Example:
        >>> figure, axes = new_figure(8, 3, columns=2)
        >>> len(axes)
        2
    """
    if not (width > 0 and height > 0 and rows > 0 and columns > 0):
        raise DomainError(
            f"new_figure(width={width}, height={height}, rows={rows}, columns={columns}) "
            "has no room to draw in: choose all four positive"
        )
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white", dpi=100)
    grid = figure.subplots(rows, columns, squeeze=False)
    axes = list(grid.flat)
    for ax in axes:
        style_axes(ax)
    return figure, axes


def style_axes(ax: Axes) -> None:
    """Give axes the common look: two light spines, a pale grid behind the data."""
    ax.set_facecolor("white")
    ax.set_axisbelow(True)
    ax.grid(True, color=GRID, linewidth=0.8)
    ax.tick_params(which="both", labelsize=TICK_SIZE, colors=INK, color=MUTED, width=0.8)
    ax.tick_params(length=3.5)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set(color=MUTED, linewidth=0.8)


def label_axes(
    ax: Axes, x: str, y: str, title: str | None = None, *, pad: float | int = 10
) -> None:
    """Write the axis labels and, if there is one, the title, `pad` points above the axes.

    All text is written as it stands: a dollar sign in a name begins no formula.
    """
    ax.set_xlabel(x, fontsize=LABEL_SIZE, color=INK, parse_math=False)
    ax.set_ylabel(y, fontsize=LABEL_SIZE, color=INK, parse_math=False)
    if title:
        look = {"fontsize": TITLE_SIZE, "color": INK, "parse_math": False}
        ax.set_title(title, loc="left", pad=pad, **look)


def add_legend(ax: Axes, **options: Any) -> None:
    """A legend in the common look; `options` are those of `Axes.legend`."""
    look = {"fontsize": TICK_SIZE, "labelcolor": INK, "frameon": False, **options}
    for text in ax.legend(**look).get_texts():
        text.set_parse_math(False)


def figure_of(ax: Axes) -> Figure:
    """The whole figure that these axes are drawn in, through any subfigures."""
    figure = ax.figure
    while isinstance(figure, SubFigure):
        figure = figure.figure
    if figure is None:
        raise DomainError("these axes belong to no figure: take axes from new_figure()")
    return figure
