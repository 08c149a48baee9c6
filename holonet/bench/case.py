"""A case of a benchmark, and the steps that several suites share."""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch import nn

from holonet._types import ComplexEntries, Entries, Labels, Points, Scalar, TensorFunction
from holonet.bench.memory import Work

__all__ = [
    "Case",
    "Contender",
    "Least",
    "Loss",
    "MemoryCase",
    "complex_products",
    "cross_entropy",
    "entrywise",
    "of_products",
    "pulled",
    "traffic",
    "training_step",
    "training_work",
]

Contender = Callable[[], object]
Loss = Callable[[Any, Points, Labels], Scalar]
"""(model, examples, labels) -> what a training step descends."""


@dataclass(frozen=True)
class Least:
    """The least work of a case, and the lower bound whose rate is the device's.

    Args:
        unit: bytes moved between the processor and its memory, or floating-point operations.
        work: how many of them.
        bound: the name of a lower bound of the case.
        of_bound: how many of them that bound takes.
    """

    unit: Literal["B", "flop"]
    work: int
    bound: str
    of_bound: int


@dataclass(frozen=True)
class Case:
    """Contenders that do the same work, "holonet" among them, and lower bounds of its time.

    Args:
        name: of the case.
        contenders: by name.
        lower_bounds: what does less work (a copy of the input, the products alone).
        least: for a roofline.
    """

    name: str
    contenders: Mapping[str, Contender]
    lower_bounds: Mapping[str, Contender]
    least: Least | None = None


@dataclass(frozen=True)
class MemoryCase:
    """Training steps whose peaks of memory are compared, in units of the only lower bound.

    Args:
        name: of the case.
        contenders: by name, functions that build network, data and optimizer and return a step.
        lower_bounds: the unit, alike.
    """

    name: str
    contenders: Mapping[str, Callable[[], Work]]
    lower_bounds: Mapping[str, Callable[[], Work]]


def traffic(tensor: Entries, times: int) -> Least:
    """Work that reads or writes the bytes of a tensor several times.

    Args:
        tensor: one that is read or written.
        times: how many such tensors are read or written; a copy is 2.
    """
    return Least("B", times * tensor.nbytes, "copy", 2 * tensor.nbytes)


def entrywise(
    name: str,
    functions: Mapping[str, TensorFunction],
    z: ComplexEntries,
    g: ComplexEntries,
    *,
    roofline: bool = False,
) -> Iterator[Case]:
    """One function in several codes at z, and its gradient along g there, beside a copy of z.

    Forwards z is read and the value written; backwards z and g are read and one is written.
    """
    name, leaf, copy = f"{name}, {len(z)} entries", z.clone().requires_grad_(), {"copy": z.clone}
    yield Case(
        f"{name}, forward",
        {who: partial(f, z) for who, f in functions.items()},
        copy,
        traffic(z, 2) if roofline else None,
    )
    yield Case(
        f"{name}, forward and backward",
        {who: pulled(f, leaf, g) for who, f in functions.items()},
        copy,
        traffic(z, 5) if roofline else None,
    )


def of_products(widths: Sequence[int], batch: int) -> Least:
    """The operations of `complex_products`, which every training step does.

    A complex multiplication with its addition is 8 operations of real numbers.
    """
    pairs = list(itertools.pairwise(widths))
    flops = 8 * batch * (3 * sum(n * m for n, m in pairs) - math.prod(pairs[0]))
    return Least("flop", flops, "complex products", flops)


def complex_products(widths: Sequence[int], batch: int, device: str = "cpu") -> Contender:
    """The matrix products of a step, alone: forwards, and backwards to weights and inputs.

    The first layer's inputs need no gradient.
    """
    random = partial(torch.randn, dtype=torch.complex64, device=device)
    pairs = [(random(batch, n), random(m, n)) for n, m in itertools.pairwise(widths)]

    def run() -> None:
        for k, (z, w) in enumerate(pairs):
            out = z @ w.T
            _ = out.T @ z
            if k:
                _ = out @ w

    return run


def pulled(function: TensorFunction, leaf: Entries, g: Entries) -> Contender:
    """The gradient of a function at a leaf, forwards and backwards."""
    return lambda: torch.autograd.grad(function(leaf), leaf, g)


def cross_entropy(model: nn.Module, x: Points, y: Labels) -> Scalar:
    """Of the logits of a model."""
    return nn.functional.cross_entropy(model(x), y)


def training_step(model: nn.Module, loss: Loss, x: Points, y: Labels) -> Contender:
    """Loss, backward pass and Adam's update."""
    work = training_work(model, loss, x, y)

    def step() -> None:
        work.differentiate()
        work.update()

    return step


def training_work(model: nn.Module, loss: Loss, x: Points, y: Labels) -> Work:
    """The two halves of a training step."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-5)

    def differentiate() -> None:
        optimizer.zero_grad()
        loss(model, x, y).backward()

    return Work(differentiate, optimizer.step)
