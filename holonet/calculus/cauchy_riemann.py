"""The Cauchy-Riemann equations: what is left of them where a function is not holomorphic."""

from collections.abc import Callable

import torch
from torch import Tensor

from holonet._arguments import checked
from holonet._types import ComplexEntries, ComplexTensor, Entries, Numbers, TensorFunction
from holonet.calculus.wirtinger import complex_tangents, dbar
from holonet.errors import DomainError, ShapeError, UnknownNameError

__all__ = ["cauchy_riemann", "directional_defect", "relative_defect"]


@checked
def cauchy_riemann(f: TensorFunction, z: Entries, form: str = "wirtinger") -> ComplexEntries:
    """The residual of the Cauchy-Riemann equations of a function that acts entry by entry.

    With f = u + iv, z = x + iy = r exp(i theta) and subscripts for partial derivatives, the forms

        "wirtinger": (f_x + i f_y) / 2, which is `dbar`,
        "cartesian": (u_x - v_y) + i (u_y + v_x),
        "polar":     f_r + (i/r) f_theta,

    vanish together, wherever f is complex-differentiable.

    Args:
        f: complex values, entry by entry.
        z: the points; none of them 0 for the polar form.
        form: one of the three.

    Law: cartesian = 2 wirtinger; polar = exp(-i theta) cartesian.

    Raises:
        InputTypeError: z is real, or f is real-valued.
        DomainError: the polar form at 0.
        UnknownNameError: no such form.

    Example:
        >>> z = torch.tensor([3 + 4j])
        >>> cauchy_riemann(lambda z: z * z.conj(), z)
        tensor([3.+4.j])
        >>> cauchy_riemann(lambda z: z * z.conj(), z, "cartesian")
        tensor([6.+8.j])

    References:
        Wirtinger (1927).
    """
    if form not in FORMS:
        raise UnknownNameError("form of the Cauchy-Riemann equations", form, FORMS)
    return FORMS[form](f, z)


@checked
def directional_defect(f: TensorFunction, z: Entries, v: Entries) -> Numbers:
    """||Df(z)[iv] - i Df(z)[v]|| of each example: whether Df commutes with i, in a direction v.

    Args:
        f: C^n -> C^m, a function of batches, each example on its own (first axis).
        z: the points.
        v: a direction for each of them, of the shape of z.

    Law: equals 2 ||(df/dzbar) conj(v)||, hence is the same for v and exp(it) v.

    Raises:
        InputTypeError: z is real, or f is real-valued.
        ShapeError: z has no batch axis.

    Example:
        >>> z, v = torch.tensor([[1 + 1j, 2j]]), torch.tensor([[3 + 0j, 4j]])
        >>> directional_defect(torch.conj, z, v)
        tensor([10.])
        >>> directional_defect(torch.square, z, v)
        tensor([0.])
    """
    along, across = _flat_tangents(f, z, v, "directional_defect")
    return torch.linalg.vector_norm(across - 1j * along, dim=1)


@checked
def relative_defect(f: TensorFunction, z: Entries, v: Entries) -> Numbers:
    """`directional_defect` over ||Df(z)[v]|| + ||Df(z)[iv]||, a number between 0 and 1.

    Law: the same for f and c f, and for v and c v; 0 where Df vanishes in both directions, 1
        where f is antiholomorphic and not constant; NaN where a derivative is not finite.

    Raises:
        InputTypeError: z is real, or f is real-valued.
        ShapeError: z has no batch axis.

    Example:
        >>> z = torch.tensor([1 + 1j])
        >>> relative_defect(lambda z: 1e-30 * z.conj(), z, z)
        tensor([1.])
    """
    along, across = _flat_tangents(f, z, v, "relative_defect")
    sizes = torch.view_as_real(torch.cat([along, across], 1)).flatten(1).abs()
    largest = sizes.amax(1, keepdim=True) if sizes.shape[1] else sizes.new_zeros(len(sizes), 1)
    largest = largest.masked_fill(largest == 0, 1)
    along, across = along / largest, across / largest  # squares would under- or overflow
    defect = torch.linalg.vector_norm(across - 1j * along, dim=1)
    total = torch.linalg.vector_norm(along, dim=1) + torch.linalg.vector_norm(across, dim=1)
    return defect / total.masked_fill(total == 0, 1)


def _cartesian(f: TensorFunction, z: Tensor) -> ComplexTensor:
    by_x, by_y = complex_tangents(f, z, torch.ones_like(z), "cauchy_riemann")
    return torch.complex(by_x.real - by_y.imag, by_y.real + by_x.imag)


def _polar(f: TensorFunction, z: Tensor) -> ComplexTensor:
    """With the angular derivative along i exp(i theta), which is f_theta / r with no division."""
    if (z == 0).any():
        raise DomainError(
            "the polar Cauchy-Riemann equations at z = 0, where the angle is not defined: leave 0 "
            'out, or ask for form="wirtinger" or form="cartesian"'
        )
    angle = z.angle()
    radial = torch.polar(torch.ones_like(angle), angle)
    by_radius, by_angle = complex_tangents(f, z, radial, "cauchy_riemann")
    return by_radius + 1j * by_angle


FORMS: dict[str, Callable[[TensorFunction, Tensor], ComplexTensor]] = {
    "wirtinger": dbar,
    "cartesian": _cartesian,
    "polar": _polar,
}


def _flat_tangents(
    f: TensorFunction, z: Tensor, v: Tensor, asked: str
) -> tuple[ComplexTensor, ComplexTensor]:
    """Df(z)[v] and Df(z)[iv], an example a row."""
    if not z.ndim:
        raise ShapeError(f"{asked} at a point without a batch axis: give z.unsqueeze(0)")
    along, across = complex_tangents(f, z, v, asked)
    return _rows(along), _rows(across)


def _rows(w: ComplexTensor) -> ComplexTensor:
    return w.unsqueeze(-1).flatten(1)
