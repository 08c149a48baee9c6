"""What every integral checks first: finite values, positive radii, room about the points."""

import math
from collections.abc import Callable
from typing import cast

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from holonet._types import ComplexEntries, Entries, Points, TensorFunction, Values
from holonet.domains import Domain
from holonet.errors import ConfigError, DomainError, InputTypeError, NumericalError, ShapeError

__all__ = [
    "RESOLUTION",
    "clearance_of",
    "evaluate",
    "require_clear_circle",
    "require_clear_disc",
    "require_complex",
    "require_count",
    "require_finite",
    "require_radius",
    "show",
    "values_at",
]

Clearance = Callable[[ComplexEntries], Float[Tensor, "*points"]]
"""Entries -> radii; of C^n the last axis of the entries holds the coordinates of one point."""

RESOLUTION = 1e-6
"""How near an obstacle may come to a circle, in radii, before it counts as touching it."""


def evaluate(f: TensorFunction, points: Points, asked: str) -> Values:
    """The values of f at points (count, *event), all finite, of shape (count, *rest).

    Args:
        f: a function of batches.
        points: a batch of points.
        asked: what the values are for, which opens the message.

    Raises:
        InputTypeError, ShapeError: as `values_at`.
        NumericalError: a value is infinite or NaN.
    """
    values = values_at(f, points, asked)
    require_finite(values, points, asked)
    return values


def values_at(f: TensorFunction, points: Points, asked: str) -> Values:
    """The values of f at a copy of the points, which f may overwrite; integers become real numbers.

    Raises:
        InputTypeError: f gives no tensor, or numbers of 16 bits.
        ShapeError: f does not give one value for each point.
    """
    values = f(points.clone())
    if not isinstance(values, Tensor):
        raise InputTypeError(
            f"{asked}: f gave a {type(values).__name__}, and a tensor is needed, with one value "
            "for each point: torch.as_tensor makes one of lists and arrays"
        )
    if values.shape[:1] != points.shape[:1] or not values.numel():
        raise ShapeError(
            f"{asked}: f took points of shape {tuple(points.shape)} to values of shape "
            f"{tuple(values.shape)}: f must be a function of batches, with one value (a number or "
            "a tensor) for each point, along the first axis"
        )
    if not (values.is_floating_point() or values.is_complex()):
        return values.to(points.dtype.to_real())
    if torch.finfo(values.dtype).bits < 32:
        raise InputTypeError(
            f"{asked}: f gave {values.dtype}, whose three digits are not enough: compute it in "
            "single or double precision"
        )
    return values


def require_finite(values: Values, points: Points, asked: str) -> None:
    """Raises NumericalError naming the first of the points whose value is infinite or NaN.

    Args:
        values: shape (count, *rest).
        points: shape (count, *event).
        asked: what the values are for, which opens the message.
    """
    finite = values.isfinite().unsqueeze(-1).flatten(1).all(1)
    if not bool(finite.all()):
        first = int(finite.int().argmin())
        raise NumericalError(
            f"{asked}: f({show(points[first])}) = {show(values[first])} is not finite. Choose "
            "another radius or center, so that the points keep away from the poles of f and stay "
            "where it does not overflow"
        )


def require_count(name: str, count: int, least: int, asked: str) -> None:
    """Raises ConfigError where a number of samples, points or modes is too small."""
    if count < least:
        raise ConfigError(f"{asked}: {name}={count}, but at least {least} is needed")


def require_complex(z: Entries, asked: str, hint: str = "") -> None:
    """Raises InputTypeError at real points; the hint says what else can be asked."""
    if not z.is_complex():
        raise InputTypeError(
            f"{asked} at real points ({z.dtype}): complex ones are needed. Lift the points first: "
            f"z.to(torch.complex128){hint}"
        )


def require_radius(radius: float | int, asked: str) -> None:
    """Raises ConfigError unless the radius is positive and finite."""
    if not 0 < radius < math.inf:
        raise ConfigError(f"{asked}: radius={radius}, but it must be positive and finite")


