"""Taylor coefficients of any order along a line, in one pass through the function.

Nested forward mode costs 2^order passes; carrying the coefficients of a power series through
every operation costs order^2 products where an operation is not linear, and order + 1 applications
where it is.
"""

import torch
from jaxtyping import Inexact
from torch import Tensor

from holonet._arguments import checked
from holonet._types import GivenEntries, TensorFunction
from holonet.calculus.jet_functions import FUNCTIONS
from holonet.calculus.jet_maps import MAPS
from holonet.calculus.jet_tensor import Jet, Line, Part, refuse, terms_of
from holonet.errors import ConfigError, InputTypeError, ShapeError

__all__ = ["jet", "taylor_polynomial"]

_RULES = {**MAPS, **FUNCTIONS}

Coefficients = Inexact[Tensor, "powers *out"]


@checked
def jet(f: TensorFunction, z: GivenEntries, v: GivenEntries, order: int) -> Coefficients:
    """The Taylor coefficients of t -> f(z + t v) at t = 0, up to t^order, stacked.

    Entry k is the k-th derivative along v divided by k!; entry 0 is f(z). f may be any Python
    code, a module for example, made of holomorphic torch functions and of those that declare
    their derivative by `functions.analytic.with_derivative`. Cases may be distinguished by
    comparisons. For real z and v, t is real and f may be any real-analytic function, whose real
    parts, moduli and conjugates have a series too.

    The result can be differentiated, in the parameters of f for example. A jet of a function
    that itself takes jets is refused: for mixed derivatives take `directional_derivative` of a jet.

    Args:
        f: any map of tensors.
        z, v: the point and the direction, of one shape and dtype.
        order: the highest power of t.

    Law: linear in f; jet(f, z, c v) is jet(f, z, v) times c^k; a lower order gives the first
        entries of a higher one; entry k is the k-th Fourier coefficient over a small circle in t,
        divided by the radius^k.

    Raises:
        NotHolomorphicError: z is complex and f is not holomorphic.
        InputTypeError: f uses a torch function that jets cannot go through; z and v are no
            floating point tensors of one dtype.
        ShapeError: z and v have different shapes.
        ConfigError: a negative order.

    Example:
        >>> z = torch.tensor([1j], dtype=torch.complex128)
        >>> jet(lambda z: z**3, z, torch.ones_like(z), order=3).real.squeeze(1).tolist()
        [-0.0, -3.0, 0.0, 1.0]

    References:
        Griewank and Walther (2008), chapter 13.
    """
    if order < 0:
        raise ConfigError(f"jet(order={order}): the order is the highest power of t, 0 or more")
    if v.shape != z.shape:
        raise ShapeError(
            f"jet along v of shape {tuple(v.shape)} at z of shape {tuple(z.shape)}: give every "
            "point a direction of its own shape, for example v.expand_as(z)"
        )
    if isinstance(z, Jet) or isinstance(v, Jet):
        raise refuse("jet", ": jets do not nest")
    if v.dtype != z.dtype or not (z.is_complex() or z.is_floating_point()):
        raise InputTypeError(
            f"jet along {v.dtype} directions at {z.dtype} points: both must have the same real or "
            "complex floating point dtype, for example z.to(v.dtype)"
        )
    line = Line(order, not z.is_complex(), _RULES)
    value = f(Jet.of([z, v][: order + 1], line))
    if isinstance(value, Part):
        raise value.misuse()
    if not isinstance(value, Tensor):
        raise InputTypeError(f"jet of a function that gives a {type(value).__name__}: one tensor")
    terms = terms_of(value)
    return torch.stack([*terms, *[torch.zeros_like(terms[0])] * (order + 1 - len(terms))])


@checked
def taylor_polynomial(
    coefficients: Coefficients, t: Inexact[Tensor, "*points"] | complex | float | int
) -> Inexact[Tensor, "*values"]:
    """The sum of coefficients[k] t^k by Horner's rule.

    Args:
        coefficients: as `jet` returns them, the powers along the first axis.
        t: a number, or numbers whose shape broadcasts with that of one coefficient.

    Example:
        >>> z, v = torch.tensor([0.0]), torch.tensor([1.0])
        >>> taylor_polynomial(jet(torch.exp, z, v, order=2), 0.5)  # 1 + 1/2 + 1/8
        tensor([1.6250])
    """
    total = coefficients[-1]
    for c in reversed(coefficients[:-1].unbind()):
        total = total * t + c
    return total
