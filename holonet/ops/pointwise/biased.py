"""phi(z + b): the sum is formed where phi reads it, and is never in memory."""

from typing import Any

import torch
from torch import Tensor

from holonet._types import ComplexTensor
from holonet.errors import ShapeError
from holonet.functions import HolomorphicFunction
from holonet.ops.backend import chosen
from holonet.ops.floors import Floor, choose, is_read_by_torch, transforms_are_active
from holonet.ops.native import readable
from holonet.ops.pointwise import compiled, entrywise, nodes

__all__ = ["pointwise"]


def pointwise(
    record: HolomorphicFunction, z: Tensor, bias: ComplexTensor | None = None
) -> ComplexTensor:
    """phi(z + b) for every entry, where phi is the function of a record.

    The floor is chosen by `ops.use` and HOLONET_BACKEND; `explain` says which and why. Results
    and derivatives agree with the record's torch code to 8 eps times max(|f|, |z f'|) where they
    are finite, and are not finite or the limit where z is not finite.

    Law: on every floor the value, the gradient, the jvp and the gradients of these are those of
        `record.value(z + bias)`.

    Args:
        record: of the catalogue or of `symbolic.from_sympy`, or any that is written in torch.
        z: complex64 or complex128, any shape; may be strided, lazily conjugated, a subclass.
        bias: (n,), added along the last axis of z; none unless given.

    Raises:
        UnknownNameError: HOLONET_BACKEND names no backend.
        ShapeError: the bias is not as long as the last axis of z.

    Example:
        >>> from holonet.functions import CATALOGUE
        >>> pointwise(CATALOGUE["square"], torch.tensor([1j]), torch.tensor([1 + 0j]))
        tensor([0.+2.j])
    """
    if is_read_by_torch():
        return record.value(z if bias is None else z + bias)
    if bias is None:
        call = nodes.ready.get(id(record))
        if call is not None and chosen() in ("auto", "compiled"):
            found = call(z)
            if found is not None:
                return found
        return _through_python(record, z)
    if bias.shape != z.shape[-1:] or not z.dim():
        raise ShapeError(
            f"a bias of shape {tuple(bias.shape)} along the last axis of {tuple(z.shape)}: give "
            "one number for each of its entries"
        )
    floor = _floor(record, z, bias)
    if floor is None:
        return entrywise.pointwise(record, z + bias)
    if torch.is_grad_enabled() and (z.requires_grad or bias.requires_grad):
        return _Biased.apply(z, bias, record, floor)  # pyright: ignore[reportReturnType]
    return _run("value", floor, record, z, bias)


def _through_python(record: HolomorphicFunction, z: Tensor) -> ComplexTensor:
    if z.numel() < compiled.small.get(id(record), compiled.LEAST) and chosen() == "auto":
        return record.value(z)  # small tensors are the ones in a hurry
    found = entrywise.pointwise(record, z)
    nodes.prepare(record)
    return found


def _floor(record: HolomorphicFunction, z: Tensor, bias: Tensor) -> Floor | None:
    """The floor that has both operations for these tensors, outside of transforms."""
    if transforms_are_active():
        return None
    floor, _ = choose(compiled.least(record, z.requires_grad), z, bias)
    if floor is None or not (readable(z) and readable(bias)):
        return None
    if floor == "compiled" and compiled.is_polynomial(record):
        return None  # torch's sums and products are as fast as a copy
    found = entrywise.kernels(floor, record, z.dtype, biased=True)
    return None if isinstance(found, str) else floor


def _run(operation: str, floor: Floor, record: HolomorphicFunction, *inputs: Tensor) -> Tensor:
    found: Any = entrywise.kernels(floor, record, inputs[0].dtype, biased=True)
    return found[operation](*inputs)[0]


class _Biased(torch.autograd.Function):
    """phi(z + b) for autograd alone; a backward pass that is derived again forms the sum."""

    @staticmethod
    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, z: Tensor, bias: Tensor, record: HolomorphicFunction, floor: Floor
    ) -> Tensor:
        ctx.save_for_backward(z, bias)
        ctx.record, ctx.floor = record, floor
        return _run("value", floor, record, z, bias)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        (z, bias), (g,) = ctx.saved_tensors, grad_outputs
        if torch.is_grad_enabled() or not readable(g):
            along = entrywise.pull(ctx.record, z + bias, g)
        else:
            along = _run("pull", ctx.floor, ctx.record, z, g, bias)
        rows = along.reshape(-1, len(bias)) if along.numel() else along.new_zeros(1, len(bias))
        return along, rows.sum(0), None, None
