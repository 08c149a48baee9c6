"""Random symmetric matrices: how many eigenvalues are negative."""

import functools

import numpy as np
import torch
from jaxtyping import Float
from scipy.integrate import quad

from holonet.papers.dube2018.settings import Settings
from holonet.studies.results import Result

__all__ = ["ORDERS", "positive_probability", "run_matrices"]

ORDERS = (1, 2, 3, 4, 5, 8)


@functools.cache
def positive_probability(order: int) -> float:
    """The exact probability that (A + A^T) / 2 of standard normal A is positive definite.

    By de Bruijn's formula the integral of the eigenvalues' density is a Pfaffian of integrals of
    x^j y^k sign(y - x). A positive Pfaffian is the root of its determinant.

    Example:
        >>> round(positive_probability(2), 9) == round((2 - 2**0.5) / 4, 9)
        True

    References:
        de Bruijn (1955); Dean and Majumdar (2006).
    """
    half, whole = (np.linalg.det(_moments(order, low)) for low in (0.0, -np.inf))
    return float(np.sqrt(half / whole))


def _moments(order: int, low: float) -> Float[np.ndarray, "size size"]:
    def moment(k: int, start: float) -> float:
        return quad(lambda y: y**k * np.exp(-y * y / 2), start, np.inf)[0]

    def pair(j: int, k: int) -> float:
        total = moment(k, low)
        weight = lambda x: x**j * np.exp(-x * x / 2) * (2 * moment(k, x) - total)  # noqa: E731
        return quad(weight, low, np.inf)[0]

    moments = np.zeros((order + order % 2,) * 2)
    for k in range(order):
        for j in range(k):
            moments[j, k] = pair(j, k)
        if order % 2:
            moments[k, order] = moment(k, low)
    return moments - moments.T


def run_matrices(settings: Settings) -> Result:
    """How many of the matrices of each order have 0, 1, ... negative eigenvalues."""
    generator = torch.Generator().manual_seed(settings.seed)
    counts = {}
    for n in ORDERS:
        a = torch.randn(settings.size.draws, n, n, generator=generator, dtype=torch.float64)
        index = (torch.linalg.eigvalsh((a + a.mT) / 2) < 0).sum(1)
        counts[str(n)] = index.bincount(minlength=n + 1).tolist()
    return {"part": "matrices", "seed": settings.seed, "counts": counts}
