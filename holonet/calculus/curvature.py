"""How a function bends at points: the trace and the size of its second derivative."""

import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Inexact
from torch import Tensor

from holonet._arguments import checked
from holonet._types import GivenPoints, Points, RealTensor, TensorFunction
from holonet.calculus.checks import evaluate, require_count
from holonet.calculus.estimate import Estimate
from holonet.calculus.examples import nonzero
from holonet.calculus.laplacian import second_derivatives
from holonet.calculus.mean_value import dimensions
from holonet.calculus.probes import Probes
from holonet.errors import InputTypeError

__all__ = ["Curvature", "curvature"]

FEW = 16  # real coordinates of which all pairs are taken
DISAGREEMENT = 1e-2  # of autograd with second differences, which are good to 8 digits
NOISE = 1e3  # times eps |u| / step^2, the rounding of second differences

Directions = Inexact[Tensor, "directions batch *event"]
Second = Callable[[Directions, Directions], RealTensor]


@dataclass(frozen=True)
class Curvature:
    """The second derivative D2u in d real coordinates, for each example and output.

    Args:
        laplacian: its trace.
        square_norm: the square of its Frobenius norm.
        mixed_square_norm: for complex points that of the part that stays where both directions are
            turned by i; None for real points. It is 0 where u is pluriharmonic.
        coordinates: d.
        exact: whether all pairs of coordinates were taken; standard errors are 0 then.
        by_differences: whether second differences of values were taken, good to 8 digits, where
            autograd fails or disagrees with them.
    """

    laplacian: Estimate
    square_norm: Estimate
    mixed_square_norm: Estimate | None
    coordinates: int
    exact: bool
    by_differences: bool

    @property
    def defect(self) -> Estimate:
        """|Laplacian| / (sqrt(d) |D2u|), between 0 and 1 but for errors; NaN where D2u is 0.

        Law: 0 for harmonic u, 1 for |x|^2, the same for u and c u + affine functions.
        """
        return _quotient(self.laplacian, self.square_norm, self.coordinates)

    @property
    def mixed_share(self) -> Estimate | None:
        """The part of |D2u|^2 that is not pluriharmonic, between 0 and 1; NaN where D2u is 0."""
        if self.mixed_square_norm is None:
            return None
        part, whole = self.mixed_square_norm, self.square_norm
        value = part.value / whole.value
        error = torch.hypot(part.standard_error, value * whole.standard_error) / whole.value
        return Estimate(value, error)


@checked
def curvature(
    u: TensorFunction,
    z: GivenPoints,
    *,
    count: int = 16,
    probes: Probes | None = None,
    few: int = FEW,
) -> Curvature:
    """The Laplacian of u and the Frobenius norm of its second derivative at each example.

    Both are over all real coordinates: the n of real z, the 2n of complex z. With at most `few` of
    them all pairs are taken. Else the Laplacian is the mean of D2u[v, v] over random directions v,
    for complex z that of D2u[v, v] + D2u[iv, iv], which has no variance from what is pluriharmonic;
    the square norm is the mean of D2u[v, w]^2 over independent pairs, for complex z of four times
    that, as E[v v^H] = 1 gives each real coordinate the variance 1/2.

    Args:
        u: a real function of batches, (batch, *event) -> (batch, *out), each example on its own.
        z: the points, real or complex, in double precision for errors as stated.
        count: pairs of directions for each example, at least 2.
        probes: where they come from; default torch's global generator.
        few: most real coordinates for all pairs, at the cost of 2 few (few + 1) forward passes.
            With random directions it is that of 8 count, and 16 count for complex z.

    Law: the Laplacian is `laplacian`; Laplacian^2 is at most d |D2u|^2.

    Raises:
        ConfigError: `count` is below 2.
        InputTypeError: u is complex-valued.
        NumericalError: a value of u is not finite.
        ShapeError: u is no function of batches.

    Example:
        >>> x = torch.tensor([[1.0, 2.0]], dtype=torch.float64)
        >>> bent = curvature(lambda x: x[:, 0] ** 2 - x[:, 1] ** 2 + 1e-3 * x.square().sum(1), x)
        >>> round(float(bent.laplacian.value), 6), round(float(bent.defect.value), 6)
        (0.004, 0.001)

    References:
        Hutchinson (1990).
    """
    asked = "curvature"
    require_count("count", count, 2, asked)
    value = evaluate(u, z, asked)
    if value.is_complex():
        raise InputTypeError(
            f"{asked} of a complex-valued function: ask about its real part, or a readout"
        )
    probes = Probes() if probes is None else probes
    second, by_differences = _second(u, z, value, probes)
    with torch.no_grad():
        found = _exact(second, z) if dimensions(z) <= few else _estimated(second, z, count, probes)
    return Curvature(*found, dimensions(z), dimensions(z) <= few, by_differences)


