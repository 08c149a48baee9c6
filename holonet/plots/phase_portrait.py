"""Phase portraits: a complex function seen as a picture, hue for argument, shade for modulus.

Longer than a module should be: the even color circle stands beside the picture that it is for.
"""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Complex, Float, Inexact
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from torch import Tensor

from holonet._arguments import checked
from holonet._types import AnyTensor, ComplexEntries, ComplexTensor, InexactEntries, TensorFunction
from holonet.domains import Annulus, Disc, Domain, Rectangle
from holonet.errors import DomainError, InputTypeError, ShapeError
from holonet.plots.style import (
    INK,
    MUTED,
    TICK_SIZE,
    UNDEFINED,
    add_legend,
    figure_of,
    label_axes,
    marker,
    new_figure,
)

__all__ = ["Box", "complex_line", "phase_colors", "phase_portrait"]

Box = tuple[float | int, float | int, float | int, float | int]
"""The sides of a rectangle: left, right, bottom, top."""

LIGHTNESS, CHROMA = 0.75, 0.127
"""The largest circle of constant lightness in OKLCH that lies inside sRGB: every hue is as light
and as vivid as every other, so that all light and dark in a portrait is contour."""

HUE_OF_ONE = math.radians(29)
"""Positive values are red; the hue then runs through yellow at i, teal at -1 and violet at -i."""

SHADE = 0.10
"""How much darker one side of a contour is than the other."""


@checked
def phase_colors(
    values: Complex[np.ndarray, "*shape"], *, contours: int = 20
) -> Float[np.ndarray, "*shape 3"]:
    """The sRGB color of each complex value, in [0, 1]: an enhanced phase portrait.

    The hue is the argument, on a cyclic map that is even to the eye. Two saw teeth darken it:
    one jumps at `contours` equally spaced arguments, the other where log|w| crosses a multiple of
    2 pi / contours, so that a conformal map shows nearly square tiles. Zero is black, and what is
    not finite is gray.

    Law: scaling a value by r > 0 scales its color by a factor in linear light: the hue stays.

    Args:
        values: complex numbers, any shape.
        contours: contour lines of the argument in a full turn; 0 for the bare hue.

    Raises:
        DomainError: a negative number of contours.

    Example:
        >>> phase_colors(np.array([1 + 0j, np.inf + 0j]), contours=0).round(2).tolist()
        [[0.96, 0.55, 0.5], [0.5, 0.5, 0.5]]

    References:
        Wegert, Visual Complex Functions (2012), chapter 2; Ottosson, A perceptual color space
        for image processing (2020).
    """
    if contours < 0:
        raise DomainError(f"contours={contours} is negative: ask for 0 (none) or more")
    flat = values.reshape(-1)
    finite = np.isfinite(flat)
    w = np.where(finite, flat, 1).astype(np.complex128)
    zero = w == 0
    w[zero] = 1
    angle = np.angle(w)
    shade = np.ones(w.shape)
    if contours:
        tiles = contours / (2 * np.pi)
        for height in (angle * tiles, _log_modulus(w) * tiles):
            shade *= 1 - SHADE * (1 - (height - np.floor(height)))
    rgb = _oklch_to_srgb(shade * LIGHTNESS, shade * CHROMA, angle + HUE_OF_ONE)
    rgb[zero] = 0
    rgb[~finite] = to_rgb(UNDEFINED)
    return rgb.reshape(*values.shape, 3)


def _log_modulus(w: Complex[np.ndarray, " points"]) -> Float[np.ndarray, " points"]:
    """log|w| for finite w other than 0, also where |w| itself would overflow."""
    x, y = np.abs(np.real(w)), np.abs(np.imag(w))
    largest = np.maximum(x, y)
    return np.log(largest) + np.log(np.hypot(x / largest, y / largest))


def _oklch_to_srgb(
    lightness: Float[np.ndarray, " points"],
    chroma: Float[np.ndarray, " points"],
    hue: Float[np.ndarray, " points"],
) -> Float[np.ndarray, "points 3"]:
    """Colors given in OKLCH as sRGB, cut to [0, 1]."""
    lab = np.stack([lightness, chroma * np.cos(hue), chroma * np.sin(hue)], axis=-1)
    linear = (lab @ _LAB_TO_CONES.T) ** 3 @ _CONES_TO_LINEAR.T
    linear = np.clip(linear, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


_LAB_TO_CONES = np.array(
    [
        [1.0, 0.3963377774, 0.2158037573],
        [1.0, -0.1055613458, -0.0638541728],
        [1.0, -0.0894841775, -1.2914855480],
    ]
)
_CONES_TO_LINEAR = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)


