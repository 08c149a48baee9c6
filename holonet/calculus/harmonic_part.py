"""The harmonic part of a function on a disc or a ball, and how much is not harmonic."""

import math
from typing import Annotated

import numpy as np
import torch
from jaxtyping import Inexact
from torch import Tensor

from holonet._arguments import checked
from holonet._types import (
    AnyTensor,
    ComplexTensor,
    Entries,
    GivenComplexPoints,
    GivenPoints,
    Numbers,
    RealTensor,
    TensorFunction,
)
from holonet.calculus.checks import (
    evaluate,
    require_clear_circle,
    require_clear_disc,
    require_complex,
    require_count,
    require_radius,
    show,
)
from holonet.calculus.circle import circle_center, harmonic_series, modes_on_circle, settled
from holonet.calculus.estimate import Estimate
from holonet.calculus.examples import nonzero
from holonet.calculus.mean_value import LARGEST_FRAME, frame
from holonet.domains import Domain
from holonet.errors import DomainError, NumericalError, ShapeError

__all__ = ["harmonic_part", "nonharmonic_fraction", "poisson_integral"]

SAMPLES = (16, 27, 47, 77)
"""That one number of them takes for a low mode, the next one does not."""

SETTLED = 1e3  # times eps, of amplitudes
LOOSELY_SETTLED = 1e-3  # of the fraction, at the last number of samples

FEWEST_EFFECTIVE = 30
"""Points of equal weight that a Poisson integral must be worth for its error to be believed."""


@checked
def harmonic_part(
    u: TensorFunction,
    points: Entries,
    center: complex | float | int,
    radius: float | int,
    *,
    samples: int | None = None,
    domain: Domain | None = None,
) -> Inexact[Tensor, "*values"]:
    """The harmonic function on the disc that equals u on the circle, by Fourier series.

    It is the Poisson integral of the values on the circle: the mode k of u goes inward like
    |w|^|k|, w = (z - center)/radius.

    Law: u itself where u is harmonic on the closed disc; idempotent; between the least and the
        greatest value of u on the circle, for real u (the maximum principle); the mean of u over
        the circle, at the center. Exact for trigonometric polynomials of degree below samples/2.

    Args:
        u: takes points of shape (samples,) to real or complex values (samples, *rest).
        points: in the closed disc, any shape; their dtype and device are those of the circle.
        center, radius: the circle.
        samples: points on it, used as given; None doubles them until the result settles.
        domain: where u is smooth, in place of what u itself declares; obstacles inside the circle
            are no matter.

    Returns:
        Shape (*points.shape, *rest), real where u is.

    Raises:
        InputTypeError: the points are real.
        DomainError: a point is outside, or the circle touches an obstacle.
        ConfigError: the circle is no circle, or fewer than 1 sample.
        NumericalError: a value is not finite, or the result does not settle up to 4096 samples.
        ShapeError: u is no function of batches.

    Example:
        >>> z = torch.tensor([0, 0.5j, 0.5], dtype=torch.complex128)
        >>> harmonic_part(lambda z: z.real**2, z, 0, 1)  # (1 + Re z^2)/2
        tensor([0.5000, 0.3750, 0.6250], dtype=torch.float64)

    References:
        Axler, Bourdon and Ramey (2001), chapter 1.
    """
    asked = "harmonic_part"
    require_complex(points, asked, "; for balls of R^n ask for poisson_integral")
    at = circle_center(center, radius, asked, like=points)
    require_clear_circle(u, domain, at, radius, asked)
    w = ((points - at) / radius).flatten()
    _require_inside(w.abs(), points.flatten(), radius, 1 + 8 * torch.finfo(w.dtype).eps, asked)

    def quadrature(unit: ComplexTensor, values: AnyTensor) -> tuple[AnyTensor, RealTensor]:
        result = harmonic_series(w, *modes_on_circle(unit, values))
        result = result if values.is_complex() else result.real
        rms = values.abs().square().mean(0).sqrt().expand(len(w), *values.shape[1:])
        return result.reshape(rms.shape), rms

    found = settled(quadrature, u, at, radius, samples, asked)
    return found.reshape((*points.shape, *found.shape[1:]))


