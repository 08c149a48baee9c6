"""Power series in one real or complex variable, cut off: products, quotients, functions of them.

A series is the list of its coefficients c_0, c_1, ..., tensors whose shapes broadcast; those
beyond the end of the list are zero, so that constants and polynomials stay short. Every function
below but the product is the solution of a linear differential equation, found coefficient by
coefficient, at a cost of order^2 products (Griewank and Walther, chapter 13). The value at 0 is
given as `start` where it can be had better than from the series.
"""

import operator
from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Shaped
from torch import Tensor

__all__ = [
    "Series",
    "differentiate",
    "exponential",
    "integrate",
    "logarithm",
    "power",
    "product",
    "quotient",
    "rotation",
    "tangent",
    "total",
]

Coefficient = Shaped[Tensor, "*#shape"]

Series = Sequence[Any]
"""The coefficients c_0, c_1, ... of a power series, tensors (or one number, for a constant)."""


def total(a: Series, b: Series) -> list[Coefficient]:
    """The sum."""
    both = min(len(a), len(b))
    return [*map(operator.add, a, b), *a[both:], *b[both:]]


def product(
    a: Series, b: Series, order: int, times: Callable[[Any, Any], Any] = operator.mul
) -> list[Any]:
    """The product up to t^order, for any bilinear `times`: entry by entry unless given.

    Example:
        >>> one, two = torch.tensor(1.0), torch.tensor(2.0)
        >>> [c.item() for c in product([one, one], [two, one], 5)]  # (1 + t)(2 + t)
        [2.0, 3.0, 1.0]
    """
    length = min(order + 1, len(a) + len(b) - 1) if a and b else 0
    return [_coefficient(a, b, k, times) for k in range(length)]


def quotient(a: Series, b: Series, order: int) -> list[Coefficient]:
    """A / b up to t^order, where b_0 is not zero.

    Example:
        >>> one = torch.tensor(1.0)
        >>> [c.item() for c in quotient([one], [one, one], 3)]  # 1 / (1 + t)
        [1.0, -1.0, 1.0, -1.0]
    """
    if len(b) == 1:
        return [c / b[0] for c in a]
    y = [a[0] / b[0]] if a else []
    for k in range(1, order + 1 if a else 0):
        known = _coefficient(b[1:], y, k - 1)
        y.append((a[k] - known if k < len(a) else -known) / b[0])
    return y


def differentiate(x: Series) -> list[Coefficient]:
    """The series of x'."""
    return [k * x[k] for k in range(1, len(x))]


def integrate(start: Coefficient, slope: Series) -> list[Coefficient]:
    """The series y with y_0 = start and y' = slope."""
    return [start, *(c / (k + 1) for k, c in enumerate(slope))]


def exponential(start: Coefficient, rate: Series, order: int) -> list[Coefficient]:
    """The series y up to t^order with y_0 = start and y' = rate y.

    With rate = x' this is exp(x), with rate = p x' / x it is x^p.

    Example:
        >>> one = torch.tensor(1.0)
        >>> [round(c.item(), 4) for c in exponential(one, [one], 4)]
        [1.0, 1.0, 0.5, 0.1667, 0.0417]
    """
    y = [start]
    for k in range(order if rate else 0):
        y.append(_coefficient(rate, y, k) / (k + 1))
    return y


def logarithm(start: Coefficient, x: Series, order: int) -> list[Coefficient]:
    """Log x up to t^order, on the branch with log x_0 = start."""
    return integrate(start, quotient(differentiate(x), x, order - 1))


def power(
    start: Coefficient, x: Series, exponent: Coefficient | complex | float | int, order: int
) -> list[Coefficient]:
    """x^exponent up to t^order, on the branch with x_0^exponent = start; x_0 is not zero."""
    rate = [exponent * c for c in quotient(differentiate(x), x, order - 1)]
    return exponential(start, rate, order)


def rotation(
    sine: Coefficient, cosine: Coefficient, sign: int, x: Series, order: int
) -> tuple[list[Coefficient], list[Coefficient]]:
    """The series s and c up to t^order with s' = c x' and c' = sign s x', from their values.

    With sign -1 these are sin x and cos x, with +1 sinh x and cosh x.
    """
    slope = differentiate(x)
    s, c = [sine], [cosine]
    for k in range(order if slope else 0):
        next_s = _coefficient(slope, c, k) / (k + 1)
        c.append(_coefficient(slope, s, k) * (sign / (k + 1)))
        s.append(next_s)
    return s, c


def tangent(
    start: Coefficient, start_slope: Coefficient, sign: int, x: Series, order: int
) -> list[Coefficient]:
    """Tan x (sign +1) or tanh x (sign -1) up to t^order, from its value and its derivative at x_0.

    y' = s x' and s' = sign 2 y s x'. Near the limits +-1 of tanh, s is tiny and 1 - y^2 cancels:
    carried along by itself it keeps its relative accuracy.
    """
    slope = differentiate(x)
    y, s = [start], [start_slope]
    growth: list[Coefficient] = []  # the coefficients of y x'
    for k in range(order if slope else 0):
        growth.append(_coefficient(slope, y, k))
        y.append(_coefficient(slope, s, k) / (k + 1))
        s.append(_coefficient(growth, s, k) * (2 * sign / (k + 1)))
    return y


def _coefficient(
    a: Series, b: Series, k: int, times: Callable[[Any, Any], Any] = operator.mul
) -> Any:
    """Coefficient k of the product, where that has a term: len(a) + len(b) > k + 1."""
    first, last = max(0, k - len(b) + 1), min(k, len(a) - 1)
    total = times(a[first], b[k - first])
    for j in range(first + 1, last + 1):
        if times is operator.mul:
            total = torch.addcmul(total, a[j], b[k - j])
        else:
            total = total + times(a[j], b[k - j])
    return total
