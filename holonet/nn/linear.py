"""The affine map z -> W z + b."""

import torch
from torch import Tensor, nn

from holonet._types import ComplexTensor
from holonet.functions import FunctionClass
from holonet.nn import init
from holonet.nn.module import HolomorphicModule, complex_dtype, require_complex, require_size
from holonet.ops.affine import affine, widened

__all__ = ["Linear"]


class Linear(HolomorphicModule, nn.Linear):
    """z W^T + b with complex W and b: `torch.nn.Linear` with the right complex initialization.

    Weights start circular normal with E|w|^2 = 1 / in_features, biases at zero. The state dict
    is that of `torch.nn.Linear(dtype=torch.complex64)`.

    Args:
        in_features, out_features: sizes of the last axis before and after.
        bias: whether to add b.
        device, dtype: of the parameters; dtype is complex64 unless given.

    Raises:
        InputTypeError: real dtype, or input of another precision.
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
            self, in_features, out_features, bias, device, complex_dtype(dtype, "Linear")
        )

    def reset_parameters(self) -> None:
        """Draw the weight anew and set the bias to zero."""
        init.kaiming_normal_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, input: Tensor) -> ComplexTensor:
        """W z + b along the last axis; for real input at half the cost.

        Under `torch.autocast` with bfloat16 the products are in bfloat16, the result in complex64.
        """
        input = widened(input)
        require_complex(input, self, self.weight.dtype)
        require_size(input, -1, self.in_features, self, "features")
        return affine(input, self.weight, self.bias)
