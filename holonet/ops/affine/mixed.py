"""W z + b by real products of numbers rounded to bfloat16, summed in float32.

A complex product is one real one: with the parts of z as neighboring columns and those of W as two
by two blocks, the result lies in memory as complex numbers do, so that nothing is copied but for
the rounding.
"""

from typing import Any

import torch
from jaxtyping import Complex, Float, Inexact, Shaped
from torch import Tensor
from torch.autograd import forward_ad

from holonet._types import Entries

__all__ = ["affine", "autocast_dtype", "is_requested", "rounded_product", "widened"]

POINTS = (torch.complex64, torch.float32)

DEVICES = ("cpu", "cuda", "hpu", "mps", "xla", "xpu")
"""Those that torch.autocast knows; to ask torch which breaks the graph of torch 2.11's compiler."""


def autocast_dtype(z: Entries) -> torch.dtype | None:
    """What torch.autocast asks for on the device of z; None where it is off."""
    kind = z.device.type
    if kind in DEVICES and torch.is_autocast_enabled(kind):
        return torch.get_autocast_dtype(kind)
    return None


def is_requested(z: Entries, weight: Shaped[Tensor, "*weight"]) -> bool:
    """Whether torch.autocast asks for bfloat16, and z and the weight are in single precision.

    Example:
        >>> z = torch.zeros(2, 2, dtype=torch.complex64)
        >>> with torch.autocast("cpu", dtype=torch.bfloat16):
        ...     is_requested(z, z), is_requested(z.to(torch.complex128), z)
        (True, False)
    """
    single = weight.dtype is torch.complex64 and z.dtype in POINTS
    return single and autocast_dtype(z) is torch.bfloat16


def widened(x: Entries) -> Entries:
    """In float32 what a real layer in front gave in 16 bits because torch.autocast asked for it.

    Example:
        >>> x = torch.zeros(2, dtype=torch.bfloat16)
        >>> with torch.autocast("cpu", dtype=torch.bfloat16):
        ...     widened(x).dtype, widened(x.double()).dtype
        (torch.float32, torch.float64)
    """
    low = getattr(x, "dtype", None) in (torch.bfloat16, torch.float16)
    return x.float() if low and autocast_dtype(x) is not None else x


def affine(
    z: Inexact[Tensor, "*batch in"],
    weight: Complex[Tensor, "out in"],
    bias: Complex[Tensor, " out"] | None = None,
) -> Complex[Tensor, "*batch out"]:
    """W z + b along the last axis, with the parts of z and W rounded to bfloat16.

    The bias is not rounded. Gradients, tangents and their gradients are products of the same kind:
    what enters each one is rounded, what leaves it is in float32.

    Args:
        z: complex64 or float32.
        weight: complex64.
        bias: complex64.

    Law: the error is at most 2.1 x 2^-8 (|z| |W|^T), entry by entry, for up to a few thousand
        columns.

    Example:
        >>> affine(torch.tensor([[1 + 2j]]), torch.tensor([[3 + 1j]]))
        tensor([[1.+7.j]])
    """
    if not z.is_complex():
        flat = rounded_product(_rows(z), _columns(weight.real, weight.imag))
    else:
        c, d = weight.real, weight.imag
        block = torch.stack([_columns(c, d), _columns(-d, c)], 1).flatten(0, 1)
        flat = rounded_product(_parts(z), block)
    value = torch.view_as_complex(flat.reshape(*z.shape[:-1], len(weight), 2))
    return value if bias is None else value + bias


def rounded_product(
    a: Float[Tensor, "*batch rows inner"], b: Float[Tensor, "*batch inner columns"]
) -> Float[Tensor, "*batch rows columns"]:
    """A B in float32, with A and B rounded to bfloat16.

    Leading axes must be equal. It is differentiated as a bilinear map, by products of this kind.

    Example:
        >>> rounded_product(torch.tensor([[1.001]]), torch.tensor([[2.0]]))
        tensor([[2.]])
    """
    # torch.compile refuses functions with a jvp of their own
    product: Any = _Product if torch.compiler.is_compiling() else _Transformable
    return product.apply(a, b)


def _rows(z: Tensor) -> Tensor:
    """All points as rows, also where a size is 0."""
    return z.reshape(z.shape[:-1].numel(), z.shape[-1])


def _parts(z: Tensor) -> Tensor:
    """All points as rows, both parts of an entry as neighbors."""
    return torch.view_as_real(z.resolve_conj()).reshape(z.shape[:-1].numel(), 2 * z.shape[-1])


def _columns(re: Tensor, im: Tensor) -> Tensor:
    """Matrices (m, n) as (n, 2m), their rows as neighboring columns."""
    return torch.stack([re.mT, im.mT], -1).flatten(-2)


class _Product(torch.autograd.Function):
    """The product of rounded matrices, bilinear in the matrices as they are."""

    @staticmethod
    def forward(a: Tensor, b: Tensor) -> Tensor:
        low = [t.to(torch.bfloat16) for t in (a, b)]
        with torch.autocast(a.device.type, enabled=False):
            if not (a.numel() and b.numel()):
                return a @ b
            if a.device.type != "cuda":
                return low[0].float() @ low[1].float()
            mm: Any = torch.mm if a.dim() == 2 else torch.bmm  # torch's stubs lack out_dtype
            if a.dim() == 2:
                return mm(*low, out_dtype=torch.float32)
            flat = mm(*(t.flatten(0, -3) for t in low), out_dtype=torch.float32)
            return flat.unflatten(0, a.shape[:-2])

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        del output
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        (a, b), (g,) = ctx.saved_tensors, grad_outputs
        if g is None:
            return None, None
        return (
            rounded_product(g, b.mT) if ctx.needs_input_grad[0] else None,
            rounded_product(a.mT, g) if ctx.needs_input_grad[1] else None,
        )


class _Transformable(_Product):
    """The same with forward mode and vmap."""

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        del output
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)
        ctx.set_materialize_grads(False)  # a tangent of 0 would cost a product

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        along_a, along_b = tangents
        # torch switches forward mode off here, which would drop the tangents of outer levels
        with forward_ad._set_fwd_grad_enabled(True):
            a, b = (forward_ad.unpack_dual(t).primal for t in ctx.saved_tensors)
            terms = [] if along_a is None else [rounded_product(along_a, b)]
            terms += [] if along_b is None else [rounded_product(a, along_b)]
            return sum(terms[1:], start=terms[0]) if terms else None

    @staticmethod
    def vmap(  # pyright: ignore[reportIncompatibleMethodOverride]
        info: Any, in_dims: Any, a: Tensor, b: Tensor
    ) -> Any:
        if in_dims[1] is None and a.dim() == 3:  # many points, one matrix: more rows
            rows = a.movedim(in_dims[0], 0)
            return rounded_product(rows.flatten(0, 1), b).unflatten(0, rows.shape[:2]), 0
        pair = [
            t.expand(info.batch_size, *t.shape) if d is None else t.movedim(d, 0)
            for t, d in zip((a, b), in_dims, strict=True)
        ]
        return rounded_product(*pair), 0
