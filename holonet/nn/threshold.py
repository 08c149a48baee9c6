"""A soft threshold that is entire and monotone."""

import math

import torch
from torch import nn

from holonet._arguments import checked
from holonet._types import InexactEntries
from holonet.errors import DomainError, InputTypeError
from holonet.functions import FunctionClass, get_function
from holonet.nn.module import HolomorphicModule, require_numbers, require_size
from holonet.ops import pointwise

__all__ = ["Threshold"]


class Threshold(HolomorphicModule):
    """t(z) = (1 + erf(a (z - b))) / 2 of every entry, with a learned slope a and center b.

    On the real axis t rises from 0 to 1, so that it maps boxes onto boxes
    (`attacks.ThreatModel.image`). Real input gives real output. a and b are real, and a is
    exp(`log_slope`), hence positive.

    Args:
        slope: first value of a, in 1 / units of the input; the derivative at b is a / sqrt(pi).
        center: first value of b, in units of the input.
        channels: size of the axis behind the batch axis, for an a and a b of each channel; None
            for one pair for all entries.
        device, dtype: of the parameters; dtype is float32 unless given.

    Law: entire; on the real axis strictly increasing, with t(b) = 1/2 and t(b - x) = 1 - t(b + x).

    Raises:
        DomainError: slope is not positive and finite, center not finite, or channels below 1.
        InputTypeError: a dtype that is not real, or input of another precision.
        ShapeError: the axis behind the batch axis is not `channels` long.

    Example:
        >>> Threshold()(torch.tensor([0.2, 0.5, 0.8]))
        tensor([0.0055, 0.5000, 0.9945], grad_fn=<DivBackward0>)
    """

    function_class = FunctionClass.ENTIRE
    takes_real = True
    monotone = True

    @checked
    def __init__(
        self,
        slope: float | int = 6.0,
        center: float | int = 0.5,
        channels: int | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        if not (0 < slope < math.inf and math.isfinite(center)):
            raise DomainError(
                f"Threshold(slope={slope}, center={center}): choose a finite slope > 0 and a "
                "finite center"
            )
        if channels is not None and channels < 1:
            raise DomainError(f"Threshold(channels={channels}): at least 1, or None for all")
        if dtype not in (torch.float32, torch.float64):
            raise InputTypeError(
                f"Threshold(dtype={dtype}): slope and center are real, torch.float32 or float64"
            )
        self.channels = channels
        shape = () if channels is None else (channels,)
        self.log_slope = nn.Parameter(
            torch.full(shape, math.log(slope), device=device, dtype=dtype)
        )
        self.center = nn.Parameter(torch.full(shape, float(center), device=device, dtype=dtype))

    def forward(self, input: InexactEntries) -> InexactEntries:
        """The threshold of every entry."""
        require_numbers(input, self, self.center.dtype)
        slope, center = self.log_slope.exp(), self.center
        if self.channels is not None:
            axis = min(1 - input.ndim, -1)  # of a vector without a batch axis the only one
            require_size(input, axis, self.channels, self, "channels")
            column = (-1,) + (1,) * (-axis - 1)
            slope, center = slope.view(column), center.view(column)
        u = slope * (input - center)
        return (1 + pointwise(get_function("erf"), u)) / 2

    def extra_repr(self) -> str:
        """The number of channels, where there is one."""
        return "" if self.channels is None else f"channels={self.channels}"
