"""The logistic sigmoid and what is made of it: SiLU, and softplus, its primitive.

Every exponential taken here decays: the sign of Re z chooses between exp(z) and exp(-z).
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from holonet.domains import PeriodicPoints, PeriodicRays
from holonet.functions.analytic import with_derivative
from holonet.functions.classes import FunctionClass
from holonet.functions.parts import has_parts, scaled
from holonet.functions.record import HolomorphicFunction, Singularity, SingularityKind

__all__ = ["LOGISTIC"]

BEYOND = 1e4


def _both_sigmoids(z: Tensor) -> tuple[Tensor, Tensor]:
    """sigmoid(z) and sigmoid(-z), in real arithmetic: torch's complex division is slow.

    With u = exp(-|x|) exp(iy) and n = |1 + u|^2, which is far from underflow at every number but
    the poles themselves, they are (1 + Re u) / n on the side of 1 and Re (conj(u) + |u|^2) / n on
    the side of 0, and both have Im u / n up to the sign.
    """
    x, y = z.real, z.imag
    right = x > 0
    e, cosine = torch.exp(torch.where(right, -x, x)), torch.cos(y)
    along, across = 1 + e * cosine, e * torch.sin(y)
    inverse = torch.reciprocal(along * along + across * across)
    near_1, near_0, height = along * inverse, (cosine + e) * e * inverse, across * inverse
    here = torch.complex(torch.where(right, near_1, near_0), height)
    return here, torch.complex(torch.where(right, near_0, near_1), -height)


def _sigmoid(z: Tensor) -> Tensor:
    return with_derivative(z, lambda z: _both_sigmoids(z)[0], _d_sigmoid)


def _d_sigmoid(z: Tensor) -> Tensor:
    def product(z: Tensor) -> Tensor:
        here, mirrored = _both_sigmoids(z)
        return here * mirrored

    return with_derivative(z, product, _d2_sigmoid)


def _d2_sigmoid(z: Tensor) -> Tensor:
    return -_d_sigmoid(z) * torch.tanh(
        scaled(z, 0.5)
    )  # sigmoid(z) - sigmoid(-z), without cancellation


def _bounded(z: Tensor) -> Tensor:
    """Z with a finite real part, far beyond where sigmoid is 0 or 1 to rounding."""
    return torch.complex(z.real.clamp(-BEYOND, BEYOND), z.imag)


def _silu(z: Tensor) -> Tensor:
    return with_derivative(z, _silu_value, _d_silu)


def _silu_value(z: Tensor) -> Tensor:
    """On the left, where an infinite z would meet a sigmoid of 0, z is bounded."""
    return torch.where(z.real < 0, _bounded(z), z) * _both_sigmoids(z)[0]


def _d_silu(z: Tensor) -> Tensor:
    def value(z: Tensor) -> Tensor:
        here, mirrored = _both_sigmoids(z)
        return here + _bounded(z) * (here * mirrored)

    return with_derivative(z, value, _d2_silu)


def _d2_silu(z: Tensor) -> Tensor:
    w = _bounded(z) if has_parts(z) else z
    return _d_sigmoid(z) * (2 - w * torch.tanh(scaled(w, 0.5)))


def _softplus(z: Tensor) -> Tensor:
    return with_derivative(z, _softplus_value, _sigmoid)


def _softplus_value(z: Tensor) -> Tensor:
    """log|1 + exp(z)| and its argument, in real arithmetic: torch's complex log1p is slow.

    With u = exp(-|x|) exp(iy), log|1 + exp(z)| = max(x, 0) + log|1 + u|. There 2 log|1 + u| is
    log1p of t = |1 + u|^2 - 1, which cancels near the singularities, where |1 + u|^2 takes its
    place. What the sum 1 + t was rounded by is put back, to first order, so one logarithm does
    for both.
    """
    x, y = z.real, z.imag
    e, sine, cosine = torch.exp(-x.abs()), torch.sin(y), torch.cos(y)
    t, across, along = e * (e + 2 * cosine), e * sine, 1 + e * cosine
    near = t < -0.5
    square = torch.where(near, along * along + across * across, 1 + t)
    rounded = torch.where(near, torch.zeros_like(t), t - (square - 1))
    modulus = 0.5 * (torch.log(square) + rounded / square)
    left = x < 0
    argument = torch.atan2(torch.where(left, across, sine), torch.where(left, along, e + cosine))
    return torch.complex(torch.where(left, modulus, x + modulus), argument)


def _real_softplus(x: Tensor) -> Tensor:
    """Beyond the threshold torch gives x: the value to rounding from 40 on, not from 20."""
    return functional.softplus(x, threshold=40)


_ODD_PI_I = PeriodicPoints(1j * math.pi, 2j * math.pi)
_POLES = (Singularity(_ODD_PI_I),)

LOGISTIC = (
    HolomorphicFunction(
        name="sigmoid",
        formula="1/(1 + exp(-z))",
        value=_sigmoid,
        derivative=_d_sigmoid,
        second_derivative=_d2_sigmoid,
        function_class=FunctionClass.MEROMORPHIC,
        singularities=_POLES,
        monotone=True,
        reference="(1 + tanh(z/2))/2, DLMF 4.28",
        real=torch.sigmoid,
    ),
    HolomorphicFunction(
        name="silu",
        formula="z/(1 + exp(-z))",
        value=_silu,
        derivative=_d_silu,
        second_derivative=_d2_silu,
        function_class=FunctionClass.MEROMORPHIC,
        singularities=_POLES,
        reference="Elfwing, Uchibe and Doya 2018",
        real=functional.silu,
    ),
    HolomorphicFunction(
        name="softplus",
        formula="log(1 + exp(z))",
        value=_softplus,
        derivative=_sigmoid,
        second_derivative=_d_sigmoid,
        function_class=FunctionClass.HOLOMORPHIC,
        singularities=(Singularity(_ODD_PI_I, SingularityKind.BRANCH_POINT),),
        branch_cuts=(PeriodicRays(1j * math.pi, 2j * math.pi, 1 + 0j),),
        monotone=True,
        reference="Dugas et al. 2001; principal logarithm, DLMF 4.2(i)",
        real=_real_softplus,
    ),
)
"""The records of this module."""
