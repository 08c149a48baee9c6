"""Average pooling, torch's own on both parts of complex tensors: linear, hence holomorphic.

Maximum pooling has no holomorphic form: choosing by modulus is piecewise.
"""

import torch
from jaxtyping import Inexact
from torch import Tensor, nn

from holonet._types import InexactEntries
from holonet.functions import FunctionClass
from holonet.nn.module import HolomorphicModule, require_numbers

__all__ = [
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d",
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
]


class _Pool(HolomorphicModule):
    """Mixed in front of a pooling of torch, which takes real tensors alone."""

    function_class = FunctionClass.AFFINE
    takes_real = True

    def forward(self, input: InexactEntries) -> Inexact[Tensor, "*out"]:
        """Average over windows; input (batch, channels, *space) or without the batch axis."""
        require_numbers(input, self)
        if not input.is_complex():
            return super().forward(input)
        return torch.complex(super().forward(input.real), super().forward(input.imag))


class AvgPool1d(_Pool, nn.AvgPool1d):
    """Mean over windows of the last axis; the arguments are those of `torch.nn.AvgPool1d`."""


class AvgPool2d(_Pool, nn.AvgPool2d):
    """Mean over windows of the last two axes; the arguments are those of `torch.nn.AvgPool2d`.

    Example:
        >>> import torch
        >>> AvgPool2d(2)(torch.full((1, 1, 2, 2), 1j)).item()
        1j
    """


class AvgPool3d(_Pool, nn.AvgPool3d):
    """Mean over windows of the last three axes; arguments as for `torch.nn.AvgPool3d`."""


class AdaptiveAvgPool1d(_Pool, nn.AdaptiveAvgPool1d):
    """Mean over windows chosen so that the last axis gets `output_size` entries."""


class AdaptiveAvgPool2d(_Pool, nn.AdaptiveAvgPool2d):
    """Mean over windows chosen so that the last two axes get `output_size` entries."""


class AdaptiveAvgPool3d(_Pool, nn.AdaptiveAvgPool3d):
    """Mean over windows chosen so that the last three axes get `output_size` entries."""
