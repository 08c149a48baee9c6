"""What holds of a continuation: asserted of models in the tests of its rules."""

import copy
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from holonet.calculus import jet
from holonet.continuation import extend
from holonet.diagnostics import holomorphy_check

__all__ = ["Written", "assert_continuation", "assert_jets", "line_derivatives", "written"]

EPS = torch.finfo(torch.float64).eps


def first(result: Any) -> Tensor:
    """The first tensor that a model gives."""
    return result if isinstance(result, Tensor) else first(result[0])


def assert_continuation(
    model: Callable[[Tensor], Any],
    x: Tensor,
    *,
    height: float = 0.2,
    f: Callable[[Tensor], Any] | None = None,
) -> None:
    """Equality on the reals, Schwarz reflection, and the three witnesses.

    Args:
        model: in double precision, each example of x on its own.
        x: real points.
        height: of the imaginary parts; a quarter of it is the radius of the witnesses' circles.
        f: the continuation; None extends the model.
    """
    f = f or extend(model)
    value, extended = first(model(x)), first(f(x.to(torch.complex128)))
    assert extended.dtype is torch.complex128
    assert extended.shape == value.shape
    scale = 1 + value.detach().abs().max()
    assert (extended - value).abs().max() <= 16 * EPS * scale
    z = torch.complex(x, height * torch.randn_like(x))
    above, below = first(f(z)), first(f(z.conj()))
    assert (above.conj() - below).abs().max() <= 16 * EPS * (1 + above.detach().abs().max())
    check = holomorphy_check(lambda z: first(f(z)), x, radius=height / 4, samples=32)
    assert check.passed, str(check)


class Written(nn.Module):
    """Layer norm by its formula: torch 2.13 has a wrong third derivative of its own."""

    def __init__(self, layer: nn.LayerNorm) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        deviation = x - x.mean(-1, keepdim=True)
        variance = (deviation * deviation).mean(-1, keepdim=True)
        return deviation / (variance + self.layer.eps).sqrt() * self.layer.weight + self.layer.bias


def written(model: nn.Module) -> nn.Module:
    """A copy with every layer norm written out."""
    model = copy.deepcopy(model)
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.LayerNorm):
                setattr(parent, name, Written(child))
    return model


def line_derivatives(f: Callable[[Tensor], Tensor], x: Tensor, v: Tensor, order: int) -> Tensor:
    """The Taylor coefficients of the sum of f(x + t v) by torch's nested reverse mode."""
    t = torch.zeros((), dtype=x.dtype, requires_grad=True)
    value = f(x + t * v)
    term = (value * torch.linspace(1, 2, value.numel(), dtype=x.dtype).view(value.shape)).sum()
    terms = [term]
    for k in range(1, order + 1):
        (term,) = torch.autograd.grad(term, t, create_graph=True)
        terms.append(term / math.factorial(k))
    return torch.stack(terms).detach()


def assert_jets(model: nn.Module, x: Tensor, order: int = 4) -> None:
    """The jets of the continuation are the derivatives of the real model along a line."""
    v = torch.randn_like(x)
    f = extend(model)
    terms = jet(lambda z: first(f(z)), x.to(torch.complex128), v.to(torch.complex128), order)
    weights = torch.linspace(1, 2, terms[0].numel(), dtype=torch.float64)
    jets = terms.flatten(1).detach() @ weights.to(torch.complex128)
    expected = line_derivatives(lambda x: first(written(model)(x)), x, v, order)
    size = terms.detach().abs().sum(tuple(range(1, terms.ndim))) + 1
    assert ((jets - expected).abs() <= 1e-11 * size).all(), (jets, expected)
