"""Random points that are the same however a batch is split over processes."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from holonet._types import Points, RealTensor
from holonet.calculus import Probes
from holonet.regularizers.sampled import sphere_directions
from holonet.threats import ThreatModel

__all__ = ["normal_like", "random_start", "uniform_like"]


def random_start(x: Points, threat: ThreatModel, probes: Probes) -> Points:
    """A point of the threat set for each example: uniform in the ball, then moved into the box.

    The law is that of `ThreatModel.random_point`; the numbers come from the probes.

    Law: in the set; the same to rounding however the batch is split over processes.
    """
    radius = threat.eps
    shape = (-1, *[1] * (x.ndim - 1))
    if threat.norm == "Linf":
        offset = 2 * uniform_like(x, probes) - 1
    elif threat.norm == "polydisc":
        offset = uniform_like(x.real, probes).sqrt() * probes.like(x)
    elif threat.norm == "L1":
        offset = _in_cross_polytope(x, probes)
    else:
        coordinates = math.prod(x.shape[1:]) * (2 if x.is_complex() else 1)
        length = uniform_like(x.real.flatten(1)[:, :1], probes) ** (1 / coordinates)
        offset = sphere_directions(x, probes) * length.view(shape)
    return threat.project(x + radius * offset, x)


def uniform_like(x: Float[Tensor, "*shape"], probes: Probes) -> Float[Tensor, "*shape"]:
    """Numbers between 0 and 1 in the shape, dtype and device of x, from the phases of probes.

    Law: uniform; the same to rounding however the batch is split over processes.

    Example:
        >>> drawn = uniform_like(torch.empty(2, 3), Probes(0))
        >>> drawn.shape, bool(((drawn >= 0) & (drawn <= 1)).all())
        (torch.Size([2, 3]), True)
    """
    template = torch.empty(x.shape, dtype=x.dtype.to_complex())
    return (probes.like(template).angle() / (2 * math.pi) + 0.5).clamp(0, 1).to(x.device)


def normal_like(x: Points, probes: Probes) -> Points:
    """Normal numbers of variance 1 in the shape, dtype and device of x, by Box and Muller.

    Real and imaginary parts of complex ones have the variance 1 each.

    Law: the same to rounding however the batch is split over processes.

    References:
        Box and Muller (1958).
    """
    tiny = torch.finfo(x.dtype).tiny
    size = (-2 * uniform_like(x.real, probes).clamp(min=tiny).log()).sqrt()
    phase = probes.like(torch.empty(x.shape, dtype=x.dtype.to_complex())).to(x.device)
    return size * phase if x.is_complex() else size * phase.real


def _in_cross_polytope(x: RealTensor, probes: Probes) -> RealTensor:
    """Uniform in the unit l_1 ball: n of n + 1 exponential numbers over their sum, with signs."""
    entries = math.prod(x.shape[1:])
    tiny = torch.finfo(x.dtype).tiny
    share = uniform_like(x.new_empty(len(x), entries + 1), probes)
    exponential = -share.clamp(min=tiny).log()
    parts = exponential[:, :entries] / exponential.sum(1, keepdim=True)
    return parts.view(x.shape) * probes.like(x)
