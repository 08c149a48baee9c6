"""One number for each example of a batch: norms, inner products, and how they broadcast."""

from collections.abc import Mapping
from types import MappingProxyType

import torch
from jaxtyping import Shaped
from torch import Tensor

from holonet._types import AnyTensor, Numbers, Points, RealEntries, RealTensor
from holonet.functions.modulus import modulus, sgn

__all__ = [
    "DUALS",
    "inner_products",
    "lengths",
    "nonzero",
    "per_example",
    "square_norms",
    "steepest_directions",
]

DUALS: Mapping[str, str] = MappingProxyType({"L1": "Linf", "L2": "L2", "Linf": "L1"})
"""Norm -> its dual norm."""


def per_example(
    numbers: Shaped[Tensor, " batch"], points: Shaped[Tensor, "batch *event"]
) -> Shaped[Tensor, "batch *ones"]:
    """One number for each example, shaped to broadcast against points (batch, *event).

    Example:
        >>> per_example(torch.zeros(5), torch.zeros(5, 3, 2)).shape
        torch.Size([5, 1, 1])
    """
    return numbers.view(-1, *[1] * (points.ndim - 1))


def nonzero(size: RealEntries) -> RealEntries:
    """Sizes to divide by: 1 in place of 0. Squares of what is huge or tiny are out of range."""
    return torch.where(size == 0, 1, size)


def square_norms(v: Points) -> Numbers:
    """The squared Euclidean norm of each example, with a gradient that is finite everywhere.

    torch differentiates abs by dividing by the modulus, which is nan at subnormal numbers.

    Example:
        >>> square_norms(torch.tensor([[3 + 4j, 1j], [0, 2]]))
        tensor([26.,  4.])
    """
    parts = torch.view_as_real(v.resolve_conj()) if v.is_complex() else v
    return parts.square().unsqueeze(-1).flatten(1).sum(1)


def inner_products(a: Points, b: Points) -> Numbers:
    """Re <a, b> of each example."""
    if a.is_complex():
        a, b = torch.view_as_real(a.resolve_conj()), torch.view_as_real(b.resolve_conj())
    return (a * b).unsqueeze(-1).flatten(1).sum(1)


def lengths(v: Points, norm: str = "L2") -> Numbers:
    """The norm of each example, "L1", "L2" or "Linf"; complex entries count by their moduli.

    Law: its gradient is finite everywhere, 0 where v is 0; right for huge and tiny v.

    Example:
        >>> lengths(torch.tensor([[3 + 4j, 2j]]), "L1")
        tensor([7.])
    """
    flat = v.unsqueeze(-1).flatten(1)
    if norm == "L2":
        unit = nonzero(_peaks(flat))
        squares = square_norms(flat / unit)
        return unit.squeeze(1) * torch.where(squares == 0, 0, nonzero(squares).sqrt())
    moduli = modulus(flat) if flat.is_complex() else flat.abs()
    return moduli.sum(1) if norm == "L1" else moduli.amax(1)


def steepest_directions(gradient: Points, norm: str) -> Points:
    """The direction v with Re <gradient, v> = `lengths(gradient, norm)`, of dual norm 1.

    It is 0 for a gradient of 0, and for "Linf" it has one entry, the first of largest modulus.

    Example:
        >>> steepest_directions(torch.tensor([[3.0, -4.0]]), "L2")
        tensor([[ 0.6000, -0.8000]])
    """
    if norm == "L1":
        return sgn(gradient)
    flat = gradient.unsqueeze(-1).flatten(1)
    if norm == "L2":
        scaled = flat / nonzero(_peaks(flat))
        return (scaled / nonzero(lengths(scaled)).unsqueeze(1)).view_as(gradient)
    first = flat.abs().argmax(1, keepdim=True)
    return torch.zeros_like(flat).scatter(1, first, sgn(flat.gather(1, first))).view_as(gradient)


def _peaks(rows: AnyTensor) -> RealTensor:
    """The largest modulus of each row, (rows, 1), as a constant."""
    return rows.detach().abs().amax(1, keepdim=True)
