"""Critical points of real functions: found by least squares on the gradient, then verified."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from scipy.optimize import root
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import Tensor

from holonet.calculus import directional_derivative, pullback

__all__ = [
    "DEGENERATE",
    "NEWTON",
    "extreme_eigenvalues",
    "find_critical_point",
    "gradient_and_hessian",
]

NEWTON = 1e-8
"""Largest Newton step at a critical point, over 1 + |x|."""

DEGENERATE = 1e-6
"""Smallest |eigenvalue| at a critical point that is counted, over the largest."""

Vector = Float[Tensor, " d"]
Eigenvalues = Float[Tensor, " across"]
Directions = Float[Tensor, "k d"]
Function = Callable[[Float[Tensor, "batch d"]], Float[Tensor, " batch"]]
"""A real function of batches of vectors."""


def gradient_and_hessian(
    u: Function, x: Vector, directions: Directions | None = None
) -> tuple[Vector, Directions]:
    """The gradient, and the Hessian times each direction; times all unit vectors without any."""
    if directions is None:
        directions = torch.eye(len(x), dtype=x.dtype)

    def gradients(points: Tensor) -> Tensor:
        value, backward = pullback(u, points)
        return backward(torch.ones_like(value))

    points = x.expand(directions.shape).clone()
    gradient, products = directional_derivative(gradients, points, directions)
    return gradient[0].detach(), products.detach()


def find_critical_point(
    u: Function, start: Vector, *, symmetries: int = 0, evaluations: int = 60
) -> tuple[Vector, Eigenvalues] | None:
    """The critical point that least squares on the gradient leads to, and its eigenvalues.

    None unless the Newton step there is at most NEWTON (1 + |x|), and every eigenvalue of the
    Hessian at least DEGENERATE times the largest one: |grad u| also has minima that are no zeros,
    and becomes small far out where u is flat.

    Args:
        u: the function.
        start: of the search (Levenberg-Marquardt), in double precision.
        symmetries: dimension of the continuous symmetries of u: as many eigenvalues, the smallest
            ones, are left out.
        evaluations: of gradient and Hessian, at most.
    """

    def equations(x: Float[np.ndarray, " d"]) -> tuple[np.ndarray, np.ndarray]:
        gradient, hessian = gradient_and_hessian(u, torch.from_numpy(x))
        return gradient.numpy(), hessian.numpy()

    options = {"maxiter": evaluations}
    x = torch.from_numpy(root(equations, start.numpy(), jac=True, method="lm", options=options).x)
    gradient, hessian = gradient_and_hessian(u, x)
    if not hessian.isfinite().all():
        return None
    values, vectors = torch.linalg.eigh(hessian)
    across = values.abs().argsort()[symmetries:].sort().values
    values, vectors = values[across], vectors[:, across]
    if values.abs().min() <= DEGENERATE * values.abs().max():
        return None
    step = torch.linalg.vector_norm(vectors.mT @ gradient / values)
    return (x, values) if step <= NEWTON * (1 + torch.linalg.vector_norm(x)) else None


def extreme_eigenvalues(u: Function, x: Vector) -> tuple[float, float]:
    """The lowest and the highest eigenvalue of the Hessian by Lanczos, from products alone."""

    def product(v: Float[np.ndarray, "..."]) -> np.ndarray:
        return gradient_and_hessian(u, x, torch.from_numpy(v.reshape(1, -1)))[1][0].numpy()

    operator: Any = LinearOperator
    products = operator((len(x), len(x)), matvec=product, dtype=np.float64)
    first = np.random.default_rng(0).standard_normal(len(x))
    options: Any = {"k": 2, "which": "BE", "v0": first, "tol": 1e-9}
    low, high = eigsh(products, return_eigenvectors=False, **options)
    return float(low), float(high)
