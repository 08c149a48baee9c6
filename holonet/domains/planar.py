"""Planar domains: the plane, discs, annuli, rectangles, and the plane with slits."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from holonet._arguments import checked
from holonet._types import ComplexTensor, RealTensor
from holonet.domains.base import Domain, Randomness
from holonet.domains.obstacles import Obstacle
from holonet.errors import DomainError

__all__ = ["Annulus", "Disc", "Plane", "Rectangle", "SlitPlane"]


def _circle(count: int, dtype: torch.dtype) -> ComplexTensor:
    """`count` equally spaced points of the unit circle."""
    angle = torch.arange(count, dtype=dtype.to_real()) * (2 * math.pi / max(count, 1))
    return torch.polar(torch.ones_like(angle), angle)


@checked
@dataclass(frozen=True)
class Plane(Domain):
    """All of C: the domain of an entire function. Samples are standard circular normal."""

    def clearance(self, z: Complex[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Infinite everywhere."""
        return torch.full_like(z.real, math.inf)

    def distance_to(self, z: Complex[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Zero everywhere."""
        return torch.zeros_like(z.real)

    def sample(
        self, count: int, *, generator: Randomness = None, dtype: torch.dtype = torch.complex128
    ) -> Complex[Tensor, " count"]:
        """Standard circular normal points, E|z|^2 = 1."""
        return torch.randn(count, generator=generator, dtype=dtype)


@checked
@dataclass(frozen=True)
class Annulus(Domain):
    """{z : inner < |z - center| < outer}; `inner` 0 punctures the center."""

    center: complex | float | int = 0j
    inner: float | int = 0.5
    outer: float | int = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.inner < self.outer:
            raise DomainError(
                f"Annulus(inner={self.inner}, outer={self.outer}) is empty: "
                "choose 0 <= inner < outer"
            )

    def clearance(self, z: Complex[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Distance to the nearer of the two circles."""
        r = (z - self.center).abs()
        return torch.minimum(self.outer - r, r - self.inner).clamp(min=0)

    def distance_to(self, z: Complex[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Distance to the closed ring."""
        r = (z - self.center).abs()
        return torch.maximum(r - self.outer, self.inner - r).clamp(min=0)

    def sample(
        self, count: int, *, generator: Randomness = None, dtype: torch.dtype = torch.complex128
    ) -> Complex[Tensor, " count"]:
        """Points uniform in area."""
        u, angle = torch.rand(2, count, generator=generator, dtype=dtype.to_real())
        r = (self.inner**2 + u * (self.outer**2 - self.inner**2)).sqrt()
        return self.center + torch.polar(r, angle * (2 * math.pi))

    def boundary(
        self, count: int, *, dtype: torch.dtype = torch.complex128
    ) -> Complex[Tensor, " points"]:
        """Equally spaced points, half on each circle."""
        within = count // 2 if self.inner > 0 else 0
        return self.center + torch.cat(
            [self.outer * _circle(count - within, dtype), self.inner * _circle(within, dtype)]
        )


@checked
@dataclass(frozen=True)
class Disc(Domain):
    """{z : |z - center| < radius}.

    Example:
        >>> Disc(0, 2).clearance(torch.tensor([0j, 1.5 + 0j, 3j]))
        tensor([2.0000, 0.5000, 0.0000])
    """

    center: complex | float | int = 0j
    radius: float | int = 1.0

    def __post_init__(self) -> None:
        if not self.radius > 0:
            raise DomainError(f"Disc(radius={self.radius}) is empty: choose radius > 0")

    def clearance(self, z: Complex[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Distance to the circle, from inside."""
        return (self.radius - (z - self.center).abs()).clamp(min=0)

    def distance_to(self, z: Complex[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Distance to the closed disc."""
        return ((z - self.center).abs() - self.radius).clamp(min=0)

    def sample(
        self, count: int, *, generator: Randomness = None, dtype: torch.dtype = torch.complex128
    ) -> Complex[Tensor, " count"]:
        """Points uniform in area."""
        u, angle = torch.rand(2, count, generator=generator, dtype=dtype.to_real())
        return self.center + torch.polar(self.radius * u.sqrt(), angle * (2 * math.pi))

    def boundary(
        self, count: int, *, dtype: torch.dtype = torch.complex128
    ) -> Complex[Tensor, " points"]:
        """Equally spaced points of the circle, counter-clockwise from the right."""
        return self.center + self.radius * _circle(count, dtype)


@checked
@dataclass(frozen=True)
class Rectangle(Domain):
    """{x + iy : left < x < right, bottom < y < top}."""

    left: float | int = -1.0
    right: float | int = 1.0
    bottom: float | int = -1.0
    top: float | int = 1.0

    def __post_init__(self) -> None:
        if not (self.left < self.right and self.bottom < self.top):
            raise DomainError(f"{self} is empty: choose left < right and bottom < top")

    def clearance(self, z: Complex[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Distance to the nearest side, from inside."""
        return self._depth(z).amin(0).clamp(min=0)

    def distance_to(self, z: Complex[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Distance to the closed rectangle."""
        over = (-self._depth(z)).clamp(min=0)
        return torch.hypot(torch.maximum(over[0], over[1]), torch.maximum(over[2], over[3]))

    def _depth(self, z: ComplexTensor) -> RealTensor:
        """Signed distances to the lines of the left, right, bottom and top sides."""
        x, y = z.real, z.imag
        return torch.stack([x - self.left, self.right - x, y - self.bottom, self.top - y])

    def sample(
        self, count: int, *, generator: Randomness = None, dtype: torch.dtype = torch.complex128
    ) -> Complex[Tensor, " count"]:
        """Points uniform in area."""
        u, v = torch.rand(2, count, generator=generator, dtype=dtype.to_real())
        return torch.complex(
            self.left + u * (self.right - self.left), self.bottom + v * (self.top - self.bottom)
        )

    def boundary(
        self, count: int, *, dtype: torch.dtype = torch.complex128
    ) -> Complex[Tensor, " points"]:
        """Points equally spaced in arc length, counter-clockwise from the lower left corner."""
        width, height = self.right - self.left, self.top - self.bottom
        t = torch.arange(count, dtype=dtype.to_real()) * (2 * (width + height) / max(count, 1))
        along_bottom = t.clamp(0, width)
        up_right = (t - width).clamp(0, height)
        along_top = (t - width - height).clamp(0, width)
        down_left = (t - 2 * width - height).clamp(0, height)
        return torch.complex(
            self.left + along_bottom - along_top, self.bottom + up_right - down_left
        )


@checked
@dataclass(frozen=True)
class SlitPlane(Domain):
    """C without some points and rays: the domain of a function with poles and branch cuts.

    Samples are standard circular normal about `center`, redrawn while they come within `margin`
    of an obstacle. `boundary` is empty: slits are not sampled.

    Raises:
        DomainError: no obstacle is given (the domain is a `Plane`), or sampling finds no room.
    """

    obstacles: tuple[Obstacle, ...]
    center: complex | float | int = 0j
    margin: float | int = 0.05

    def __post_init__(self) -> None:
        if not self.obstacles:
            raise DomainError("SlitPlane(()) has no slit: use Plane() for all of C")

    def clearance(self, z: Complex[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Distance to the nearest obstacle."""
        return torch.stack([o.distance(z) for o in self.obstacles]).amin(0)

    def distance_to(self, z: Complex[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Zero everywhere: the obstacles have no interior."""
        return torch.zeros_like(z.real)

    def sample(
        self, count: int, *, generator: Randomness = None, dtype: torch.dtype = torch.complex128
    ) -> Complex[Tensor, " count"]:
        """Circular normal points about the center that keep the margin."""
        parts: list[ComplexTensor] = []
        missing = count
        for _ in range(100):
            z = self.center + torch.randn(2 * count + 8, generator=generator, dtype=dtype)
            parts.append(z[self.clearance(z) > self.margin][:missing])
            missing -= len(parts[-1])
            if missing == 0:
                return torch.cat(parts)
        raise DomainError(
            f"{self} leaves almost no room near its center {self.center}: "
            "choose a smaller margin or another center"
        )
