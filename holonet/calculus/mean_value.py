"""Means over circles, spheres and balls: a harmonic function takes its mean at the center."""

import math

import torch
from jaxtyping import Inexact
from torch import Tensor

from holonet._arguments import checked
from holonet._types import AnyTensor, Entries, GivenPoints, Points, TensorFunction, Values
from holonet.calculus.checks import (
    evaluate,
    require_clear_disc,
    require_complex,
    require_count,
    require_radius,
)
from holonet.calculus.circle import Quadrated, agreed, unit_circle
from holonet.calculus.estimate import Estimate
from holonet.domains import Domain
from holonet.errors import InputTypeError, ShapeError

__all__ = ["ball_mean", "circle_mean", "dimensions", "frame", "mean_value_gap", "sphere_mean"]

LARGEST_FRAME = 32


@checked
def circle_mean(
    f: TensorFunction,
    z: Entries,
    v: Entries,
    radius: float | int,
    *,
    samples: int | None = None,
    domain: Domain | None = None,
) -> Values:
    """The mean of f over the circle z + radius exp(it) v in the complex line through z along v.

    Law: f(z) where f is holomorphic or pluriharmonic. Exact where t -> f(z + radius exp(it) v)
        is a trigonometric polynomial of degree below `samples`.

    Args:
        f: a function of batches, holomorphic or not.
        z: complex points, the first axis the batch.
        v: directions, of the shape of z and of any length.
        radius: in units of v.
        samples: points on each circle, taken as given; None doubles them until the means stay.
        domain: where f is holomorphic, in the coordinate of an entry of z, in place of what f
            itself declares.

    Returns:
        Shape (batch, *rest), as f gives.

    Raises:
        InputTypeError: z is real.
        DomainError: f is not holomorphic on all discs of radius radius max|v| about the entries
            of z.
        ConfigError: a radius that is not positive and finite, or fewer than 1 sample.
        NumericalError: a value is not finite, or the means do not settle, or are the rounding of
            values that cancel.
        ShapeError: z has no batch axis, or f is no function of batches.

    Example:
        >>> z, v = torch.tensor([[1 + 1j, 2.0]]), torch.tensor([[1.0, 1j]])
        >>> circle_mean(lambda z: z.prod(-1).real, z, v, 3.0).round(decimals=3)
        tensor([2.])
    """
    asked = "circle_mean"
    _require_points(z, asked)
    require_radius(radius, asked)
    require_complex(z, asked, ", or ask for the mean over a sphere, sphere_mean")
    require_clear_disc(f, domain, z, radius * float(v.abs().max()), asked)

    def mean(count: int) -> Quadrated:
        turn = radius * unit_circle(count, 0.0, z)
        points = z + turn.reshape(-1, *[1] * z.ndim) * v
        values = evaluate(f, points.flatten(0, 1), asked).unflatten(0, points.shape[:2])
        return values.mean(0), values, None

    return agreed(mean, samples, asked)


@checked
def sphere_mean(
    u: TensorFunction,
    z: GivenPoints,
    radius: float | int,
    *,
    count: int = 16,
    generator: torch.Generator | None = None,
    domain: Domain | None = None,
) -> Estimate:
    """The mean of u over the sphere of that radius about each z, by random orthonormal frames.

    The sphere is Euclidean, in the n real coordinates of an example: its numbers for real z,
    their real and imaginary parts for complex z. A frame is min(n, 32) random orthonormal
    directions and their opposites, its points those of z + radius times them; frames are
    independent and the estimate is unbiased.

    Law: u(z) where u is harmonic in the n coordinates. Exact (to rounding) for polynomials of
        degree 3, and of odd degree about z, where n <= 32.

    Args:
        u: a function of batches, real or complex; it sees one frame for the batch at a time.
        z: the centers, the first axis the batch.
        radius: of the spheres.
        count: frames for each example, at least 2, as the standard error is that of their mean.
        generator: of the frames; None continues torch's global stream.
        domain: for complex z, where u is smooth in the coordinate of an entry of z, in place of
            what u itself declares.

    Returns:
        Value and standard error (rounding included), both of shape (batch, *rest).

    Raises:
        DomainError: the ball reaches out of the domain.
        ConfigError: a radius that is not positive and finite, or fewer than 2 frames.
        InputTypeError: z is of an integer dtype.
        NumericalError: a value is not finite.
        ShapeError: z has no batch axis, or u is no function of batches.

    Example:
        >>> x = torch.tensor([[1.0, 2.0, 3.0]])
        >>> mean = sphere_mean(lambda x: x.square().sum(-1), x, 2.0)
        >>> round(float(mean.value), 3)  # |x|^2 + radius^2
        18.0
    """
    asked = "sphere_mean"
    _require_ball(u, z, radius, count, domain, asked)
    draws = [_frame_mean(u, z, radius * frame(z, generator), asked) for _ in range(count)]
    return Estimate.from_draws(torch.stack(draws))


