"""A case of a benchmark, and the contenders that several suites share."""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from holonet.bench.memory import Work

__all__ = [
    "Case",
    "Contender",
    "Least",
    "MemoryCase",
    "complex_products",
    "cross_entropy",
    "moved",
    "of_products",
    "pulled",
    "training_step",
    "training_work",
]

Contender = Callable[[], object]


@dataclass(frozen=True)
class Least:
    """What a case takes at the least, whoever does it, and the floor whose rate bounds it.

    Args:
        unit: bytes moved between the processor and its memory, or floating-point operations.
        work: how many of them.
        floor: the name of a floor of the case.
        of_floor: how many of them the floor takes.
    """

    unit: Literal["B", "flop"]
    work: int
    floor: str
    of_floor: int


@dataclass(frozen=True)
class Case:
    """Contenders that do the same work, "holonet" among them, and floors that bound it.

    Args:
        name: of the case.
        contenders: by name.
        floors: things that are no rivals (a copy of the input, products alone).
        least: what the work takes at the least, for a roofline.
    """

    name: str
    contenders: Mapping[str, Contender]
    floors: Mapping[str, Contender]
    least: Least | None = None


@dataclass(frozen=True)
class MemoryCase:
    """Training steps whose peaks of memory are compared, in units of the only floor.

    Args:
        name: of the case.
        contenders: by name, what builds network, data and optimizer and gives their step.
        floors: the unit, alike.
    """

    name: str
    contenders: Mapping[str, Callable[[], Work]]
    floors: Mapping[str, Callable[[], Work]]


def moved(tensor: Tensor, times: int, copied: Tensor | None = None) -> Least:
    """Work that reads or writes as many bytes as a tensor has, so many times.

    Args:
        tensor: one that is read or written.
        times: how many such tensors are read or written; a copy is 2.
        copied: what the floor "copy" copies; the tensor unless given.
    """
    return Least(
        "B", times * tensor.nbytes, "copy", 2 * (tensor if copied is None else copied).nbytes
    )


def of_products(widths: Sequence[int], batch: int) -> Least:
    """The operations of the floor `complex_products`, which no training step can do without.

    A complex multiplication with its addition is 8 operations of real numbers.
    """
    pairs = list(itertools.pairwise(widths))
    flops = 8 * batch * (3 * sum(n * m for n, m in pairs) - math.prod(pairs[0]))
    return Least("flop", flops, "complex products", flops)


def complex_products(widths: Sequence[int], batch: int, device: str = "cpu") -> Contender:
    """The matrix products of a step, alone: forwards, and backwards to weights and inputs.

    The first layer's inputs need no gradient.
    """
    pairs = [
        (_random(batch, n, device=device), _random(m, n, device=device))
        for n, m in itertools.pairwise(widths)
    ]

    def run() -> None:
        for k, (z, w) in enumerate(pairs):
            out = z @ w.T
            _ = out.T @ z
            if k:
                _ = out @ w

    return run


def _random(*shape: int, device: str) -> Tensor:
    return torch.randn(shape, dtype=torch.complex64, device=device)


def pulled(function: Callable[[Tensor], Tensor], leaf: Tensor, g: Tensor) -> Contender:
    """The gradient of a function at a leaf, forwards and backwards."""
    return lambda: torch.autograd.grad(function(leaf), leaf, g)


def cross_entropy(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Of the logits of a model."""
    return nn.functional.cross_entropy(model(x), y)


def training_step(model: nn.Module, loss: Callable[..., Tensor], x: Tensor, y: Tensor) -> Contender:
    """Loss, backward pass and Adam's update."""
    work = training_work(model, loss, x, y)

    def step() -> None:
        work.differentiate()
        work.update()

    return step


def training_work(model: nn.Module, loss: Callable[..., Tensor], x: Tensor, y: Tensor) -> Work:
    """The two halves of a training step."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-5)

    def differentiate() -> None:
        optimizer.zero_grad()
        loss(model, x, y).backward()

    return Work(differentiate, optimizer.step)
