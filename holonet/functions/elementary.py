"""The elementary transcendental functions: exponential, circular, hyperbolic, and inverses."""

import torch
from torch import Tensor

from holonet._types import TensorFunction
from holonet.domains import PeriodicPoints, PointSet, Ray
from holonet.functions.analytic import with_derivative
from holonet.functions.classes import FunctionClass
from holonet.functions.parts import scaled, shifted, turned
from holonet.functions.record import HolomorphicFunction, Singularity, SingularityKind

__all__ = ["ELEMENTARY"]


def _sech_squared(z: Tensor) -> Tensor:
    """sech^2 = 4 e / (1 + e)^2 with e = exp(-2z), turned about 0 so that e decays."""
    e = torch.exp(scaled(torch.where(z.real > 0, -z, z), 2))
    r = torch.reciprocal(1 + e)
    return 4 * e * r * r


def _d2_tanh(z: Tensor) -> Tensor:
    return -2 * torch.tanh(z) * _sech_squared(z)


def _sec_squared(z: Tensor) -> Tensor:
    return _sech_squared(turned(z))


def _d2_tan(z: Tensor) -> Tensor:
    return 2 * torch.tan(z) * _sec_squared(z)


def _about_i(z: Tensor) -> tuple[Tensor, Tensor]:
    """1 + iz and 1 - iz, which vanish at i and -i; on the cuts they keep the side."""
    return shifted(turned(z), 1), shifted(turned(z, 3), 1)


def _d_asinh(z: Tensor) -> Tensor:
    """(1 + z^2)^(-1/2) as a product of two roots: no overflow, no cancellation near i and -i."""
    upper, lower = _about_i(z)
    return torch.reciprocal(torch.sqrt(upper)) * torch.reciprocal(torch.sqrt(lower))


def _asinh(z: Tensor) -> Tensor:
    return with_derivative(z, torch.asinh, _d_asinh)


def _d2_asinh(z: Tensor) -> Tensor:
    return -z * _d_atan(z) * _d_asinh(z)


def _d_atan(z: Tensor) -> Tensor:
    """1/(1 + z^2), factored."""
    upper, lower = _about_i(z)
    return torch.reciprocal(upper) * torch.reciprocal(lower)


def _atan(z: Tensor) -> Tensor:
    return with_derivative(z, torch.atan, _d_atan)


def _d2_atan(z: Tensor) -> Tensor:
    r = _d_atan(z)
    return -2 * (z * r) * r


def _neg_sin(z: Tensor) -> Tensor:
    return -torch.sin(z)


def _neg_cos(z: Tensor) -> Tensor:
    return -torch.cos(z)


def _d2_log(z: Tensor) -> Tensor:
    r = torch.reciprocal(z)
    return -r * r


def _d_sqrt(z: Tensor) -> Tensor:
    return 0.5 / torch.sqrt(z)


def _d2_sqrt(z: Tensor) -> Tensor:
    return -0.5 * _d_sqrt(z) / z


def _entire(
    name: str,
    value: TensorFunction,
    derivative: TensorFunction,
    second_derivative: TensorFunction,
    reference: str,
    monotone: bool = False,
) -> HolomorphicFunction:
    """The record of an entire function of torch, whose formula is its name."""
    return HolomorphicFunction(
        name=name,
        formula=f"{name}(z)",
        value=value,
        derivative=derivative,
        second_derivative=second_derivative,
        function_class=FunctionClass.ENTIRE,
        monotone=monotone,
        reference=reference,
        real=value,
    )


def _branch_points(*points: complex) -> tuple[Singularity, ...]:
    return (Singularity(PointSet(points), SingularityKind.BRANCH_POINT),)


_HALF_PI = torch.pi / 2
_NEAR_ONE = (
    "autograd through `value` forms {} from the value, with an error of eps absolutely; "
    "`derivative` keeps its relative accuracy"
)
_CUTS_OF_ATAN = (Ray(1j, 1j), Ray(-1j, -1j))
_CUT_OF_LOG = (Ray(0j, -1 + 0j),)

ELEMENTARY = (
    _entire("exp", torch.exp, torch.exp, torch.exp, "DLMF 4.2(iii)", monotone=True),
    _entire("sin", torch.sin, torch.cos, _neg_sin, "DLMF 4.14, 4.20"),
    _entire("cos", torch.cos, _neg_sin, _neg_cos, "DLMF 4.14, 4.20"),
    HolomorphicFunction(
        name="tan",
        formula="tan(z)",
        value=torch.tan,
        derivative=_sec_squared,
        second_derivative=_d2_tan,
        function_class=FunctionClass.MEROMORPHIC,
        singularities=(Singularity(PeriodicPoints(_HALF_PI + 0j, torch.pi + 0j)),),
        reference="DLMF 4.14, 4.20",
        accuracy=_NEAR_ONE.format("1 + tan^2"),
        real=torch.tan,
    ),
    _entire("sinh", torch.sinh, torch.cosh, torch.sinh, "DLMF 4.28, 4.34", monotone=True),
    _entire("cosh", torch.cosh, torch.sinh, torch.cosh, "DLMF 4.28, 4.34"),
    HolomorphicFunction(
        name="tanh",
        formula="tanh(z)",
        value=torch.tanh,
        derivative=_sech_squared,
        second_derivative=_d2_tanh,
        function_class=FunctionClass.MEROMORPHIC,
        singularities=(Singularity(PeriodicPoints(1j * _HALF_PI, 1j * torch.pi)),),
        monotone=True,
        reference="DLMF 4.28, 4.34",
        accuracy=_NEAR_ONE.format("1 - tanh^2"),
        real=torch.tanh,
    ),
    HolomorphicFunction(
        name="asinh",
        formula="asinh(z)",
        value=_asinh,
        derivative=_d_asinh,
        second_derivative=_d2_asinh,
        function_class=FunctionClass.HOLOMORPHIC,
        singularities=_branch_points(1j, -1j),
        branch_cuts=_CUTS_OF_ATAN,
        monotone=True,
        reference="DLMF 4.37",
        real=torch.asinh,
    ),
    HolomorphicFunction(
        name="atan",
        formula="atan(z)",
        value=_atan,
        derivative=_d_atan,
        second_derivative=_d2_atan,
        function_class=FunctionClass.HOLOMORPHIC,
        singularities=_branch_points(1j, -1j),
        branch_cuts=_CUTS_OF_ATAN,
        monotone=True,
        reference="DLMF 4.23, 4.24",
        real=torch.atan,
    ),
    HolomorphicFunction(
        name="log",
        formula="log(z)",
        value=torch.log,
        derivative=torch.reciprocal,
        second_derivative=_d2_log,
        function_class=FunctionClass.HOLOMORPHIC,
        singularities=_branch_points(0j),
        branch_cuts=_CUT_OF_LOG,
        base_point=1 + 0j,
        reference="DLMF 4.2(i)",
        real=torch.log,
    ),
    HolomorphicFunction(
        name="sqrt",
        formula="sqrt(z)",
        value=torch.sqrt,
        derivative=_d_sqrt,
        second_derivative=_d2_sqrt,
        function_class=FunctionClass.HOLOMORPHIC,
        singularities=_branch_points(0j),
        branch_cuts=_CUT_OF_LOG,
        base_point=1 + 0j,
        reference="DLMF 4.2(iv)",
        real=torch.sqrt,
    ),
)
"""The records of this module."""
