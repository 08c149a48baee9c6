"""Convolutions with complex or real coefficients: torch's own, with the right initialization."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Inexact
from torch import Tensor, nn
from torch.nn import functional

from holonet._types import InexactEntries
from holonet.functions import FunctionClass
from holonet.nn import init
from holonet.nn.coefficients import coefficient_dtype
from holonet.nn.module import HolomorphicModule, require_numbers, require_size
from holonet.ops.affine import continued, planar_channels, widened

__all__ = ["Conv1d", "Conv2d", "ConvTranspose2d"]


class _Convolution(HolomorphicModule):
    """What the convolutions share: the dtype, the initialization and the checks.

    Mixed in front of a torch convolution, whose arguments it takes; `dtype` is complex64 unless
    given, and a real dtype gives real coefficients. Weights start normal with E|w|^2 = 1 / fan_in
    (circular where they are complex), biases at zero.
    """

    function_class = FunctionClass.AFFINE
    takes_real = True
    weight: Tensor
    bias: Tensor | None
    in_channels: int
    groups: int
    kernel_size: tuple[int, ...]
    _conv_forward: Callable[[Tensor, Tensor, Tensor | None], Tensor]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, ...],
        *args: Any,
        dtype: torch.dtype | None = None,
        **kwargs: Any,
    ) -> None:
        dtype = coefficient_dtype(dtype, type(self).__name__)
        super().__init__(in_channels, out_channels, kernel_size, *args, dtype=dtype, **kwargs)

    def reset_parameters(self) -> None:
        """Draw the weight anew and set the bias to zero."""
        init.kaiming_normal_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, input: InexactEntries) -> Inexact[Tensor, "*out"]:
        """Convolve; input (batch, in_channels, *space) or without the batch axis.

        Real input of complex coefficients takes one real convolution with the parts of the weight
        as channels; under `torch.autocast` that one is in 16 bits, and the result is complex64 all
        the same.
        """
        input = self._checked(input)
        if not self.weight.is_complex():
            return continued(self._conv_forward, input, self.weight, self.bias)
        if input.is_complex():
            return super().forward(input)
        if self.groups > 1:
            return super().forward(input.to(self.weight.dtype))
        bias = None if self.bias is None else planar_channels(self.bias)
        parts = self._conv_forward(input, planar_channels(self.weight), bias)
        real, imaginary = parts.to(input.dtype).chunk(2, dim=-1 - len(self.kernel_size))
        return torch.complex(real.contiguous(), imaginary.contiguous())

    def _checked(self, input: Tensor) -> Tensor:
        if self.weight.is_complex():
            input = widened(input)
        require_numbers(input, self, self.weight.dtype)
        require_size(input, -1 - len(self.kernel_size), self.in_channels, self, "channels")
        return input


class Conv1d(_Convolution, nn.Conv1d):
    """Convolution over the last axis: `torch.nn.Conv1d` on complex and real tensors.

    Raises:
        InputTypeError: a dtype of integers, or input of another precision.
        ShapeError: wrong number of channels.

    Example:
        >>> Conv1d(2, 3, kernel_size=5)(torch.zeros(1, 2, 9, dtype=torch.complex64)).shape
        torch.Size([1, 3, 5])
    """


class Conv2d(_Convolution, nn.Conv2d):
    """Convolution over the last two axes: `torch.nn.Conv2d` on complex and real tensors.

    Raises:
        InputTypeError: a dtype of integers, or input of another precision.
        ShapeError: wrong number of channels.

    Example:
        >>> Conv2d(2, 3, 3, padding=1)(torch.zeros(1, 2, 8, 8, dtype=torch.complex64)).shape
        torch.Size([1, 3, 8, 8])
    """

    function_class = FunctionClass.AFFINE

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if self._prefers_patches(input):
            return _convolve_patches(self, input, weight, bias)
        return super()._conv_forward(input, weight, bias)

    def _prefers_patches(self, input: Tensor) -> bool:
        """Whether gradients in the input are wanted that torch's convolution is slow at.

        On a CPU the gradient in an input of one channel takes about ten forward passes, and as a
        product of matrices three. With three channels and more the convolution is faster.
        """
        return (
            self.in_channels == 1
            and type(input) is Tensor
            and input.requires_grad
            and input.device.type == "cpu"
            and input.ndim == 4
            and not torch.is_autocast_enabled("cpu")
            and self.padding_mode == "zeros"
            and not isinstance(self.padding, str)
        )


def _convolve_patches(
    layer: nn.Conv2d, input: Tensor, weight: Tensor, bias: Tensor | None
) -> Tensor:
    """The convolution as a product with the matrix of patches."""
    sizes: Any = layer  # in torch's stubs a padding may be a string
    height, width = (
        (side + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
        for side, padding, dilation, kernel, stride in zip(
            input.shape[2:],
            sizes.padding,
            sizes.dilation,
            sizes.kernel_size,
            sizes.stride,
            strict=True,
        )
    )
    patches = functional.unfold(
        input, sizes.kernel_size, sizes.dilation, sizes.padding, sizes.stride
    )
    output = weight.flatten(1) @ patches
    if bias is not None:
        output = output + bias.unsqueeze(1)
    return output.unflatten(2, (height, width))


class ConvTranspose2d(_Convolution, nn.ConvTranspose2d):
    """Transposed convolution over the last two axes: that of torch.

    Its weight is (in, out, *kernel), so the kernel's in and out change places in `fan_in`.

    Raises:
        InputTypeError: a dtype of integers, or input of another precision.
        ShapeError: wrong number of channels.

    Example:
        >>> ConvTranspose2d(2, 3, 2, stride=2)(torch.zeros(1, 2, 4, 4, dtype=torch.cfloat)).shape
        torch.Size([1, 3, 8, 8])
    """

    function_class = FunctionClass.AFFINE

    def reset_parameters(self) -> None:
        """Draw the weight anew and set the bias to zero."""
        gain = self.groups**0.5  # an output sees one group of the inputs, the weight has them all
        init.kaiming_normal_(self.weight, gain, mode="fan_out")
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(
        self,
        input: Inexact[Tensor, "*batch in height width"],
        output_size: list[int] | None = None,
    ) -> Inexact[Tensor, "*batch out out_height out_width"]:
        """Convolve; `output_size` settles which of several sizes is meant, as in torch."""
        input = self._checked(input)
        if self.weight.is_complex():
            return nn.ConvTranspose2d.forward(self, input.to(self.weight.dtype), output_size)
        layer: Any = self  # in torch's stubs a padding may be a string
        padding = layer._output_padding(
            input, output_size, layer.stride, layer.padding, layer.kernel_size, 2, layer.dilation
        )

        sizes = layer.stride, layer.padding, padding, layer.groups, layer.dilation
        return continued(
            lambda z, weight, bias: functional.conv_transpose2d(z, weight, bias, *sizes),
            input,
            self.weight,
            self.bias,
        )
