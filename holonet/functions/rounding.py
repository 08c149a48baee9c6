"""How much float64 arithmetic may round, as numbers to add to bounds."""

from jaxtyping import Float64
from torch import Tensor

from holonet._arguments import checked

__all__ = ["UNIT", "margin"]

UNIT = 2.0**-53
"""The roundoff of float64: the relative error of one operation, at most."""

_UNITS = 32
_TINY = 1e-300  # above all that underflow takes


@checked
def margin(scale: Float64[Tensor, "*shape"]) -> Float64[Tensor, "*shape"]:
    """The error of an elementary function, or of a few operations, on numbers of this size.

    It is 32 roundoffs. Tests hold torch's float64 functions to 8 of them.

    Example:
        >>> import torch
        >>> margin(torch.ones((), dtype=torch.float64)).item() / UNIT
        32.0
    """
    return _UNITS * UNIT * scale.abs() + _TINY
