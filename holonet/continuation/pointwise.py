"""Arithmetic and functions of one entry, with the branches of the catalogue."""

import functools
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from holonet._types import ComplexEntries
from holonet.continuation.operation import Family, Refusal, plain_call
from holonet.continuation.parts import Parts, joined
from holonet.functions import CATALOGUE
from holonet.functions.error_function import erfc
from holonet.functions.parts import has_parts
from holonet.ops import pointwise
from holonet.ops.pointwise.function import pointwise_of_parts

__all__ = ["ARITHMETIC", "FUNCTIONS", "exp", "power", "quotient", "sigmoid", "softplus", "tanh"]

ARITHMETIC = Family("Arithmetic")
FUNCTIONS = Family("Functions of one entry")


def quotient(a: Any, b: Any) -> Any:
    """A / b; by a real b both parts are divided."""
    if isinstance(b, Tensor) and b.is_complex():
        return torch.reciprocal(b) * a
    if has_parts(a):
        b = b.unsqueeze(-1) if isinstance(b, Tensor) else b
        return torch.view_as_complex(torch.view_as_real(a) / b)
    return torch.div(a, b)


def power(z: ComplexEntries, exponent: float | int) -> ComplexEntries:
    """Z^exponent: products for integers, else the principal power."""
    if float(exponent).is_integer() and abs(exponent) <= 64:
        whole = _natural_power(z, abs(int(exponent)))
        return torch.reciprocal(whole) if exponent < 0 else whole
    if abs(exponent) == 0.5:
        return torch.sqrt(z) if exponent > 0 else torch.rsqrt(z)
    return torch.pow(z, exponent)


