"""The affine map z -> W z + b."""

import torch
from jaxtyping import Inexact
from torch import Tensor, nn
from torch.nn import functional

from holonet.functions import FunctionClass
from holonet.nn import init
from holonet.nn.coefficients import coefficient_dtype
from holonet.nn.module import HolomorphicModule, require_numbers, require_size
from holonet.ops.affine import affine, continued, widened

__all__ = ["Linear"]


class Linear(HolomorphicModule, nn.Linear):
    """z W^T + b: `torch.nn.Linear` with complex or real W and b and the right initialization.

    Weights start normal with E|w|^2 = 1 / in_features (circular where they are complex), biases at
    zero. The state dict is that of `torch.nn.Linear` of the same dtype.

    Args:
        in_features, out_features: sizes of the last axis before and after.
        bias: whether to add b.
        device, dtype: of the parameters; dtype is complex64 unless given. A real dtype gives real
            coefficients.

    Raises:
        InputTypeError: a dtype of integers, or input of another precision.
        ShapeError: the last axis of the input is not `in_features`.

    Example:
        >>> Linear(3, 2)(torch.zeros(5, 3, dtype=torch.complex64)).shape
        torch.Size([5, 2])
    """

    function_class = FunctionClass.AFFINE
    takes_real = True

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        nn.Linear.__init__(
            self, in_features, out_features, bias, device, coefficient_dtype(dtype, "Linear")
        )

    def reset_parameters(self) -> None:
        """Draw the weight anew and set the bias to zero."""
        init.kaiming_normal_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, input: Inexact[Tensor, "*batch in"]) -> Inexact[Tensor, "*batch out"]:
        """W z + b along the last axis.

        Complex coefficients take real input at half the cost. Under `torch.autocast` with bfloat16
        the products are in bfloat16; a complex result is complex64.
        """
        if self.weight.is_complex():
            input = widened(input)
        require_numbers(input, self, self.weight.dtype)
        require_size(input, -1, self.in_features, self, "features")
        if not self.weight.is_complex():
            return continued(functional.linear, input, self.weight, self.bias)
        return affine(input, self.weight, self.bias)