@checked
def poisson_integral(
    u: TensorFunction,
    points: GivenPoints,
    center: Annotated[Tensor, Inexact[Tensor, "*event"]],
    radius: float | int,
    *,
    count: int = 256,
    generator: torch.Generator | None = None,
) -> Estimate:
    """The harmonic function on a ball of R^n that equals u on the sphere, by Monte Carlo.

    The mean of R^(n-2) (R^2 - |x|^2)/|x - y|^n u(y) over random orthonormal frames of points y
    on the sphere, as in `mean_value.sphere_mean`, with the value of u at one of them subtracted
    first and added last. On a disc `harmonic_part` is exact.

    The weights have the second moment (1 + s^2)/(1 - s^2)^(n-1), s = |x|/R, which grows fast
    towards the sphere and with n.

    Law: u itself where u is harmonic on the closed ball; n = 1 gives the straight line.

    Args:
        u: a function of batches, real or complex.
        points: x, strictly inside, shape (batch, *event).
        center: shape (*event), real or complex as the points; n counts real coordinates.
        radius: R.
        count: frames, at least 2, of 2 min(n, 32) points each; all points x share them.
        generator: of the frames; None continues torch's global stream.

    Returns:
        Value and standard error, both of shape (batch, *rest).

    Raises:
        DomainError: a point is not inside.
        ConfigError: a radius that is not positive and finite, or fewer than 2 frames.
        NumericalError: a value is not finite; or a point is so near to the sphere that the frames
            are worth fewer than 30 points of equal weight.
        ShapeError: the points do not have the shape (batch, *center.shape).

    Example:
        >>> x = torch.tensor([[0.1, 0.2, 0.0]])
        >>> poisson_integral(lambda x: x[:, 0] * 0 + 3, x, torch.zeros(3), 1.0).value
        tensor([3.])

    References:
        Axler, Bourdon and Ramey (2001), chapter 1.
    """
    asked = "poisson_integral"
    require_radius(radius, asked)
    require_count("count", count, 2, asked)
    if points.shape[1:] != center.shape or not points.numel():
        raise ShapeError(
            f"{asked} at points of shape {tuple(points.shape)} of a ball about a center of shape "
            f"{tuple(center.shape)}: (batch, *event) and (*event) are needed"
        )
    x = _coordinates(points - center) / radius
    n = x.shape[1]
    s = x.norm(dim=1)
    _require_inside(s, points, radius, 1 - 8 * torch.finfo(s.dtype).eps, asked)
    moment = float(((1 + s**2) / (1 - s**2) ** (n - 1)).max())
    in_frame = 2 * min(n, LARGEST_FRAME)
    if in_frame * count < FEWEST_EFFECTIVE * moment:
        raise NumericalError(
            f"{asked} with count={count}: at |x|/R = {float(s.max()):.6g} in {n} real dimensions "
            f"the Poisson weights have the second moment {moment:.3g}, so that at least "
            f"{math.ceil(FEWEST_EFFECTIVE * moment / in_frame)} frames are needed: raise count, "
            "or choose points nearer to the center"
        )
    middle = center.unsqueeze(0)
    control = evaluate(u, middle + radius * frame(middle, generator)[0], asked)[0]
    draws = []
    for _ in range(count):
        y = frame(middle, generator)[:, 0]
        values = evaluate(u, center + radius * y, asked)
        weights = (1 - s**2).unsqueeze(1) / torch.cdist(x, _coordinates(y)) ** n
        weights = weights.reshape(*weights.shape, *[1] * (values.ndim - 1))
        draws.append((weights * (values - control)).mean(1))
    spread = Estimate.from_draws(torch.stack(draws), size=control)
    return Estimate(spread.value + control, spread.standard_error)


