"""phi(W z + b) in one Triton kernel: the activation works on sums that never leave the registers.

The kernel is `product.triton`, with the planar expressions of the activation written at its end.
"""

import functools
from importlib import resources
from typing import Any, Literal

import torch
import triton
from torch import Tensor

from holonet.functions import HolomorphicFunction
from holonet.ops.affine.mixed import PRODUCTS, Products
from holonet.ops.floors import interpreted
from holonet.ops.planar import Program
from holonet.ops.pointwise.programs import program
from holonet.ops.tracing import UntranslatableError
from holonet.ops.triton_code import helpers, load, statements

__all__ = ["Precision", "available", "layer", "source"]

Precision = Literal["ieee", "tf32", "bf16"]
"""What the factors of a product are rounded to: not at all, to 11 bits, or to 8."""

SMALL = {"ROWS": 16, "COLUMNS": 16, "DEPTH": 16}
"""The tile of the interpreter, where time goes with the number of operations."""

TILES = ((64, 64, 32, 4, 3), (128, 64, 32, 8, 3), (64, 128, 32, 8, 3), (32, 32, 32, 4, 2))
"""Rows, columns, depth, warps and stages that a card tries at the first call of a size."""


def source(made: Program) -> str:
    """A Python module with the kernel `layer` for the activation of a program in z."""
    lines, ((re, im),) = statements(
        made.outputs, "(ROWS, COLUMNS)", {"z_re": "u_re", "z_im": "u_im"}
    )
    lines.append(f"store(out_ptr, at, inside, {re}, {im}, ROWS, COLUMNS)")
    kernel = resources.files("holonet.ops.affine").joinpath("product.triton").read_text()
    return helpers() + "\n\n" + kernel.replace("# ACTIVATION", "\n    ".join(lines))


def layer(
    record: HolomorphicFunction,
    z: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    precision: Precision,
    products: Products = PRODUCTS,
    keep: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """phi(W z + b), and W z + b if it is to be kept.

    Args:
        record: phi.
        z: (..., n), complex64; like the others it may be strided and lazily conjugated or negated.
        weight: (m, n), complex64.
        bias: (m,), complex64.
        precision: of the products; sums are in float32.
        products: real ones for a complex one.
        keep: whether the second result is wanted.

    Raises:
        UntranslatableError: the record uses an operation that has no translation.
    """
    kernel = _kernel(record)
    points = _plain(z).reshape(z.shape[:-1].numel(), z.shape[-1])
    matrix, offset = _plain(weight), None if bias is None else _plain(bias)
    (rows, depth), columns = points.shape, len(matrix)
    out = torch.empty((rows, columns), dtype=torch.complex64, device=z.device)
    u = torch.empty_like(out) if keep else None
    if out.numel():
        spare = out if u is None else u
        read = matrix if offset is None else offset
        with torch.cuda.device_of(z):  # Triton launches on the current device
            kernel[_grid(rows, columns)](
                *(torch.view_as_real(t) for t in (points, matrix, read, out, spare)),
                rows,
                columns,
                depth,
                *points.stride(),
                *matrix.stride(),
                0 if offset is None else offset.stride(0),
                PRECISION=precision,
                PRODUCTS=products,
                BIAS=offset is not None,
                KEEP=keep,
                WIDEN=interpreted(),
                **(SMALL if interpreted() else {}),
            )
    shape = (*z.shape[:-1], columns)
    return out.view(shape), None if u is None else u.view(shape)


@functools.lru_cache(maxsize=256)
def available(record: HolomorphicFunction) -> bool:
    """Whether there is a kernel for this activation."""
    try:
        return _kernel(record) is not None
    except UntranslatableError:
        return False


@functools.lru_cache(maxsize=256)
def _kernel(record: HolomorphicFunction) -> Any:
    kernel = load(source(program("value", record, double=False))).layer
    if interpreted():
        return kernel
    configs = [
        triton.Config(
            {"ROWS": rows, "COLUMNS": columns, "DEPTH": depth}, num_warps=warps, num_stages=stages
        )
        for rows, columns, depth, warps, stages in TILES
    ]
    # not for every number of rows: the last batch of an epoch would be tuned for anew
    return triton.autotune(configs, key=["columns", "depth", "PRECISION", "PRODUCTS"])(kernel)


def _grid(rows: int, columns: int) -> Any:
    return lambda meta: (
        triton.cdiv(rows, meta["ROWS"]),
        triton.cdiv(columns, meta["COLUMNS"]),
    )


def _plain(t: Tensor) -> Tensor:
    """Without lazy signs and conjugates, in the strides it has."""
    return t.detach().resolve_conj().resolve_neg()
