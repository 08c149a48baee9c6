"""Wirtinger derivatives by forward mode: the one place that differentiates complex tensors.

For f = f(x + iy) the real-linear derivative Df(z)[v] splits into a complex-linear and an
antilinear part, Df(z)[v] = (df/dz) v + (df/dzbar) conj(v), whence

    df/dz v          = (Df[v] - i Df[iv]) / 2,
    df/dzbar conj(v) = (Df[v] + i Df[iv]) / 2.

Forward mode is used throughout: torch's complex backward multiplies by conj(f'), so a wrong
backward can make reverse-mode derivatives of conj(z) look holomorphic. `docs/conventions.md`
says what torch's gradient means.
"""

import threading
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import torch
from jaxtyping import Complex, Inexact, Shaped
from torch import Tensor
from torch.autograd import forward_ad

from holonet._arguments import checked
from holonet._types import ComplexEntries, Entries, InexactEntries, Numbers, TensorFunction
from holonet.calculus.checks import require_complex, require_count
from holonet.calculus.examples import square_norms
from holonet.calculus.probes import Probes
from holonet.errors import InputTypeError

__all__ = [
    "dbar",
    "dbar_along",
    "dbar_norm_squared",
    "derivative",
    "directional_derivative",
    "gradient",
    "partial_z",
    "partial_z_along",
    "pullback",
    "second_directional_derivative",
]

Out = Inexact[Tensor, "*out"]
ComplexOut = Complex[Tensor, "*out"]


@checked
def directional_derivative(
    f: TensorFunction, z: InexactEntries, v: InexactEntries
) -> tuple[Out, Out]:
    """f(z) and Df(z)[v], the real-linear derivative in the direction v, in one forward pass.

    Works for real and complex z alike; both results can be differentiated again, in the
    parameters of f for example.

    Raises:
        InputTypeError: f moves with z, and torch's differentiation cannot follow it.

    Example:
        >>> z = torch.tensor([1j])
        >>> directional_derivative(torch.conj, z, torch.tensor([1j]))[1].resolve_conj()
        tensor([0.-1.j])
    """
    value, tangent, *_ = _forward_mode(_followed(f, _has_tangent), z, v)
    return value, tangent


@checked
def second_directional_derivative(
    f: TensorFunction, z: InexactEntries, v: InexactEntries, w: InexactEntries
) -> tuple[Out, Out]:
    """f(z) and D^2 f(z)[v, w], the real-bilinear second derivative, forward over forward.

    Works for real and complex z alike; both results can be differentiated again. The cost is
    that of four forward passes, whatever the dimensions. `calculus.laplacian` names layers for
    which torch 2.13 gets nested forward mode wrong.

    Law: symmetric in v and w.

    Example:
        >>> z, v = torch.tensor([3.0]), torch.tensor([2.0])
        >>> second_directional_derivative(lambda x: x**3, z, v, v)[1]  # 6 x v^2
        tensor([72.])
    """

    def along_v(z: Tensor) -> tuple[Out, Out]:
        return directional_derivative(f, z, v)

    (value, _), (_, second), *_ = _forward_mode(along_v, z, w)
    return value, second


_ONE_THREAD = threading.Lock()
_differentiating: ContextVar[bool] = ContextVar("_differentiating", default=False)


def _forward_mode(f: Callable[[Tensor], Any], z: Tensor, v: Tensor) -> Any:
    """torch.func.jvp, by one thread at a time.

    torch counts how deep these are nested for the whole process, so that the end of one thread's
    would take the tangents of another's.
    """
    if torch.compiler.is_compiling() or _differentiating.get():
        return torch.func.jvp(f, (z,), (v,))
    with _ONE_THREAD:
        outer = _differentiating.set(True)
        try:
            return torch.func.jvp(f, (z,), (v,))
        finally:
            _differentiating.reset(outer)


@checked
def pullback(f: TensorFunction, z: InexactEntries) -> tuple[Out, Callable[[Out], InexactEntries]]:
    """f(z), and the map w -> conj(df/dz) w + (df/dzbar) conj(w), by reverse mode.

    That is torch's gradient of Re <w, f(z)>; in several variables the matrices are transposed.
    For real z and f it is J^T w. It can be differentiated again.

    torch refuses it (RuntimeError, "saved tensor hooks") where f contains
    `torch.utils.checkpoint.checkpoint`; `gradient` takes such functions.

    Raises:
        InputTypeError: f moves with z, and torch's differentiation cannot follow it.

    Example:
        >>> value, backward = pullback(torch.square, torch.tensor([1j]))
        >>> backward(torch.ones_like(value))  # conj(2z)
        tensor([0.-2.j])
    """
    value, backward, *_ = torch.func.vjp(_followed(f, lambda value: value.requires_grad), z)
    return value, lambda w: backward(w)[0]


def _followed(f: TensorFunction, tracked: Callable[[Tensor], bool]) -> TensorFunction:
    """f, refused where its values are not tracked and yet differ at points nearby.

    torch gives such a function the derivative 0, as it gives a constant one, so that a detached
    network would pass for holomorphic, harmonic and flat.
    """

    def follow(z: Tensor) -> Tensor:
        value = f(z.clone())  # which f may overwrite
        if torch.compiler.is_compiling() or not isinstance(value, Tensor):
            return value
        if not tracked(value) and _differs_nearby(f, z, value):
            raise InputTypeError(
                "autograd cannot follow the function back to the points, though its values change "
                "with them, so every derivative would be 0: remove detach, torch.no_grad and numpy "
                "from it"
            )
        return value

    return follow


def _has_tangent(value: Tensor) -> bool:
    return forward_ad.unpack_dual(value).tangent is not None


