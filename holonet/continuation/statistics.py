"""Variances, norms and softmax: sums of squares and of exponentials, without moduli."""

from typing import Any

import torch
from jaxtyping import Complex
from torch import Tensor

from holonet._types import ComplexEntries
from holonet.continuation.operation import Family, Refusal
from holonet.continuation.pointwise import exp, softplus

__all__ = ["STATISTICS", "log_softmax", "logsumexp", "softmax"]

STATISTICS = Family("Variances, norms and softmax")

_NORM = "only the 2-norm is analytic. Use it, or mean squares, in its place"
_SPREAD = (
    "the branch of the real axis where the imaginary parts along dim differ by less than pi, which "
    "is also where there is no singularity"
)


def _variance(
    input: Tensor,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | int | None = None,
) -> tuple[Tensor, Tensor]:
    """Mean of the squares of the deviations, and the mean."""
    if isinstance(dim, bool):  # torch.var(input, unbiased)
        dim, unbiased = None, dim
    if correction is None:
        correction = int(unbiased is None or unbiased)
    dims = list(range(input.ndim)) if dim is None else dim
    mean = input.mean(dims, keepdim=True)
    deviation = input - mean
    total = (deviation * deviation).sum(dims, keepdim=keepdim)
    count = input.numel() // max(1, mean.numel())
    return total * (1 / (count - correction)), mean if keepdim else mean.reshape(total.shape)


@STATISTICS("var", "sum of (z - mean)^2 / (n - correction)", "squares, not squares of moduli")
def _var(func: Any, *args: Any, **kwargs: Any) -> Tensor:
    return _variance(*args, **kwargs)[0]


@STATISTICS("std", "square root of var", "principal, branch points where var is 0")
def _std(func: Any, *args: Any, **kwargs: Any) -> Tensor:
    return torch.sqrt(_variance(*args, **kwargs)[0])


