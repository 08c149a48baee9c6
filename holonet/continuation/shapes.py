"""What moves entries and computes nothing: complex values move as real ones do."""

from typing import Any

import torch
from torch import Tensor

from holonet.continuation.linear import complex_factors
from holonet.continuation.operation import Family, Refusal, plain_call

__all__ = ["SHAPES"]

SHAPES = Family("Shapes, indexing and copies")

SHAPES.enter(
    "reshape reshape_as view view_as flatten unflatten ravel squeeze unsqueeze permute transpose t "
    "T mT swapaxes swapdims movedim moveaxis expand expand_as broadcast_to broadcast_tensors "
    "atleast_1d atleast_2d atleast_3d repeat tile repeat_interleave roll flip fliplr flipud rot90 "
    "narrow chunk split split_with_sizes tensor_split hsplit vsplit dsplit unbind diagonal diag "
    "diag_embed tril triu pixel_shuffle pixel_unshuffle channel_shuffle native_channel_shuffle "
    "meshgrid",
    "the entries of z, moved",
    rule=plain_call,
)
SHAPES.enter(
    "getitem select index_select gather take take_along_dim masked_select",
    "entries of z at fixed indices",
    "indices that depend on the input are refused where they are made",
    rule=plain_call,
)
SHAPES.enter("clone contiguous", "z", rule=plain_call)


@SHAPES("detach data conj resolve_conj resolve_neg real identity", "z")
def _same(func: Any, input: Tensor, *args: Any) -> Tensor:
    """As functions of real values these are the identity, and so are their derivatives."""
    return input


@SHAPES("H mH adjoint", "z^T, not the conjugate")
def _transposed(func: Any, input: Tensor) -> Tensor:
    return input.transpose(-2, -1)


@SHAPES("to type type_as", "z in another precision or on another device")
def _converted(func: Any, input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    def target(x: Any) -> Any:
        if isinstance(x, str) and x.startswith("torch."):  # the name of a type of tensors
            raise Refusal(f"torch.Tensor.type({x!r}): give a dtype", holomorphic=True)
        if isinstance(x, torch.dtype) and not x.is_complex:
            raise Refusal(f"a conversion to {x} rounds, which is constant on pieces. Leave it out")
        return x.real if isinstance(x, Tensor) and x.is_complex() else x

    args = tuple(map(target, args))
    like = next((x for x in args if isinstance(x, Tensor)), None)
    if like is not None:
        return input.to(like.device, like.dtype.to_complex())
    return input.to(*args, **{k: target(v) for k, v in kwargs.items()})


@SHAPES("float double", "z in another precision")
def _precision(func: Any, input: Tensor) -> Tensor:
    return input.to({"float": torch.complex64, "double": torch.complex128}[func.__name__])


@SHAPES("cat concat concatenate stack hstack vstack dstack column_stack row_stack", "joined")
def _join(func: Any, tensors: Any, *args: Any, **kwargs: Any) -> Tensor:
    (tensors,) = complex_factors(list(tensors))
    return func(tensors, *args, **kwargs)


@SHAPES("pad", "padded; a constant is a real number")
def _pad(func: Any, input: Tensor, pad: Any, mode: str = "constant", value: Any = None) -> Tensor:
    return torch.nn.functional.pad(input, list(pad), mode, value)


@SHAPES("where", "z where a fixed condition holds, else w")
def _where(func: Any, condition: Tensor, input: Any, other: Any) -> Tensor:
    if func.__name__ == "where" and isinstance(condition, Tensor) and condition.is_complex():
        condition, input = input, condition  # x.where(condition, other)
    return torch.where(condition, *_lifted(input, other))


def _lifted(*values: Any) -> Any:
    like = next(v for v in values if isinstance(v, Tensor) and v.is_complex())
    return tuple(v.to(like.dtype) if isinstance(v, Tensor) else v for v in values)


@SHAPES("masked_fill", "z where a fixed mask is not, else a number")
def _masked_fill(func: Any, input: Tensor, mask: Tensor, value: Any) -> Tensor:
    value = value.to(input.dtype) if isinstance(value, Tensor) else value
    return input.masked_fill(mask, value)


@SHAPES("index_add index_copy scatter scatter_add", "entries of w added or put at fixed indices")
def _scatter(
    func: Any, input: Tensor, dim: int, index: Tensor, source: Any, **kwargs: Any
) -> Tensor:
    pair = _lifted(input, source)
    return func(pair[0], dim, index, pair[1], **kwargs)


@SHAPES("index_put", "entries of w put at fixed indices")
def _index_put(
    func: Any, input: Tensor, indices: Any, values: Any, accumulate: bool = False
) -> Tensor:
    pair = _lifted(input, values)
    return torch.index_put(pair[0], indices, pair[1], accumulate)


@SHAPES("setitem", "w put at fixed indices of z, in place")
def _setitem(func: Any, input: Tensor, index: Any, value: Any) -> Tensor:
    out = input.clone()
    out[index] = value
    return out


@SHAPES("zero fill copy", "a number or w, in place of z")
def _replaced(func: Any, input: Tensor, value: Any = 0, *args: Any) -> Tensor:
    value = value.to(input.dtype) if isinstance(value, Tensor) else value
    return torch.zeros_like(input) + value


@SHAPES(
    "zeros_like ones_like full_like empty_like new_zeros new_ones new_full new_empty new_tensor",
    "constants of the shape and precision of z, which may be filled in place",
    "empty tensors are zeros; of an integer or boolean dtype they are plain tensors",
)
def _constant(func: Any, input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    kwargs = {k: v for k, v in kwargs.items() if k not in ("requires_grad", "pin_memory", "layout")}
    name = func.__name__.split(".")[0]
    if name.endswith("empty_like"):
        return torch.zeros_like(input, **kwargs)
    if name == "new_empty":
        return torch.zeros_like(input).new_zeros(*args, **kwargs)
    if name == "new_tensor":
        return torch.as_tensor(*args, dtype=kwargs.get("dtype", input.dtype), device=input.device)
    return func(input, *args, **kwargs)


@SHAPES("isfinite isnan isinf", "a plain tensor: whether both parts are finite")
def _finite(func: Any, input: Tensor) -> Tensor:
    return func(input)


SHAPES.enter("cumsum trace sum mean diff", "sums and differences of entries", rule=plain_call)
SHAPES.enter("prod cumprod", "products of entries", rule=plain_call)
