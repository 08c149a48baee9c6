"""Bounds of a holomorphic function and of its first two derivatives on discs.

The second derivative of each record has a closed bound on the disc |z - c| <= r. The others follow
by integration from the center: |f'| <= |f'(c)| + r sup |f''|, and |f| likewise.
"""

import math
from collections.abc import Callable, Mapping

import torch
from jaxtyping import Complex128, Float64
from torch import Tensor

from holonet._arguments import checked
from holonet.functions.catalogue import CATALOGUE
from holonet.functions.polynomial import Horner, Monomial
from holonet.functions.rational import Blaschke, Moebius
from holonet.functions.record import HolomorphicFunction
from holonet.functions.rounding import UNIT, margin

__all__ = ["disc_bounds", "largest_about_zero"]

Sizes = Float64[Tensor, "*shape"]
Bound = Callable[[Tensor, Tensor], Tensor]


@checked
def disc_bounds(
    record: HolomorphicFunction, center: Complex128[Tensor, "*shape"], radius: Sizes
) -> tuple[Sizes, Sizes, Sizes]:
    """The largest |f|, |f'| and |f''| on the discs |z - center| <= radius, or more.

    They are infinite where the disc comes near a singularity or a cut, and for records of which no
    bound is known.

    Law: no value on the disc is larger; rounding is included.

    Example:
        >>> from holonet.functions import get_function
        >>> center, radius = torch.tensor([1 + 0j]).to(torch.complex128), torch.ones(1).double()
        >>> bounds = disc_bounds(get_function("square"), center, radius)
        >>> [round(bound.item(), 6) for bound in bounds]
        [5.0, 4.0, 2.0]
    """
    bound = _bound(record)
    if bound is None:
        infinite = torch.full_like(radius, math.inf)
        return infinite, infinite, infinite
    second = bound(center, radius)
    second = second + margin(second)
    size = center.abs() + radius
    if record.obstacles:
        clearance = record.clearance(center)
        reached = ~(clearance - margin(clearance + size) > radius)
        second = second.masked_fill(reached, math.inf)
    known = second.isfinite() & center.real.isfinite() & center.imag.isfinite()
    second = torch.where(known, second, math.inf)
    value, slope = record.value(center).abs(), record.derivative(center).abs()
    if isinstance(record.value, Blaschke):  # rounding is relative to terms that may cancel
        slope = torch.maximum(slope, _terms(record.value, center, torch.zeros_like(radius))[1])
    first = slope + radius * second
    # the record's own error is a multiple of the value and of z times the derivative
    first = first + margin(first + size * second)
    zeroth = value + radius * first
    zeroth = zeroth + margin(zeroth + size * first)
    zeroth, first = (torch.where(b.isfinite(), b, math.inf) for b in (zeroth, first))
    return zeroth, first, second


@checked
def largest_about_zero(record: HolomorphicFunction, radius: float) -> float:
    """The largest |f| on the disc |z| <= radius, or more; infinite where nothing is known.

    It is sharp for Blaschke products of one factor and for those on the unit disc, where it is 1,
    and for polynomials of positive coefficients. `disc_bounds` is further off there.

    Law: no value on the disc is larger; rounding is included.

    Example:
        >>> from holonet.functions import blaschke
        >>> round(largest_about_zero(blaschke([0.5, -0.9j]), 1.0), 12)
        1.0
    """
    value = record.value
    if isinstance(value, Blaschke):
        factors = [_factor(abs(a), radius) for a in value.zeros]
        bound = abs(value.turn) * math.prod(factors) * (1 + 16 * len(factors) * UNIT)
    elif (coefficients := _coefficients(value)) is not None:
        terms = (abs(c) * radius**k for k, c in enumerate(coefficients))
        bound = math.fsum(terms) * (1 + 64 * UNIT)
    else:
        center = torch.zeros(1, dtype=torch.complex128)
        size = torch.full((1,), radius, dtype=torch.float64)
        return float(disc_bounds(record, center, size)[0])
    return bound + 1e-300


def _factor(size: float, radius: float) -> float:
    """Of (z - a) / (1 - conj(a) z), |a| = size: it is largest at z = -r or r times a / |a|."""
    room = 1 - radius * size - 4 * UNIT
    if not room > 0:
        return math.inf
    return max((radius + size) / (1 + radius * size), (radius - size) / room)


def _coefficients(value: object) -> tuple[complex, ...] | None:
    """Of a polynomial, ascending."""
    if isinstance(value, Monomial):
        return (0j,) * value.power + (complex(value.factor),)
    return tuple(map(complex, value.coefficients)) if isinstance(value, Horner) else None


def _bound(record: HolomorphicFunction) -> Bound | None:
    """The bound of the second derivative, for records of the catalogue and of its families."""
    if CATALOGUE.get(record.name) is record and record.name in _SECOND:
        return _SECOND[record.name]
    value = record.value
    if (coefficients := _coefficients(value)) is not None:
        return _polynomial(coefficients)
    if isinstance(value, Moebius):
        return _moebius(*map(complex, value.entries))
    if isinstance(value, Blaschke):
        return lambda c, r: _terms(value, c, r)[2]
    return None


def _polynomial(coefficients: tuple[complex, ...]) -> Bound:
    """By the moduli of the coefficients, at the largest modulus on the disc."""
    bends = tuple(k * (k - 1) * abs(c) for k, c in enumerate(coefficients))[2:] or (0.0,)
    return lambda c, r: Horner(bends)(c.abs() + r)


