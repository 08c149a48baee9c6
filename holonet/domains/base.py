"""What every domain can say about itself."""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Bool, Complex, Float
from torch import Tensor

from holonet._types import ComplexEntries

__all__ = ["Domain", "Randomness"]

Randomness = torch.Generator | None
"""Where random numbers come from; None is torch's global stream."""


class Domain(ABC):
    """An open set on which something is holomorphic.

    Points are complex tensors. Planar domains (subsets of C) act entry by entry; `Polydisc`, a
    subset of C^n, reads the last axis as coordinates.

    Law: `contains(z)` is `clearance(z) > 0`, is false where `distance_to(z) > 0`, and holds for
        every point of `sample`; points of `boundary` have clearance 0 to rounding.
    """

    @abstractmethod
    def clearance(self, z: ComplexEntries) -> Float[Tensor, "*points"]:
        """Radius of the largest disc (polydisc in C^n) about z inside the domain; 0 outside."""

    @abstractmethod
    def distance_to(self, z: ComplexEntries) -> Float[Tensor, "*points"]:
        """Distance from z to the closure of the domain; 0 inside."""

    @abstractmethod
    def sample(
        self, count: int, *, generator: Randomness = None, dtype: torch.dtype = torch.complex128
    ) -> Complex[Tensor, "count *coordinates"]:
        """`count` random points of the domain."""

    def boundary(
        self, count: int, *, dtype: torch.dtype = torch.complex128
    ) -> Complex[Tensor, "points *coordinates"]:
        """`count` points spread over the boundary; none unless the domain says which."""
        del count
        return torch.empty(0, dtype=dtype)

    def contains(self, z: ComplexEntries) -> Bool[Tensor, "*points"]:
        """Whether each point lies in the domain."""
        return self.clearance(z) > 0