@STATISTICS("var_mean", "var and mean")
def _var_mean(func: Any, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
    return _variance(*args, **kwargs)


@STATISTICS("std_mean", "std and mean")
def _std_mean(func: Any, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
    variance, mean = _variance(*args, **kwargs)
    return torch.sqrt(variance), mean


def _length(z: Tensor, dim: Any, keepdim: bool) -> Tensor:
    dims = list(range(z.ndim)) if dim is None else dim
    return torch.sqrt((z * z).sum(dims, keepdim=keepdim))


def _require_two(p: Any, name: str) -> None:
    if p not in (2, 2.0, None, "fro"):
        raise Refusal(f"torch.{name} with exponent {p} takes moduli: {_NORM}")


@STATISTICS(
    "norm linalg_norm linalg_vector_norm",
    "square root of the sum of z^2",
    "exponent 2 only; principal, branch points where the sum is 0",
)
def _norm(
    func: Any, input: Tensor, p: Any = 2, dim: Any = None, keepdim: bool = False, **kwargs: Any
) -> Tensor:
    _require_two(kwargs.get("ord", p), func.__name__)
    return _length(input, dim, keepdim)


@STATISTICS(
    "normalize",
    "z over the square root of the sum of z^2",
    "exponent 2 only; z / eps where the norm is below eps, as in the model",
)
def _normalize(
    func: Any, input: Tensor, p: Any = 2.0, dim: Any = 1, eps: float | int = 1e-12
) -> Tensor:
    _require_two(p, "normalize")
    square = (input * input).sum(dim, keepdim=True)
    tiny = square.detach().abs() <= eps * eps
    return input * torch.where(tiny, 1 / eps, torch.rsqrt(torch.where(tiny, 1, square)))


@STATISTICS("pairwise_distance", "2-norm of z - w + eps", "exponent 2 only; branch points at 0")
def _pairwise(
    func: Any, x1: Any, x2: Any, p: Any = 2.0, eps: float | int = 1e-6, keepdim: bool = False
) -> Tensor:
    _require_two(p, "pairwise_distance")
    return _length(x1 - x2 + eps, [-1], keepdim)


@STATISTICS(
    "cosine_similarity",
    "sum of z w over both norms",
    "the model's where both norms are at least eps",
)
def _cosine(func: Any, x1: Tensor, x2: Tensor, dim: int = 1, eps: float | int = 1e-8) -> Tensor:
    unit = [x / torch.sqrt((x * x).sum(dim, keepdim=True)) for x in (x1, x2)]
    return (unit[0] * unit[1]).sum(dim)


def _largest(z: Tensor, dim: Any) -> Tensor:
    """The entry with the largest real part, as a function of z: it cancels."""
    return z.gather(dim, z.detach().real.argmax(dim, keepdim=True))


def softmax(z: ComplexEntries, dim: int) -> ComplexEntries:
    """exp(z_j) / sum exp(z_i), shifted by the largest real part, a constant that cancels."""
    e = exp(z - z.detach().real.contiguous().amax(dim, keepdim=True))
    return e * torch.reciprocal(e.sum(dim, keepdim=True))


def logsumexp(z: ComplexEntries, dim: int) -> Complex[Tensor, "*out"]:
    """log(sum exp(z_i)) along dim, which is kept.

    With w = z_k of the largest real part it is w + log(sum exp(z_i - w)). Numbers whose arguments
    lie between a and b, b - a < pi, sum to a number whose argument lies there too. So the principal
    logarithm is the branch of the real axis where the imaginary parts differ by less than pi.
    """
    shift = _largest(z, dim)
    return shift + torch.log(exp(z - shift).sum(dim, keepdim=True))


def log_softmax(z: ComplexEntries, dim: int) -> ComplexEntries:
    """z_j - log(sum exp(z_i))."""
    return z - logsumexp(z, dim)


def _converted(z: Tensor, dtype: Any) -> Tensor:
    return z if dtype is None else z.to(dtype)


def _axis(z: Tensor, dim: Any) -> int:
    """The axis that torch takes where none is given."""
    return (0 if z.ndim in (0, 1, 3) else 1) if dim is None else dim


@STATISTICS("softmax special_softmax", "exp(z_j) / sum exp(z_i)", "poles at the zeros of the sum")
def _softmax(func: Any, input: Tensor, dim: Any = None, dtype: Any = None) -> Tensor:
    return softmax(_converted(input, dtype), _axis(input, dim))


@STATISTICS("softmin", "softmax(-z)", "poles at the zeros of the sum")
def _softmin(func: Any, input: Tensor, dim: Any = None, dtype: Any = None) -> Tensor:
    return softmax(-_converted(input, dtype), _axis(input, dim))


@STATISTICS("log_softmax special_log_softmax", "z_j - log(sum exp(z_i))", _SPREAD)
def _log_softmax(func: Any, input: Tensor, dim: Any = None, dtype: Any = None) -> Tensor:
    return log_softmax(_converted(input, dtype), _axis(input, dim))


@STATISTICS("logsumexp special_logsumexp", "log(sum exp(z_i))", _SPREAD)
def _logsumexp(func: Any, input: Tensor, dim: Any, keepdim: bool = False) -> Tensor:
    dims = [dim] if isinstance(dim, int) else list(dim)
    for axis in dims:
        input = logsumexp(input, axis)
    return input if keepdim else input.squeeze(tuple(dims))


@STATISTICS("logaddexp", "log(exp(z) + exp(w))", _SPREAD)
def _logaddexp(func: Any, input: Any, other: Any) -> Tensor:
    pair = torch.stack(torch.broadcast_tensors(input + 0 * other, other + 0 * input), -1)
    return logsumexp(pair, -1).squeeze(-1)


@STATISTICS(
    "cross_entropy nll_loss",
    "-log_softmax(z), or -z, at the labels or against fixed weights",
    _SPREAD,
)
def _cross_entropy(
    func: Any,
    input: Tensor,
    target: Tensor,
    weight: Any = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float | int = 0.0,
    **legacy: Any,
) -> Tensor:
    if weight is not None or label_smoothing or bool((target == ignore_index).any()):
        raise Refusal(
            f"torch.{func.__name__} with weights, smoothing or ignored labels has no rule. Use the "
            "logits",
            holomorphic=True,
        )
    axis = 0 if input.ndim == 1 else 1
    scores = log_softmax(input, axis) if func.__name__ == "cross_entropy" else input
    if target.is_floating_point():
        losses = -(scores * target).sum(axis)
    else:
        losses = -scores.gather(axis, target.unsqueeze(axis)).squeeze(axis)
    return _reduced(losses, reduction)


@STATISTICS("binary_cross_entropy_with_logits", "softplus(z) - t z at fixed t", "cuts of softplus")
def _binary_cross_entropy(
    func: Any,
    input: Tensor,
    target: Tensor,
    weight: Any = None,
    pos_weight: Any = None,
    reduction: str = "mean",
    **legacy: Any,
) -> Tensor:
    if weight is not None or pos_weight is not None:
        raise Refusal(
            "torch.binary_cross_entropy_with_logits with weights has no rule. Use the logits",
            holomorphic=True,
        )
    return _reduced(softplus(input) - input * target, reduction)


def _reduced(losses: Tensor, reduction: str) -> Tensor:
    return {"mean": losses.mean, "sum": losses.sum, "none": lambda: losses}[reduction]()
