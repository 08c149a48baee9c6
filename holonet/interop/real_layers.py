"""Layers that compute with the parts of complex numbers: what `to_real` builds networks of."""

import functools
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Inexact
from torch import Tensor, nn

from holonet.ops.evaluate import OPERATIONS
from holonet.ops.planar import Planar, Real, in_order

__all__ = [
    "Affine",
    "Chain",
    "Constant",
    "EachPart",
    "Formula",
    "Joined",
    "Lift",
    "Product",
    "Residual",
    "Scaled",
]

Parts = Any
"""What layers hand on: a real tensor, or the parts of a complex one as two."""


def plus(a: Parts, b: Parts) -> Parts:
    """The sum of two real or complex numbers."""
    if isinstance(a, Tensor):
        return a + b if isinstance(b, Tensor) else (a + b[0], b[1])
    return plus(b, a) if isinstance(b, Tensor) else (a[0] + b[0], a[1] + b[1])


def times(a: Parts, b: Parts) -> Parts:
    """The product of two real or complex numbers."""
    if isinstance(a, Tensor):
        return a * b if isinstance(b, Tensor) else (a * b[0], a * b[1])
    if isinstance(b, Tensor):
        return times(b, a)
    return a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]


def copysign(size: Inexact[Tensor, "*shape"], sign: Inexact[Tensor, "*shape"]) -> Any:
    """torch.copysign, which ONNX lacks; the sign of a zero counts."""
    size = size.abs()
    return torch.where((sign < 0) | (1 / sign < 0), -size, size)


class Chain(nn.Sequential):
    """Layers applied in turn."""


class Constant(nn.Module):
    """Learned numbers, one for each channel.

    Args:
        numbers: real or complex; copied.
        axis: of the channels, counted from the batch axis, or from the end if negative.
    """

    def __init__(self, numbers: Inexact[Tensor, "*channels"], axis: int) -> None:
        super().__init__()
        self.axis = axis
        self.real = nn.Parameter(numbers.detach().real.clone())
        self.imaginary = (
            nn.Parameter(numbers.detach().imag.clone()) if numbers.is_complex() else None
        )

    def forward(self, z: Parts) -> Parts:
        """The numbers in the layout of z."""
        ndim = (z if isinstance(z, Tensor) else z[0]).ndim
        behind = ndim - 1 - self.axis % ndim
        shape = (-1,) + (1,) * behind if self.real.ndim else ()
        parts = [p.view(shape) for p in (self.real, self.imaginary) if p is not None]
        return parts[0] if len(parts) == 1 else tuple(parts)


class Scaled(nn.Module):
    """gain z + shift."""

    def __init__(self, gain: Constant, shift: Constant) -> None:
        super().__init__()
        self.gain, self.shift = gain, shift

    def forward(self, z: Parts) -> Parts:
        """The scaled number."""
        return plus(times(self.gain(z), z), self.shift(z))


class Affine(nn.Module):
    """W z + b by torch's own real layers.

    Args:
        layers: without bias: with the weights, or with their real and with their imaginary parts.
        bias: b; None for 0.
    """

    def __init__(self, layers: Sequence[nn.Module], bias: Constant | None) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.bias = bias

    def forward(self, z: Parts) -> Parts:
        """The affine map."""
        first, *second = self.layers
        if not second:
            value = first(z) if isinstance(z, Tensor) else (first(z[0]), first(z[1]))
        elif isinstance(z, Tensor):
            value = first(z), second[0](z)
        else:
            value = first(z[0]) - second[0](z[1]), first(z[1]) + second[0](z[0])
        return value if self.bias is None else plus(value, self.bias(value))


class EachPart(nn.Module):
    """A linear layer with real numbers, applied to each part."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, z: Parts) -> Parts:
        """The layer of both parts."""
        return self.layer(z) if isinstance(z, Tensor) else (self.layer(z[0]), self.layer(z[1]))


class Lift(nn.Module):
    """x + 0i."""

    def forward(self, x: Parts) -> Parts:
        """The parts."""
        return x, torch.zeros_like(x)


class Joined(nn.Module):
    """Real and imaginary parts behind each other on the axis behind the batch axis."""

    def forward(self, z: Parts) -> Float[Tensor, "batch pairs *rest"]:
        """One real tensor."""
        return torch.cat(z, 1)


class Residual(nn.Module):
    """z + body(z)."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, z: Parts) -> Parts:
        """The input plus the body's output."""
        return plus(z, self.body(z))


class Product(nn.Module):
    """The product of branches that take the same input."""

    def __init__(self, branches: Sequence[nn.Module]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, z: Parts) -> Parts:
        """The product, entry by entry."""
        return functools.reduce(times, (branch(z) for branch in self.branches))


_OPERATIONS: Mapping[str, Callable[..., Tensor]] = {**OPERATIONS, "copysign": copysign}
_WITH_NUMBERS: Mapping[str, Callable[..., Any]] = {
    "add": operator.add,
    "div": operator.truediv,
    "le": operator.le,
    "lt": operator.lt,
    "mul": operator.mul,
    "sub": operator.sub,
}
"""Operations that take plain numbers beside tensors: exported graphs are half as large so."""


def _tensor(value: Any, like: Tensor) -> Tensor:
    return value if isinstance(value, Tensor) else like.new_full((), value)


def _spread(value: Tensor, like: Tensor) -> Tensor:
    """A constant in the shape of the input: tools that bound networks know no expansion."""
    return value if value.ndim == like.ndim else value.expand_as(like)


class _Step(NamedTuple):
    """An operation, the earlier steps that it takes, and the value of a constant."""

    op: str
    arguments: tuple[int, ...]
    value: float | str | None


class Formula(nn.Module):
    """Entrywise arithmetic on the parts of a number.

    Args:
        value: its parts, or one real value, as expressions in the complex input "z".
    """

    def __init__(self, value: Planar | Real) -> None:
        super().__init__()
        outputs = [value] if isinstance(value, Real) else [*value]
        nodes = list(in_order(outputs))
        place = {id(node): k for k, node in enumerate(nodes)}
        self.steps = [_Step(n.op, tuple(place[id(a)] for a in n.args), n.value) for n in nodes]
        self.outputs = [place[id(node)] for node in outputs]

    def forward(self, z: Parts) -> Parts:
        """The value."""
        x, y = (z, None) if isinstance(z, Tensor) else z
        known: list[Any] = []
        for op, places, value in self.steps:
            arguments = [known[k] for k in places]
            if op == "constant":
                known.append(float(str(value)))
            elif op == "input":
                known.append(x if value == "z_re" else y)
            elif op in _WITH_NUMBERS and any(isinstance(a, Tensor) for a in arguments):
                known.append(_WITH_NUMBERS[op](*arguments))
            else:
                known.append(_OPERATIONS[op](*(_tensor(a, x) for a in arguments)))
        parts = tuple(_spread(_tensor(known[k], x), x) for k in self.outputs)
        return parts if len(parts) == 2 else parts[0]

    def extra_repr(self) -> str:
        """The number of operations."""
        return f"{len(self.steps)} operations"
