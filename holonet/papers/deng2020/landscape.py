"""The loss on a sphere without any step rule: curvature, Lipschitz constants, distinct maxima."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from holonet._types import Mask, Numbers
from holonet.papers.deng2020.ascent import on_sphere, outward_sine, tangential
from holonet.papers.deng2020.networks import Inputs, Loss

__all__ = [
    "distinct",
    "lipschitz_below",
    "local_maximum",
    "maximize",
    "top_curvature",
    "zoomed_quotients",
]


def top_curvature(loss: Loss, center: Inputs, delta: Inputs) -> Numbers:
    """The largest eigenvalue of the Hessian on the sphere, times radius over |gradient|.

    That Hessian is P H P - (gradient . delta / radius^2) P, P the projection onto the tangent
    space. A critical point is a strict local maximum where it is negative.
    """
    x, radius = center + delta, delta.norm(dim=1)
    gradient, normal = loss.gradient(x), delta / radius[:, None]
    outer = normal[:, :, None] * normal[:, None]
    plane = torch.eye(delta.shape[1], dtype=delta.dtype) - outer
    outwards = (gradient * normal).sum(1) / radius
    inner = plane @ loss.hessian(x) @ plane - outwards[:, None, None] * plane
    # the normal is no direction of the sphere: its eigenvalue goes below all others
    inner = inner - (inner.flatten(1).norm(dim=1) + 1)[:, None, None] * outer
    return torch.linalg.eigvalsh(inner)[:, -1] * radius / gradient.norm(dim=1)


def local_maximum(loss: Loss, center: Inputs, delta: Inputs, tolerance: float) -> Mask:
    """Which points meet the first-order condition and the second-order one to a tolerance."""
    first = outward_sine(loss.gradient(center + delta), delta) <= tolerance
    return first & (top_curvature(loss, center, delta) <= tolerance)


def lipschitz_below(loss: Loss, center: Inputs, delta: Inputs) -> Numbers:
    """The greatest |H v| over tangent unit vectors v, at each point.

    Law: a lower bound of the Lipschitz constant of the gradient on the point's sphere.
    """
    normal = delta / delta.norm(dim=1, keepdim=True)
    hessian = loss.hessian(center + delta)
    along = hessian - (hessian @ normal[:, :, None]) * normal[:, None]
    return torch.linalg.matrix_norm(along, 2)


def zoomed_quotients(
    loss: Loss, center: Inputs, start: Inputs, stop: Inputs, *, levels: int = 5, pieces: int = 64
) -> Float[Tensor, " levels"]:
    """Greatest |difference of gradients| / |difference of points| on an arc, ever more closely.

    The arc from start to stop, one point each, is cut into pieces, and the piece with the greatest
    quotient becomes the next arc. The quotients settle where the gradient is Lipschitz, and grow
    as the number of pieces where it jumps.
    """
    radius, t = start.norm(dim=1), torch.linspace(0, 1, pieces + 1, dtype=start.dtype)[:, None]
    quotients = []
    for _ in range(levels):
        points = on_sphere((1 - t) * start + t * stop, radius.expand(pieces + 1))
        changes = loss.gradient(center + points).diff(dim=0).norm(dim=1)
        quotient = changes / points.diff(dim=0).norm(dim=1)
        at = int(quotient.argmax())
        quotients.append(quotient[at])
        start, stop = points[at : at + 1], points[at + 1 : at + 2]
    return torch.stack(quotients)


def maximize(loss: Loss, center: Inputs, delta: Inputs) -> Inputs:
    """Maxima on the spheres from each start by L-BFGS, which has no step to be chosen.

    The loss is extended as constant along rays from the center.
    """
    from scipy.optimize import minimize

    ends = []
    for x, start in zip(center.split(1), delta.split(1), strict=True):
        radius, scale = start.norm(dim=1), loss.value(x + start)

        def descent(
            v: np.ndarray, x: Tensor = x, radius: Tensor = radius, scale: Tensor = scale
        ) -> tuple[float, np.ndarray]:
            point = torch.as_tensor(v)[None]
            on = on_sphere(point, radius)
            slope = tangential(loss.gradient(x + on), on) * radius / point.norm() / scale
            return -float(loss.value(x + on) / scale), -(radius * slope)[0].numpy()

        options = {"maxiter": 2000, "ftol": 0, "gtol": 1e-9, "maxcor": 20}
        unit = (start / radius)[0].numpy()
        found = minimize(descent, unit, jac=True, method="L-BFGS-B", options=options).x
        ends.append(on_sphere(torch.as_tensor(found)[None], radius))
    return torch.cat(ends)


def distinct(delta: Inputs, threshold: float) -> int:
    """The number of groups: points nearer than `threshold` radii share one (single linkage)."""
    from scipy.cluster.hierarchy import fcluster, linkage

    if len(delta) < 2:
        return len(delta)
    units = delta / delta.norm(dim=1, keepdim=True)
    return int(fcluster(linkage(units.numpy(), "single"), threshold, "distance").max())
