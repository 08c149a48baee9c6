"""W z + b by torch's own products; a real z is never multiplied by zeros."""

import torch
from jaxtyping import Complex, Float, Inexact
from torch import Tensor
from torch.nn import functional

__all__ = ["affine", "planar_channels"]

LARGE = 1 << 18  # entries of a weight
FEWEST = 16  # rows, and columns for each row


def affine(
    z: Inexact[Tensor, "*batch in"],
    weight: Complex[Tensor, "out in"],
    bias: Complex[Tensor, " out"] | None = None,
) -> Complex[Tensor, "*batch out"]:
    """W z + b along the last axis.

    A complex z is torch's complex product. A real z takes two real products instead of the four
    behind it: one real matrix product with the parts of W as neighboring rows, whose result lies
    in memory as complex numbers do.

    The arguments and the law are those of `ops.affine.affine`.
    """
    if z.is_complex():
        if _is_turned(z, weight):
            turned = (weight @ z.mT).mT.contiguous()
            return turned if bias is None else turned + bias
        return functional.linear(z, weight, bias)
    rows = _parts(weight).movedim(-1, 1).flatten(0, 1)
    offset = None if bias is None else _parts(bias).flatten()
    return torch.view_as_complex(functional.linear(z, rows, offset).unflatten(-1, (-1, 2)))


def planar_channels(parameter: Complex[Tensor, "n *rest"]) -> Float[Tensor, "2*n *rest"]:
    """The real parts along the first axis, then the imaginary parts.

    Example:
        >>> planar_channels(torch.tensor([1 + 2j, 3 + 4j]))
        tensor([1., 3., 2., 4.])
    """
    return torch.cat([parameter.real, parameter.imag])


def _is_turned(z: Tensor, weight: Tensor) -> bool:
    """Whether to form W z^T: some rows, a large weight, and a gradient may be asked for.

    The gradient in z of z W^T is g conj(W), for which torch writes a conjugated copy of W, that of
    W z^T is W^H g, which it multiplies as it lies. What that saves is large beside the copy of the
    result if the rows are few, but for one row, or small weights, the detour costs more.
    """
    if torch.jit.is_tracing():  # for any number of rows
        return False
    if z.dim() != 2 or not torch.is_grad_enabled() or weight.numel() < LARGE:
        return False
    return FEWEST <= z.shape[0] <= weight.shape[1] // FEWEST


def _parts(t: Tensor) -> Tensor:
    return torch.view_as_real(t.resolve_conj())
