"""Fourier modes on circles and lines: holomorphic functions have no negative ones."""

import math
from dataclasses import dataclass
from typing import Annotated

import torch
from jaxtyping import Complex, Float, Inexact
from torch import Tensor

from holonet._arguments import checked
from holonet._types import (
    ComplexEntries,
    ComplexPoints,
    ComplexTensor,
    Mask,
    Numbers,
    RealTensor,
    Scalar,
    TensorFunction,
)
from holonet.calculus.checks import (
    evaluate,
    require_clear_disc,
    require_count,
    require_radius,
    values_at,
)
from holonet.calculus.circle import Quadrated, agreed, powers, unit_circle
from holonet.calculus.examples import nonzero, per_example
from holonet.errors import ConfigError, DomainError, ShapeError
from holonet.functions.modulus import modulus

__all__ = [
    "CircleModes",
    "circle_modes",
    "fourier_coefficients",
    "hardy_norm",
    "is_rough",
    "line_modes",
    "modes_of_values",
    "negative_mode_fraction",
    "szego_projection",
]

ROUNDING = 1e4  # times eps is what rounding may leave of the highest modes
MOST_SAMPLES = 1024
SMALLEST_VARIATION = 1e-2  # of f on a circle, against its size: below, rounding would show
ALIASING_MARGIN = 10.0  # times the highest modes seen: aliases of higher ones are smaller
CHANGE_MARGIN = 3.0  # times what half of the samples give otherwise
ROUGH = 0.25  # of an octave of modes on the next: 1.4 for noise, 0.7 for jumps, 0.35 for kinks

Modes = Complex[Tensor, "samples *out"]
BatchModes = Complex[Tensor, "samples batch *out"]


@checked
def fourier_coefficients(
    f: TensorFunction,
    center: complex | float | int,
    radius: float | int,
    *,
    samples: int = 64,
) -> Modes:
    """Fourier coefficients of t -> f(center + radius exp(it)), shape (samples, *rest).

    Mode k, from -samples//2 up to (samples-1)//2, stands at index k + samples//2. Where f is
    holomorphic on the closed disc the mode k >= 0 is radius^k times the Taylor coefficient, up
    to aliasing by the modes k + j samples, and the negative modes vanish. It is the transform of
    the samples as they are: `circle_modes` takes as many as are needed, and says what aliasing is.

    Args:
        f: takes complex128 points of shape (samples,) to values of shape (samples, *rest).
        center, radius: the circle.
        samples: points on it.

    Law: Parseval: the squared moduli sum to the mean of |f|^2 over the points.

    Raises:
        ConfigError: a radius that is not positive and finite, or no samples.
        NumericalError: a value that is not finite; the message names the point.

    Example:
        >>> modes = fourier_coefficients(torch.square, center=1, radius=2, samples=8)
        >>> modes[4:].real.round().tolist()  # (1 + 2w)^2 = 1 + 4w + 4w^2
        [1.0, 4.0, 4.0, 0.0]
    """
    require_radius(radius, "fourier_coefficients")
    require_count("samples", samples, 1, "fourier_coefficients")
    return _transform(evaluate(f, _circle(center, radius, samples), "fourier_coefficients"))


@checked
def negative_mode_fraction(coefficients: Modes) -> float:
    """Energy of the negative modes over that of all modes but the mean; 0 for holomorphic f.

    It is the anti-holomorphic part of the energy on the circle. Aliases of high modes count as
    negative ones: see `circle_modes`, which tells them apart.

    Args:
        coefficients: as `fourier_coefficients` returns them; further axes are summed over.

    Example:
        >>> modes = fourier_coefficients(torch.conj, center=1, radius=2)
        >>> round(negative_mode_fraction(modes), 12)
        1.0
    """
    energy = _amplitudes(coefficients.unsqueeze(1))[0][:, 0].square()
    middle = len(energy) // 2
    varying = energy.sum() - energy[middle]
    return float(energy[:middle].sum() / varying) if varying > 0 else 0.0


@dataclass(frozen=True)
class CircleModes:
    """Fourier modes of a batch of functions on circles, with what they are worth.

    Args:
        coefficients: (samples, batch, *out), mode k at index k + samples//2.
        negative: for each function the amplitude (root of the energy) of its negative modes over
            that of all modes but the mean, with what aliasing and rounding can account for
            taken off; 0 for what is holomorphic on the disc, NaN where a value was not finite.
        aliasing: for each the amplitude of the highest modes seen, in the same units: aliases of
            modes beyond those add to the others by less, rounding by as much.
        scale: the unit of both, as an absolute amplitude: that of all modes but the mean, or 1%
            of the whole where f hardly varies.
        resolved: whether aliasing is down at rounding. What is not resolved and shows no
            negative modes is undecided: take more samples or a smaller radius.
    """

    coefficients: BatchModes
    negative: Numbers
    aliasing: Numbers
    scale: Numbers
    resolved: Mask