@checked
def nonharmonic_fraction(
    u: TensorFunction,
    z: GivenComplexPoints,
    radius: float | int,
    *,
    direction: GivenComplexPoints | None = None,
    samples: int | None = None,
    domain: Domain | None = None,
) -> Numbers:
    """The part of the variance of u on a disc that no harmonic function accounts for.

    It is min ||u - h||^2 / min ||u - c||^2 in the mean square over the disc, over all harmonic h
    and all constants c. (The best h is the projection of u, which is not `harmonic_part`: that
    one agrees with u on the circle.)

    Law: between 0 and 1; 0 exactly where u is harmonic on the disc (then also for constants);
        the same for u and a u + h, h constant. Exact for polynomials in x and y of degree below
        samples/2.

    Args:
        u: a function of batches, real or complex; several values are summed over.
        z: the centers, complex, the first axis the batch.
        radius: of the discs, in units of the direction.
        direction: of the complex lines that the discs z + w v, |w| <= radius, lie in, of the
            shape of z. None is 1, for z of one coordinate; in several, u is pluriharmonic where
            the fraction is 0 in all lines.
        samples: angles, and twice the radii, of the quadrature, used as given; None takes 16, 27,
            47 and 77 of them until the fraction stays.
        domain: where u is smooth, in the coordinate of an entry of z, in place of what u itself
            declares.

    Returns:
        Shape (batch,).

    Raises:
        InputTypeError: z is real.
        DomainError: the disc reaches out of the domain (see `mean_value.circle_mean`).
        ConfigError: a radius that is not positive and finite, or fewer than 4 samples.
        NumericalError: a value is not finite, or 77 samples do not settle the fraction to 1e-3.
        ShapeError: z has several coordinates and no direction is given, or another shape than
            the direction; or u is no function of batches.

    Example:
        >>> z = torch.zeros(1, dtype=torch.complex128)
        >>> round(float(nonharmonic_fraction(lambda z: z.real**2, z, 1.0)), 12)  # 1/3
        0.333333333333
    """
    asked = "nonharmonic_fraction"
    require_radius(radius, asked)
    require_count("samples", 4 if samples is None else samples, 4, asked)
    require_complex(z, asked)
    if direction is None and z.ndim and z.numel() == len(z):
        direction = torch.ones_like(z)
    if direction is None or direction.shape != z.shape or not z.ndim:
        raise ShapeError(
            f"{asked} at points of shape {tuple(z.shape)}: the first axis is the batch, and points "
            "of several coordinates need directions of the same shape, such as torch.randn_like(z)"
        )
    require_clear_disc(u, domain, z, radius * float(direction.abs().max()), asked)
    if samples is not None:
        return _fraction(u, z, radius * direction, samples, asked)
    previous = _fraction(u, z, radius * direction, SAMPLES[0], asked)
    change = previous
    for count in SAMPLES[1:]:
        found = _fraction(u, z, radius * direction, count, asked)
        change = (found - previous).abs()
        rounding = SETTLED * torch.finfo(found.dtype).eps
        allowed = rounding * (found + rounding) if count < SAMPLES[-1] else LOOSELY_SETTLED
        if bool((change <= allowed).all()):
            return found
        previous = found
    raise NumericalError(
        f"{asked} has not settled with {SAMPLES[-1]} samples, it still changes by "
        f"{float(change.max()):.1e}: choose a smaller radius, or take what a number of samples= "
        "gives"
    )


def _fraction(
    u: TensorFunction, z: ComplexTensor, direction: ComplexTensor, samples: int, asked: str
) -> Numbers:
    """`nonharmonic_fraction` on the discs z + w v, |w| <= 1, with that number of samples."""
    squares, mass = _gauss_legendre(samples // 2)  # |w|^2, which is uniform on [0, 1]
    angle = torch.arange(samples, dtype=torch.float64) * (2 * math.pi / samples)
    w = torch.polar(squares.sqrt().unsqueeze(1), angle.unsqueeze(0)).to(z)
    points = z + w.reshape(*w.shape, *[1] * z.ndim) * direction
    values = evaluate(u, points.flatten(0, 2), asked).unflatten(0, points.shape[:3])
    modes = torch.fft.fft(values, dim=1, norm="forward")
    modes = modes.reshape(len(squares), samples, len(z), -1).permute(2, 3, 0, 1)
    modes = modes / nonzero(modes.abs().amax((1, 2, 3), keepdim=True))
    k = torch.fft.fftfreq(samples, 1 / samples, dtype=torch.float64).abs()
    profile = squares.unsqueeze(1) ** (k / 2)  # of the harmonic mode k, of mean square 1/(k + 1)
    profile, mass, k = profile.to(modes), mass.unsqueeze(1).to(modes), k.to(modes)
    best = (k + 1) * (mass * profile * modes).sum(2, keepdim=True)
    constant = torch.zeros_like(modes)
    constant[..., :1] = (mass * modes[..., :1]).sum(2, keepdim=True)
    rest, total, size = (
        (mass.real * (part.real**2 + part.imag**2)).sum((1, 2, 3))
        for part in (modes - best * profile, modes - constant, modes)
    )
    rounding = size * (64 * torch.finfo(modes.dtype).eps) ** 2
    return torch.where(total > rounding, rest / torch.maximum(total, rounding), 0.0)


def _gauss_legendre(count: int) -> tuple[RealTensor, RealTensor]:
    """Nodes and weights of Gauss's quadrature on [0, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return torch.from_numpy((nodes + 1) / 2), torch.from_numpy(weights / 2)


def _coordinates(points: AnyTensor) -> RealTensor:
    """Shape (batch, n): real numbers as they are, of complex ones both parts."""
    real = torch.view_as_real(points) if points.is_complex() else points
    return real.reshape(len(points), -1)


def _require_inside(
    distance: RealTensor, points: AnyTensor, radius: float | int, most: float, asked: str
) -> None:
    """Raises DomainError unless all distances from the center, over the radius, are at most that.

    The first axis of `points` counts the distances.
    """
    outside = ~(distance <= most)
    if bool(outside.any()):
        first = int(outside.int().argmax())
        raise DomainError(
            f"{asked}: the point {show(points[first])} is {float(distance[first]):.6g} radii from "
            f"the center, outside of radius={radius}: choose a larger radius or points inside"
        )
