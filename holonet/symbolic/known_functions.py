"""The holomorphic functions that formulas may be made of, each with its record."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import sympy
import torch
from torch import Tensor

from holonet.domains import Obstacle, PeriodicPoints, PointSet, Ray
from holonet.functions import (
    CATALOGUE,
    FunctionClass,
    HolomorphicFunction,
    Singularity,
    SingularityKind,
)
from holonet.functions.analytic import with_derivative
from holonet.functions.error_function import erfc
from holonet.functions.parts import scaled, shifted, turned

__all__ = ["FUNCTIONS", "NOT_HOLOMORPHIC", "KnownFunction"]


@dataclass(frozen=True)
class KnownFunction:
    """A function of one argument that may stand in a formula.

    Law: real where its argument is real and off the cuts, so that it commutes with conjugation.

    Args:
        record: how it is computed, its class, singularities and cuts.
        zeros: where it vanishes; None where that has no closed form.
        excluded: the values of the argument u off which it is holomorphic, in words.
    """

    record: HolomorphicFunction
    zeros: tuple[Obstacle, ...] | None
    excluded: str = ""


def _left(z: Tensor) -> Tensor:
    """Of z and -z the one that lies left of the imaginary axis, where exp decays."""
    return torch.where(z.real > 0, -z, z)


def _reciprocal_sinh(z: Tensor) -> Tensor:
    """2 e / (e^2 - 1), csch z, with e = exp(z) on the left."""
    w = _left(z)
    q = 2 * torch.exp(w) / torch.expm1(scaled(w, 2))
    return torch.where(z.real > 0, -q, q)


def _reciprocal_cosh(z: Tensor) -> Tensor:
    """2 e / (1 + e^2), sech z, likewise."""
    e = torch.exp(_left(z))
    return 2 * e / (1 + e * e)


def _coth(z: Tensor) -> Tensor:
    return torch.reciprocal(torch.tanh(z))


def _d_sech(z: Tensor) -> Tensor:
    return -_reciprocal_cosh(z) * torch.tanh(z)


def _d2_sech(z: Tensor) -> Tensor:
    s = _reciprocal_cosh(z)
    return s * (1 - 2 * s * s)


def _d_csch(z: Tensor) -> Tensor:
    return -_reciprocal_sinh(z) * _coth(z)


def _d2_csch(z: Tensor) -> Tensor:
    c = _reciprocal_sinh(z)
    return c * (1 + 2 * c * c)


def _d_coth(z: Tensor) -> Tensor:
    c = _reciprocal_sinh(z)
    return -c * c


def _d2_coth(z: Tensor) -> Tensor:
    c = _reciprocal_sinh(z)
    return 2 * _coth(z) * c * c


def _d_acosh(z: Tensor) -> Tensor:
    """(z^2 - 1)^(-1/2) as a product of two roots: the branch of acosh, on both sides."""
    below, above = torch.sqrt(shifted(z, -1)), torch.sqrt(shifted(z, 1))
    return torch.reciprocal(below) * torch.reciprocal(above)


def _d2_acosh(z: Tensor) -> Tensor:
    return -z * _d_atanh(z) * -_d_acosh(z)


def _about_1(z: Tensor) -> tuple[Tensor, Tensor]:
    """1 - z and 1 + z; on the cuts they keep the side."""
    return shifted(turned(z, 2), 1), shifted(z, 1)


def _d_asin(z: Tensor) -> Tensor:
    """(1 - z^2)^(-1/2) as a product of two roots."""
    below, above = _about_1(z)
    return torch.reciprocal(torch.sqrt(below)) * torch.reciprocal(torch.sqrt(above))


def _d2_asin(z: Tensor) -> Tensor:
    return z * _d_atanh(z) * _d_asin(z)


def _d_acos(z: Tensor) -> Tensor:
    return -_d_asin(z)


def _d2_acos(z: Tensor) -> Tensor:
    return -_d2_asin(z)


def _d_atanh(z: Tensor) -> Tensor:
    """1/(1 - z^2), factored."""
    below, above = _about_1(z)
    return torch.reciprocal(below) * torch.reciprocal(above)


def _d2_atanh(z: Tensor) -> Tensor:
    r = _d_atanh(z)
    return 2 * (z * r) * r


def _d_erfc(z: Tensor) -> Tensor:
    return -CATALOGUE["erf"].derivative(z)


def _d2_erfc(z: Tensor) -> Tensor:
    return -CATALOGUE["erf"].second_derivative(z)


_Part = Callable[[Tensor], Tensor]
_Parts = tuple[_Part, _Part, _Part]


@dataclass(frozen=True)
class _Turned:
    """i^quarters g(iz); can be pickled."""

    g: _Part
    quarters: int

    def __call__(self, z: Tensor) -> Tensor:
        return turned(self.g(turned(z)), self.quarters)


@dataclass(frozen=True)
class _WithDerivative:
    """torch's function, with the derivative told; can be pickled."""

    value: _Part
    derivative: _Part

    def __call__(self, z: Tensor) -> Tensor:
        return with_derivative(z, self.value, self.derivative)


