"""Elementary complex functions in real arithmetic, stable near zeros and poles and far out.

Each is accurate to a few eps times max(|f|, |z f'|), results below the least normal number to that
number. On cuts the sign of a zero chooses the side, as in torch's own functions, numpy's and C99's.
Where one part is infinite the result is the limit, if there is one; where there is none, or both
parts are infinite, it is not finite. Overflow of intermediate results is kept away by factors whose
product is the result, by a clamp beyond which the result itself overflows, or by scaling.
"""

import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from holonet.ops.planar import Planar, Real, product

__all__ = ["ELEMENTARY", "divide", "modulus", "real_number"]


@dataclass(frozen=True)
class _Range:
    """Limits of a precision."""

    square: float  # numbers between its reciprocal and it have normal squares
    down: float  # brings larger ones there
    up: float  # brings smaller ones there
    least: float  # the least normal number
    greatest: float  # the largest number
    exponent: float  # its exponential is finite, and the square of that is not
    plateau: float  # exp of it has a finite square; tanh of half of it is 1


SINGLE = _Range(2.0**60, 2.0**-96, 2.0**120, 2.0**-126, (2 - 2.0**-23) * 2.0**127, 87.0, 43.0)
DOUBLE = _Range(2.0**500, 2.0**-600, 2.0**600, 2.0**-1022, sys.float_info.max, 700.0, 86.0)
SHIFT = 32.0
"""Taken from halved exponents near the end of the range, and put back as a factor of its own."""


def _range(x: Real) -> _Range:
    return DOUBLE if x.sheet.double else SINGLE


def real_number(x: Real) -> Planar:
    """The number whose imaginary part is known to be 0."""
    return Planar(x, x.sheet.constant(0.0))


def _larger(x: Real, y: Real) -> tuple[Real, Real]:
    """The larger of two positive numbers, and the ratio of the other one to it."""
    large, small = x.map("maximum", y), x.map("minimum", y)
    ratio = small / large
    return large, (ratio <= 1).where(ratio, 1.0)  # 1 for two zeros and for two infinities


def modulus(z: Planar) -> Real:
    """|z| without overflow: the larger part times sqrt(1 + ratio^2)."""
    large, ratio = _larger(abs(z.re), abs(z.im))
    return large * (1 + ratio * ratio).map("sqrt")


def _log_modulus(x: Real, y: Real) -> Real:
    """Log |x + iy|, squared after scaling by a power of 2."""
    limits = _range(x)
    large = abs(x).map("maximum", abs(y))
    big, tiny = large > limits.square, large < 1 / limits.square
    k = big.where(limits.down, tiny.where(limits.up, 1.0))
    shift = big.where(-math.log(limits.down), tiny.where(-math.log(limits.up), 0.0))
    u, v = k * x, k * y
    return 0.5 * (u * u + v * v).map("log") + shift


def _real_asinh(quarter: Real, excess: Real) -> Real:
    """The inverse of sinh at 4 times this, plus the excess, which is 0 or infinite.

    By log1p, of a + a^2 / (1 + sqrt(1 + a^2)), or of a part of a.
    """
    q, part = abs(quarter), 2.0**-20
    big = q > _range(quarter).square
    a = 4 * big.where(0.0, q)
    square = a * a
    small = big.where(part * q, a + square / (1 + (1 + square).map("sqrt"))).map("log1p")
    return (small + big.where(math.log(8 / part), 0.0) + excess).map("copysign", quarter)


def _bounded(z: Planar) -> tuple[Planar, Real]:
    """z, or a finite number in its direction, and 0; or infinity where z is infinite."""
    greatest = _range(z.re).greatest
    large = abs(z.re).map("maximum", abs(z.im))
    infinite = large > greatest
    x, y = (
        infinite.where((abs(part) > greatest).where(greatest, 0.0).map("copysign", part), part)
        for part in z
    )
    return Planar(x, y), infinite.where(large, 0.0)


