"""Sets that a holomorphic function must keep away from: points, lattices of points, rays."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from holonet._arguments import checked
from holonet._types import ComplexTensor, RealTensor
from holonet.errors import DomainError

__all__ = ["Obstacle", "PeriodicPoints", "PeriodicRays", "PointSet", "Ray"]


class Obstacle(ABC):
    """A closed subset of the plane.

    Law: `distance(z)` is 0 exactly on the set and 1-Lipschitz in z.
    """

    @abstractmethod
    def distance(self, z: Complex[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Euclidean distance from each z to the set."""


@checked
@dataclass(frozen=True)
class PointSet(Obstacle):
    """Finitely many points.

    Example:
        >>> PointSet((1j, -1j)).distance(torch.tensor([0j, 2j]))
        tensor([1., 1.])
    """

    points: tuple[complex | float | int, ...]

    def __post_init__(self) -> None:
        if not self.points:
            raise DomainError("PointSet(()) is empty: give at least one point")

    def distance(self, z: Complex[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Distance to the nearest point."""
        return torch.stack([(z - p).abs() for p in self.points]).amin(0)


@checked
@dataclass(frozen=True)
class PeriodicPoints(Obstacle):
    """The points offset + k * period for all integers k but finitely many.

    Args:
        without: those k whose points are left out.

    Example:
        >>> poles_of_tanh = PeriodicPoints(0.5j * torch.pi, 1j * torch.pi)
        >>> round(poles_of_tanh.distance(torch.zeros((), dtype=torch.complex128)).item(), 6)
        1.570796
        >>> PeriodicPoints(0, 1, without=(0,)).distance(torch.tensor([0j, 2.25]))
        tensor([1.0000, 0.2500])
    """

    offset: complex | float | int
    period: complex | float | int
    without: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.period == 0:
            raise DomainError(f"{self} repeats one point: choose a period that is not 0")

    def distance(self, z: Complex[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Distance to the nearest point."""
        nearest, reach = _nearest(z, self.offset, self.period), len(self.without)
        moduli = []
        for k in (nearest + step for step in range(-reach, reach + 1)):
            modulus = (z - self.offset - k * self.period).abs()
            for gap in self.without:
                modulus = modulus.masked_fill(k == gap, torch.inf)
            moduli.append(modulus)
        return torch.stack(moduli).amin(0)


@checked
@dataclass(frozen=True)
class Ray(Obstacle):
    """The half-line start + t * direction, t >= 0.

    Example:
        >>> cut_of_log = Ray(0, -1)
        >>> cut_of_log.distance(torch.tensor([-2 + 1j, 3 + 4j]))
        tensor([1., 5.])
    """

    start: complex | float | int
    direction: complex | float | int

    def __post_init__(self) -> None:
        if self.direction == 0:
            raise DomainError(f"{self} goes nowhere: choose a direction that is not 0")

    def distance(self, z: Complex[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Distance to the nearest point of the half-line."""
        return _ray_distance(z - self.start, self.direction)


@checked
@dataclass(frozen=True)
class PeriodicRays(Obstacle):
    """The parallel half-lines that start at offset + k * period, for all integers k.

    The period must be perpendicular to the direction, so that the nearest start is on the
    nearest ray.

    Raises:
        DomainError: the period is not perpendicular to the direction, or one of them is 0.
    """

    offset: complex | float | int
    period: complex | float | int
    direction: complex | float | int

    def __post_init__(self) -> None:
        along = abs((self.period * self.direction.conjugate()).real)
        area = abs(self.period) * abs(self.direction)
        if area == 0 or along > 1e-12 * area:
            raise DomainError(
                f"{self} has a period that is not perpendicular to its direction: "
                "choose both not 0 and at a right angle"
            )

    def distance(self, z: Complex[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Distance to the nearest half-line."""
        k = _nearest(z, self.offset, self.period)
        return _ray_distance(z - self.offset - k * self.period, self.direction)


def _nearest(
    z: ComplexTensor, offset: complex | float | int, period: complex | float | int
) -> RealTensor:
    """The integer k whose offset + k * period projects nearest to z."""
    return ((z - offset) / period).real.round()


def _ray_distance(w: ComplexTensor, direction: complex | float | int) -> RealTensor:
    """Distance from w to the half-line from 0 along `direction`."""
    turned = w / (direction / abs(direction))
    ahead = turned.real.clamp(max=0)  # behind the start, the start itself is nearest
    return torch.hypot(ahead, turned.imag)
