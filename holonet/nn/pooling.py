"""Average pooling of complex tensors, built on complextorch's: linear, hence holomorphic.

Maximum pooling has no holomorphic form: choosing by modulus is piecewise.
"""

import complextorch.nn as ctnn
from torch import Tensor

from holonet._types import ComplexTensor
from holonet.functions import FunctionClass
from holonet.nn.module import HolomorphicModule, require_complex

__all__ = [
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d",
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
]


class _Pool(HolomorphicModule):
    """The check of the input in front of complextorch's pooling."""

    function_class = FunctionClass.AFFINE

    def forward(self, input: Tensor) -> ComplexTensor:
        """Average over windows; input (batch, channels, *space) or without the batch axis."""
        require_complex(input, self)
        return super().forward(input)


class AvgPool1d(_Pool, ctnn.AvgPool1d):
    """Mean over windows of the last axis; the arguments are those of `torch.nn.AvgPool1d`."""


class AvgPool2d(_Pool, ctnn.AvgPool2d):
    """Mean over windows of the last two axes; the arguments are those of `torch.nn.AvgPool2d`.

    Example:
        >>> import torch
        >>> AvgPool2d(2)(torch.full((1, 1, 2, 2), 1j)).item()
        1j
    """


class AvgPool3d(_Pool, ctnn.AvgPool3d):
    """Mean over windows of the last three axes; arguments as for `torch.nn.AvgPool3d`."""


class AdaptiveAvgPool1d(_Pool, ctnn.AdaptiveAvgPool1d):
    """Mean over windows chosen so that the last axis gets `output_size` entries."""


class AdaptiveAvgPool2d(_Pool, ctnn.AdaptiveAvgPool2d):
    """Mean over windows chosen so that the last two axes get `output_size` entries."""


class AdaptiveAvgPool3d(_Pool, ctnn.AdaptiveAvgPool3d):
    """Mean over windows chosen so that the last three axes get `output_size` entries."""