def _differs_nearby(f: TensorFunction, z: Tensor, value: Tensor) -> bool:
    """Whether the values change with the points, and are not drawn anew at every call."""
    try:
        with torch.no_grad():
            return torch.equal(f(z.clone()), value) and not torch.equal(f(z * 1.001 + 1e-3), value)
    except RuntimeError:  # under vmap no value can be asked for
        return False


@checked
def gradient(f: TensorFunction, z: InexactEntries, w: Out) -> InexactEntries:
    """What torch's own backward pass gives for Re <w, f(z)>: `pullback`, for any f at all.

    It goes through functions that `torch.func` refuses, and gives what a training loop would get.
    It cannot be differentiated again. Zero where f does not depend on z.

    Example:
        >>> gradient(torch.square, torch.tensor([1j]), torch.tensor([1 + 0j]))  # conj(2z)
        tensor([0.-2.j])
    """
    z = z.detach().requires_grad_()
    with torch.enable_grad():
        value = f(z.clone())
    if not value.requires_grad:
        return torch.zeros_like(z)
    (found,) = torch.autograd.grad(value, z, w, allow_unused=True, materialize_grads=True)
    return found.resolve_conj()


@checked
def partial_z(f: TensorFunction, z: Entries) -> ComplexEntries:
    """df/dz of a function that acts entry by entry, at every entry of z.

    Law: equals `derivative` where f is holomorphic, and 0 where f is antiholomorphic.

    Raises:
        InputTypeError: z is real.

    Example:
        >>> z = torch.tensor([3 + 1j], dtype=torch.complex128)
        >>> partial_z(lambda z: z * z.conj(), z)  # d/dz of z zbar is zbar
        tensor([3.-1.j], dtype=torch.complex128)

    References:
        Wirtinger (1927).
    """
    return partial_z_along(f, z, torch.ones_like(z))


@checked
def dbar(f: TensorFunction, z: Entries) -> ComplexEntries:
    """df/dzbar of a function that acts entry by entry: 0 exactly where Cauchy-Riemann holds.

    Raises:
        InputTypeError: z is real, or f is real-valued.

    Example:
        >>> z = torch.tensor([3 + 1j], dtype=torch.complex128)
        >>> dbar(lambda z: z * z.conj(), z)
        tensor([3.+1.j], dtype=torch.complex128)
    """
    return dbar_along(f, z, torch.ones_like(z))


@checked
def derivative(f: TensorFunction, z: Entries) -> ComplexEntries:
    """f'(z) of a holomorphic function that acts entry by entry, by a single forward pass.

    Trusts that f is holomorphic: for others it is the derivative along the real axis.

    Raises:
        InputTypeError: z is real.
    """
    require_complex(z, "derivative")
    return directional_derivative(f, z, torch.ones_like(z))[1]


@checked
def partial_z_along(f: TensorFunction, z: Entries, v: Entries) -> ComplexOut:
    """(df/dz) v for f: C^n -> C^m and a direction v of the shape of z.

    Law: complex-linear in v.

    Raises:
        InputTypeError: z is real.
    """
    along, across = _tangents(f, z, v, "partial_z")
    return (along - 1j * across) / 2


@checked
def dbar_along(f: TensorFunction, z: Entries, v: Entries) -> ComplexOut:
    """(df/dzbar) conj(v) for f: C^n -> C^m and a direction v of the shape of z.

    Law: antilinear in v.

    Raises:
        InputTypeError: z is real, or f is real-valued.
    """
    along, across = complex_tangents(f, z, v, "dbar")
    return (along + 1j * across) / 2


@checked
def dbar_norm_squared(
    f: TensorFunction,
    z: Shaped[Tensor, "batch *event"],
    *,
    count: int = 1,
    probes: Probes | None = None,
) -> Numbers:
    """Unbiased estimate of ||df/dzbar||_F^2 at every example, with no Jacobian built.

    The mean of |(df/dzbar) conj(v)|^2 over `count` random directions v with E[v v^H] = 1; cost
    2 count forward passes whatever n and m.

    Args:
        f: a function of batches, each example on its own (first axis).
        z: the points.
        count: directions for each example.
        probes: where the directions come from; default torch's global generator.

    Law: its expectation is the sum of |df_i/dzbar_j|^2 over i and j; for n = 1 it is exact.

    Raises:
        InputTypeError: z is real, or f is real-valued.
        ConfigError: `count` is below 1.
    """
    require_complex(z, "dbar")
    require_count("count", count, 1, "dbar_norm_squared")
    probes = Probes() if probes is None else probes
    squares = [square_norms(dbar_along(f, z, probes.like(z))) for _ in range(count)]
    return torch.stack(squares).mean(0)


def complex_tangents(
    f: TensorFunction, z: Entries, v: Entries, asked: str
) -> tuple[ComplexOut, ComplexOut]:
    """Df(z)[v] and Df(z)[iv] where both points and values must be complex.

    Raises:
        InputTypeError: z is real, or f is real-valued.
    """
    along, across = _tangents(f, z, v, asked)
    if not along.is_complex():
        raise InputTypeError(
            f"{asked} of a real-valued function (values in {along.dtype}): it is holomorphic only "
            "if it is constant. Ask about the map in front of the readout, or for "
            "calculus.laplacian, which is 0 where a real function is harmonic. If the Wirtinger "
            "derivative of a real function is meant: lambda z: f(z).to(torch.complex128)"
        )
    return along, across


def _tangents(f: TensorFunction, z: Tensor, v: Tensor, asked: str) -> tuple[Tensor, Tensor]:
    """Df(z)[v] and Df(z)[iv]."""
    require_complex(z, asked)
    return directional_derivative(f, z, v)[1], directional_derivative(f, z, 1j * v)[1]
