"""phi(z) with its derivatives in both modes of automatic differentiation, on the fastest floor."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch._C import _functorch  # pyright: ignore[reportAttributeAccessIssue]
from torch.autograd import forward_ad

from holonet._types import ComplexTensor
from holonet.functions import HolomorphicFunction
from holonet.ops.backend import chosen
from holonet.ops.floors import Floor, choose, transforms_are_active
from holonet.ops.jet.tangents import one_tangent
from holonet.ops.native import readable
from holonet.ops.pointwise import compiled, fused, reference
from holonet.ops.tracing import UntranslatableError
from holonet.ops.two_modes import OfRecord, primals

__all__ = ["explain", "kernels", "pointwise", "pull"]


WATCHED = 1 << 14
"""Entries from which compiled code is taken inside of transforms, whose rules are in Python."""


def pointwise(record: HolomorphicFunction, z: Tensor) -> ComplexTensor:
    """phi(z): `biased.pointwise` without a bias."""
    watched = transforms_are_active()
    least = WATCHED if watched else compiled.LEAST
    if z.numel() < least and chosen() == "auto":
        return record.value(z)  # before anything is asked about the record, which takes longer
    floor, _ = choose(max(least, compiled.least(record, z.requires_grad)), z)
    if floor is None:
        return record.value(z)
    if watched:
        primal, tangent = _dual(z)
        if tangent is not None:
            return forward_ad.make_dual(*one_tangent(record, primal, tangent, floor))
    elif z.requires_grad and torch.is_grad_enabled():
        return _Plain.apply(z, record, floor)  # pyright: ignore[reportReturnType]
    else:
        return _run(floor, "value", record, z)
    return _Value.apply(z, record, floor)  # pyright: ignore[reportReturnType]


def pull(record: HolomorphicFunction, z: Tensor, g: Tensor) -> ComplexTensor:
    """conj(phi'(z)) g: the gradient of phi at z applied to g, differentiable in both.

    Example:
        >>> from holonet.functions import CATALOGUE
        >>> pull(CATALOGUE["square"], torch.tensor([1j]), torch.tensor([1.0 + 0j]))
        tensor([0.-2.j])
    """
    floor, _ = choose(compiled.least(record, True), z, g)
    if floor is None:
        return reference.pull(record, z, g)
    return _Pull.apply(z, g, record, floor)  # pyright: ignore[reportReturnType]


def explain(record: HolomorphicFunction, z: Tensor) -> str:
    """What `pointwise` would run for these arguments, and why.

    Example:
        >>> from holonet.functions import CATALOGUE
        >>> explain(CATALOGUE["tanh"], torch.zeros(3, dtype=torch.complex64))
        'reference: 3 entries, and compiled code pays from 64'
    """
    floor, reason = choose(compiled.least(record, z.requires_grad), z)
    if floor is not None:
        found = kernels(floor, record, z.dtype)
        if not isinstance(found, str):
            return f"{floor}: {reason}"
        reason = found
    return f"reference: {reason}"


def _dual(z: Tensor) -> tuple[Tensor, Tensor | None]:
    """The number and its tangent where `torch.func.jvp` is the innermost transform.

    Forward mode without torch.func is left alone: backward passes inside of it need the tangents
    of what was saved, which parts that are taken and joined again no longer have.
    """
    innermost = _functorch.peek_interpreter_stack()
    if innermost is None or innermost.key() != _functorch.TransformType.Jvp:
        return z, None
    return forward_ad.unpack_dual(z)


def kernels(
    floor: Floor, record: HolomorphicFunction, dtype: torch.dtype, biased: bool = False
) -> Mapping[str, Callable[..., list[Tensor]]] | str:
    """The operations of a floor, at z or at z + b; or, in words, why there are none."""
    if floor == "compiled":
        return compiled.kernels(record, dtype, biased)
    try:
        return fused.kernels(record, biased)
    except UntranslatableError as error:
        return str(error)


def _run(floor: Floor, operation: str, record: HolomorphicFunction, *inputs: Tensor) -> Any:
    """An operation of `reference` on a floor, if it can: one tensor or a tuple."""
    found = kernels(floor, record, inputs[0].dtype)
    if isinstance(found, str) or not all(map(readable, inputs)):
        return getattr(reference, operation)(record, *inputs)
    if floor == "compiled" and operation == "value" and compiled.is_polynomial(record):
        return record.value(inputs[0])  # torch's products are as fast as a copy
    if any(t.shape != inputs[0].shape for t in inputs):
        inputs = torch.broadcast_tensors(*inputs)
    outputs = found[operation](*inputs)
    return outputs[0] if len(outputs) == 1 else tuple(outputs)


class _Entrywise(OfRecord):
    """What the three functions share: tensors, then the record and the floor."""

    @classmethod
    def vmap(  # pyright: ignore[reportIncompatibleMethodOverride]
        cls, info: Any, in_dims: Any, *args: Any
    ) -> Any:
        *tensors, record, floor = args
        ranks = [t.dim() - (d is not None) for t, d in zip(tensors, in_dims, strict=False)]
        aligned = [
            t if d is None else _pad(t.movedim(d, 0), max(ranks))
            for t, d in zip(tensors, in_dims, strict=False)
        ]
        del info
        return cls.apply(*aligned, record, floor), 0


def _pad(t: Tensor, rank: int) -> Tensor:
    """Axes of length 1 behind the first, so that broadcasting aligns the others."""
    return t.reshape(t.shape[:1] + (1,) * (rank - t.dim() + 1) + t.shape[1:])


class _Value(_Entrywise):
    """phi(z)."""

    @staticmethod
    def forward(z: Tensor, record: HolomorphicFunction, floor: Floor) -> Tensor:
        return _run(floor, "value", record, z)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        (z,), (g,) = ctx.saved_tensors, grad_outputs
        if torch.is_grad_enabled():
            return _Pull.apply(z, g, ctx.record, ctx.floor), None, None
        return _run(ctx.floor, "pull", ctx.record, z, g), None, None

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        with forward_ad._set_fwd_grad_enabled(True):
            (z,) = primals(ctx)
            return _Push.apply(z, tangents[0], ctx.record, ctx.floor)


class _Plain(torch.autograd.Function):
    """phi(z) where no transform watches: torch calls it in a tenth of the time of the other."""

    @staticmethod
    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, z: Tensor, record: HolomorphicFunction, floor: Floor
    ) -> Tensor:
        ctx.save_for_backward(z)
        ctx.record, ctx.floor = record, floor
        return _run(floor, "value", record, z)

    backward = _Value.backward


class _Push(_Entrywise):
    """phi'(z) t."""

    @staticmethod
    def forward(z: Tensor, t: Tensor, record: HolomorphicFunction, floor: Floor) -> Tensor:
        return _run(floor, "push", record, z, t)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        return *_backward("push_backward", ctx, grad_outputs[0]), None, None

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        with forward_ad._set_fwd_grad_enabled(True):
            z, t = primals(ctx)
            along_z, along_t = tangents[:2]
            bend = ctx.record.second_derivative(z) * t * along_z
            return bend + _Push.apply(z, along_t, ctx.record, ctx.floor)


class _Pull(_Entrywise):
    """conj(phi'(z)) g."""

    @staticmethod
    def forward(z: Tensor, g: Tensor, record: HolomorphicFunction, floor: Floor) -> Tensor:
        return _run(floor, "pull", record, z, g)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        return *_backward("pull_backward", ctx, grad_outputs[0]), None, None

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        with forward_ad._set_fwd_grad_enabled(True):
            z, g = primals(ctx)
            along_z, along_g = tangents[:2]
            bend = (ctx.record.second_derivative(z) * along_z).conj() * g
            return bend + _Pull.apply(z, along_g, ctx.record, ctx.floor)


def _backward(operation: str, ctx: Any, h: Tensor) -> tuple[Tensor, ...]:
    """The gradients of a push or pull: in one pass, or as torch code if they will be derived."""
    if torch.is_grad_enabled():
        return getattr(reference, operation)(ctx.record, *ctx.saved_tensors, h)
    return _run(ctx.floor, operation, ctx.record, *ctx.saved_tensors, h)