@checked
def circle_modes(
    f: TensorFunction, center: complex | float | int, radius: float | int, *, samples: int = 64
) -> CircleModes:
    """The modes of f on one circle, with samples doubled until aliasing is down at rounding.

    Args:
        f: takes complex128 points of shape (count,) to values of shape (count, *rest).
        center, radius: the circle.
        samples: points on it, at first; at most 1024, or as many as given if that is more.

    Raises:
        ConfigError: a radius that is not positive and finite, or below 8 samples.

    Example:
        >>> found = circle_modes(lambda z: z**60, 0, 1)  # 60 = -4 modulo 64 points
        >>> bool(found.resolved), float(found.negative) < 1e-12
        (True, True)
    """
    z = torch.tensor([center], dtype=torch.complex128)
    return line_modes(f, z, torch.ones_like(z), radius=radius, samples=samples)


@checked
def line_modes(
    f: TensorFunction,
    z: ComplexPoints,
    v: Annotated[ComplexTensor, ComplexPoints],
    *,
    radius: Scalar | Numbers | float | int,
    center: complex | float | int = 0,
    samples: int = 64,
) -> CircleModes:
    """The modes of t -> f(z + radius (center + exp(it)) v) for a batch of complex lines.

    Hartogs: a continuous f is holomorphic in several variables exactly where it is so along
    every complex line. The samples are doubled, for all lines at once, until every line is
    resolved and has no negative mode, up to 1024: with 64 points z^60 looks like conj(z)^4.

    Args:
        f: takes (count, *event) to (count, *out), each example on its own.
        z, v: (batch, *event), a point on each line and the line's direction.
        radius: of the circles, in units of v; one number, or one for each line.
        center: of the circles, in units of radius v.
        samples: points on each circle, at first.

    Raises:
        ConfigError: a radius that is not positive and finite, or below 8 samples.
        ShapeError: v has not the shape of z.
    """
    if z.shape != v.shape:
        raise ShapeError(f"lines through points {tuple(z.shape)} along {tuple(v.shape)}: one each")
    radius = torch.as_tensor(radius, dtype=z.dtype.to_real(), device=z.device).expand(len(z))
    require_radius(float(radius.amin()), "line_modes")
    require_radius(float(radius.amax()), "line_modes")
    require_count("samples", samples, 8, "line_modes")
    step = v * per_example(radius, z)
    while True:
        turn = center + unit_circle(samples, 0.0, z)
        points = z + turn.view(-1, *[1] * z.ndim) * step
        values = values_at(f, points.flatten(0, 1), "line_modes")
        modes = modes_of_values(values.unflatten(0, (samples, len(z))))
        has_none = modes.resolved & (modes.negative == 0)
        if bool((has_none | modes.negative.isnan()).all()) or 2 * samples > MOST_SAMPLES:
            return modes
        samples *= 2


def modes_of_values(values: Inexact[Tensor, "samples batch *out"]) -> CircleModes:
    """The modes of a batch of functions, from their values at equidistant points of circles.

    Args:
        values: at the unit points exp(2 pi i j/samples), at least 8 of them.
    """
    coefficients = _transform(values)
    rounding = ROUNDING * torch.finfo(coefficients.dtype).eps
    amplitude, peak = _amplitudes(coefficients)
    samples = len(amplitude)
    middle, quarter = samples // 2, samples // 4
    highest = _norm(torch.cat([amplitude[: middle - quarter], amplitude[-quarter:]]))
    varying = _norm(torch.cat([amplitude[:middle], amplitude[middle + 1 :]]))
    size = torch.hypot(varying, amplitude[middle])
    scale = torch.maximum(varying, SMALLEST_VARIATION * size)
    scale = nonzero(scale)
    aliasing = highest / scale
    resolved = aliasing <= rounding
    # noise fills all modes alike and aliases come from beyond the highest: take off what those
    # seen highest can account for. Where they are large look at the lower half only, and take off
    # what changes in it when every other sample is left out
    lower = slice(middle - quarter, middle)
    negative = torch.where(resolved, _norm(amplitude[:middle]), _norm(amplitude[lower])) / scale
    change = _amplitude(coefficients[lower] - _transform(values[::2])[:quarter]) / (scale * peak)
    unsure = ALIASING_MARGIN * aliasing + torch.where(resolved, 0, CHANGE_MARGIN * change)
    negative = (negative - unsure).clamp(min=0)
    negative = torch.where(size.isfinite(), negative, math.nan)
    return CircleModes(coefficients, negative, aliasing, scale * peak, resolved)


