"""Linear and bilinear maps: a real factor multiplies both parts in one real product."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Complex, Inexact
from torch import Tensor
from torch.nn import functional
from torch.utils._pytree import tree_leaves, tree_map_only

from holonet.continuation.operation import Family, Refusal
from holonet.continuation.parts import Parts, joined, split
from holonet.functions.parts import has_parts

__all__ = ["LINEAR", "affine", "by_parts", "complex_factors", "product"]

LINEAR = Family("Linear maps and products")

_BY_PARTS = "W Re z + b + i W Im z, two real products; the parts stay apart as long as they can"


def by_parts(
    linear: Callable[[Any], Any], z: Complex[Tensor, "*points"]
) -> Complex[Tensor, "*out"]:
    """A real-linear map without a constant, of the real and of the imaginary part."""
    real, imag = linear(z.real), linear(z.imag)
    return torch.complex(real, imag)


def complex_factors(*tensors: Any) -> tuple[Any, ...]:
    """The tensors, in lists too, in the complex dtype of the first complex one."""
    first = next(t for t in tree_leaves(tensors) if isinstance(t, Tensor) and t.is_complex())

    def lifted(t: Tensor) -> Tensor:
        return t if t.is_complex() or not t.is_floating_point() else t.to(first.dtype)

    return tree_map_only(Tensor, lifted, tensors)


def affine(
    z: Complex[Tensor, "*batch _in"],
    weight: Inexact[Tensor, "*out _in"],
    bias: Inexact[Tensor, "*out"] | None = None,
) -> Complex[Tensor, "*batch_out"]:
    """`torch.nn.functional.linear` at complex z, (*, in) to (*, out)."""
    return joined(_linear(functional.linear, z, weight, bias))


def product(a: Inexact[Tensor, "*left"], b: Inexact[Tensor, "*right"]) -> Complex[Tensor, "*out"]:
    """`torch.matmul` of what is complex, or real on one side."""
    if a.is_complex() and b.is_complex():
        return torch.matmul(a, b)
    z, other = (a, b) if a.is_complex() else (b, a)
    if not has_parts(z):
        return torch.matmul(*complex_factors(a, b))
    if z.ndim < max(other.ndim, 2):
        at = (lambda part: torch.matmul(part, b)) if z is a else lambda part: torch.matmul(a, part)
        return by_parts(at, z)
    parts = torch.stack([z.real, z.imag])
    real, imag = torch.matmul(parts, b) if z is a else torch.matmul(a, parts)
    return torch.complex(real, imag)


@LINEAR("linear", _BY_PARTS, takes_parts=True)
def _linear(func: Any, input: Any, weight: Any, bias: Any = None) -> Tensor | Parts:
    parts = _with_real(input, weight, bias)
    if parts is None:
        return functional.linear(*complex_factors(*map(joined, (input, weight, bias))))
    return Parts(functional.linear(parts.real, weight, bias), functional.linear(parts.imag, weight))


@LINEAR(
    "conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d",
    _BY_PARTS,
    takes_parts=True,
)
def _convolution(
    func: Any, input: Any, weight: Any, bias: Any = None, *args: Any, **kwargs: Any
) -> Tensor | Parts:
    parts = _with_real(input, weight, bias)
    if parts is None:
        return func(*complex_factors(*map(joined, (input, weight, bias))), *args, **kwargs)
    real = func(parts.real, weight, bias, *args, **kwargs)
    return Parts(real, func(parts.imag, weight, None, *args, **kwargs))


def _with_real(input: Any, *factors: Any) -> Parts | None:
    """The parts of the input, if all factors are real."""
    real = all(f is None or (isinstance(f, Tensor) and not f.is_complex()) for f in factors)
    return split(input) if real else None


@LINEAR("matmul mm bmm mv rmatmul dot inner", "A B", "real factors as in linear")
def _matmul(func: Any, input: Tensor, other: Any = None, **kwargs: Any) -> Tensor:
    (other,) = kwargs.values() if kwargs else (other,)  # torch calls it mat2, vec or tensor
    if func is not None and getattr(func, "__name__", "").strip("_") == "rmatmul":
        return product(other, input)
    if getattr(func, "__name__", "") == "inner" and other.ndim > 1:
        other = other.mT
    return product(input, other)


@LINEAR(
    "einsum tensordot outer ger kron bilinear multi_dot linalg_multi_dot chain_matmul cross "
    "linalg_cross",
    "the product itself, linear in each factor",
)
def _multilinear(func: Any, *args: Any, **kwargs: Any) -> Tensor:
    args, kwargs = _bias_apart(func, args, kwargs)
    *args_, bias = args
    tensors = [t for t in tree_leaves((args_, kwargs)) if isinstance(t, Tensor)]
    points = [t for t in tensors if t.is_complex()]
    if len(points) == 1 and has_parts(points[0]):
        (z,) = points

        def at(part: Tensor) -> Tensor:
            filled, options = tree_map_only(
                Tensor, lambda t: part if t is z else t, (args_, kwargs)
            )
            return func(*filled, **options)

        out = by_parts(at, z)
    else:
        filled, options = complex_factors(args_, kwargs)
        out = func(*filled, **options)
    return out if bias is None else out + bias


def _bias_apart(func: Any, args: Any, kwargs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments with the bias, which only `bilinear` has, at the end."""
    if getattr(func, "__name__", "").split(".")[0] != "bilinear":
        return (*args, None), kwargs
    bias = args[3] if len(args) > 3 else kwargs.pop("bias", None)
    return (*args[:3], bias), kwargs


