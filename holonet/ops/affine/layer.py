"""W z + b, and phi of it, on the floor and in the precision that are asked for."""

from typing import Any

import torch
from torch import Tensor
from torch.overrides import has_torch_function

from holonet._types import ComplexTensor
from holonet.functions import HolomorphicFunction
from holonet.ops.affine import mixed, reference
from holonet.ops.backend import chosen
from holonet.ops.floors import choose, transforms_are_active
from holonet.ops.native import readable
from holonet.ops.pointwise import pointwise
from holonet.ops.pointwise.entrywise import pull

__all__ = ["affine"]


def affine(
    z: Tensor,
    weight: ComplexTensor,
    bias: ComplexTensor | None = None,
    activation: HolomorphicFunction | None = None,
) -> ComplexTensor:
    """phi(W z + b) along the last axis; W z + b without an activation.

    Under `torch.autocast` with bfloat16, tensors in single precision are multiplied in bfloat16,
    summed in float32 and give complex64, which autocast alone does not do for complex tensors.
    Else the products are torch's own, but that a real z costs half.

    On the GPU an activation is applied by the kernel that forms the products, in single precision;
    elsewhere it is `pointwise` of the sum.

    Args:
        z: (..., n), complex of the weight's dtype or real of its parts' dtype.
        weight: (m, n).
        bias: (m,).
        activation: phi, or None for the identity.

    Law: affine(z, W, b, phi) is pointwise(phi, affine(z, W, b)) on every floor, and so are all
        derivatives; for real z they are those at z + 0i.

    Raises:
        UnknownNameError: HOLONET_BACKEND names no backend.

    Example:
        >>> from holonet.functions import CATALOGUE
        >>> affine(torch.ones(1, 2), torch.tensor([[1j, 2]]), activation=CATALOGUE["square"])
        tensor([[3.+4.j]])
    """
    if activation is None:
        return _sum(z, weight, bias)
    given = [t for t in (z, weight, bias) if t is not None]
    rounded = mixed.asked_for(z, weight)
    if not _takes_kernel(activation, given, _precision(z, rounded)):
        return pointwise(activation, _sum(z, weight, bias))
    if torch.is_grad_enabled() and any(t.requires_grad for t in given):
        return _Layer.apply(z, weight, bias, activation, rounded)  # pyright: ignore[reportReturnType]
    return _fused().layer(activation, z, weight, bias, _precision(z, rounded))[0]


def _sum(z: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """W z + b in the precision that autocast asks for."""
    if has_torch_function((z, weight, bias)) or mixed.autocast_dtype(z) is None:
        return reference.affine(z, weight, bias)
    if mixed.asked_for(z, weight):
        return mixed.affine(z, weight, bias)
    with torch.autocast(z.device.type, enabled=False):  # parts in float16 would not be complex64
        return reference.affine(z, weight, bias)


def _takes_kernel(record: HolomorphicFunction, given: list[Tensor], precision: str) -> bool:
    """Whether the kernel runs: for plain complex64 tensors that nothing but autograd watches.

    In full precision, without tensor cores, it is not expected to reach torch's own product, so
    there it runs only if asked for.
    """
    if torch.compiler.is_compiling() or transforms_are_active():
        return False  # the user's compiler traces plain torch code
    floor, _ = choose(0, *given)
    if floor != "fused" or any(t.device != given[0].device for t in given):
        return False
    if precision == "ieee" and chosen() == "auto":
        return False
    return _fits(given) and all(map(readable, given)) and _fused().available(record)


def _fits(given: list[Tensor]) -> bool:
    """Whether the shapes are those of the documentation; torch says what is wrong with others."""
    z, weight, *bias = given
    if z.dim() < 1 or weight.dim() != 2 or z.shape[-1] != weight.shape[1]:
        return False
    return all(b.shape == weight.shape[:1] for b in bias)


def _fused() -> Any:
    """The module of the kernel, which needs Triton: only after `choose` has found it."""
    from holonet.ops.affine import fused

    return fused


def _precision(z: Tensor, rounded: bool) -> str:
    """Of the kernel's products: as torch's own would have."""
    if rounded:
        return "bf16"
    settings = torch.backends.cuda.matmul
    return "tf32" if z.is_cuda and settings.fp32_precision == "tf32" else "ieee"


class _Layer(torch.autograd.Function):
    """The kernel's phi(W z + b); it also keeps W z + b, where phi' is needed."""

    @staticmethod
    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any,
        z: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        record: HolomorphicFunction,
        rounded: bool,
    ) -> Tensor:
        precision = _precision(z, rounded)
        value, u = _fused().layer(record, z, weight, bias, precision, keep=True)
        ctx.save_for_backward(z, weight, bias, u)
        ctx.record, ctx.rounded = record, rounded
        return value

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        z, weight, bias, u = ctx.saved_tensors
        product = mixed.affine if ctx.rounded else reference.affine
        if torch.is_grad_enabled():  # u must know what it is made of
            u = product(z, weight, bias)
        g = pull(ctx.record, u, grad_outputs[0])
        for_z, for_weight, for_bias = ctx.needs_input_grad[:3]
        return (
            product(g, weight.mH) if for_z else None,
            _weight_gradient(z, g, ctx.rounded) if for_weight else None,
            _rows(g).sum(0) if for_bias else None,
            None,
            None,
        )


def _weight_gradient(z: Tensor, g: Tensor, rounded: bool) -> Tensor:
    if rounded:
        return mixed.weight_gradient(z, g)
    return _rows(g).mT @ _rows(z).conj()


def _rows(t: Tensor) -> Tensor:
    return t.reshape(t.shape[:-1].numel(), t.shape[-1])
