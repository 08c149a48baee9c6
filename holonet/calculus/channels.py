"""A model in two real channels read as one complex function, and the other way about."""

from collections.abc import Callable

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from holonet._arguments import checked
from holonet._types import ComplexEntries, ComplexTensor, RealEntries, RealTensor, TensorFunction
from holonet.errors import InputTypeError, ShapeError

__all__ = ["channels_from_complex", "complex_from_channels"]

ComplexFunction = Callable[[ComplexEntries], Complex[Tensor, "*out"]]
RealFunction = Callable[[RealEntries], Float[Tensor, "*out"]]

CHANNELS = (torch.float32, torch.float64)


@checked
def complex_from_channels(f: TensorFunction, axis: int = 1) -> ComplexFunction:
    """The complex function z -> w of a real model whose `axis` holds real, then imaginary parts.

    It makes a plain real network with 2n input and 2m output channels a function C^n -> C^m, of
    which one can then ask how far it is from holomorphic.

    Args:
        f: takes and gives real tensors, single or double precision; of the entries along `axis`
            the first half are real parts, the second half the imaginary parts in the same order.
        axis: the axis of the channels, the same in the values as in the points.

    Law: the inverse of `channels_from_complex` with the same axis.

    Raises:
        InputTypeError: at the call: the points are real, or the values are not real channels.
        ShapeError: at the call: no such axis, or f gives an odd number of channels.

    Example:
        >>> turn = complex_from_channels(lambda x: torch.stack([-x[:, 1], x[:, 0]], 1))
        >>> turn(torch.tensor([[3 + 4j]]))  # (x, y) -> (-y, x) is multiplication by i
        tensor([[-4.+3.j]])
    """

    def complex_function(z: Tensor) -> ComplexTensor:
        return _joined(f(_split(z, axis, "the points z")), axis, "the values of f")

    return complex_function


@checked
def channels_from_complex(f: TensorFunction, axis: int = 1) -> RealFunction:
    """The real function of two channels that a complex function is: (Re z, Im z) -> (Re w, Im w).

    Args:
        f: takes and gives complex tensors.
        axis: the axis along which real parts, then imaginary parts are laid out.

    Law: the inverse of `complex_from_channels` with the same axis.

    Raises:
        InputTypeError: at the call: the points are not real channels, or the values are real.
        ShapeError: at the call: no such axis, or an odd number of channels.

    Example:
        >>> channels_from_complex(torch.square)(torch.tensor([[3.0, 4.0]]))  # (3 + 4i)^2
        tensor([[-7., 24.]])
    """

    def real_function(x: Tensor) -> RealTensor:
        return _split(f(_joined(x, axis, "the points x")), axis, "the values of f")

    return real_function


def _split(z: Tensor, axis: int, what: str) -> RealTensor:
    if not z.is_complex():
        raise InputTypeError(
            f"the two real channels of {what} were asked, and {what} are real ({z.dtype}): complex "
            "ones are needed. Lift points by z.to(torch.complex128); take values in front of the "
            "readout"
        )
    _require_axis(z, axis, what)
    return torch.cat([z.real, z.imag], axis)


def _joined(x: Tensor, axis: int, what: str) -> ComplexTensor:
    if x.dtype not in CHANNELS:
        raise InputTypeError(
            f"{what} are {x.dtype} where real channels in single or double precision are needed: "
            "x.float() casts them; a function that is complex already needs no channels"
        )
    _require_axis(x, axis, what)
    if x.shape[axis] % 2:
        raise ShapeError(
            f"{what} have shape {tuple(x.shape)}, {x.shape[axis]} channels on axis {axis}: an even "
            "number is needed, real parts first and as many imaginary parts after them. Choose "
            "another axis, or give the model an even number of channels"
        )
    return torch.complex(*x.tensor_split(2, axis))


def _require_axis(x: Tensor, axis: int, what: str) -> None:
    if not -x.ndim <= axis < x.ndim:
        raise ShapeError(
            f"{what} have shape {tuple(x.shape)} and no axis {axis} for the channels: give the "
            "axis that the model keeps its channels on, in its points and in its values alike"
        )