def _quotient(laplacian: Estimate, square_norm: Estimate, coordinates: int) -> Estimate:
    square = square_norm.value.clamp(min=0)
    unit = (coordinates * square).sqrt()
    value = laplacian.value.abs() / unit
    relative = square_norm.standard_error / (2 * square)
    return Estimate(value, torch.hypot(laplacian.standard_error / unit, value * relative))


def _second(u: TensorFunction, z: Points, value: RealTensor, probes: Probes) -> tuple[Second, bool]:
    """D2u[v, w] by autograd where that agrees with second differences, and whether it does not.

    torch 2.13 nests forward mode wrongly, and silently, in layer_norm and others.
    """
    step = torch.finfo(value.dtype).eps ** 0.25 * _unit(z)
    by_values = functools.partial(_polarized, u, z, value, step)
    by_autograd = functools.partial(_by_autograd, u, z)
    v = probes.like(z).unsqueeze(0)
    expected = by_values(v, v)
    try:
        found = by_autograd(v, v)
    except (InputTypeError, RuntimeError, NotImplementedError):
        return by_values, True
    length = torch.linalg.vector_norm(v) / math.sqrt(len(z))
    noise = NOISE * torch.finfo(value.dtype).eps * value.abs() * (length / step) ** 2
    allowed = DISAGREEMENT * torch.maximum(found.abs(), expected.abs()) + noise
    differs = (found - expected).abs() > allowed  # at a kink nearby too, hence most of them
    wrong = bool(differs.double().mean() > 0.5)
    return (by_values if wrong else by_autograd), wrong


def _by_autograd(u: TensorFunction, z: Points, v: Directions, w: Directions) -> RealTensor:
    return second_derivatives(u, z, v, w, "curvature")


def _unit(z: Points) -> float:
    """A length that the points are like: 1 + their root mean square entry."""
    return 1 + float(torch.linalg.vector_norm(z)) / math.sqrt(max(1, z.numel()))


def _polarized(
    u: TensorFunction, z: Points, value: RealTensor, step: float, v: Directions, w: Directions
) -> RealTensor:
    """D2u[v, w] from second differences along v + w and v - w."""

    def along(direction: Tensor) -> Tensor:
        length = torch.linalg.vector_norm(direction.flatten(2), dim=2)
        shift = step * direction / nonzero(length).view(*length.shape, *[1] * (z.ndim - 1))
        shifted = torch.stack([z + shift, z - shift]).flatten(0, 2)
        above, below = evaluate(u, shifted, "curvature").unflatten(0, (2, *length.shape))
        size = (length / step) ** 2
        return (above + below - 2 * value) * size.view(*length.shape, *[1] * (value.ndim - 1))

    return (along(v + w) - along(v - w)) / 4


def _coordinates(z: Points) -> Directions:
    """The unit direction of each real coordinate, those of imaginary parts behind."""
    n = math.prod(z.shape[1:])
    rows = torch.eye(n, dtype=z.dtype, device=z.device)
    rows = torch.cat([rows, 1j * rows]) if z.is_complex() else rows
    return rows.view(-1, 1, *z.shape[1:]).expand(-1, len(z), *z.shape[1:])


def _exact(second: Second, z: Points) -> tuple[Estimate, Estimate, Estimate | None]:
    unit = _coordinates(z)
    d = len(unit)
    rows, columns = torch.triu_indices(d, d, device=z.device)
    entries = second(unit[rows], unit[columns])
    hessian = entries.new_zeros(d, d, *entries.shape[1:])
    hessian[rows, columns] = entries
    hessian[columns, rows] = entries
    found = [hessian.diagonal().sum(-1), hessian.square().sum((0, 1))]
    if z.is_complex():
        a, b, c = (
            hessian[: d // 2, : d // 2],
            hessian[: d // 2, d // 2 :],
            hessian[d // 2 :, d // 2 :],
        )
        same, skew = (a + c) / 2, (b - b.transpose(0, 1)) / 2
        found.append(2 * (same.square() + skew.square()).sum((0, 1)))
    laplacian, square, *mixed = (Estimate(one, torch.zeros_like(one)) for one in found)
    return laplacian, square, mixed[0] if mixed else None


def _estimated(
    second: Second, z: Points, count: int, probes: Probes
) -> tuple[Estimate, Estimate, Estimate | None]:
    draws = [list(_draw(second, z, probes)) for _ in range(count)]
    laplacian, square, *mixed = (
        Estimate.from_draws(torch.stack(parts)) for parts in zip(*draws, strict=True)
    )
    return laplacian, square, mixed[0] if mixed else None


def _draw(second: Second, z: Points, probes: Probes) -> Iterator[Float[Tensor, "batch *out"]]:
    """One draw of the Laplacian, of the square norm, and of its mixed part for complex z."""
    v, w = (probes.like(z).unsqueeze(0) for _ in range(2))
    if not z.is_complex():
        yield second(v, v)[0]
        yield second(v, w)[0].square()
        return
    along, across = second(v, w)[0], second(1j * v, 1j * w)[0]
    yield (second(v, v) + second(1j * v, 1j * v))[0]
    yield 2 * (along.square() + across.square())
    yield (along + across).square()