def _turned(parts: _Parts, quarters: int) -> _Parts:
    """The function i^quarters g(iz) and its two derivatives, from those of g."""
    g, dg, d2g = parts
    return _Turned(g, quarters), _Turned(dg, quarters + 1), _Turned(d2g, quarters + 2)


def _record(
    name: str,
    parts: _Parts,
    kind: FunctionClass,
    singularities: tuple[Singularity, ...] = (),
    cuts: tuple[Obstacle, ...] = (),
) -> HolomorphicFunction:
    return HolomorphicFunction(name, f"{name}(z)", *parts, kind, singularities, cuts)


_MULTIPLES_OF_PI = PeriodicPoints(0j, math.pi + 0j)
_MULTIPLES_OF_PI_I = PeriodicPoints(0j, 1j * math.pi)
_ZEROS_OF_COS = PeriodicPoints(math.pi / 2 + 0j, math.pi + 0j)
_ZEROS_OF_COSH = PeriodicPoints(0.5j * math.pi, 1j * math.pi)
_AT_0, _AT_1 = (PointSet((0j,)),), (PointSet((1 + 0j,)),)
_BOTH_SIDES = (Ray(1 + 0j, 1 + 0j), Ray(-1 + 0j, -1 + 0j))
_LEFT_OF_1 = (Ray(1 + 0j, -1 + 0j),)
_ENDS = (Singularity(PointSet((1 + 0j, -1 + 0j)), SingularityKind.BRANCH_POINT),)
_OUTWARD = "(-oo, -1] or [1, oo)"
_UPWARD = "I*[1, oo) or -I*[1, oo)"
_ENTIRE = FunctionClass.ENTIRE
_ERF = (CATALOGUE["erf"].value, CATALOGUE["erf"].derivative, CATALOGUE["erf"].second_derivative)
_SECH = (_reciprocal_cosh, _d_sech, _d2_sech)
_CSCH = (_reciprocal_sinh, _d_csch, _d2_csch)
_COTH = (_coth, _d_coth, _d2_coth)


def _meromorphic(
    name: str, parts: _Parts, poles: Obstacle, zeros: tuple[Obstacle, ...], excluded: str
) -> KnownFunction:
    record = _record(name, parts, FunctionClass.MEROMORPHIC, (Singularity(poles),))
    return KnownFunction(record, zeros, excluded)


def _branched(
    value: _Part,
    derivative: _Part,
    second_derivative: _Part,
    cuts: tuple[Obstacle, ...],
    zeros: tuple[Obstacle, ...],
    excluded: str,
) -> KnownFunction:
    """Torch's function of that name, with branch points at 1 and -1."""
    parts = (_WithDerivative(value, derivative), derivative, second_derivative)
    record = _record(value.__name__, parts, FunctionClass.HOLOMORPHIC, _ENDS, cuts)
    return KnownFunction(record, zeros, excluded)


