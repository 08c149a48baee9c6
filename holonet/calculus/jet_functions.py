"""What arithmetic and elementary functions do to jets, and functions known by their derivative."""

import dataclasses
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from holonet._types import TensorFunction
from holonet.calculus import series
from holonet.calculus.jet_tensor import Jet, Rule, RuleBook, terms_of, value_of
from holonet.calculus.series import Series, differentiate
from holonet.functions import CATALOGUE

__all__ = ["FUNCTIONS"]

_rule = RuleBook()


@_rule("add")
def _add(order: int, func: Any, input: Any, other: Any, *, alpha: Any = 1) -> list[Tensor]:
    return series.total(terms_of(input), [c if alpha == 1 else alpha * c for c in terms_of(other)])


@_rule("sub subtract")
def _sub(order: int, func: Any, input: Any, other: Any, *, alpha: Any = 1) -> list[Tensor]:
    return series.total(
        terms_of(input), [-c if alpha == 1 else -alpha * c for c in terms_of(other)]
    )


@_rule("mul multiply")
def _mul(order: int, func: Any, input: Any, other: Any) -> list[Tensor]:
    return series.product(terms_of(input), terms_of(other), order)


@_rule("div divide true_divide")
def _div(order: int, func: Any, input: Any, other: Any) -> list[Tensor]:
    return series.quotient(terms_of(input), terms_of(other), order)


@_rule("reciprocal")
def _reciprocal(order: int, func: Any, input: Jet) -> list[Tensor]:
    return _div(order, func, torch.ones_like(input), input)


@_rule("square")
def _square(order: int, func: Any, input: Jet) -> list[Tensor]:
    return _mul(order, func, input, input)


@_rule("pow")
def _pow(order: int, func: Any, input: Any, exponent: Any) -> list[Tensor]:
    start = func(value_of(input), value_of(exponent))
    if isinstance(exponent, Jet):  # the exponential of the exponent times the logarithm
        base = torch.as_tensor(value_of(input), dtype=start.dtype, device=start.device)
        log = series.logarithm(base.log(), [base, *terms_of(input)[1:]], order)
        rate = differentiate(series.product(exponent.terms, log, order))
        return series.exponential(start, rate, order)
    if isinstance(exponent, int | float) and exponent >= 0 and float(exponent).is_integer():
        return [start, *_natural_power(order, input.terms, int(exponent))[1:]]
    return series.power(start, input.terms, exponent, order)


def _natural_power(order: int, x: Series, exponent: int) -> Series:
    """By squaring, so that x_0 may be zero."""
    if exponent == 0:
        return [torch.ones_like(x[0])]
    half = _natural_power(order, x, exponent // 2)
    even = series.product(half, half, order)
    return series.product(even, x, order) if exponent % 2 else even


# Elementary functions


@_rule("exp")
def _exp(order: int, func: Any, input: Jet) -> list[Tensor]:
    return series.exponential(func(input.value), differentiate(input.terms), order)


@_rule("log")
def _log(order: int, func: Any, input: Jet) -> list[Tensor]:
    return series.logarithm(func(input.value), input.terms, order)


@_rule("sqrt")
def _sqrt(order: int, func: Any, input: Jet) -> list[Tensor]:
    return series.power(func(input.value), input.terms, 0.5, order)


@_rule("rsqrt")
def _rsqrt(order: int, func: Any, input: Jet) -> list[Tensor]:
    return series.power(func(input.value), input.terms, -0.5, order)


def _rotation(
    sine: TensorFunction, cosine: TensorFunction, sign: int, which: int
) -> Callable[[int, Any, Jet], list[Tensor]]:
    def rule(order: int, func: Any, input: Jet) -> list[Tensor]:
        x = input.value
        return series.rotation(sine(x), cosine(x), sign, input.terms, order)[which]

    return rule


def _tangent(name: str, sign: int) -> Callable[[int, Any, Jet], list[Tensor]]:
    slope = _real_on_real(CATALOGUE[name].derivative)

    def rule(order: int, func: Any, input: Jet) -> list[Tensor]:
        x = input.value
        return series.tangent(func(x), slope(x), sign, input.terms, order)

    return rule


def _real_on_real(f: TensorFunction) -> TensorFunction:
    """A function of complex tensors that is real on the real axis, for real tensors too."""

    def lifted(x: Tensor) -> Tensor:
        return f(x) if x.is_complex() else f(x.to(x.dtype.to_complex())).real

    return lifted


_rule("sin")(_rotation(torch.sin, torch.cos, -1, 0))
_rule("cos")(_rotation(torch.sin, torch.cos, -1, 1))
_rule("sinh")(_rotation(torch.sinh, torch.cosh, 1, 0))
_rule("cosh")(_rotation(torch.sinh, torch.cosh, 1, 1))
_rule("tan")(_tangent("tan", 1))
_rule("tanh")(_tangent("tanh", -1))


# Functions known by their derivative


def _integral(order: int, value: Tensor, derivative: TensorFunction, x: Jet) -> list[Tensor]:
    """F(x) with the value F(x_0), where F' = derivative: the integral of derivative(x) x'."""
    if order == 0 or len(x.terms) == 1:
        return [value]
    slope = derivative(Jet.of(x.terms[:order], dataclasses.replace(x.line, order=order - 1)))
    change = series.product(terms_of(slope), differentiate(x.terms), order - 1)
    return series.integrate(value, change)


@_rule("with_derivative")
def _with_derivative(
    order: int, func: Any, z: Jet, value: TensorFunction, derivative: TensorFunction
) -> list[Tensor]:
    return _integral(order, func(z.value, value, derivative), derivative, z)


@_rule("softplus")
def _softplus(
    order: int, func: Any, input: Jet, beta: float | int = 1, threshold: float | int = 20
) -> list[Tensor]:
    slope = _real_on_real(CATALOGUE["softplus"].derivative)
    start = func(input.value, beta, threshold)
    return _integral(order, start, lambda z: slope(beta * z), input)


def _by_derivative(derivative: TensorFunction) -> Callable[[int, Any, Jet], list[Tensor]]:
    def rule(order: int, func: Any, input: Jet) -> list[Tensor]:
        return _integral(order, func(input.value), derivative, input)

    return rule


for _names, _derivative in {
    "asinh arcsinh": _real_on_real(CATALOGUE["asinh"].derivative),
    "atan arctan": _real_on_real(CATALOGUE["atan"].derivative),
    "sigmoid special_expit": _real_on_real(CATALOGUE["sigmoid"].derivative),
    "silu": _real_on_real(CATALOGUE["silu"].derivative),
    "gelu": _real_on_real(CATALOGUE["gelu"].derivative),
    "erf special_erf": _real_on_real(CATALOGUE["erf"].derivative),
    "expm1 special_expm1": torch.exp,
    "log1p special_log1p": lambda z: torch.reciprocal(1 + z),
    "asin arcsin": lambda z: torch.rsqrt(1 + z) * torch.rsqrt(1 - z),
    "acos arccos": lambda z: -torch.rsqrt(1 + z) * torch.rsqrt(1 - z),
    "acosh arccosh": lambda z: torch.rsqrt(z + 1) * torch.rsqrt(z - 1),
    "atanh arctanh": lambda z: torch.reciprocal((1 + z) * (1 - z)),
}.items():
    _rule(_names)(_by_derivative(_derivative))

FUNCTIONS: Mapping[str, Rule] = MappingProxyType(_rule)
"""Name of a torch function -> what it does to jets."""
