"""The complex error functions, which torch lacks, and GELU.

The Faddeeva function w(z) = exp(-z^2) erfc(-iz) is computed in the first quadrant by the modified
trapezoidal rule of Al Azah and Chandler-Wilde, with N = 6 in single precision and N = 11 in double:
the midpoint or the trapezoidal rule for the Hilbert transform of the Gaussian, whichever has its
nodes away from z, plus the residue that the poles of the integrand contribute. Symmetry gives the
other quadrants. Measured against mpmath, the relative error is below 6 eps on the closed upper
half-plane in both precisions. erfc(u) is exp(-u^2) w(iu) on the right half-plane, and erf its
Maclaurin series for |u| < 1.

`torch.compile` cannot trace the derivatives given here by hand: it breaks the graph and runs them
as they are.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from holonet._types import InexactEntries
from holonet.functions.analytic import with_derivative
from holonet.functions.classes import FunctionClass
from holonet.functions.parts import has_parts, scaled
from holonet.functions.record import HolomorphicFunction

__all__ = ["ERROR_FUNCTIONS", "erf", "erfc", "faddeeva"]


class _Rule:
    """The quadrature of Al Azah and Chandler-Wilde with N + 1 nodes, and terms of erf at 0."""

    def __init__(self, n: int, terms: int) -> None:
        self.step = math.sqrt(math.pi / (n + 1))
        self.factor = 2j * self.step / math.pi  # torch's compiler multiplies no complex by a float
        self.phase = 2j * math.pi / self.step
        self.midpoints = [(k + 0.5) * self.step for k in range(n + 1)]
        self.nodes = [k * self.step for k in range(n + 1)]
        self.weights = [0.5] + [math.exp(-(t**2)) for t in self.nodes[1:]]
        self.maclaurin = [
            (-1) ** k / (math.factorial(k) * (k + 0.5) * math.sqrt(math.pi)) for k in range(terms)
        ]


_SINGLE, _DOUBLE = _Rule(6, terms=12), _Rule(11, terms=20)


def _rule(z: Tensor) -> _Rule:
    return _SINGLE if z.dtype is torch.complex64 else _DOUBLE


def _faddeeva_quadrant(z: Tensor) -> Tensor:
    """w(z) for Re z >= 0 and Im z >= 0."""
    x, y, rule = z.real, z.imag, _rule(z)
    phase = torch.frac(x / rule.step)
    trapezoidal = (y < x) & (phase >= 0.25) & (phase <= 0.75)  # z may be close to a midpoint
    sign = torch.where(trapezoidal, -torch.ones_like(x), torch.ones_like(x))
    poles = x.new_tensor([[t**2 for t in rule.nodes], [t**2 for t in rule.midpoints]])
    weights = x.new_tensor([rule.weights, [math.exp(-(t**2)) for t in rule.midpoints]])
    square = z * z
    along, across = torch.zeros_like(x), torch.zeros_like(x)
    for k in range(len(rule.nodes)):  # sums weight / (square - pole), whose parts share a factor
        distance = square.real - torch.where(trapezoidal, poles[0, k], poles[1, k])
        weight = torch.where(trapezoidal, weights[0, k], weights[1, k])
        factor = weight / (distance * distance + square.imag * square.imag)
        along, across = along + distance * factor, across + factor
    integral = rule.factor * z * torch.complex(along, -square.imag * across)
    q = torch.exp(rule.phase * z)
    residue = 2 * torch.exp(-square) * q / (q + sign)
    return torch.where(y >= x.clamp(min=math.pi / rule.step), integral, integral + residue)


def _bounded(u: Tensor) -> tuple[Tensor, Tensor]:
    """U turned finite and into the disc where u^4 is finite, and the factor that did it.

    Beyond, exp(-u^2) is 0, infinite, or of a phase that rounding has taken.
    """
    single = u.dtype is torch.complex64
    limit, greatest = (1e9, 3e38) if single else (1e75, 1e308)
    x, y = u.real.clamp(-greatest, greatest), u.imag.clamp(-greatest, greatest)
    large = torch.where(x.abs() > y.abs(), x.abs(), y.abs())
    factor = limit / large.clamp(min=limit)
    return torch.complex(x * factor, y * factor), factor


def _conjugate_where(condition: Tensor, z: Tensor) -> Tensor:
    return torch.complex(z.real, torch.where(condition, -z.imag, z.imag))


def _scaled_erfc(u: Tensor) -> Tensor:
    """exp(u^2) erfc(u) = w(iu) for Re u >= 0."""
    below = u.imag > 0  # iu lies left of the imaginary axis
    return _conjugate_where(below, _faddeeva_quadrant(1j * _conjugate_where(below, u)))


def _right_erfc(u: Tensor) -> Tensor:
    """The value of erfc at u or at -u, whichever lies on the right."""
    right = torch.where(u.real < 0, -u, u)
    half = torch.exp(-0.5 * right * right)  # its square overflows where erfc may not
    return half * _scaled_erfc(right) * half


def _faddeeva_value(z: Tensor) -> Tensor:
    """Far out w(z) is i / (sqrt(pi) z), so that w(z) = f w(f z) there."""
    near, factor = _bounded(z)
    upper = factor * _scaled_erfc(-1j * torch.where(near.imag < 0, -near, near))
    return torch.where(near.imag < 0, 2 * torch.exp(-near * near) - upper, upper)


def _erfc_value(u: Tensor) -> Tensor:
    u, _ = _bounded(u)
    tail = _right_erfc(u)
    return torch.where(u.real < 0, 2 - tail, tail)


def _erf_value(u: Tensor) -> Tensor:
    u, _ = _bounded(u)
    body = 1 - _right_erfc(u)
    near = u.abs() < 1
    small = torch.where(near, u * u, 0)
    *others, last = _rule(u).maclaurin
    series = torch.full_like(u, last)
    for coefficient in reversed(others):
        series = series * small + coefficient
    return torch.where(near, u * series, torch.where(u.real < 0, -body, body))


def _gaussian(z: Tensor) -> Tensor:
    """The derivative of erf."""
    return with_derivative(z, _gaussian_value, _d2_erf)


def _gaussian_value(z: Tensor) -> Tensor:
    u, _ = _bounded(z)
    return (2 / math.sqrt(math.pi)) * torch.exp(-u * u)


def faddeeva(z: InexactEntries) -> InexactEntries:
    """w(z) = exp(-z^2) erfc(-iz), the Faddeeva function.

    Its derivative 2i/sqrt(pi) - 2 z w(z) is accurate to a few eps |z w(z)|, absolutely.

    Example:
        >>> faddeeva(torch.zeros(1, dtype=torch.complex128)).real
        tensor([1.], dtype=torch.float64)

    References: DLMF 7.2.3; Al Azah and Chandler-Wilde 2021, SIAM J. Numer. Anal. 59.
    """
    return with_derivative(
        z, _faddeeva_value, lambda z: 2j / math.sqrt(math.pi) - 2 * z * faddeeva(z)
    )


def erf(z: InexactEntries) -> InexactEntries:
    """2/sqrt(pi) times the integral of exp(-t^2) from 0 to z.

    Law: odd; equals `torch.erf` on the real axis.

    Example:
        >>> (erf(torch.tensor([0.5 + 0j])).real - torch.erf(torch.tensor([0.5]))).abs() < 1e-6
        tensor([True])

    References: DLMF 7.2(i), 7.6.1.
    """
    return with_derivative(z, _erf_value, _gaussian)


def erfc(z: InexactEntries) -> InexactEntries:
    """1 - erf(z), without cancellation where it is small.

    References: DLMF 7.2(i).
    """
    return with_derivative(z, _erfc_value, lambda z: -_gaussian(z))


def _d2_erf(z: Tensor) -> Tensor:
    return -2 * _kept(z) * _gaussian(z)


def _kept(z: Tensor) -> Tensor:
    """Z as a factor of what decays: bounded, except for jets, which know no parts."""
    return _bounded(z)[0] if has_parts(z) else z


def _normal_cdf(z: Tensor) -> Tensor:
    return 0.5 * erfc(scaled(z, -math.sqrt(0.5)))


def _normal_density(z: Tensor) -> Tensor:
    return _gaussian(scaled(z, math.sqrt(0.5))) * math.sqrt(0.125)


def _gelu(z: Tensor) -> Tensor:
    return with_derivative(z, _gelu_value, _d_gelu)


def _gelu_value(z: Tensor) -> Tensor:
    """On the left, where an infinite z would meet a 0, z is bounded."""
    half = 0.5 * _erfc_value(scaled(z, -math.sqrt(0.5)))
    return torch.where(z.real < 0, _bounded(z)[0], z) * half


def _d_gelu(z: Tensor) -> Tensor:
    return _normal_cdf(z) + _kept(z) * _normal_density(z)


def _d2_gelu(z: Tensor) -> Tensor:
    w = _kept(z)
    return _normal_density(z) * (2 - w * w)


_ACCURACY = (
    "Faddeeva function by the modified trapezoidal rule (N = 6, 11), Maclaurin series of erf for "
    "|z| < 1; the phase is lost for |z| above 1e9 in complex64, 1e75 in complex128"
)

ERROR_FUNCTIONS = (
    HolomorphicFunction(
        name="erf",
        formula="erf(z)",
        value=erf,
        derivative=_gaussian,
        second_derivative=_d2_erf,
        function_class=FunctionClass.ENTIRE,
        monotone=True,
        reference="DLMF 7.2(i); Al Azah and Chandler-Wilde 2021",
        accuracy=_ACCURACY,
        real=torch.erf,
    ),
    HolomorphicFunction(
        name="gelu",
        formula="z*(1 + erf(z/sqrt(2)))/2",
        value=_gelu,
        derivative=_d_gelu,
        second_derivative=_d2_gelu,
        function_class=FunctionClass.ENTIRE,
        reference="Hendrycks and Gimpel 2016; DLMF 7.2(i)",
        accuracy=_ACCURACY,
        real=functional.gelu,
    ),
)
"""The records of this module."""
