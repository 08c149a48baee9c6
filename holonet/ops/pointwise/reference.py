"""The pointwise operations in plain torch: what every other backend must agree with."""

from functools import partial

import torch
from torch import Tensor

from holonet.functions import HolomorphicFunction

__all__ = [
    "bend",
    "bend_backward",
    "pull",
    "pull_backward",
    "push",
    "push_backward",
    "value",
]


def value(record: HolomorphicFunction, z: Tensor) -> Tensor:
    """phi(z)."""
    return record.value(z)


def push(record: HolomorphicFunction, z: Tensor, t: Tensor) -> Tensor:
    """phi'(z) t: a tangent carried forwards."""
    return record.derivative(z) * t


def pull(record: HolomorphicFunction, z: Tensor, g: Tensor) -> Tensor:
    """conj(phi'(z)) g: a gradient carried backwards."""
    return record.derivative(z).conj() * g


def bend(record: HolomorphicFunction, z: Tensor, t: Tensor, u: Tensor) -> Tensor:
    """phi''(z) t u: how `push` changes when z moves along u."""
    return record.second_derivative(z) * t * u


def push_backward(
    record: HolomorphicFunction, z: Tensor, t: Tensor, h: Tensor
) -> tuple[Tensor, Tensor]:
    """The gradients of `push` in z and t, for the gradient h of its result."""
    return (record.second_derivative(z) * t).conj() * h, pull(record, z, h)


def pull_backward(
    record: HolomorphicFunction, z: Tensor, g: Tensor, h: Tensor
) -> tuple[Tensor, Tensor]:
    """The gradients of `pull` in z and g, for the gradient h of its result."""
    return (record.second_derivative(z) * h).conj() * g, push(record, z, h)


def bend_backward(
    record: HolomorphicFunction, z: Tensor, t: Tensor, u: Tensor, h: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of `bend` in z, t and u, for the gradient h of its result."""
    return torch.func.vjp(partial(bend, record), z, t, u)[1](h)
