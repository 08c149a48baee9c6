"""Elementary complex functions in real arithmetic, stable near zeros and poles and far out.

Each is accurate to a few eps times max(|f|, |z f'|). Where an input is infinite or NaN, the result
is the limit or not finite. Overflow of intermediate results is kept away by factors whose product
is the result, by a clamp beyond which the result itself overflows, or by scaling.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from holonet.ops.planar import Planar, Real

__all__ = ["ELEMENTARY", "divide", "modulus", "real_part_only"]


@dataclass(frozen=True)
class _Range:
    """Limits of a precision."""

    square: float  # numbers between its reciprocal and it have normal squares
    down: float  # brings larger ones there
    up: float  # brings smaller ones there
    least: float  # the least normal number
    exponent: float  # its exponential is finite, and the square of that is not
    plateau: float  # exp of it has a finite square; tanh of half of it is 1


SINGLE = _Range(2.0**60, 2.0**-96, 2.0**120, 2.0**-126, 87.0, 43.0)
DOUBLE = _Range(2.0**500, 2.0**-600, 2.0**600, 2.0**-1022, 700.0, 86.0)


def _range(x: Real) -> _Range:
    return DOUBLE if x.sheet.double else SINGLE


def _constant(like: Real, value: float | int) -> Real:
    return like.sheet.constant(value)


def _real(x: Real) -> Planar:
    return Planar(x, _constant(x, 0.0))


def real_part_only(z: Planar, op: str) -> Planar:
    """A real function of a number that is known to be real."""
    return _real(z.re.map(op))


def modulus(z: Planar) -> Real:
    """|z| without overflow: the larger part times sqrt(1 + ratio^2)."""
    x, y = abs(z.re), abs(z.im)
    large, small = x.map("maximum", y), x.map("minimum", y)
    ratio = (large > 0).where(small / large, 0.0)
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


def divide(a: Planar, b: Planar) -> Planar:
    """A / b by the parts of b over their larger modulus."""
    if b.is_real:
        return Planar(a.re / b.re, a.im if a.is_real else a.im / b.re)
    large = abs(b.re).map("maximum", abs(b.im)).map("maximum", _range(b.re).least)
    inverse = 1 / large
    c, d = b.re * inverse, b.im * inverse
    norm = 1 / (c * c + d * d)
    top = a.times(Planar(c, -d))
    return Planar((top.re * norm) * inverse, (top.im * norm) * inverse)


def _reciprocal(z: Planar) -> Planar:
    return divide(_real(_constant(z.re, 1.0)), z)


def _exp(z: Planar) -> Planar:
    h = (0.5 * z.re).map("exp")
    return Planar((h * z.im.map("cos")) * h, (h * z.im.map("sin")) * h)


def _expm1(z: Planar) -> Planar:
    growth, half = z.re.map("expm1"), (0.5 * z.im).map("sin")
    return Planar(growth * z.im.map("cos") - 2 * half * half, _exp(z).im)


def _circular(angle: Real, height: Real) -> tuple[Real, Real, Real, Real]:
    """Sin a cosh h, cos a sinh h, cos a cosh h, sin a sinh h, in factors that do not overflow."""
    sine, cosine = angle.map("sin"), angle.map("cos")
    t = (0.5 * abs(height)).map("minimum", _range(angle).exponent).map("expm1")
    h = 1 + t
    r = 1 / h
    difference, total = 0.5 * (t + t * r).map("copysign", height), h + r
    return (
        0.5 * ((sine * h) * h + (sine * r) * r),
        (cosine * difference) * total,
        0.5 * ((cosine * h) * h + (cosine * r) * r),
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


def _tan(z: Planar) -> Planar:
    turned = _tanh(Planar(-z.im, z.re))
    return Planar(turned.im, -turned.re)


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
    """By s = sqrt((|z| + |x|) / 2), which does not cancel, and |y| / (2 s)."""
    x, y = z
    s = 2 * (0.125 * abs(x) + 0.125 * modulus(z)).map("sqrt")
    other = (s > 0).where(abs(y) / (2 * s), 0.0)
    right = x >= 0
    return Planar(right.where(s, other), right.where(other, s).map("copysign", y))


def _atan(z: Planar) -> Planar:
    x, y = z
    k = 1 / abs(x).map("maximum", abs(y)).map("maximum", 1.0)
    real = 0.5 * (2 * (x * k)).map("atan2", (k - y * k) * (1 + y) - (x * k) * x)
    gap = 1 - abs(y)
    ratio = 4 * (abs(y) / (x * x + gap * gap))
    return Planar(real, (0.25 * ratio.map("log1p")).map("copysign", y))


def _roots(z: Planar) -> tuple[Planar, Planar]:
    one = _real(_constant(z.re, 1.0))
    return _sqrt(one.minus(z)), _sqrt(one.plus(z))


def _asin(z: Planar) -> Planar:
    """Kahan (1987), Branch cuts for complex elementary functions."""
    below, above = _roots(z)
    return Planar(
        z.re.map("atan2", below.times(above).re), below.conj().times(above).im.map("asinh")
    )


def _asinh(z: Planar) -> Planar:
    turned = _asin(Planar(-z.im, z.re))
    return Planar(turned.im, -turned.re)


def _acos(z: Planar) -> Planar:
    """Kahan (1987)."""
    below, above = _roots(z)
    return Planar(2 * below.re.map("atan2", above.re), above.conj().times(below).im.map("asinh"))


def _acosh(z: Planar) -> Planar:
    """Kahan (1987)."""
    one = _real(_constant(z.re, 1.0))
    below, above = _sqrt(z.minus(one)), _sqrt(z.plus(one))
    return Planar(below.conj().times(above).re.map("asinh"), 2 * below.im.map("atan2", above.re))


ELEMENTARY: Mapping[str, Callable[[Planar], Planar]] = MappingProxyType(
    {
        "acos": _acos,
        "acosh": _acosh,
        "asin": _asin,
        "asinh": _asinh,
        "atan": _atan,
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
        "tan": _tan,
        "tanh": _tanh,
    }
)
"""Name in torch -> the function of a complex number."""