FUNCTIONS: Mapping[type, KnownFunction] = MappingProxyType(
    {
        sympy.exp: KnownFunction(CATALOGUE["exp"], ()),
        sympy.log: KnownFunction(CATALOGUE["log"], _AT_1, "(-oo, 0]"),
        sympy.sin: KnownFunction(CATALOGUE["sin"], (_MULTIPLES_OF_PI,)),
        sympy.cos: KnownFunction(CATALOGUE["cos"], (_ZEROS_OF_COS,)),
        sympy.tan: KnownFunction(CATALOGUE["tan"], (_MULTIPLES_OF_PI,), "pi/2 + pi*k"),
        sympy.sinh: KnownFunction(CATALOGUE["sinh"], (_MULTIPLES_OF_PI_I,)),
        sympy.cosh: KnownFunction(CATALOGUE["cosh"], (_ZEROS_OF_COSH,)),
        sympy.tanh: KnownFunction(CATALOGUE["tanh"], (_MULTIPLES_OF_PI_I,), "I*pi/2 + I*pi*k"),
        sympy.asinh: KnownFunction(CATALOGUE["asinh"], _AT_0, _UPWARD),
        sympy.atan: KnownFunction(CATALOGUE["atan"], _AT_0, _UPWARD),
        sympy.erf: KnownFunction(CATALOGUE["erf"], None),
        sympy.erfc: KnownFunction(_record("erfc", (erfc, _d_erfc, _d2_erfc), _ENTIRE), None),
        sympy.erfi: KnownFunction(_record("erfi", _turned(_ERF, 3), _ENTIRE), None),
        sympy.sech: _meromorphic("sech", _SECH, _ZEROS_OF_COSH, (), "I*pi/2 + I*pi*k"),
        sympy.csch: _meromorphic("csch", _CSCH, _MULTIPLES_OF_PI_I, (), "I*pi*k"),
        sympy.coth: _meromorphic("coth", _COTH, _MULTIPLES_OF_PI_I, (_ZEROS_OF_COSH,), "I*pi*k"),
        sympy.sec: _meromorphic("sec", _turned(_SECH, 0), _ZEROS_OF_COS, (), "pi/2 + pi*k"),
        sympy.csc: _meromorphic("csc", _turned(_CSCH, 1), _MULTIPLES_OF_PI, (), "pi*k"),
        sympy.cot: _meromorphic(
            "cot", _turned(_COTH, 1), _MULTIPLES_OF_PI, (_ZEROS_OF_COS,), "pi*k"
        ),
        sympy.asin: _branched(torch.asin, _d_asin, _d2_asin, _BOTH_SIDES, _AT_0, _OUTWARD),
        sympy.acos: _branched(torch.acos, _d_acos, _d2_acos, _BOTH_SIDES, _AT_1, _OUTWARD),
        sympy.acosh: _branched(torch.acosh, _d_acosh, _d2_acosh, _LEFT_OF_1, _AT_1, "(-oo, 1]"),
        sympy.atanh: _branched(torch.atanh, _d_atanh, _d2_atanh, _BOTH_SIDES, _AT_0, _OUTWARD),
    }
)
"""sympy's function -> what holonet knows of it. Powers and square roots are not among these."""

NOT_HOLOMORPHIC: tuple[type, ...] = (
    sympy.conjugate,
    sympy.re,
    sympy.im,
    sympy.Abs,
    sympy.arg,
    sympy.sign,
    sympy.Heaviside,
    sympy.Piecewise,
    sympy.Max,
    sympy.Min,
    sympy.floor,
    sympy.ceiling,
    sympy.Mod,
    sympy.DiracDelta,
    sympy.adjoint,
    sympy.transpose,
    sympy.polar_lift,
    sympy.periodic_argument,
)
"""What no holomorphic function of its argument is made of."""