def divide(a: Planar, b: Planar) -> Planar:
    """A / b by the parts of b over their larger modulus; 0 where b is infinite and a is not."""
    if b.is_real:
        return Planar(a.re / b.re, a.im if a.is_real else a.im / b.re)
    large = abs(b.re).map("maximum", abs(b.im)).map("maximum", _range(b.re).least)
    inverse, finite = 1 / large, large <= _range(b.re).greatest
    c, d = finite.where(b.re * inverse, 1.0), finite.where(b.im * inverse, 0.0)
    norm = 1 / (c * c + d * d)
    top = a.times(Planar(c, -d))
    return Planar((top.re * norm) * inverse, (top.im * norm) * inverse)


def _reciprocal(z: Planar) -> Planar:
    return divide(real_number(z.re.sheet.constant(1.0)), z)


def _exp(z: Planar) -> Planar:
    """A sine of 0 stays 0 where e^x is infinite."""
    h, sine = (0.5 * z.re).map("exp"), z.im.map("sin")
    height = (h * sine) * h
    return Planar((h * z.im.map("cos")) * h, (abs(height) >= 0).where(height, sine))


def _expm1(z: Planar) -> Planar:
    growth, half = z.re.map("expm1"), (0.5 * z.im).map("sin")
    return Planar(growth * z.im.map("cos") - 2 * half * half, _exp(z).im)


def _circular(angle: Real, height: Real) -> tuple[Real, Real, Real, Real]:
    """Sin a cosh h, cos a sinh h, cos a cosh h, sin a sinh h, in factors that do not overflow."""
    sine, cosine = angle.map("sin"), angle.map("cos")
    half, limit = 0.5 * abs(height), _range(angle).exponent
    far = half > limit - SHIFT / 4
    half = (half - far.where(SHIFT, 0.0)).map("minimum", limit)
    factor = far.where(0.5 * math.exp(2 * SHIFT), 0.5)
    sine, cosine = sine * factor, cosine * factor
    t = half.map("expm1")
    h = 1 + t
    r = 1 / h
    difference, total = (t + t * r).map("copysign", height), h + r
    return (
        (sine * h) * h + (sine * r) * r,
        (cosine * difference) * total,
        (cosine * h) * h + (cosine * r) * r,
        (sine * difference) * total,
    )


def _sin(z: Planar) -> Planar:
    sc, cs, _, _ = _circular(z.re, z.im)
    return Planar(sc, cs)


def _cos(z: Planar) -> Planar:
    _, _, cc, ss = _circular(z.re, z.im)
    return Planar(cc, -ss)


def _sinh(z: Planar) -> Planar:
    sc, cs, _, _ = _circular(z.im, z.re)
    return Planar(cs, sc)


def _cosh(z: Planar) -> Planar:
    _, _, cc, ss = _circular(z.im, z.re)
    return Planar(cc, ss)


def _tanh(z: Planar) -> Planar:
    """With t = exp(2|x|) - 1: (t (t + 2) + 4i (t + 1) sin y cos y) / (t^2 + 4 (t + 1) cos^2 y).

    The denominator is a sum of squares, so nothing cancels near a pole.
    """
    t = (2 * abs(z.re)).map("minimum", _range(z.re).plateau).map("expm1")
    sine, cosine = z.im.map("sin"), z.im.map("cos")
    four = 4 * (t + 1) * cosine
    inverse = 1 / (t * t + four * cosine)
    return Planar(((t * inverse) * (t + 2)).map("copysign", z.re), four * inverse * sine)


def _log(z: Planar) -> Planar:
    return Planar(_log_modulus(z.re, z.im), z.im.map("atan2", z.re))


def _log1p(z: Planar) -> Planar:
    """log(1 + z): by log1p(|1 + z|^2 - 1) where that does not cancel."""
    x, y = z
    far = (x < -0.5).map("or", abs(x).map("maximum", abs(y)) > 2)
    square = far.where(0.0, x * (2 + x) + y * y)
    u, v = far.where(1 + x, 1.0), far.where(y, 0.0)
    return Planar(far.where(_log_modulus(u, v), 0.5 * square.map("log1p")), y.map("atan2", 1 + x))


