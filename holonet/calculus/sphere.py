"""How a function deviates on spheres from its tangent plane: the part that no harmonic one has.

Let h run over the harmonic functions on a ball with h = u at its center, and a over the affine
ones. On the sphere

    min over h of the mean of (u - h)^2  =  gap^2,        gap = mean of u - u(center),
    min over a of the mean of (u - a)^2  =  mean of (u - u(center))^2 - (energy of the linear part),

as the harmonic functions with that value are those with that mean. So gap^2 over the second number
is the share of what an affine fit leaves that no harmonic function accounts for. That holds in all
dimensions, for functions with kinks too, and needs values alone.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Inexact
from torch import Tensor

from holonet._arguments import checked
from holonet._types import GivenPoints, Points, RealTensor, TensorFunction
from holonet.calculus.checks import evaluate, require_count, require_radius
from holonet.calculus.estimate import Estimate
from holonet.calculus.mean_value import dimensions, frame
from holonet.calculus.wirtinger import gradient
from holonet.errors import ConfigError, InputTypeError, ShapeError

__all__ = ["SphereDeviation", "sphere_deviation"]

FEWEST = 3  # frames, as one is left out of the others
ROUNDING = 64.0  # times eps times the size of the values

Product = Callable[[RealTensor, RealTensor], RealTensor]
Frame = tuple[RealTensor, RealTensor, RealTensor, RealTensor, RealTensor]
OfSpheres = Float[Tensor, "radii batch *out"]


@dataclass(frozen=True)
class SphereDeviation:
    """What random frames on spheres about each example say, radius by radius.

    Args:
        gap: the mean over the sphere minus the value at the center, with its standard error.
        beyond_affine: the mean square over the sphere of what the best affine function through the
            value at the center leaves.
        share: gap^2 / beyond_affine, without bias in the square; NaN where u is affine to rounding.
        affine: where beyond_affine is rounding.
        extreme_inside: where u, at the center or on a smaller sphere, lies above all of its values
            on this sphere or below all of them, beyond rounding.
        draws: gap^2 and beyond_affine with each frame left out, from which errors come.
        rounding: of the values.
    """

    gap: Estimate
    beyond_affine: Estimate
    share: Estimate
    affine: Bool[Tensor, "radii batch *out"]
    extreme_inside: Bool[Tensor, "radii batch *out"]
    draws: Float[Tensor, "2 frames radii batch *out"]
    rounding: OfSpheres


@checked
def sphere_deviation(
    u: TensorFunction,
    z: GivenPoints,
    radii: Sequence[float | int],
    *,
    count: int = 16,
    generator: torch.Generator | None = None,
) -> SphereDeviation:
    """The mean-value gap of u on spheres, beside all that an affine fit leaves there.

    The points are those of `sphere_mean`: random orthonormal frames of min(n, 32) directions and
    their opposites, in the n real coordinates of an example (both parts of complex ones). All radii
    share the frames. The gradient of u at the center is taken off first, where there is one: then
    the linear part adds no variance.

    Args:
        u: a real function of batches, each example on its own; it sees one frame at a time.
        z: the centers, the first axis the batch.
        radii: increasing.
        count: frames for each example, at least 3. Standard errors are those of the jackknife over
            frames, rounding in that of the gap.
        generator: of the frames; None continues torch's global stream.

    Law: gap and share are 0 for harmonic u, and no extreme value is inside; share is 1 for |x|^2
        about 0, the same for u and c u + affine functions, and at most 1 but for errors.

    Raises:
        ConfigError: radii that are not positive, finite and increasing, or fewer than 3 frames.
        InputTypeError: u is complex-valued.
        NumericalError: a value is not finite.
        ShapeError: z has no batch axis, or u is no function of batches.

    Example:
        >>> x = torch.zeros(1, 3, dtype=torch.float64)
        >>> found = sphere_deviation(lambda x: x[:, 0] + x.square().sum(1), x, [0.5])
        >>> round(float(found.gap.value), 6), round(float(found.share.value), 6)
        (0.25, 1.0)

    References:
        Axler, Bourdon and Ramey (2001), chapters 1 and 5.
    """
    asked = "sphere_deviation"
    if z.ndim == 0 or not z.numel():
        raise ShapeError(f"{asked} at points of shape {tuple(z.shape)}: (batch, *event) is needed")
    require_count("count", count, FEWEST, asked)
    require_count("the number of radii", len(radii), 1, asked)
    for radius in radii:
        require_radius(radius, asked)
    if any(first >= second for first, second in itertools.pairwise(radii)):
        raise ConfigError(f"{asked}: radii={list(radii)}, but they must increase")
    center = evaluate(u, z, asked)
    if center.is_complex():
        raise InputTypeError(f"{asked} of a complex-valued function: ask about its real part")
    flat = center.unsqueeze(-1).flatten(1)
    slope = _slope(u, z, flat)
    with torch.no_grad():
        frames = [_frame(u, z, radii, flat, slope, generator, asked) for _ in range(count)]
        found = _joined(frames, flat, dimensions(z))

    def shaped(t: Tensor) -> Tensor:
        return t.unflatten(-1, center.shape[1:]) if center.ndim > 1 else t.squeeze(-1)

    def estimate(one: Estimate) -> Estimate:
        return Estimate(shaped(one.value), shaped(one.standard_error))

    return SphereDeviation(
        gap=estimate(found.gap),
        beyond_affine=estimate(found.beyond_affine),
        share=estimate(found.share),
        affine=shaped(found.affine),
        extreme_inside=shaped(found.extreme_inside),
        draws=shaped(found.draws),
        rounding=shaped(found.rounding),
    )


def _slope(
    u: TensorFunction, z: Points, center: Float[Tensor, "batch outputs"]
) -> Float[Tensor, "outputs batch coordinates"]:
    """The gradient of each output in the real coordinates; 0 where autograd gives none."""
    rows = []
    for k in range(center.shape[1]):
        w = torch.zeros_like(center)
        w[:, k] = 1
        try:
            rows.append(gradient(lambda p: u(p).unsqueeze(-1).flatten(1), z, w))
        except (RuntimeError, NotImplementedError):
            rows.append(torch.zeros_like(z))
    found = _real(torch.stack(rows))
    return torch.where(found.isfinite(), found, 0.0)


def _real(v: Inexact[Tensor, "many batch *event"]) -> Float[Tensor, "many batch coordinates"]:
    parts = torch.view_as_real(v) if v.is_complex() else v.unsqueeze(-1)
    return parts.flatten(2)


def _frame(
    u: TensorFunction,
    z: Points,
    radii: Sequence[float | int],
    center: Float[Tensor, "batch outputs"],
    slope: Float[Tensor, "outputs batch coordinates"],
    generator: torch.Generator | None,
    asked: str,
) -> Frame:
    """Of one frame, radius by radius: gap, mean square off the tangent plane, slope of the rest.

    Then the largest and the least value.
    """
    directions = frame(z, generator)
    half = len(directions) // 2
    omega = _real(directions[:half])
    along = torch.einsum("kbn,obn->kbo", omega, slope)
    gaps, squares, slopes, largest, least = [], [], [], [], []
    for radius in radii:
        values = evaluate(u, (z + radius * directions).flatten(0, 1), asked)
        values = values.unsqueeze(-1).flatten(1).unflatten(0, (2, half, len(z)))
        even = values.mean(0) - center
        odd = (values[0] - values[1]) / 2 - radius * along
        gaps.append(even.mean(0))
        squares.append((even.square() + odd.square()).mean(0))
        slopes.append(torch.einsum("kbo,kbn->bon", odd, omega) * (omega.shape[2] / half))
        largest.append(values.amax((0, 1)))
        least.append(values.amin((0, 1)))
    return (
        torch.stack(gaps),
        torch.stack(squares),
        torch.stack(slopes),
        torch.stack(largest),
        torch.stack(least),
    )


def _joined(frames: list[Frame], center: RealTensor, n: int) -> SphereDeviation:
    """All frames together."""
    gaps, squares, slopes, largest, least = map(torch.stack, zip(*frames, strict=True))
    top, bottom = largest.amax(0), least.amin(0)
    size = torch.maximum(torch.maximum(top.abs(), bottom.abs()), center.abs())
    rounding = ROUNDING * torch.finfo(size.dtype).eps * size
    gap = Estimate.from_draws(gaps, size=size)
    square, left_square = _square_of_mean(gaps, gaps * gaps, lambda a, b: a * b)
    linear, left_linear = _square_of_mean(
        slopes, slopes.square().sum(-1), lambda a, b: (a * b).sum(-1)
    )
    beyond = squares.mean(0) - linear / n
    left_beyond = _left_out(squares) - left_linear / n
    affine = beyond <= rounding.square()
    share = torch.where(affine, math.nan, square / beyond)
    error = _jackknife(left_square / left_beyond)
    inside_top = torch.cat([center.unsqueeze(0), top]).cummax(0).values[:-1]
    inside_bottom = torch.cat([center.unsqueeze(0), bottom]).cummin(0).values[:-1]
    return SphereDeviation(
        gap=gap,
        beyond_affine=Estimate(beyond, _jackknife(left_beyond)),
        share=Estimate(share, torch.where(affine, math.nan, error)),
        affine=affine,
        extreme_inside=(inside_top > top + rounding) | (inside_bottom < bottom - rounding),
        draws=torch.stack([left_square, left_beyond]),
        rounding=rounding,
    )


def _square_of_mean(
    draws: RealTensor, own: RealTensor, product: Product
) -> tuple[RealTensor, RealTensor]:
    """The square of the mean of independent draws without bias, and with each draw left out.

    Args:
        draws: the first axis counts them.
        own: the square of each.
        product: of two of them.
    """
    count, total = len(draws), draws.sum(0)
    whole = product(total, total) - own.sum(0)
    without = whole - 2 * (product(total.unsqueeze(0), draws) - own)
    return whole / (count * (count - 1)), without / ((count - 1) * (count - 2))


def _left_out(draws: RealTensor) -> RealTensor:
    """The mean with each draw left out."""
    return (draws.sum(0) - draws) / (len(draws) - 1)


def _jackknife(left_out: RealTensor) -> RealTensor:
    """The standard error, from the estimates with each draw left out."""
    count = len(left_out)
    return (left_out - left_out.mean(0)).square().sum(0).mul((count - 1) / count).sqrt()
