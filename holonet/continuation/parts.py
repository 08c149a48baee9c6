"""A complex value as its two parts, which real products take one after the other."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from holonet._types import RealEntries
from holonet.functions.parts import has_parts

__all__ = ["Parts", "joined", "split"]


@dataclass(frozen=True, eq=False)
class Parts:
    """The two parts of a complex tensor, of one shape."""

    real: RealEntries
    imag: RealEntries

    @property
    def shape(self) -> torch.Size:
        """That of the complex tensor."""
        return self.real.shape

    @property
    def ndim(self) -> int:
        """The number of its axes."""
        return self.real.ndim

    def map(self, linear: Callable[[Any], Any]) -> "Parts":
        """A real-linear map without a constant, of both parts."""
        return Parts(linear(self.real), linear(self.imag))


def split(z: Any) -> Parts | None:
    """The parts; None where z is no complex tensor whose parts may be taken."""
    if isinstance(z, Parts):
        return z
    return Parts(z.real, z.imag) if has_parts(z) else None


def joined(z: Any) -> Any:
    """A complex tensor in place of parts."""
    return torch.complex(z.real, z.imag) if isinstance(z, Parts) else z
