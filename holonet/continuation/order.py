"""Maxima, sorting and comparisons: the choice at the base point, and where it changes."""

from typing import Any

import torch
from torch import Tensor

from holonet.continuation.operation import Family, Refusal
from holonet.continuation.pieces import FROZEN, at_base, chosen, joined, value_of
from holonet.continuation.tensor import Continued

__all__ = ["COMPARES", "ORDER"]

ORDER = Family("Comparisons and maxima", holomorphic=False)

COMPARES = f"Complex numbers have no order; logsumexp is an analytic maximum, {FROZEN}"


def _owner(*candidates: Any) -> Continued:
    return next(x for x in candidates if isinstance(x, Continued))


@ORDER("lt le gt ge less less_equal greater greater_equal", "compares", COMPARES)
def _compare(func: Any, input: Any, other: Any) -> Tensor:
    _owner(input, other).run.note(value_of(input) - value_of(other))
    return func(at_base(input), at_base(other))


@ORDER("maximum minimum fmax fmin", "compares", COMPARES)
def _extreme(func: Any, input: Any, other: Any) -> Continued:
    owner = _owner(input, other)
    owner.run.note(value_of(input) - value_of(other))
    base = func(at_base(input), at_base(other))
    return joined(
        owner, chosen(base == at_base(input), value_of(input), value_of(other), owner.value), base
    )


@ORDER("max min amax amin", "compares", COMPARES)
def _extremes(func: Any, input: Continued, *args: Any, **kwargs: Any) -> Any:
    name = func.__name__.split(".")[0]
    if args and isinstance(args[0], Tensor):
        return _extreme(getattr(torch, f"{name}imum"), input, args[0])
    given = dict(zip(("dim", "keepdim"), args, strict=False)) | kwargs
    dim, keepdim = given.get("dim"), given.get("keepdim", False)
    if isinstance(dim, tuple | list):
        if len(dim) > 1:
            raise Refusal(f"torch.{name} over several axes has no piece. Take one axis at a time")
        dim = dim[0] if dim else None
    over_all = dim is None
    z, x = (t.flatten() if over_all else t for t in (input.value, input.base))
    axis = 0 if over_all else dim
    index = (torch.argmax if "max" in name else torch.argmin)(x, axis, keepdim=True)
    value, base = z.gather(axis, index), x.gather(axis, index)
    input.run.note(z - value)
    if over_all or not keepdim:
        value, base, index = (t.squeeze(axis) for t in (value, base, index))
    out = joined(input, value, base)
    if over_all or name.startswith("a"):
        return out
    return getattr(torch.return_types, name)((out, index))


@ORDER("sort topk", "compares", COMPARES)
def _sorted(func: Any, input: Continued, *args: Any, **kwargs: Any) -> Any:
    with torch.no_grad():
        values, index = func(input.base, *args, **kwargs)
    name = func.__name__.split(".")[0]
    place = args[1:] if name == "topk" else args
    dim = kwargs.get("dim", place[0] if place else -1)
    z = input.value.gather(dim, index)
    if z.ndim and z.shape[dim] > 1:
        input.run.note(z.narrow(dim, 1, z.shape[dim] - 1) - z.narrow(dim, 0, z.shape[dim] - 1))
    if name == "topk" and z.numel():
        input.run.note(input.value - z.narrow(dim, z.shape[dim] - 1, 1))
    return getattr(torch.return_types, name)((joined(input, z, values), index))


@ORDER("argmax argmin", "gives an index", COMPARES)
def _index(func: Any, input: Continued, dim: Any = None, keepdim: bool = False) -> Tensor:
    find = torch.max if "max" in func.__name__ else torch.min
    _extremes(find, input, dim, True)  # notes the distances
    return func(input.base, dim, keepdim)


@ORDER("argsort", "gives indices", COMPARES)
def _indices(func: Any, input: Continued, dim: int = -1, *args: Any, **kwargs: Any) -> Tensor:
    return _sorted(torch.sort, input, dim, *args, **kwargs).indices


@ORDER(
    "max_pool1d max_pool2d max_pool3d adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d",
    "compares",
    f"AvgPool1d, 2d and 3d of torch.nn are linear; {FROZEN}",
)
def _max_pool(func: Any, input: Continued, *args: Any, **kwargs: Any) -> Continued:
    kwargs = {k: v for k, v in kwargs.items() if k != "return_indices"}
    name = func.__name__.split(".")[0]
    spatial = int(name[-2])
    find = getattr(torch.nn.functional, f"{name}_with_indices")
    with torch.no_grad():
        base, index = find(input.base, *args, **kwargs)
    start = input.ndim - spatial
    z = input.value.flatten(start)
    value = z.gather(-1, index.flatten(start)).reshape(base.shape)
    _note_windows(input, value, spatial, name, args, kwargs)
    return joined(input, value, base)


def _note_windows(
    x: Continued, chosen: Tensor, spatial: int, name: str, args: Any, kwargs: Any
) -> None:
    """The differences of the entries of each window to the largest, for windows of max_pool2d."""
    if x.run.gaps is None:
        return
    if name != "max_pool2d" or x.ndim != 4:
        raise Refusal(f"reach: torch.{name} has no distances. max_pool2d of a batch has")
    names = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")
    options = dict(zip(names, args, strict=False)) | kwargs
    if options.pop("ceil_mode", False):
        raise Refusal("reach: torch.max_pool2d with ceil_mode has no distances")
    options = {k: v for k, v in options.items() if v is not None and v != []}
    options.setdefault("stride", options["kernel_size"])
    outside = torch.nn.functional.unfold(torch.ones_like(x.base), **options) == 0
    windows = torch.nn.functional.unfold(x.value, **options)
    n, c = x.shape[:2]
    windows, outside = (w.reshape(n, c, -1, w.shape[-1]) for w in (windows, outside))
    gaps = windows - chosen.flatten(2).unsqueeze(2)
    x.run.note(torch.where(outside, 1, gaps))