def _sqrt(z: Planar) -> Planar:
    """By s = sqrt((|z| + |x|) / 2), which does not cancel, and |y| / (2 s); scaled by k."""
    x, y = abs(z.re), abs(z.im)
    large, ratio = _larger(x, y)
    tiny = large < 1 / _range(x).square
    k, root = tiny.where(2.0**127, 0.125), tiny.where(2.0**-64, 2.0)
    s = root * (k * x + (k * large) * (1 + ratio * ratio).map("sqrt")).map("sqrt")
    other = ((s > 0) & (y <= _range(y).greatest)).where(y / (2 * s), y)
    right = z.re >= 0
    return Planar(right.where(s, other), right.where(other, s).map("copysign", z.im))


def _atan(z: Planar) -> Planar:
    """Half the angle of (1 + iz) / (1 - iz), scaled, and half the logarithm of its modulus.

    That is log1p(4 |y| / |z - i|^2) / 4, or log 2 / |z - i| where i is so near that this overflows.
    """
    (x, y), _ = _bounded(z)
    height = abs(y)
    large = abs(x).map("maximum", height).map("maximum", 1.0)
    k = 1 / large
    down = height * k
    real = 0.5 * (2 * (x * k)).map("atan2", (k - down) * (1 + height) - (x * k) * x)
    gap = 1 - height
    size = abs(x).map("maximum", abs(gap))
    near = size < 1 / _range(x).square
    inverse = 1 / near.where(1.0, size)
    a, b = x * inverse, gap * inverse
    ratio = near.where(0.0, 4 * ((height * inverse) * inverse / (a * a + b * b)))
    far = 0.25 * ratio.map("log1p")
    part = near.where(0.5 * (math.log(2) - _log_modulus(x, gap)), far)
    return Planar(real, part.map("copysign", y))


def _roots(below: Real, above: Real, y: Real, turn: float) -> tuple[Planar, Planar]:
    """Half the roots of two numbers of imaginary parts turn y and y."""
    roots = _sqrt(Planar(below, product(y.sheet.constant(turn), y))), _sqrt(Planar(above, y))
    return roots[0].scale(y.sheet.constant(0.5)), roots[1].scale(y.sheet.constant(0.5))


def _asin(z: Planar) -> Planar:
    """Kahan (1987), Branch cuts for complex elementary functions; from halves of his roots."""
    (x, y), excess = _bounded(z)
    below, above = _roots(1 - x, 1 + x, y, -1.0)
    height = below.conj().times(above).im
    return Planar((0.25 * x).map("atan2", below.times(above).re), _real_asinh(height, excess))


def _acos(z: Planar) -> Planar:
    """Kahan (1987)."""
    (x, y), excess = _bounded(z)
    below, above = _roots(1 - x, 1 + x, y, -1.0)
    height = above.conj().times(below).im
    return Planar(2 * below.re.map("atan2", above.re), _real_asinh(height, excess))


def _acosh(z: Planar) -> Planar:
    """Kahan (1987)."""
    (x, y), excess = _bounded(z)
    below, above = _roots(x - 1, x + 1, y, 1.0)
    width = below.conj().times(above).re
    return Planar(_real_asinh(width, excess), 2 * below.im.map("atan2", above.re))


def _turned(function: Callable[[Planar], Planar]) -> Callable[[Planar], Planar]:
    """-i f(iz): tan of tanh, and so on."""

    def turned(z: Planar) -> Planar:
        value = function(z.times_i())
        return Planar(value.im, -value.re)

    return turned


ELEMENTARY: Mapping[str, Callable[[Planar], Planar]] = MappingProxyType(
    {
        "acos": _acos,
        "acosh": _acosh,
        "asin": _asin,
        "asinh": _turned(_asin),
        "atan": _atan,
        "atanh": _turned(_atan),
        "cos": _cos,
        "cosh": _cosh,
        "exp": _exp,
        "expm1": _expm1,
        "log": _log,
        "log1p": _log1p,
        "reciprocal": _reciprocal,
        "sin": _sin,
        "sinh": _sinh,
        "sqrt": _sqrt,
        "tan": _turned(_tanh),
        "tanh": _tanh,
    }
)
"""Name in torch -> the function of a complex number."""
