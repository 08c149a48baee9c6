"""The operations of a jet in plain torch: what every other floor must agree with."""

import functools

import torch
from torch import Tensor

from holonet.functions import HolomorphicFunction

__all__ = ["backward", "jet", "push", "push_backward"]


def jet(record: HolomorphicFunction, z: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """phi(z) and phi'(z) t, for tangents t along a first axis."""
    return record.value(z), record.derivative(z) * t


def push(
    record: HolomorphicFunction, z: Tensor, t: Tensor, u: Tensor, s: Tensor
) -> tuple[Tensor, Tensor]:
    """How `jet` changes when z moves along u and t along s: its second order."""
    slope = record.derivative(z)
    return slope * u, record.second_derivative(z) * u * t + slope * s


def backward(
    record: HolomorphicFunction, z: Tensor, t: Tensor, g: Tensor, h: Tensor
) -> tuple[Tensor, Tensor]:
    """The gradients of `jet` in z and t, for the gradients g and h of its results."""
    slope = record.derivative(z).conj()
    return slope * g + ((record.second_derivative(z) * t).conj() * h).sum(0), slope * h


def push_backward(
    record: HolomorphicFunction,
    z: Tensor,
    t: Tensor,
    u: Tensor,
    s: Tensor,
    g: Tensor,
    h: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The gradients of `push` in z, t, u and s, for the gradients g and h of its results."""
    return torch.func.vjp(functools.partial(push, record), z, t, u, s)[1]((g, h))
