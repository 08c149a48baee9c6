"""phi(z) with its derivatives in both modes of automatic differentiation."""

from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch._functorch.utils import unwrap_dead_wrappers
from torch.autograd import forward_ad

from holonet._types import InexactEntries, RealEntries
from holonet.functions import HolomorphicFunction
from holonet.ops.dispatch import plan, transforms_are_active
from holonet.ops.pointwise import reference
from holonet.ops.pointwise.compiled import Generated, run, run_on_parts

__all__ = ["pointwise", "pointwise_of_parts"]


def pointwise(record: HolomorphicFunction, z: InexactEntries) -> InexactEntries:
    """phi(z) for every entry, where phi is the function of a record.

    `ops.use` and HOLONET_BACKEND request a backend; `ops.explain` says which one runs and why.
    Results and derivatives agree with the record's torch code to 8 eps times max(|f|, |z f'|) where
    they are finite, and are not finite or the limit where z is not finite. Real z take the record's
    real function and no backend.

    Law: on every backend the value, the gradient, the jvp and the gradients of these are those of
        `record.value(z)`.

    Args:
        record: of the catalogue or of `symbolic.from_sympy`, or any that is written in torch.
        z: complex64 or complex128, any shape; may be strided, lazily conjugated, a subclass. Real z
            give real values.

    Raises:
        InputTypeError: z is real, and the record has complex values there.
        UnknownNameError: HOLONET_BACKEND names no backend.

    Example:
        >>> from holonet.functions import CATALOGUE
        >>> pointwise(CATALOGUE["square"], torch.tensor([1 + 1j]))
        tensor([0.+2.j])
    """
    if not z.is_complex():
        return record(z)
    backend, _ = plan(record, z)
    if backend == "reference":
        return record.value(z)
    if transforms_are_active() or (z.requires_grad and torch.is_grad_enabled()):
        return _apply("value", z, record=record, backend=backend)
    return run("value", record, backend, z)


def pointwise_of_parts(
    record: HolomorphicFunction, real: RealEntries, imag: RealEntries
) -> tuple[RealEntries, RealEntries]:
    """The parts of `pointwise(record, torch.complex(real, imag))`."""
    looks = torch.zeros((), dtype=real.dtype.to_complex(), device=real.device)
    backend, _ = plan(record, looks.expand(real.shape))
    recorded = (real.requires_grad or imag.requires_grad) and torch.is_grad_enabled()
    if backend == "compiled" and not recorded and not transforms_are_active():
        out = run_on_parts(record, real, imag)
        if out is not None:
            return out
    value = pointwise(record, torch.complex(real, imag))
    return value.real, value.imag


class _RecordFunction(torch.autograd.Function):
    """Value(z), push(z, t), pull(z, g) or bend(z, t, u) of `reference`, on a backend."""

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
            gradients = _apply(operation, *given, record=ctx.record, backend=ctx.backend)
        else:
            gradients = getattr(reference, operation)(ctx.record, *given)
        return None, None, None, *(gradients if isinstance(gradients, tuple) else (gradients,))

    @staticmethod
    def jvp(ctx: Any, *grad_inputs: Any) -> Any:
        tangents = grad_inputs[3:]
        # torch calls this with forward mode switched off, which drops the tangents of outer levels;
        # the saved tensors then carry this level's too
        with forward_ad._set_fwd_grad_enabled(True):
            primals = tuple(forward_ad.unpack_dual(t).primal for t in ctx.saved_tensors)
            apply = partial(_apply, record=ctx.record, backend=ctx.backend)
            if ctx.operation == "bend":
                return torch.func.jvp(partial(reference.bend, ctx.record), primals, tangents)[1]
            if ctx.operation == "value":
                return apply("push", *primals, *tangents)
            (z, t), (along_z, along_t) = primals, tangents
            if ctx.operation == "push":
                return apply("bend", z, t, along_z) + apply("push", z, along_t)
            return apply("bend", z, along_z, t.conj()).conj() + apply("pull", z, along_t)

    @staticmethod
    def vmap(info: Any, in_dims: Any, *args: Any) -> Any:
        """Entry by entry: a batch is one more axis in front."""
        del info
        operation, record, backend, *batched = args
        pairs = list(zip(batched, in_dims[3:], strict=True))
        rank = max(t.dim() - (d is not None) for t, d in pairs)
        tensors = [t if d is None else _padded(t.movedim(d, 0), rank) for t, d in pairs]
        return _apply(operation, *tensors, record=record, backend=backend), 0


def _apply(
    operation: str, *tensors: Tensor, record: HolomorphicFunction, backend: Generated
) -> Any:
    """`_RecordFunction.apply`; without torch.func around it in a third of the time.

    `torch.autograd.Function.apply` binds the arguments to the signature of `forward` first, which
    takes longer than the value of a small tensor.
    """
    if torch._C._are_functorch_transforms_active():
        return _RecordFunction.apply(operation, record, backend, *tensors)
    single_level: Any = super(torch.autograd.Function, _RecordFunction)
    return single_level.apply(operation, record, backend, *unwrap_dead_wrappers(tensors))


def _padded(t: Tensor, rank: int) -> Tensor:
    """Axes of length 1 behind the first, so that broadcasting aligns the others."""
    return t.reshape(t.shape[:1] + (1,) * (rank - t.dim() + 1) + t.shape[1:])