def is_rough(coefficients: BatchModes) -> Mask:
    """Whether the highest modes fall by powers, if at all, as no analytic function's do.

    So do those of noise, jumps and kinks. Those of a pole near the circle fall geometrically.
    """
    size = modulus(coefficients).unsqueeze(-1).flatten(2)
    mode = (torch.arange(len(size), device=size.device) - len(size) // 2).abs()
    octaves = [size[(mode >= len(size) // k) & (mode < 2 * len(size) // k)] for k in (4, 8)]
    highest, next_ = (torch.linalg.vector_norm(octave, dim=(0, 2)) for octave in octaves)
    return highest > ROUGH * next_


@checked
def hardy_norm(
    f: TensorFunction,
    center: complex | float | int,
    radius: float | int,
    *,
    p: float | int = 2,
    samples: int | None = None,
) -> Float[Tensor, "*out"]:
    """The norm of f in the Hardy space H^p of a disc, (mean of |f|^p on its circle)^(1/p).

    For f holomorphic on the closed disc the means over smaller circles are no larger, so that
    their supremum, the norm, is taken on the circle itself.

    Args:
        f: takes complex128 points of shape (samples,) to values of shape (samples, *rest).
        center, radius: the disc.
        p: the exponent, from 1 to infinity.
        samples: points on the circle, taken as given; None doubles them until the norm stays.

    Law: H^2: its square is the sum of |c_k|^2 over the Fourier modes (Parseval).

    Raises:
        ConfigError: p below 1, a radius that is not positive and finite, or no samples.
        DomainError: f declares a domain that does not hold the closed disc; the message names the
            largest admissible radius.
        NumericalError: a value that is not finite (the message names the point), or the norm does
            not settle.

    Example:
        >>> float(hardy_norm(lambda z: 3 + 4 * z, 0, 1).round(decimals=6))  # sqrt(9 + 16)
        5.0

    References:
        Duren (1970), chapter 1.
    """
    if not p >= 1:
        raise ConfigError(f"hardy_norm(p={p}): the exponent is at least 1, infinity allowed")
    require_radius(radius, "hardy_norm")
    point = torch.tensor(center, dtype=torch.complex128)
    require_clear_disc(f, None, point, radius, "hardy_norm")

    def norm(count: int) -> Quadrated:
        size = evaluate(f, _circle(center, radius, count), "hardy_norm").abs()
        peak = size.amax(0)
        if math.isinf(p):
            return peak, size, None
        unit = nonzero(peak)
        return unit * (size / unit).pow(p).mean(0).pow(1 / p), size, None

    return agreed(norm, samples, "hardy_norm")


@checked
def szego_projection(
    f: TensorFunction,
    z: ComplexEntries,
    center: complex | float | int,
    radius: float | int,
    *,
    samples: int | None = None,
) -> Complex[Tensor, "*values"]:
    """The holomorphic part of f on a disc, at points z in it: its negative modes are dropped.

    It is the orthogonal projection of L^2 of the circle onto H^2; on a circle Szego's kernel is
    Cauchy's.

    Args:
        f: takes complex128 points of shape (samples,) to values of shape (samples, *rest).
        z: points of the closed disc, any shape; the result has shape (*z.shape, *rest).
        center, radius: the disc.
        samples: points on the circle, taken as given; None doubles them until the values stay.

    Law: keeps what is holomorphic on the closed disc, is idempotent, and takes conj(z)^k, k > 0,
        about the center to 0.

    Raises:
        ConfigError: a radius that is not positive and finite.
        DomainError: a point outside of the disc.
        NumericalError: a value that is not finite (the message names the point), the result does
            not settle, or is the rounding of values that cancel.

    Example:
        >>> z = torch.tensor([0.5 + 0j], dtype=torch.complex128)
        >>> szego_projection(lambda z: z.square() + z.conj(), z, 0, 1).real.round(decimals=9)
        tensor([0.2500], dtype=torch.float64)

    References:
        Duren (1970), chapter 3.
    """
    require_radius(radius, "szego_projection")
    w = (z - center) / radius
    if bool((w.abs() > 1 + 1e-12).any()):
        far = float(w.abs().max()) * radius
        raise DomainError(
            f"szego_projection at a point {far:.6g} away from the center of a disc of radius "
            f"{radius}: the projection is given by its circle inside of it only. Enlarge the disc"
        )

    def project(count: int) -> Quadrated:
        values = evaluate(f, _circle(center, radius, count), "szego_projection")
        modes = _transform(values)[count // 2 :]
        table = powers(w.flatten(), len(modes)).unflatten(0, w.shape)
        return torch.tensordot(table, modes.to(table.dtype), dims=1), values, None

    return agreed(project, samples, "szego_projection")


def _circle(center: complex | float | int, radius: float | int, samples: int) -> ComplexTensor:
    return center + radius * unit_circle(samples, 0.0, torch.empty(0, dtype=torch.complex128))


def _transform(values: Inexact[Tensor, "samples *out"]) -> Modes:
    """Discrete Fourier transform over the first axis, the mean in the middle."""
    return torch.fft.fftshift(torch.fft.fft(values, dim=0, norm="forward"), dim=0)


def _amplitudes(coefficients: ComplexTensor) -> tuple[RealTensor, RealTensor]:
    """Of (samples, batch, *out), the norm over the outputs in units of a peak, and the peak."""
    size = modulus(coefficients).unsqueeze(-1).flatten(2)
    peak = nonzero(size.amax((0, 2)))
    return _norm((size / peak[:, None]).movedim(2, 0)), peak


def _amplitude(coefficients: ComplexTensor) -> RealTensor:
    """Of (samples, batch, *out), the norm over samples and outputs."""
    amplitude, peak = _amplitudes(coefficients)
    return _norm(amplitude) * peak


def _norm(v: Tensor) -> RealTensor:
    """Euclidean norm over the first axis."""
    return torch.linalg.vector_norm(v, dim=0)
