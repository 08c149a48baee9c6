"""phi(z) with its derivatives in both modes of automatic differentiation."""

from typing import Any

import torch
from torch import Tensor
from torch._functorch.utils import unwrap_dead_wrappers
from torch.autograd import forward_ad

from holonet._types import ComplexTensor
from holonet.functions import HolomorphicFunction
from holonet.ops.dispatch import plan, transforms_are_active
from holonet.ops.pointwise import reference
from holonet.ops.pointwise.compiled import Generated, run

__all__ = ["pointwise"]


def pointwise(record: HolomorphicFunction, z: Tensor) -> ComplexTensor:
    """phi(z) for every entry, where phi is the function of a record.

    `ops.use` and HOLONET_BACKEND request a backend; `ops.explain` says which one runs and why.
    Results and derivatives agree with the record's torch code to 8 eps times max(|f|, |z f'|) where
    they are finite, and are not finite or the limit where z is not finite.

    Law: on every backend the value, the gradient, the jvp and the gradients of these are those of
        `record.value(z)`.

    Args:
        record: of the catalogue or of `symbolic.from_sympy`, or any that is written in torch.
        z: complex64 or complex128, any shape; may be strided, lazily conjugated, a subclass.

    Raises:
        UnknownNameError: HOLONET_BACKEND names no backend.

    Example:
        >>> from holonet.functions import CATALOGUE
        >>> pointwise(CATALOGUE["square"], torch.tensor([1 + 1j]))
        tensor([0.+2.j])
    """
    backend, _ = plan(record, z)
    if backend == "reference":
        return record.value(z)
    if transforms_are_active() or (z.requires_grad and torch.is_grad_enabled()):
        return _apply("value", record, backend, z)
    return run("value", record, backend, z)


class _RecordFunction(torch.autograd.Function):
    """An operation of `reference`, one of value(z), push(z, t) and pull(z, g), on a backend."""

    @staticmethod
    def forward(
        operation: str, record: HolomorphicFunction, backend: Generated, *tensors: Tensor
    ) -> Any:
        result = run(operation, record, backend, *tensors)
        return result.view_as(result) if result is tensors[0] else result  # the identity

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        del output
        ctx.operation, ctx.record, ctx.backend, *tensors = inputs
        ctx.save_for_backward(*tensors)
        ctx.save_for_forward(*tensors)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """In one pass; where the gradients are differentiated again, of parts that know theirs."""
        given = (*ctx.saved_tensors, *grad_outputs)
        operation = "pull" if ctx.operation == "value" else f"{ctx.operation}_backward"
        if not torch.is_grad_enabled():
            gradients = run(operation, ctx.record, ctx.backend, *given)
        elif operation == "pull":
            gradients = _apply(operation, ctx.record, ctx.backend, *given)
        else:
            gradients = getattr(reference, operation)(ctx.record, *given)
        return None, None, None, *(gradients if isinstance(gradients, tuple) else (gradients,))

    @staticmethod
    def jvp(ctx: Any, *grad_inputs: Any) -> Any:
        along_z, *along = grad_inputs[3:]
        # torch calls this with forward mode switched off, which drops the tangents of outer levels;
        # the saved tensors then carry this level's too
        with forward_ad._set_fwd_grad_enabled(True):
            z, *others = (forward_ad.unpack_dual(t).primal for t in ctx.saved_tensors)
            if ctx.operation == "value":
                return _apply("push", ctx.record, ctx.backend, z, along_z)
            second = ctx.record.second_derivative(z)
            if ctx.operation == "push":
                bend = second * others[0] * along_z
            else:
                bend = (second * along_z).conj() * others[0]
            return bend + _apply(ctx.operation, ctx.record, ctx.backend, z, *along)

    @staticmethod
    def vmap(info: Any, in_dims: Any, *args: Any) -> Any:
        """Entry by entry: a batch is one more axis in front."""
        del info
        pairs = list(zip(args[3:], in_dims[3:], strict=True))
        rank = max(t.dim() - (d is not None) for t, d in pairs)
        tensors = [t if d is None else _padded(t.movedim(d, 0), rank) for t, d in pairs]
        return _apply(*args[:3], *tensors), 0


def _apply(*args: Any) -> Any:
    """`_RecordFunction.apply`; without torch.func around it in a third of the time.

    `torch.autograd.Function.apply` binds the arguments to the signature of `forward` first, which
    takes longer than the value of a small tensor.
    """
    if torch._C._are_functorch_transforms_active():
        return _RecordFunction.apply(*args)
    single_level: Any = super(torch.autograd.Function, _RecordFunction)
    return single_level.apply(*unwrap_dead_wrappers(args))


def _padded(t: Tensor, rank: int) -> Tensor:
    """Axes of length 1 behind the first, so that broadcasting aligns the others."""
    return t.reshape(t.shape[:1] + (1,) * (rank - t.dim() + 1) + t.shape[1:])