def _moebius(a: complex, b: complex, c: complex, d: complex) -> Bound:
    determinant = abs(a * d) + abs(b * c)

    def bound(z: Tensor, r: Tensor) -> Tensor:
        value = c * z + d
        rounding = margin(abs(c) * z.abs() + abs(d))
        least = (value.abs() - abs(c) * r * (1 + 1e-15) - rounding).clamp(min=0)
        return 2 * determinant * abs(c) / least**3

    return bound


def _terms(product: Blaschke, z: Tensor, r: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Sums of moduli of what a Blaschke product and two derivatives are sums of, by Leibniz."""
    f, df, d2f = torch.full_like(r, abs(product.turn)), torch.zeros_like(r), torch.zeros_like(r)
    for a in product.zeros:
        size = abs(a)
        least = (1 - a.conjugate() * z).abs() - size * r - margin(1 + size * (z.abs() + r))
        inverse = least.clamp(min=0).reciprocal()
        b = ((z - a).abs() + r) * inverse
        db = (1 - size * size) * inverse.square()
        d2b = 2 * size * db * inverse
        f, df, d2f = f * b, df * b + f * db, d2f * b + 2 * df * db + f * d2b
    room = 1 + 16 * len(product.zeros) * UNIT
    return f * room, df * room, d2f * room


def _exponential(z: Tensor, r: Tensor) -> Tensor:
    return torch.exp(z.real + r) * (1 + margin(z.abs() + r))


def _circular(z: Tensor, r: Tensor) -> Tensor:
    """A bound of sin and cos, which on a line Im z = const are at most cosh Im z."""
    height = z.imag.abs() + r
    return torch.cosh(height) * (1 + margin(height))


def _hyperbolic(z: Tensor, r: Tensor) -> Tensor:
    return _circular(1j * z, r)


def _gauss(z: Tensor, r: Tensor) -> Tensor:
    """Of exp(-z^2), whose modulus is exp(y^2 - x^2)."""
    far, near = z.imag.abs() + r, (z.real.abs() - r).clamp(min=0)
    exponent = far * far - near * near
    return torch.exp(exponent) * (1 + margin(far * far + near * near))


def _erf(z: Tensor, r: Tensor) -> Tensor:
    return 4 / math.sqrt(math.pi) * (z.abs() + r) * _gauss(z, r)


def _gelu(z: Tensor, r: Tensor) -> Tensor:
    size = z.abs() + r
    return (2 + size * size) / math.sqrt(2 * math.pi) * _gauss(z / math.sqrt(2), r / math.sqrt(2))


def _tangents(z: Tensor, r: Tensor) -> tuple[Tensor, Tensor]:
    """Bounds of |tanh| and of |1 - tanh^2|, by the addition theorem and |tanh h| <= tan |h|."""
    t, tau = torch.tanh(z).abs(), torch.tan(r)
    t, tau = t + margin(t + z.abs()), tau + margin(tau + tau * tau)
    slope = CATALOGUE["tanh"].derivative(z).abs()
    slope = slope + margin(slope * (1 + z.abs() * t))
    rest = 1 - t * tau
    rest = torch.where((r < 1.5) & (rest > 1e-12), rest - 1e-15, 0)
    return (t + tau) / rest, slope * (1 + tau * tau) / rest**2


def _tanh(z: Tensor, r: Tensor) -> Tensor:
    t, slope = _tangents(z, r)
    return 2 * t * slope


def _tan(z: Tensor, r: Tensor) -> Tensor:
    return _tanh(1j * z, r)


def _sigmoid(z: Tensor, r: Tensor) -> Tensor:
    t, slope = _tangents(z / 2, r / 2)
    return t * slope / 4


def _softplus(z: Tensor, r: Tensor) -> Tensor:
    return _tangents(z / 2, r / 2)[1] / 4


def _silu(z: Tensor, r: Tensor) -> Tensor:
    t, slope = _tangents(z / 2, r / 2)
    return slope * (2 + (z.abs() + r) * t) / 4


def _from_branch_points(power: float, factor: Bound, *points: complex) -> Bound:
    """A factor over a power of the product of the distances to the points."""

    def bound(z: Tensor, r: Tensor) -> Tensor:
        product = torch.ones_like(r)
        for point in points:
            distance = (z - point).abs()
            product = product * (distance - r - margin(distance + r)).clamp(min=0)
        return factor(z, r) / product**power

    return bound


def _constant(number: float) -> Bound:
    return lambda z, r: torch.full_like(r, number)


def _linear(number: float) -> Bound:
    return lambda z, r: number * (z.abs() + r)


_SECOND: Mapping[str, Bound] = {
    "exp": _exponential,
    "sin": _circular,
    "cos": _circular,
    "sinh": _hyperbolic,
    "cosh": _hyperbolic,
    "tan": _tan,
    "tanh": _tanh,
    "asinh": _from_branch_points(1.5, _linear(1.0), 1j, -1j),
    "atan": _from_branch_points(2.0, _linear(2.0), 1j, -1j),
    "log": _from_branch_points(2.0, _constant(1.0), 0j),
    "sqrt": _from_branch_points(1.5, _constant(0.25), 0j),
    "reciprocal": _from_branch_points(3.0, _constant(2.0), 0j),
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "silu": _silu,
    "erf": _erf,
    "gelu": _gelu,
}
"""Name -> bound of |f''| from the center and the radius of a disc."""
