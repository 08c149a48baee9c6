"""How large a disc through a point a network maps holomorphically, layer by layer."""

import math

import torch
from torch import Tensor, nn

from holonet._arguments import checked
from holonet._types import BoolTensor, ComplexPoints, ComplexTensor, Numbers
from holonet.domains import Plane
from holonet.errors import DomainError
from holonet.nn.module import forward_hooks, layer_domain, of_this_thread

__all__ = ["admissible_radius"]

SAFETY = 1.2  # the circle is sampled: between the samples a layer's input may go a little further
MOST_GROWTH = 1e6  # towers of exponentials are not sampled where they tower


@torch.no_grad()
@checked
def admissible_radius(
    module: nn.Module,
    z: ComplexPoints,
    v: ComplexPoints,
    radius: float | int,
    *,
    center: complex | float | int = 0,
    samples: int = 32,
    halvings: int = 24,
) -> Numbers:
    """The largest r = radius / 2^k whose disc {z + r (center + w) v: |w| <= 1} stays inside.

    Inside means that every layer gets the disc in its domain, and the values do not explode. By
    the maximum principle it is enough to look at the circle: what reaches a layer moves no further
    from its value at the center anywhere in the disc than on the circle, if the layers before are
    holomorphic, and it may move by its clearance there.

    Args:
        module: a network of layers that declare their domains.
        z, v: (batch, *event), points and directions.
        radius: to start from, in units of v.
        center: of the disc, in units of r v.
        samples: points on the circle.
        halvings: how often the radius may be halved.

    Returns:
        One radius for each point; 0 where even the smallest fails, as it does on a singularity
        or a branch cut.

    Raises:
        DomainError: radius is not positive and finite.

    Example:
        >>> from holonet.nn import Activation
        >>> z = torch.zeros(1, 1, dtype=torch.complex128)
        >>> admissible_radius(Activation("tanh"), z, torch.ones_like(z), 4.0)  # poles at i pi / 2
        tensor([1.], dtype=torch.float64)
    """
    if not 0 < radius < math.inf:
        raise DomainError(f"admissible_radius({radius=}): give a positive finite radius")
    angle = torch.arange(samples, dtype=torch.float64) * (2 * math.pi / samples)
    turn = torch.cat([torch.zeros(1), torch.polar(torch.ones_like(angle), angle)])
    turn = (center + turn).to(z).view(-1, *[1] * z.ndim)
    radii = torch.zeros(len(z), dtype=z.dtype.to_real(), device=z.device)
    missing = torch.ones(len(z), dtype=torch.bool, device=z.device)
    for k in range(halvings + 1):
        r = radius / 2**k
        inside = _stays_inside(module, z + r * turn * v)
        radii = torch.where(missing & inside, r, radii)
        missing = missing & ~inside
        if not bool(missing.any()):
            break
    return radii


def _stays_inside(module: nn.Module, points: ComplexTensor) -> BoolTensor:
    """Of (1 + samples, batch, *event), center first: whether each disc stays in every domain."""
    inside = torch.ones(points.shape[1], dtype=torch.bool, device=points.device)

    def look(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        domain = layer_domain(layer)
        if domain is None or isinstance(domain, Plane):
            return
        reached = inputs[0].unflatten(0, points.shape[:2])
        room = domain.clearance(reached[0])
        moved = (reached[1:] - reached[0]).abs().amax(0)
        fits = SAFETY * moved < room  # False where either is NaN
        torch.logical_and(inside, fits.unsqueeze(-1).flatten(1).all(1), out=inside)

    hook = of_this_thread(look)
    with forward_hooks(layer.register_forward_pre_hook(hook) for layer in module.modules()):
        size = module(points.flatten(0, 1)).abs().unflatten(0, points.shape[:2])
    size = size.unsqueeze(-1).flatten(2).amax(2)
    return inside & (size[1:].amax(0) <= MOST_GROWTH * (1 + size[0]))