def _natural_power(z: Tensor, exponent: int) -> Tensor:
    if exponent == 0:
        return torch.ones_like(z)
    half = _natural_power(z, exponent // 2)
    if exponent == 1:
        return z
    return half * half * z if exponent % 2 else half * half


@ARITHMETIC("add", "z + w", takes_parts=True)
def _add(func: Any, input: Any, other: Any, *, alpha: Any = 1) -> Tensor | Parts:
    if isinstance(input, Parts) and isinstance(other, Parts) and input.shape == other.shape:
        other = other if alpha == 1 else other.map(lambda part: part * alpha)
        return Parts(input.real + other.real, input.imag + other.imag)
    input, other = joined(input), joined(other)
    return input + (other if alpha == 1 else other * alpha)


@ARITHMETIC("sub subtract", "z - w")
def _sub(func: Any, input: Any, other: Any, *, alpha: Any = 1) -> Tensor:
    return input - (other if alpha == 1 else other * alpha)


@ARITHMETIC("rsub", "w - z")
def _rsub(func: Any, input: Any, other: Any, *, alpha: Any = 1) -> Tensor:
    return other - (input if alpha == 1 else input * alpha)


@ARITHMETIC("mul multiply rmul", "z w", "a real factor multiplies both parts")
def _mul(func: Any, input: Any, other: Any) -> Tensor:
    return input * other


@ARITHMETIC("div divide true_divide", "z / w", "poles at the zeros of w; rounding is refused")
def _div(func: Any, input: Any, other: Any, *, rounding_mode: Any = None) -> Tensor:
    if rounding_mode is not None:
        raise Refusal("torch.div rounds, which is constant on pieces. Divide without rounding")
    return quotient(input, other)


@ARITHMETIC("rdiv rtruediv", "w / z", "poles at the zeros of z")
def _rdiv(func: Any, input: Any, other: Any) -> Tensor:
    return quotient(other, input)


@ARITHMETIC("reciprocal", "1 / z", "pole at 0")
def _reciprocal(func: Any, input: Tensor) -> Tensor:
    return torch.reciprocal(input)


@ARITHMETIC(
    "pow float_power",
    "z^n by products, z^a = exp(a log z)",
    "for a not an integer principal, with the cut of log; poles at 0 for n < 0",
)
def _pow(func: Any, input: Any, exponent: Any) -> Tensor:
    if isinstance(exponent, int | float):
        return input.clone() if exponent == 1 else power(input, exponent)
    return torch.pow(input, exponent)


@ARITHMETIC("rpow", "a^z = exp(z log a)")
def _rpow(func: Any, input: Tensor, other: Any) -> Tensor:
    return torch.pow(other, input)


@ARITHMETIC("square", "z^2", "not the square of the modulus")
def _square(func: Any, input: Tensor) -> Tensor:
    return input * input


@ARITHMETIC("hypot", "square root of z^2 + w^2", "principal, branch points where the sum is 0")
def _hypot(func: Any, input: Any, other: Any) -> Tensor:
    return torch.sqrt(input * input + other * other)


@ARITHMETIC("addcmul", "z + c v w")
def _addcmul(func: Any, input: Any, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Tensor:
    return input + tensor1 * tensor2 * value


@ARITHMETIC("addcdiv", "z + c v / w")
def _addcdiv(func: Any, input: Any, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Tensor:
    return input + quotient(tensor1, tensor2) * value


@ARITHMETIC("lerp", "z + t (w - z)")
def _lerp(func: Any, input: Any, end: Any, weight: Any) -> Tensor:
    return input + (end - input) * weight


ARITHMETIC.enter("neg negative positive", "-z, z", rule=plain_call)


# Functions of the catalogue


def _of_catalogue(name: str) -> Callable[[Tensor], Tensor]:
    return functools.partial(pointwise, CATALOGUE[name])


exp, sigmoid, tanh = map(_of_catalogue, ("exp", "sigmoid", "tanh"))
"""The catalogue's functions, by the fastest backend."""
_log_of_one_and_exp = _of_catalogue("softplus")


def softplus(z: ComplexEntries) -> ComplexEntries:
    """log(1 + exp(z)) in the left half-plane, and z + log(1 + exp(-z)) in the right one.

    The cuts lead from the branch points away from the real axis, not along it.
    """
    right = z.real > 0
    left_half = torch.where(right, -z, z)
    return torch.where(right, z, torch.zeros_like(z)) + _log_of_one_and_exp(left_half)


def _singularities(name: str) -> str:
    record = CATALOGUE[name]
    points = "; ".join(f"{s.kind.value}s" for s in record.singularities) or "entire"
    return f"catalogue: {points}" + (", cuts" if record.branch_cuts else "")


def _enter(names: str, formula: str, remark: str, function: Callable[[Tensor], Tensor]) -> None:
    def rule(func: Any, input: Tensor) -> Tensor:
        return function(input)

    FUNCTIONS.enter(names, formula, remark, rule)


def _of_record(name: str, input: Any) -> Tensor | Parts:
    if isinstance(input, Parts):
        return Parts(*pointwise_of_parts(CATALOGUE[name], input.real, input.imag))
    return pointwise(CATALOGUE[name], input)


def _enter_record(names: str, name: str) -> None:
    def rule(func: Any, input: Any) -> Tensor | Parts:
        return _of_record(name, input)

    formula, remark = CATALOGUE[name].formula, _singularities(name)
    FUNCTIONS.enter(names, formula, remark, rule, takes_parts=True)


for _names, _record in {
    "exp": "exp",
    "sin": "sin",
    "cos": "cos",
    "tan": "tan",
    "sinh": "sinh",
    "cosh": "cosh",
    "tanh": "tanh",
    "asinh arcsinh": "asinh",
    "atan arctan": "atan",
    "log": "log",
    "sqrt": "sqrt",
    "sigmoid expit special_expit": "sigmoid",
    "silu": "silu",
    "erf special_erf": "erf",
}.items():
    _enter_record(_names, _record)

_LOG2, _LOG10 = math.log(2), math.log(10)
for _names, _formula, _remark, _function in (
    ("expm1 special_expm1", "exp(z) - 1", "entire", torch.expm1),
    ("exp2 special_exp2", "exp(z log 2)", "entire", lambda z: exp(z * _LOG2)),
    ("log1p special_log1p", "log(1 + z)", "branch point at -1, principal", torch.log1p),
    ("log2", "log(z) / log 2", "principal", lambda z: torch.log(z) * (1 / _LOG2)),
    ("log10", "log(z) / log 10", "principal", lambda z: torch.log(z) * (1 / _LOG10)),
    ("rsqrt", "z^(-1/2)", "principal, branch point at 0", torch.rsqrt),
    ("erfc special_erfc", "1 - erf(z)", "entire", erfc),
    (
        "special_ndtr",
        "erfc(-z / sqrt 2) / 2",
        "entire",
        lambda z: 0.5 * erfc(z * -math.sqrt(0.5)),
    ),
    ("asin arcsin", "asin(z)", "branch points at 1 and -1, principal", torch.asin),
    ("acos arccos", "acos(z)", "branch points at 1 and -1, principal", torch.acos),
    ("acosh arccosh", "acosh(z)", "branch points at 1 and -1, principal", torch.acosh),
    ("atanh arctanh", "atanh(z)", "branch points at 1 and -1, principal", torch.atanh),
    ("tanhshrink", "z - tanh(z)", "poles of tanh", lambda z: z - tanh(z)),
    (
        "log_sigmoid logsigmoid",
        "-softplus(-z)",
        "branch points and cuts of softplus",
        lambda z: -softplus(-z),
    ),
    (
        "mish",
        "z tanh(softplus(z))",
        "poles where (1 + exp(z))^2 = -1; no cut, tanh has the period of the logarithm's jump",
        lambda z: z * tanh(softplus(z)),
    ),
):
    _enter(_names, _formula, _remark, _function)


@FUNCTIONS(
    "gelu",
    "z (1 + erf(z / sqrt 2)) / 2; approximate='tanh': "
    "z (1 + tanh(sqrt(2 / pi) (z + 0.044715 z^3))) / 2",
    "entire; the tanh form has the poles of tanh",
    takes_parts=True,
)
def _gelu(func: Any, input: Any, approximate: str = "none") -> Tensor | Parts:
    if approximate == "none":
        return _of_record("gelu", input)
    input = joined(input)
    inner = (input + power(input, 3) * 0.044715) * math.sqrt(2 / math.pi)
    return input * 0.5 * (1 + tanh(inner))


@FUNCTIONS(
    "softplus",
    "log(1 + exp(beta z)) / beta, z + log(1 + exp(-beta z)) / beta where Re z > 0",
    "branch points at odd multiples of i pi / beta, cuts away from the real axis; torch gives z "
    "where beta x > threshold, which differs from the formula by at most exp(-threshold) / beta",
)
def _softplus(
    func: Any, input: Tensor, beta: float | int = 1, threshold: float | int = 20
) -> Tensor:
    return softplus(input * beta) * (1 / beta)


@FUNCTIONS("glu", "a sigmoid(b), a and b the halves of z", "poles of sigmoid")
def _glu(func: Any, input: Tensor, dim: int = -1) -> Tensor:
    a, b = input.chunk(2, dim)
    return a * sigmoid(b)


@FUNCTIONS("logit special_logit", "log(z) - log(1 - z)", "principal; eps is refused")
def _logit(func: Any, input: Tensor, eps: Any = None) -> Tensor:
    if eps is not None:
        raise Refusal("torch.logit with eps clamps, which is made of pieces. Leave eps away")
    return torch.log(input) - torch.log(1 - input)


@FUNCTIONS("xlogy special_xlogy", "w log(z)", "principal")
def _xlogy(func: Any, input: Any, other: Any) -> Tensor:
    return torch.log(other) * input


@FUNCTIONS("with_derivative", "the function that is given with its derivative")
def _with_derivative(func: Any, z: Tensor, value: Any, derivative: Any) -> Tensor:
    return func(z, value, derivative)


@FUNCTIONS(
    "dropout dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout feature_dropout",
    "z in eval mode",
    "random in train mode: refused",
    takes_parts=True,
)
def _dropout(
    func: Any, input: Tensor | Parts, p: float | int = 0.5, training: bool = True
) -> Tensor | Parts:
    if training and p > 0:
        raise Refusal(
            f"torch.{getattr(func, '__name__', 'dropout')} draws at every pass in train mode, so "
            "the model is not one function. Call model.eval() first",
            holomorphic=True,
        )
    return input