def clearance_of(f: object, domain: Domain | None = None) -> Clearance | None:
    """The map from z to the radius of a disc about z on which f is holomorphic, None if unknown.

    That of `domain` if it is given, else that of f itself (a `HolomorphicFunction`, or whatever
    has a method of that name), else that of the domain that f declares.

    Example:
        >>> from holonet.functions import get_function
        >>> clearance_of(get_function("log"))(torch.tensor([3 + 4j, -1j]))
        tensor([5., 1.])
        >>> clearance_of(torch.exp) is None
        True
    """
    if domain is not None:
        return domain.clearance
    own = getattr(f, "clearance", None)
    if callable(own):
        return cast(Clearance, own)
    declared = getattr(f, "domain", None)
    return declared.clearance if isinstance(declared, Domain) else None


def require_clear_disc(
    f: object,
    domain: Domain | None,
    center: ComplexEntries,
    radius: float | int,
    asked: str,
) -> None:
    """Raises DomainError unless f is holomorphic on the closed disc about every entry of center.

    In C^n the entries are coordinates, and the ball of that radius is within their polydisc.
    Where nothing is known of the domain of f there is nothing to check.
    """
    clearance = clearance_of(f, domain)
    if clearance is None:
        return
    room = clearance(center)
    nearest = float(room.min()) if room.numel() else math.inf
    if not nearest > radius:
        where = show(center) if center.ndim == 0 else f"one of the {len(center)} points"
        raise DomainError(
            f"{asked}: f is not holomorphic on the whole closed disc of radius {radius} about "
            f"{where}: choose a radius below {nearest:.6g}, or another center"
        )


def require_clear_circle(
    f: object,
    domain: Domain | None,
    center: Complex[Tensor, ""],
    radius: float | int,
    asked: str,
) -> None:
    """Raises DomainError where the circle touches an obstacle or leaves the domain of f.

    Obstacles inside the circle are no matter. An arc is clear when the disc about its midpoint
    that covers it is; other arcs are halved, until one midpoint comes within 1e-6 radii of an
    obstacle. So a clear circle is proved clear, from nothing but `clearance`.

    Args:
        f, domain: as in `clearance_of`; where nothing is known there is nothing to check.
        center: one point, shape ().
        radius: of the circle.
        asked: what the circle is for, which opens the message.
    """
    clearance = clearance_of(f, domain)
    if clearance is None:
        return
    half = math.pi / 16  # of the arcs, in radians
    center = center.to(torch.complex128)
    angle = torch.arange(16, dtype=torch.float64, device=center.device) * (2 * half)
    while angle.numel():
        points = center + radius * torch.polar(torch.ones_like(angle), angle)
        room = clearance(points)
        if room.shape != points.shape:
            raise DomainError(
                f"{asked}: the domain of f is not planar: restrict f to a complex line first, "
                "lambda t: f(z + t[:, None] * v)"
            )
        nearest = int(room.argmin())
        if not float(room[nearest]) > RESOLUTION * radius:
            free = float(clearance(center))
            hint = f"a radius below {free:.6g} is clear" if free > 0 else "choose another radius"
            raise DomainError(
                f"{asked}: the circle |z - ({show(center)})| = {radius} touches a singularity, a "
                f"branch cut or the edge of the domain of f near {show(points[nearest])}: {hint}"
            )
        angle = angle[room <= radius * half]
        half = half / 2
        angle = torch.cat([angle - half, angle + half])


def show(point: Entries) -> str:
    """A number in short form, or the first numbers of a tensor."""
    first = point.detach().flatten()[:4].tolist()
    shown = [f"{number:.6g}" for number in first]
    if point.ndim == 0:
        return shown[0]
    return f"[{', '.join(shown)}{', ...' if point.numel() > len(first) else ''}]"
