"""phi(z) and phi'(z) t with their derivatives in both modes, on the fastest floor."""

import functools
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from holonet._types import ComplexTensor
from holonet.errors import ShapeError
from holonet.functions import HolomorphicFunction
from holonet.ops.floors import Floor, choose
from holonet.ops.jet import compiled, fused, reference
from holonet.ops.jet.programs import MOST
from holonet.ops.native import readable
from holonet.ops.two_modes import OfRecord, primals

__all__ = ["SMALLEST", "jet", "one_tangent"]

SMALLEST = 4096
"""Entries from which compiled code is taken on the CPU."""


def jet(
    record: HolomorphicFunction, z: Tensor, tangents: Tensor
) -> tuple[ComplexTensor, ComplexTensor]:
    """phi(z), and phi'(z) t for each of K tangents, computed in one pass over memory.

    `pointwise` takes this path by itself under forward mode, and `torch.func.vmap` over the
    tangents of a `torch.func.jvp` arrives here with all of them; so do penalties that are built
    on these. The jvp of a jet is its second order.

    Law: on every floor the values and all derivatives are those of `record.value(z)` and
        `record.derivative(z) * tangents`, to 8 eps times max(|f|, |z f'|) per unit of tangent.

    Args:
        record: of the catalogue or of `symbolic.from_sympy`, or any that is written in torch.
        z: complex64 or complex128, any shape.
        tangents: (K, *shape of z), of the same dtype; K may be 0.

    Returns:
        phi(z), and the images of the tangents, (K, *shape of z).

    Raises:
        ShapeError: the tangents have another shape than z behind their first axis.

    Example:
        >>> from holonet.functions import CATALOGUE
        >>> z = torch.tensor([2 + 0j])
        >>> value, along = jet(CATALOGUE["square"], z, torch.tensor([[1 + 0j], [1j]]))
        >>> value.tolist(), along.flatten().tolist()
        ([(4+0j)], [(4+0j), 4j])
    """
    if tangents.shape[1:] != z.shape or not tangents.dim():
        raise ShapeError(
            f"jet of tangents {tuple(tangents.shape)} at z of shape {tuple(z.shape)}: K tangents "
            f"have the shape {('K', *z.shape)}"
        )
    if torch.compiler.is_compiling():
        return reference.jet(record, z, tangents)
    floor, _ = choose(SMALLEST, z, tangents)
    if floor is None:
        return reference.jet(record, z, tangents)
    return _Jet.apply(z, tangents, record, floor)  # pyright: ignore[reportReturnType]


def one_tangent(
    record: HolomorphicFunction, z: Tensor, tangent: Tensor, floor: Floor
) -> tuple[Tensor, Tensor]:
    """phi(z) and phi'(z) t on a floor that was chosen."""
    value, along = _Jet.apply(z, tangent.unsqueeze(0), record, floor)  # pyright: ignore[reportGeneralTypeIssues]
    return value, along.squeeze(0)


def _run(
    operation: str, record: HolomorphicFunction, floor: Floor, *tensors: Tensor
) -> tuple[Tensor, ...]:
    """An operation of `reference` on a floor, if it can, for groups of at most MOST tangents.

    Args:
        tensors: in turn one like z and one like t.
    """
    single, each = list(tensors[::2]), [x.split(MOST) for x in tensors[1::2]]
    z, t = tensors[:2]
    kernels = [_kernels(record, floor, len(group), z.dtype) for group in each[0] if len(group)]
    if not kernels or None in kernels or not all(map(readable, tensors)):
        return getattr(reference, operation)(record, *tensors)
    pairs = 2 if operation == "push_backward" else 1
    images = [torch.empty_like(t, memory_format=torch.contiguous_format) for _ in range(pairs)]
    totals: list[Tensor] = []
    for k, (kernel, *parts) in enumerate(zip(kernels, *each, strict=True)):
        inputs = [x for one, group in zip(single, parts, strict=True) for x in (one, *group)]
        out = [row for image in images for row in image.split(MOST)[k]]
        found = kernel[operation](*inputs, out=out)[:pairs]
        if operation.endswith("backward"):
            totals = list(map(torch.add, totals, found)) if totals else found
            single[-1] = torch.zeros_like(z)  # the gradient of the value counts in one group only
        else:
            totals = found
    return tuple(x for pair in zip(totals, images, strict=True) for x in pair)


def _kernels(record: HolomorphicFunction, floor: Floor, tangents: int, dtype: torch.dtype) -> Any:
    if floor == "compiled":
        return compiled.kernels(record, tangents, dtype)
    return fused.kernels(record, tangents)


class _Function(OfRecord):
    """What both functions share: z, tangents, perhaps two more, then the record and the floor."""

    @classmethod
    def vmap(  # pyright: ignore[reportIncompatibleMethodOverride]
        cls, info: Any, in_dims: Any, *args: Any
    ) -> Any:
        """Over tangents alone the batch is more tangents; else an axis of z behind theirs."""
        *tensors, record, floor = args
        size = info.batch_size
        shared = all(d is None for d in in_dims[: len(tensors) : 2])

        def ready(k: int) -> Tensor:
            x, d = tensors[k], in_dims[k]
            if k % 2 == 0:  # single tensors and tangents alternate
                return x if shared else _leading(x, d, size)
            batched = _leading(x, d, size)
            return batched.flatten(0, 1) if shared else batched.movedim(0, 1)

        value, along = cls.apply(*map(ready, range(len(tensors))), record, floor)  # pyright: ignore[reportGeneralTypeIssues]
        if shared:
            return (value, along.reshape(size, len(along) // size, *value.shape)), (None, 0)
        return (value, along), (0, 1)


def _leading(x: Tensor, dim: int | None, size: int) -> Tensor:
    """The batch axis in front, made where there is none."""
    return x.expand(size, *x.shape) if dim is None else x.movedim(dim, 0)


class _Jet(_Function):
    """phi(z) and phi'(z) t."""

    @staticmethod
    def forward(
        z: Tensor, t: Tensor, record: HolomorphicFunction, floor: Floor
    ) -> tuple[Tensor, ...]:
        return _run("jet", record, floor, z, t)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        z, t = ctx.saved_tensors
        if torch.is_grad_enabled():
            return *reference.backward(ctx.record, z, t, *grad_outputs), None, None
        return *_run("backward", ctx.record, ctx.floor, z, t, *grad_outputs), None, None

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        with forward_ad._set_fwd_grad_enabled(True):
            z, t = primals(ctx)
            return _Push.apply(z, t, *tangents[:2], ctx.record, ctx.floor)


class _Push(_Function):
    """How they change; their tangents, and gradients of gradients, are left to torch."""

    @staticmethod
    def forward(
        z: Tensor, t: Tensor, u: Tensor, s: Tensor, record: HolomorphicFunction, floor: Floor
    ) -> tuple[Tensor, ...]:
        return _run("push", record, floor, z, t, u, s)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        if torch.is_grad_enabled():
            return (
                *reference.push_backward(ctx.record, *ctx.saved_tensors, *grad_outputs),
                None,
                None,
            )
        found = _run("push_backward", ctx.record, ctx.floor, *ctx.saved_tensors, *grad_outputs)
        return *found, None, None

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        with forward_ad._set_fwd_grad_enabled(True):
            push = functools.partial(reference.push, ctx.record)
            return torch.func.jvp(push, primals(ctx), tangents[:4])[1]
