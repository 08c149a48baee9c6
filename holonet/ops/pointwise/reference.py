"""The pointwise operations in plain torch: what every other backend must agree with."""

from functools import partial

import torch
from jaxtyping import Complex
from torch import Tensor

from holonet._types import ComplexEntries
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

Broadcast = Complex[Tensor, "*#shape"]
"""Entries of shapes that broadcast."""


def value(record: HolomorphicFunction, z: ComplexEntries) -> ComplexEntries:
    """phi(z)."""
    return record.value(z)


def push(record: HolomorphicFunction, z: Broadcast, t: Broadcast) -> Broadcast:
    """phi'(z) t: a tangent carried forwards."""
    return record.derivative(z) * t


def pull(record: HolomorphicFunction, z: Broadcast, g: Broadcast) -> Broadcast:
    """conj(phi'(z)) g: a gradient carried backwards."""
    return record.derivative(z).conj() * g


def bend(record: HolomorphicFunction, z: Broadcast, t: Broadcast, u: Broadcast) -> Broadcast:
    """phi''(z) t u: how `push` changes when z moves along u."""
    return record.second_derivative(z) * t * u


def push_backward(
    record: HolomorphicFunction, z: Broadcast, t: Broadcast, h: Broadcast
) -> tuple[Broadcast, Broadcast]:
    """The gradients of `push` in z and t, for the gradient h of its result."""
    return (record.second_derivative(z) * t).conj() * h, pull(record, z, h)


def pull_backward(
    record: HolomorphicFunction, z: Broadcast, g: Broadcast, h: Broadcast
) -> tuple[Broadcast, Broadcast]:
    """The gradients of `pull` in z and g, for the gradient h of its result."""
    return (record.second_derivative(z) * h).conj() * g, push(record, z, h)


def bend_backward(
    record: HolomorphicFunction, z: Broadcast, t: Broadcast, u: Broadcast, h: Broadcast
) -> tuple[Broadcast, Broadcast, Broadcast]:
    """The gradients of `bend` in z, t and u, for the gradient h of its result."""
    return torch.func.vjp(partial(bend, record), z, t, u)[1](h)
