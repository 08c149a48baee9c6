"""Tell autograd the derivative of a holomorphic function instead of letting it find one."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.overrides import handle_torch_function, has_torch_function_unary

from holonet._types import Entries, TensorFunction

__all__ = ["with_derivative"]


class _WithDerivative(torch.autograd.Function):
    """A function of one complex variable whose two modes of AD use a derivative given in advance.

    Reverse mode multiplies by conj(f'), torch's convention for the gradient of a real loss;
    forward mode multiplies by f'. Only z is saved.
    """

    @staticmethod
    def forward(z: Tensor, value: TensorFunction, derivative: TensorFunction) -> Tensor:
        del derivative
        return value(z)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        z, _, ctx.derivative = inputs
        ctx.is_real = not output.is_complex()
        ctx.save_for_backward(z)
        ctx.save_for_forward(z)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        (z,) = ctx.saved_tensors
        return grad_outputs[0] * ctx.derivative(z).conj(), None, None

    @staticmethod
    def jvp(ctx: Any, *grad_inputs: Any) -> Any:
        # torch calls this with forward mode switched off, which silently drops the tangents of
        # the outer levels of a nested jvp: switch it on again, and leave only our own level
        with forward_ad._set_fwd_grad_enabled(True):
            z = forward_ad.unpack_dual(ctx.saved_tensors[0]).primal
            change = grad_inputs[0] * ctx.derivative(z)
            return change.real if ctx.is_real else change

    @staticmethod
    def vmap(info: Any, in_dims: Any, *args: Any) -> Any:
        del info  # entry by entry: a batch is one more axis
        return _WithDerivative.apply(*args), in_dims[0]


class _Traced(torch.autograd.Function):
    """The same for torch.compile, which follows no function that has a forward mode of its own."""

    @staticmethod
    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, z: Tensor, value: TensorFunction, derivative: TensorFunction
    ) -> Tensor:
        ctx.save_for_backward(z)
        ctx.derivative = derivative
        return value(z)

    backward = _WithDerivative.backward


def with_derivative(z: Entries, value: TensorFunction, derivative: TensorFunction) -> Entries:
    """value(z), which autograd differentiates as `derivative` in every mode and order.

    The value may then be computed by whatever is accurate (masks, conjugations, cases), and only
    z is kept for the backward pass. `derivative` must itself be differentiable by torch. Tensors
    that override torch functions are asked first, as by a function of torch itself.

    The `derivative` of a real-valued function is D with df = Re(D dz), which is twice df/dz.

    Law: the jvp along 1 is `derivative(z)`, and the gradient of Re f is conj(derivative(z)).

    Example:
        >>> z = torch.tensor(1j, requires_grad=True)
        >>> with_derivative(z, torch.exp, torch.exp).real.backward()
        >>> bool(torch.isclose(z.grad, torch.tensor(1j).exp().conj()))
        True
    """
    if has_torch_function_unary(z):
        return handle_torch_function(with_derivative, (z,), z, value, derivative)
    if torch.jit.is_tracing():  # TorchScript stores operations of torch alone
        return value(z)
    function: Any = _Traced if torch.compiler.is_dynamo_compiling() else _WithDerivative
    return function.apply(z, value, derivative)