@LINEAR("addmm addmv addbmm baddbmm addr", "beta C + alpha A B")
def _addmm(
    func: Any, input: Tensor, first: Tensor, second: Tensor, *, beta: Any = 1, alpha: Any = 1
) -> Tensor:
    name = func.__name__.split(".")[0]
    if name == "addr":
        first, second = first.unsqueeze(-1), second.unsqueeze(0)
    change = product(first, second)
    if name == "addbmm":
        change = change.sum(0)
    return input * beta + change * alpha


_POOLED = "the means of the two parts"


@LINEAR(
    "avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d",
    _POOLED,
    takes_parts=True,
)
def _average(func: Any, input: Any, *args: Any, **kwargs: Any) -> Tensor | Parts:
    def means(part: Tensor) -> Tensor:
        return func(part, *args, **kwargs)

    return input.map(means) if isinstance(input, Parts) else by_parts(means, input)


@LINEAR(
    "interpolate upsample upsample_bilinear upsample_nearest grid_sample",
    "the interpolations of the two parts",
    "every mode is linear in the values; a grid that depends on the input is refused",
)
def _interpolate(func: Any, input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    places = [t for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)]
    if any(t.is_complex() for t in places) or not input.is_complex():
        raise Refusal(
            "a grid that depends on the input looks up pieces. Interpolate on a fixed grid"
        )
    return by_parts(lambda part: func(part, *args, **kwargs), input)


@LINEAR("fold unfold im2col col2im", "the entries rearranged and summed")
def _fold(func: Any, input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    return func(input, *args, **kwargs)


@LINEAR("embedding", "rows of a continued table at fixed indices")
def _embedding(func: Any, input: Tensor, weight: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    return weight[input]


@LINEAR(
    "linalg_solve linalg_inv inverse linalg_det det linalg_matrix_power matrix_power "
    "linalg_matrix_exp matrix_exp",
    "the function of a complex matrix",
    "inverses have poles at the zeros of the determinant",
)
def _matrix(func: Any, *args: Any, **kwargs: Any) -> Tensor:
    args, kwargs = complex_factors(args, kwargs)
    return func(*args, **kwargs)


@LINEAR("mse_loss", "mean of (z - w)^2", "squares, not squares of moduli")
def _mse(
    func: Any, input: Tensor, target: Any, *args: Any, reduction: str = "mean", **kwargs: Any
) -> Tensor:
    difference = input - target
    square = difference * difference
    return {"mean": square.mean, "sum": square.sum, "none": lambda: square}[reduction]()
