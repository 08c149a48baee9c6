"""What maps do to jets that are linear: term by term, two jets as a product of series.

Here are also the real part, the modulus and the conjugate, of which only jets along a real line
have a series.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_unflatten

from holonet.calculus import series
from holonet.calculus.jet_tensor import (
    Jet,
    Part,
    Rule,
    RuleBook,
    name_of,
    refuse,
    terms_of,
    value_of,
)
from holonet.errors import NotHolomorphicError

__all__ = ["MAPS"]

_rule = RuleBook()


@_rule(
    "neg negative positive sum mean cumsum trace diagonal tril triu getitem clone contiguous to "
    "type_as cfloat cdouble view view_as reshape reshape_as flatten unflatten ravel squeeze "
    "unsqueeze permute transpose t T mT swapaxes swapdims movedim moveaxis expand expand_as "
    "broadcast_to repeat tile repeat_interleave roll flip narrow select index_select gather "
    "take_along_dim chunk split tensor_split unbind unfold fold view_as_complex "
    "fft_fft fft_ifft fft_fft2 fft_ifft2 fft_fftn fft_ifftn fft_fftshift fft_ifftshift "
    "avg_pool1d avg_pool2d avg_pool3d "
    "adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d"
)
def _linear(order: int, func: Any, input: Jet, *args: Any, **kwargs: Any) -> Any:
    """What is linear in the input; of other arguments only the looks matter."""
    args = tuple(map(value_of, args))
    results = [func(c, *args, **kwargs) for c in input.terms]
    if isinstance(results[0], Sequence):
        return tuple(map(list, zip(*results, strict=True)))
    if input.is_complex() and not (results[0].is_complex() or input.line.real):
        raise NotHolomorphicError(
            f"torch.{name_of(func)} to {results[0].dtype} drops the imaginary part of a jet along "
            "a complex line: keep a complex dtype"
        )
    return results


@_rule("matmul mm bmm mv dot inner outer einsum tensordot kron")
def _multilinear(order: int, func: Any, *args: Any, **kwargs: Any) -> list[Tensor]:
    """What is linear in each jet that it is given, one or two."""
    leaves, structure = tree_flatten((args, kwargs))
    places = [i for i, leaf in enumerate(leaves) if isinstance(leaf, Jet)]
    factors = [leaves[place].terms for place in places]

    def at(*terms: Tensor) -> Tensor:
        for place, term in zip(places, terms, strict=True):
            leaves[place] = term
        filled, options = tree_unflatten(leaves, structure)
        return func(*filled, **options)

    if len(factors) == 1:
        return [at(c) for c in factors[0]]
    if len(factors) == 2:
        return series.product(factors[0], factors[1], order, at)
    raise refuse(name_of(func), f" of {len(factors)} jets: multiply two at a time")


@_rule("linear conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d")
def _affine(
    order: int, func: Any, input: Any, weight: Any, bias: Any = None, *args: Any, **kwargs: Any
) -> list[Tensor]:
    """What is linear in the input and in the weight, but for a bias."""
    if isinstance(bias, Jet):
        raise refuse(name_of(func), " with a bias that depends on z: add it afterwards")
    first = func(value_of(input), value_of(weight), bias, *args, **kwargs)
    if isinstance(weight, Jet):
        return [first, *_multilinear(order, func, input, weight, None, *args, **kwargs)[1:]]
    return [first, *(func(c, weight, None, *args, **kwargs) for c in input.terms[1:])]


@_rule("pad")
def _pad(order: int, func: Any, input: Jet, pad: Any, **kwargs: Any) -> list[Tensor]:
    first = func(input.value, pad, **kwargs)
    return [first, *(func(c, pad, **{**kwargs, "value": None}) for c in input.terms[1:])]


@_rule("masked_fill")
def _masked_fill(order: int, func: Any, input: Jet, mask: Tensor, value: Any) -> list[Tensor]:
    return [func(input.value, mask, value), *(func(c, mask, 0) for c in input.terms[1:])]


@_rule("addmm addmv baddbmm")
def _addmm(
    order: int, func: Any, input: Any, first: Any, second: Any, *, beta: Any = 1, alpha: Any = 1
) -> list[Tensor]:
    change = _multilinear(order, torch.matmul, first, second)
    return series.total([beta * c for c in terms_of(input)], [alpha * c for c in change])


@_rule("cat concat stack hstack vstack")
def _join(order: int, func: Any, tensors: Any, *args: Any, **kwargs: Any) -> list[Tensor]:
    rows = [terms_of(x) for x in tensors]
    return [
        func([x[k] if k < len(x) else torch.zeros_like(x[0]) for x in rows], *args, **kwargs)
        for k in range(max(map(len, rows)))
    ]


@_rule("where")
def _where(order: int, func: Any, condition: Any, input: Any, other: Any) -> list[Tensor]:
    """The case is that of the value, so t = 0 must not be where it switches."""
    if isinstance(condition, Jet):
        raise refuse("where", " with a jet as the condition: compare it to something")
    a, b = terms_of(input), terms_of(other)
    return [
        func(condition, a[k] if k < len(a) else 0, b[k] if k < len(b) else 0)
        for k in range(max(len(a), len(b)))
    ]


# Parts of complex numbers, linear over the reals: only along a real line have they a series


@_rule("real imag")
def _part(order: int, func: Any, input: Jet) -> Any:
    if input.line.real:
        return _linear(order, func, input)
    kind = "real part" if name_of(func) == "real" else "imaginary part"
    return Part(func(input.value), kind, input)


@_rule("abs absolute")
def _abs(order: int, func: Any, input: Jet) -> Any:
    if not input.line.real:
        return Part(func(input.value), "modulus", input)
    if not input.is_complex():
        raise NotHolomorphicError("torch.abs has a corner: a real jet has no rule for it")
    parts = [c.real for c in input.terms], [c.imag for c in input.terms]
    square = series.total(*(series.product(x, x, order) for x in parts))
    return series.power(func(input.value), square, 0.5, order)


@_rule("conj resolve_conj adjoint H mH view_as_real angle sgn vdot norm relu clamp")
def _mixed(order: int, func: Any, *args: Any, **kwargs: Any) -> Any:
    """What is not holomorphic; along a real line some of it is linear over the reals."""
    name = name_of(func)
    linear = name in ("conj", "resolve_conj", "adjoint", "H", "mH", "view_as_real")
    if linear and args[0].line.real:
        return _linear(order, func, *args, **kwargs)
    raise NotHolomorphicError(
        f"a jet needs a holomorphic function (along a real line an analytic one), and torch.{name} "
        "is not. Use a holomorphic one in its place: `holonet list activations`"
    )


@_rule("complex")
def _complex(order: int, func: Any, real: Any, imag: Any) -> list[Tensor]:
    return series.total(terms_of(real), [1j * c for c in terms_of(imag)])


MAPS: Mapping[str, Rule] = MappingProxyType(_rule)
"""Name of a torch function -> what it does to jets."""