@checked
def ball_mean(
    u: TensorFunction,
    z: GivenPoints,
    radius: float | int,
    *,
    count: int = 16,
    generator: torch.Generator | None = None,
    domain: Domain | None = None,
) -> Estimate:
    """The mean of u over the ball of that radius about each z, by random orthonormal frames.

    As `sphere_mean`, with distances from z that are stratified over the directions of a frame.

    Law: u(z) where u is harmonic in the n real coordinates; exact (to rounding) for polynomials
        of degree 1, and of odd degree about z.

    Args:
        u, z, radius, count, generator, domain: as in `sphere_mean`.

    Raises:
        DomainError, ConfigError, InputTypeError, NumericalError, ShapeError: as `sphere_mean`.

    Example:
        >>> x = torch.tensor([[1.0, 2.0, 3.0]])
        >>> round(float(ball_mean(lambda x: x.sum(-1), x, 2.0).value), 3)
        6.0
    """
    asked = "ball_mean"
    n = _require_ball(u, z, radius, count, domain, asked)
    draws = []
    for _ in range(count):
        directions = frame(z, generator)
        half = len(directions) // 2
        real = z.dtype.to_real()
        spread = torch.rand(half, len(z), generator=generator, dtype=real).to(z.device)
        strata = torch.arange(half, dtype=real, device=z.device).unsqueeze(-1)
        distance = radius * ((strata + spread) / half) ** (1 / n)
        both = distance.reshape(half, -1, *[1] * (z.ndim - 1)).repeat(2, *[1] * z.ndim)
        draws.append(_frame_mean(u, z, both * directions, asked))
    return Estimate.from_draws(torch.stack(draws))


@checked
def mean_value_gap(
    u: TensorFunction,
    z: GivenPoints,
    radius: float | int,
    *,
    count: int = 16,
    generator: torch.Generator | None = None,
    domain: Domain | None = None,
) -> Estimate:
    """The mean of u over the sphere of that radius about each z, minus u(z).

    Law: 0 for harmonic u; not below 0 for subharmonic u; in general
        (Laplacian of u)(z) radius^2 / (2n) + O(radius^4), n the number of real coordinates.

    Args:
        u, z, radius, count, generator, domain: as in `sphere_mean`.

    Raises:
        DomainError, ConfigError, InputTypeError, NumericalError, ShapeError: as `sphere_mean`.

    Example:
        >>> z = torch.tensor([[1 + 2j, 3.0]])
        >>> gap = mean_value_gap(lambda z: (z.abs() ** 2).sum(-1), z, 2.0)
        >>> round(float(gap.value), 3)  # radius^2, wherever z is
        4.0
    """
    asked = "mean_value_gap"
    _require_ball(u, z, radius, count, domain, asked)
    middle = evaluate(u, z, asked)
    draws = [_frame_mean(u, z, radius * frame(z, generator), asked) for _ in range(count)]
    return Estimate.from_draws(torch.stack(draws) - middle, size=middle)


def frame(
    z: Points, generator: torch.Generator | None
) -> Inexact[Tensor, "directions batch *event"]:
    """Random orthonormal directions for each example, then their opposites.

    Shape (2k, *z.shape) for z of shape (batch, *event), where k = min(n, 32) of n real
    coordinates. Each direction is uniform on the unit sphere. They are drawn on the CPU, hence
    the same on every device.
    """
    real = z.dtype.to_real()
    n = dimensions(z)
    normal = torch.randn(len(z), n, min(n, LARGEST_FRAME), generator=generator, dtype=real)
    rows = torch.linalg.qr(normal)[0].permute(2, 0, 1).to(z.device)
    if z.is_complex():
        rows = torch.view_as_complex(rows.unflatten(-1, (-1, 2)).contiguous())
    directions = rows.reshape(-1, *z.shape)
    return torch.cat([directions, -directions])


def _frame_mean(u: TensorFunction, z: AnyTensor, steps: AnyTensor, asked: str) -> AnyTensor:
    """The mean of u over z plus each of the steps, shape (batch, *rest)."""
    points = z + steps
    values = evaluate(u, points.flatten(0, 1), asked)
    return values.unflatten(0, points.shape[:2]).mean(0)


def dimensions(z: Points) -> int:
    """The number of real coordinates of an example."""
    return math.prod(z.shape[1:]) * (2 if z.is_complex() else 1)


def _require_points(z: Tensor, asked: str) -> None:
    if z.ndim == 0 or not z.numel():
        raise ShapeError(
            f"{asked} at points of shape {tuple(z.shape)}: at least one is needed, and the first "
            "axis is the batch: z.unsqueeze(0)"
        )


def _require_ball(
    u: TensorFunction,
    z: Tensor,
    radius: float | int,
    count: int,
    domain: Domain | None,
    asked: str,
) -> int:
    """The number of real coordinates, once everything that was asked has been checked."""
    _require_points(z, asked)
    require_radius(radius, asked)
    require_count("count", count, 2, asked)
    if z.is_complex():
        require_clear_disc(u, domain, z, radius, asked)
    elif not z.is_floating_point():
        raise InputTypeError(f"{asked} at {z.dtype} points: convert them, z.to(torch.float64)")
    return dimensions(z)
