"""From complex numbers to pairs of real ones: where a real network meets complex data."""

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from holonet.errors import InputTypeError, ShapeError
from holonet.functions import FunctionClass
from holonet.nn.module import DeclaredModule, require_tensor

__all__ = ["RealPairs"]


class RealPairs(DeclaredModule):
    """Real and imaginary parts as real features: the axis behind the batch axis gets twice as long.

    The real parts come first. What follows is a function of 2n real numbers: not holomorphic, and
    free to use the conjugate. So a real network behind it is the control of a holomorphic one on
    the same complex data, and attacks on complex examples reach it.

    Law: linear over the real numbers and one to one: `torch.complex(*y.chunk(2, 1))` is the input.

    Raises:
        InputTypeError: real input.
        ShapeError: input without an axis behind the batch axis.

    Example:
        >>> RealPairs()(torch.tensor([[1 + 2j, 3 + 4j]]))
        tensor([[1., 3., 2., 4.]])
    """

    function_class = FunctionClass.HARMONIC

    def forward(
        self, input: Complex[Tensor, "batch axis *rest"]
    ) -> Float[Tensor, "batch pairs *rest"]:
        """The parts."""
        require_tensor(input, self)
        if not input.is_complex():
            raise InputTypeError(
                f"RealPairs got {input.dtype}: it takes complex numbers apart; leave it out for "
                "real data"
            )
        if input.ndim < 2:
            raise ShapeError(
                f"RealPairs got shape {tuple(input.shape)}: the axis behind the batch axis is "
                "doubled, so give (batch, features)"
            )
        return torch.cat([input.real, input.imag], 1)
