"""Normalizations, with the variance continued as a mean of squares, not of squares of moduli."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from holonet.continuation.operation import Family, Refusal
from holonet.continuation.parts import Parts
from holonet.functions.parts import has_parts

__all__ = ["NORMALIZATION"]

NORMALIZATION = Family("Normalizations")

_ROOT = "squares, not squares of moduli; principal root, branch points where var + eps is 0"


def _standardized(z: Tensor, dims: Any, eps: float) -> Tensor:
    """(z - mean) / sqrt(var + eps) over some axes."""
    deviation = z - z.mean(dims, keepdim=True)
    return deviation * torch.rsqrt(_spread(deviation, dims, eps))


def _spread(deviation: Tensor, dims: Any, eps: float) -> Tensor:
    """The variance and eps: what the principal root is taken of."""
    return (deviation * deviation).mean(dims, keepdim=True) + eps


def _zeros_of_layer_norm(
    func: Any, input: Tensor, normalized_shape: Any, *args: Any, eps: float | int = 1e-5, **_: Any
) -> Tensor:
    dims = list(range(-len(normalized_shape), 0))
    deviation = input - input.mean(dims, keepdim=True)
    return _spread(deviation, dims, args[2] if len(args) > 2 else eps)


def _zeros_of_group_norm(
    func: Any, input: Tensor, num_groups: int, *args: Any, eps: float | int = 1e-5, **_: Any
) -> Tensor:
    groups = input.reshape(input.shape[0], num_groups, -1)
    deviation = groups - groups.mean(-1, keepdim=True)
    return _spread(deviation, [-1], args[2] if len(args) > 2 else eps)


def _scaled(z: Tensor, weight: Any, bias: Any) -> Tensor:
    if weight is None:
        return z if bias is None else z + bias
    out = z * weight
    if bias is None:
        return out
    return out.add_(bias) if has_parts(out) else out + bias  # in place: one allocation less


def _per_channel(parameter: Any, z: Any) -> Any:
    return None if parameter is None else parameter.reshape(-1, *[1] * (z.ndim - 2))


@NORMALIZATION(
    "layer_norm", "(z - mean) / sqrt(var + eps) weight + bias", _ROOT, zeros=_zeros_of_layer_norm
)
def _layer_norm(
    func: Any,
    input: Tensor,
    normalized_shape: Any,
    weight: Any = None,
    bias: Any = None,
    eps: float | int = 1e-5,
    cudnn_enable: bool = True,
) -> Tensor:
    dims = list(range(-len(normalized_shape), 0))
    return _scaled(_standardized(input, dims, eps), weight, bias)


@NORMALIZATION("rms_norm", "z / sqrt(mean z^2 + eps) weight", _ROOT)
def _rms_norm(
    func: Any, input: Tensor, normalized_shape: Any, weight: Any = None, eps: Any = None
) -> Tensor:
    dims = list(range(-len(normalized_shape), 0))
    if eps is None:
        eps = torch.finfo(input.dtype).eps
    square = (input * input).mean(dims, keepdim=True)
    return _scaled(input * torch.rsqrt(square + eps), weight, None)


@NORMALIZATION(
    "group_norm", "layer_norm of each group of channels", _ROOT, zeros=_zeros_of_group_norm
)
def _group_norm(
    func: Any,
    input: Tensor,
    num_groups: int,
    weight: Any = None,
    bias: Any = None,
    eps: float | int = 1e-5,
    cudnn_enabled: bool = True,
) -> Tensor:
    groups = input.reshape(input.shape[0], num_groups, -1)
    out = _standardized(groups, [-1], eps).reshape(input.shape)
    return _scaled(out, _per_channel(weight, input), _per_channel(bias, input))


@NORMALIZATION("instance_norm", "layer_norm of each channel of each example", _ROOT)
def _instance_norm(
    func: Any,
    input: Tensor,
    running_mean: Any = None,
    running_var: Any = None,
    weight: Any = None,
    bias: Any = None,
    use_input_stats: bool = True,
    momentum: float | int = 0.1,
    eps: float | int = 1e-5,
    cudnn_enabled: bool = True,
) -> Tensor | Parts:
    if func is not functional.instance_norm:  # torch's own order
        running_mean, running_var, weight, bias = weight, bias, running_mean, running_var
    if not use_input_stats:
        return _by_running(input, running_mean, running_var, weight, bias, eps)
    if running_mean is not None:
        raise _in_train_mode("instance_norm")
    out = _standardized(input, list(range(2, input.ndim)), eps)
    return _scaled(out, _per_channel(weight, input), _per_channel(bias, input))


@NORMALIZATION(
    "batch_norm", "affine, by the running statistics", "train mode is refused", takes_parts=True
)
def _batch_norm(
    func: Any,
    input: Any,
    running_mean: Any,
    running_var: Any,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float | int = 0.1,
    eps: float | int = 1e-5,
    cudnn_enabled: bool = True,
) -> Tensor | Parts:
    if func is not functional.batch_norm:  # torch's own order
        running_mean, running_var, weight, bias = weight, bias, running_mean, running_var
    if training or running_mean is None:
        raise _in_train_mode("batch_norm")
    return _by_running(input, running_mean, running_var, weight, bias, eps)


def _by_running(
    input: Any, mean: Tensor, variance: Tensor, weight: Any, bias: Any, eps: float
) -> Tensor | Parts:
    if isinstance(input, Parts):
        known = (variance, weight)
        real = functional.batch_norm(input.real, mean, *known, bias, eps=eps)
        return Parts(real, functional.batch_norm(input.imag, 0 * mean, *known, eps=eps))
    scale = torch.rsqrt(variance + eps)
    scale = scale if weight is None else scale * weight
    shift = -mean * scale if bias is None else bias - mean * scale
    scale, shift = _per_channel(scale, input), _per_channel(shift, input)
    return _scaled(input, scale, shift)


def _in_train_mode(name: str) -> Refusal:
    return Refusal(
        f"torch.{name} uses the statistics of the batch and changes its running ones, so the model "
        "is no function of one example. Call model.eval() first",
        holomorphic=True,
    )


@NORMALIZATION("local_response_norm", "z / (k + alpha mean z^2 over channels)^beta", _ROOT)
def _local_response(
    func: Any,
    input: Tensor,
    size: int,
    alpha: float | int = 1e-4,
    beta: float | int = 0.75,
    k: float | int = 1.0,
) -> Tensor:
    square = input * input
    before, after = size // 2, (size - 1) // 2
    padding = [0, 0] * (input.ndim - 2) + [before, after]
    windows = functional.pad(square, padding).unfold(1, size, 1)
    return input * torch.pow(k + windows.sum(-1) * (alpha / size), -beta)
