"""The kernels of random networks against their limits of infinite width."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from holonet.calculus import tangent_kernel
from holonet.papers.gao2019.networks import KINDS, antisymmetric

__all__ = ["Kernels", "kernels"]

RANK = 1e-10  # of the largest eigenvalue: what counts as positive


@dataclass(frozen=True)
class Kernels:
    """Of networks of several widths, at unit vectors of C^d (R^d for real coefficients).

    Args:
        points: behind the distances from the limit.
        rank_points: real unit vectors behind the rank; more than d (d + 1) / 2.
    """

    network: str
    seed: int
    widths: tuple[int, ...]
    features: int = 10
    points: int = 20
    rank_points: int = 60


def kernels(settings: Kernels) -> dict[str, Any]:
    """Relative distances, of the widest network the share of positive eigenvalues."""
    generator = torch.Generator().manual_seed(settings.seed)
    kind, features = KINDS[settings.network], settings.features
    x = _unit_vectors(settings.points, features, kind.dtype, generator)
    limit = kind.limit(x @ x.mH)
    nets = {m: antisymmetric(kind, m, features, generator) for m in settings.widths}
    distances = {
        str(m): _distance(tangent_kernel(net.module(), x), limit) for m, net in nets.items()
    }
    widest = nets[max(nets)].module()
    real = _unit_vectors(settings.rank_points, features, torch.float64, generator).to(kind.dtype)
    eigenvalues = torch.linalg.eigvalsh(tangent_kernel(widest, real))
    return {
        "distance": distances,
        "rank": (eigenvalues > RANK * eigenvalues[-1]).double().mean().item(),
        "least": (eigenvalues[0] / eigenvalues[-1]).item(),
    }


def _unit_vectors(
    count: int, features: int, dtype: torch.dtype, generator: torch.Generator
) -> Tensor:
    draws = torch.randn(count, features, dtype=dtype, generator=generator)
    return draws / torch.linalg.vector_norm(draws, dim=1, keepdim=True)


def _distance(a: Tensor, b: Tensor) -> float:
    """Relative, in the Frobenius norm."""
    return (torch.linalg.vector_norm(a - b) / torch.linalg.vector_norm(b)).item()
