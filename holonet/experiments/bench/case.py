"""A case of a benchmark, and the contenders that several suites share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from holonet.experiments.bench.memory import Work

__all__ = [
    "Case",
    "Contender",
    "MemoryCase",
    "cross_entropy",
    "pulled",
    "training_step",
    "training_work",
]

Contender = Callable[[], object]


@dataclass(frozen=True)
class Case:
    """Contenders that do the same work, "holonet" among them, and floors that bound it.

    Args:
        name: of the case.
        contenders: by name.
        floors: things that are no rivals (a copy of the input, products alone).
    """

    name: str
    contenders: Mapping[str, Contender]
    floors: Mapping[str, Contender]


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
