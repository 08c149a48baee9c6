"""Problems in the plane with answers in closed form: harmonic functions, and two rings of points.

Every mean over a domain is uniform in area. A mean over its boundary is uniform on each circle,
and gives both circles of a ring the same weight, as `Domain.boundary` spreads its points.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from holonet._arguments import checked
from holonet._types import RealTensor
from holonet.data.dataset import Dataset
from holonet.domains import Annulus, Disc
from holonet.errors import DomainError

__all__ = ["DiscMode", "HarmonicProblem", "RingPotential", "two_rings"]

PlanePoints = Shaped[Tensor, "*shape"]
PlaneValues = Float[Tensor, "*shape"]


class HarmonicProblem(ABC):
    """A domain with boundary values g whose harmonic extension has a closed form.

    Among all functions with these boundary values the extension has the least Dirichlet energy
    E(u) = (1/2) mean |grad u|^2 (Dirichlet's principle). Where the values may be missed at a
    price, the minimizer of

        mean over the boundary of (u - g)^2 + weight * E(u)

    is harmonic too, with other boundary values: those of Robin's condition.

    Law: `solution` and `soft_solution` are harmonic; `soft_solution` at weight 0 is `solution`;
        `energy` is that of `solution`, and no function with its boundary values has less.

    References:
        Courant (1950), Dirichlet's principle.
    """

    domain: Disc | Annulus

    @abstractmethod
    def solution(self, z: PlanePoints) -> PlaneValues:
        """The harmonic extension at points of the closed domain; g on its boundary."""

    @abstractmethod
    def soft_solution(self, z: PlanePoints, weight: float | int) -> PlaneValues:
        """The minimizer of the boundary's mean square error plus weight * energy."""

    @property
    @abstractmethod
    def energy(self) -> float:
        """The least Dirichlet energy, (1/2) mean |grad u|^2, of all functions that equal g."""


@checked
@dataclass(frozen=True)
class DiscMode(HarmonicProblem):
    """Boundary values cos(k t) on the unit circle: the solution is r^k cos(k t) = Re z^k.

    Args:
        k: the mode, at least 1.

    Raises:
        DomainError: k below 1.

    Example:
        >>> problem = DiscMode(2)
        >>> problem.solution(torch.tensor([0.5 + 0j, 0.5j])), problem.energy
        (tensor([ 0.2500, -0.2500]), 1.0)
    """

    k: int = 1
    domain = Disc(0, 1)

    def __post_init__(self) -> None:
        if self.k < 1:
            raise DomainError(f"DiscMode(k={self.k}): choose k >= 1, a constant has no energy")

    def solution(self, z: PlanePoints) -> PlaneValues:
        """Re z^k."""
        return (z**self.k).real

    def soft_solution(self, z: PlanePoints, weight: float | int) -> PlaneValues:
        """Re z^k / (1 + weight k): the higher the mode, the more of it is given up."""
        _require_weight("soft_solution", weight)
        return self.solution(z) / (1 + weight * self.k)

    def filled_solution(self, z: PlanePoints, weight: float | int) -> PlaneValues:
        """The minimizer of mean (u - Re z^k)^2 over the whole disc plus weight * energy.

        It solves u - (weight/2) Laplacian(u) = Re z^k with no slope at the circle, so it is not
        harmonic, although what it is asked to fit is: with m = sqrt(2 / weight) it is
        r^k cos(k t) - k / (m I_k'(m)) I_k(m r) cos(k t), I_k the modified Bessel function.

        Law: the price of weight * energy is paid where the risk is: Laplacian(u) is
            2 (u - Re z^k) / weight.

        Raises:
            DomainError: a weight below 1e-3 (the series of I_k would need many terms).

        References:
            Abramowitz and Stegun (1964), 9.6.10 and 9.6.26.
        """
        if not (1e-3 <= weight < math.inf):
            raise DomainError(f"filled_solution(weight={weight}): choose a finite weight >= 1e-3")
        m = math.sqrt(2 / weight)
        edge = torch.tensor(m, dtype=torch.float64)
        slope = m * _bessel(self.k + 1, edge, m) + self.k * _bessel(self.k, edge, m)
        shape = _bessel(self.k, m * z.abs(), m) / float(slope)
        return self.solution(z) - self.k * shape * torch.cos(self.k * z.angle())

    @property
    def energy(self) -> float:
        """Half of k."""
        return self.k / 2


@checked
@dataclass(frozen=True)
class RingPotential(HarmonicProblem):
    """0 on the inner circle and 1 on the outer: log(r / inner) / log(outer / inner).

    No function Re f with f holomorphic and single-valued on the ring comes near: its mean over
    |z| = r is the same for all r, so that it misses the values by 1/2 in root mean square or more.
    The solution is a multiple of log|z|, the logarithm of the modulus of a holomorphic function.

    Args:
        inner, outer: the radii. With outer = e inner the solution is log|z / inner|.

    Raises:
        DomainError: not 0 < inner < outer.

    Example:
        >>> problem = RingPotential(0.25, 1.0)
        >>> problem.solution(torch.tensor([0.25j, 0.5 + 0j, -1 + 0j]))
        tensor([0.0000, 0.5000, 1.0000])
    """

    inner: float = math.exp(-1)
    outer: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.inner < self.outer < math.inf:
            raise DomainError(
                f"RingPotential(inner={self.inner}, outer={self.outer}): "
                "choose 0 < inner < outer, finite"
            )

    @property
    def domain(self) -> Annulus:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The ring about 0."""
        return Annulus(0, self.inner, self.outer)

    def solution(self, z: PlanePoints) -> PlaneValues:
        """log(|z| / inner) / log(outer / inner)."""
        return (z.abs() / self.inner).log() / math.log(self.outer / self.inner)

    def soft_solution(self, z: PlanePoints, weight: float | int) -> PlaneValues:
        """The sum d + (1 - 2d) times the solution, d = 2 weight energy / (1 + 4 weight energy)."""
        _require_weight("soft_solution", weight)
        d = 2 * weight * self.energy / (1 + 4 * weight * self.energy)
        return d + (1 - 2 * d) * self.solution(z)

    @property
    def energy(self) -> float:
        """1 / (log(outer / inner) (outer^2 - inner^2))."""
        return 1 / (math.log(self.outer / self.inner) * (self.outer**2 - self.inner**2))

    @property
    def harmonic_boundary(self) -> float:
        """The radius where the solution is 1/2, sqrt(inner outer): nearer to the inner circle.

        Example:
            >>> RingPotential(0.25, 1.0).harmonic_boundary  # the middle is at 0.625
            0.5
        """
        return math.sqrt(self.inner * self.outer)


@checked
def two_rings(
    train: int = 400,
    test: int = 400,
    *,
    inner: float | int = 0.4,
    outer: float | int = 1.0,
    noise: float | int = 0.0,
    seed: int = 0,
) -> Dataset:
    """Points (x, y) near two circles about 0: class 0 the inner one, class 1 the outer.

    The classifier of least energy decides at radius sqrt(inner outer) (see `RingPotential`), the
    one of largest margin at (inner + outer) / 2.

    Args:
        train, test: examples in each part, as many of either class as of the other, within one.
        inner, outer: the radii.
        noise: standard deviation of the distance from the circle.
        seed: of everything drawn.

    Law: without noise every example lies on its circle.

    Raises:
        DomainError: not 0 < inner < outer, negative noise, or fewer than 2 examples in a part.

    Example:
        >>> two_rings(6, 4)
        Dataset('rings': 6 train, 4 test, features (2,) float32, 2 classes)
    """
    ring = RingPotential(float(inner), float(outer))
    if not 0 <= noise < math.inf:
        raise DomainError(f"two_rings(noise={noise}): choose a finite number >= 0")
    if min(train, test) < 2:
        raise DomainError(f"two_rings(train={train}, test={test}): choose at least 2 of each")
    generator = torch.Generator().manual_seed(seed)
    parts = [_ring_points(ring, count, noise, generator) for count in (train, test)]
    (x_train, y_train), (x_test, y_test) = parts
    return Dataset(x_train, y_train, x_test, y_test, num_classes=2, name="rings")


def _ring_points(
    ring: RingPotential, count: int, noise: float | int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Points and classes, in random order."""
    y = torch.arange(count)[torch.randperm(count, generator=generator)] % 2
    angle = 2 * math.pi * torch.rand(count, generator=generator)
    radius = torch.where(y == 1, ring.outer, ring.inner)
    radius = radius + noise * torch.randn(count, generator=generator)
    return torch.stack([radius * angle.cos(), radius * angle.sin()], 1), y


def _bessel(k: int, x: RealTensor, largest: float) -> RealTensor:
    """The modified Bessel function I_k at 0 <= x <= largest <= 50, by its power series."""
    term = (x / 2) ** k / math.factorial(k)
    total = term
    for m in range(1, 16 + int(largest / 2 + 6 * math.sqrt(largest))):
        term = term * (x / 2) ** 2 / (m * (m + k))
        total = total + term
    return total


def _require_weight(caller: str, weight: float | int) -> None:
    if not 0 <= weight < math.inf:
        raise DomainError(f"{caller}(weight={weight}): choose a finite number >= 0")