@checked
def phase_portrait(
    f: TensorFunction,
    *,
    domain: Domain | Box = (-2, 2, -2, 2),
    resolution: int = 300,
    contours: int = 20,
    ax: Axes | None = None,
    marks: Mapping[str, Sequence[complex | float | int]] | None = None,
    title: str | None = None,
    dtype: torch.dtype = torch.complex128,
    chunk: int = 4096,
) -> Figure:
    """The enhanced phase portrait of f: around a zero of order k the hues run k times round.

    Around a pole they run backwards; at a zero of f' the contour lines cross. Outside the
    domain nothing is evaluated and nothing drawn; gray points have no finite value.

    Args:
        f: takes a flat tensor of complex points to one value for each; no gradients are kept.
        domain: a `Rectangle`, `Disc` or `Annulus`, or (left, right, bottom, top).
        resolution: pixels along the longer side.
        contours: contour lines of the argument in a full turn; 0 for the bare hue.
        ax: axes to draw in; if none are given a new figure, which also gets a key to the hues.
        marks: points to mark, by name, e.g. {"zeros": [1j, -1j]}.
        title: what stands above the picture.
        dtype: of the points that f receives.
        chunk: how many points f receives at once.

    Raises:
        DomainError: an unbounded or unknown domain, or a count that is not positive.
        InputTypeError: a dtype that is not complex.
        ShapeError: f does not give one value for each point.

    Example:
        >>> figure = phase_portrait(lambda z: (z**2 - 1) / (z**2 + 1), resolution=50)
        >>> figure.axes[0].get_xlabel()
        'Re z'
    """
    box, rims = _frame(domain)
    for name, count, least in (("resolution", resolution, 2), ("chunk", chunk, 1)):
        if count < least:
            raise DomainError(f"{name}={count} is too small: choose at least {least}")
    if not dtype.is_complex:
        raise InputTypeError(f"dtype={dtype} is real: choose torch.complex64 or torch.complex128")
    z = _pixel_centers(box, resolution, dtype)
    inside = domain.contains(z) if isinstance(domain, Domain) else torch.ones_like(z.real).bool()
    picture = np.zeros((*z.shape, 4))
    picture[inside.numpy(), :3] = phase_colors(_evaluate(f, z[inside], chunk), contours=contours)
    picture[inside.numpy(), 3] = 1

    owned = ax is None
    if ax is None:
        ax = _framed_axes(box)
    ax.grid(False)
    extent = (box.left, box.right, box.bottom, box.top)
    ax.imshow(picture, origin="lower", extent=extent, interpolation="antialiased")
    ax.locator_params(nbins=6)
    label_axes(ax, "Re z", "Im z", title)
    for radius in rims:
        rim = Circle(((box.left + box.right) / 2, (box.bottom + box.top) / 2), radius)
        rim.set(fill=False, edgecolor=MUTED, linewidth=1.2)
        ax.add_patch(rim)
    for index, (name, points) in enumerate((marks or {}).items()):
        at = np.array(points, dtype=np.complex128).reshape(-1)
        look = {"facecolor": "white", "edgecolor": INK, "linewidth": 1.3, "zorder": 3}
        ax.scatter(at.real, at.imag, s=42, marker=marker(index), label=name, **look)
    if marks and owned:
        add_legend(ax, loc="upper left", bbox_to_anchor=(1.02, 1 - 1.15 / _inches(box)[1]))
    elif marks:
        add_legend(ax, loc="best", frameon=True)
    return figure_of(ax)


def _inches(box: Rectangle) -> tuple[float, float]:
    """Width and height of the picture of the box, 4.2 inches along its longer side."""
    width, height = box.right - box.left, box.top - box.bottom
    return 4.2 * width / max(width, height), 4.2 * height / max(width, height)


