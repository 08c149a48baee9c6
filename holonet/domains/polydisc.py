"""Products of discs: the domain of several complex variables on which Cauchy's formula lives."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from holonet._arguments import checked
from holonet._types import ComplexTensor, RealTensor, Scalar
from holonet.domains.base import Domain, Randomness
from holonet.errors import DomainError

__all__ = ["Polydisc"]


@checked
@dataclass(frozen=True, eq=False)
class Polydisc(Domain):
    """{z in C^n : |z_j - center_j| < radius_j}; the last axis of z holds the n coordinates.

    Args:
        center: complex, shape (n,).
        radius: one positive number for all coordinates, or real of shape (n,).

    Raises:
        DomainError: a radius is not positive.
    """

    center: Complex[Tensor, " n"]
    radius: Float[Tensor, " n"] | Scalar | float | int = 1.0

    def __post_init__(self) -> None:
        if not bool((self._radii() > 0).all()):
            raise DomainError(f"Polydisc(radius={self.radius}) is empty: every radius must be > 0")

    def _radii(self) -> RealTensor:
        return torch.as_tensor(self.radius, dtype=self.center.real.dtype).expand(self.center.shape)

    def _excess(self, z: ComplexTensor) -> RealTensor:
        return (z - self.center).abs() - self._radii()

    def clearance(self, z: Complex[Tensor, "*batch n"]) -> Float[Tensor, "*batch"]:
        """Largest r such that z plus the polydisc of radius r stays inside."""
        return (-self._excess(z)).amin(-1).clamp(min=0)

    def distance_to(self, z: Complex[Tensor, "*batch n"]) -> Float[Tensor, "*batch"]:
        """Euclidean distance to the closed polydisc."""
        return self._excess(z).clamp(min=0).norm(dim=-1)

    def sample(
        self, count: int, *, generator: Randomness = None, dtype: torch.dtype = torch.complex128
    ) -> Complex[Tensor, "count n"]:
        """Points uniform in volume."""
        u, turn = torch.rand(
            2, count, *self.center.shape, generator=generator, dtype=dtype.to_real()
        )
        offset = torch.polar(self._radii().to(u.dtype) * u.sqrt(), turn * (2 * math.pi))
        return (self.center + offset).to(dtype)

    def boundary(
        self, count: int, *, dtype: torch.dtype = torch.complex128
    ) -> Complex[Tensor, "count n"]:
        """Points of the distinguished boundary |z_j - center_j| = radius_j.

        The phases follow the R-sequence of Roberts: multiples of powers of the root of
        x^(n+1) = x + 1, which fill the torus evenly in any dimension.
        """
        n = self.center.numel()
        root = 2.0
        for _ in range(60):
            root = (1 + root) ** (1 / (n + 1))
        steps = torch.tensor([root ** -(j + 1) for j in range(n)], dtype=torch.float64)
        turn = torch.arange(count, dtype=torch.float64)[:, None] * steps % 1
        unit = torch.polar(torch.ones_like(turn), turn * (2 * math.pi)).to(dtype)
        return (self.center + self._radii() * unit.reshape(count, *self.center.shape)).to(dtype)