def _framed_axes(box: Rectangle) -> Axes:
    """Axes in the proportions of the box in a new figure, with the key to the hues beside them."""
    width, height = _inches(box)
    across, up = width + 2.1, max(height + 1.05, 2.4)
    figure, (ax,) = new_figure(across, up)
    figure.set_layout_engine("none")
    top = up - 0.42
    ax.set_position((0.72 / across, (top - height) / up, width / across, height / up))
    key = figure.add_axes(((width + 1.02) / across, (top - 0.95) / up, 0.95 / across, 0.95 / up))
    side = torch.linspace(-1.5, 1.5, 300, dtype=torch.float64)
    w = torch.complex(*torch.meshgrid(side, side, indexing="xy"))
    r = w.abs().numpy()
    edge = np.clip(np.minimum(1 - r, r - 0.55) * 60, 0, 1)
    ring = np.concatenate([phase_colors(w.numpy(), contours=0), edge[..., None]], axis=-1)
    key.imshow(ring, origin="lower", extent=(-1.5, 1.5, -1.5, 1.5))
    key.set_axis_off()
    for text, x, y in (("1", 1.25, 0), ("i", 0, 1.27), ("−1", -1.32, 0), ("−i", 0, -1.27)):
        key.text(x, y, text, ha="center", va="center", fontsize=TICK_SIZE - 1, color=MUTED)
    key.text(0, 0, "arg", ha="center", va="center", fontsize=TICK_SIZE - 2, color=MUTED)
    return ax


def _frame(
    domain: Domain | Box,
) -> tuple[Rectangle, tuple[float | int, ...]]:
    """The smallest rectangle around the domain, and the radii of its circular rims."""
    rims = ()
    match domain:
        case tuple():
            box = Rectangle(*map(float, domain))
        case Rectangle():
            box = domain
        case Disc(center, radius) | Annulus(center, _, radius):
            x, y = complex(center).real, complex(center).imag
            box = Rectangle(x - radius, x + radius, y - radius, y + radius)
            rims = (radius, domain.inner) if isinstance(domain, Annulus) else (radius,)
        case _:
            raise DomainError(
                f"{domain} cannot be framed: choose a Rectangle, a Disc, an Annulus, "
                "or (left, right, bottom, top)"
            )
    if not all(map(math.isfinite, (box.right - box.left, box.top - box.bottom))):
        raise DomainError(f"{domain} is unbounded: choose finite sides, whose lengths are finite")
    return box, rims


def _pixel_centers(
    box: Rectangle, resolution: int, dtype: torch.dtype
) -> Complex[Tensor, "rows columns"]:
    """A grid of square pixels over the box, `resolution` of them along the longer side."""
    width, height = box.right - box.left, box.top - box.bottom
    pixel = max(width, height) / resolution
    columns, rows = (max(round(side / pixel), 1) for side in (width, height))
    x = box.left + (torch.arange(columns, dtype=torch.float64) + 0.5) * (width / columns)
    y = box.bottom + (torch.arange(rows, dtype=torch.float64) + 0.5) * (height / rows)
    return torch.complex(*torch.meshgrid(x, y, indexing="xy")).to(dtype)


def _evaluate(
    f: TensorFunction, points: Complex[Tensor, " points"], chunk: int
) -> Complex[np.ndarray, " points"]:
    """The values of f, a chunk at a time and without gradients."""
    values = []
    with torch.no_grad():
        for part in points.split(chunk):
            value = f(part)
            if value.shape != part.shape:
                raise ShapeError(
                    f"f gave shape {tuple(value.shape)} for {len(part)} points of shape "
                    f"{tuple(part.shape)}: it must return one complex number for each point"
                )
            values.append(value.to(torch.complex128).numpy(force=True))
    return np.concatenate(values) if values else np.empty(0, dtype=np.complex128)


@checked
def complex_line(
    f: TensorFunction, point: InexactEntries, direction: InexactEntries
) -> Callable[[ComplexEntries], Inexact[Tensor, "*values"]]:
    """The function t -> f(point + t direction) of one complex variable.

    Through an image and an attack direction it draws what a network does between and beyond the
    two; with f a difference of two logits, the zeros of the portrait are its decision boundary.

    Args:
        f: takes a batch of points, shape (batch, *point.shape), to values of shape (batch, ...).
        point: where t = 0, a vector or an image, real or complex.
        direction: the step for t = 1, of the same shape.

    Raises:
        ShapeError: point and direction differ in shape.

    Example:
        >>> g = complex_line(lambda z: z.prod(-1), torch.ones(2), torch.tensor([1.0, -1.0]))
        >>> g(torch.tensor([1j]))  # (1 + t)(1 - t)
        tensor([2.+0.j])
    """
    if point.shape != direction.shape:
        raise ShapeError(
            f"the point has shape {tuple(point.shape)} and the direction "
            f"{tuple(direction.shape)}: they must agree"
        )
    device = point.device
    dtype = torch.promote_types(point.dtype, direction.dtype).to_complex()
    start, step = point.to(dtype), direction.to(device, dtype)

    def along(t: ComplexTensor) -> AnyTensor:
        times = t.to(device, dtype).reshape(-1, *(1,) * start.ndim)
        return f(start + times * step)

    return along
