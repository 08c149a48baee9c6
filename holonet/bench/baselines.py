"""Baselines: plain torch, torch.compile and complextorch."""

import inspect
import itertools
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn
from torch._functorch import config as functorch_config

from holonet._types import Logits, Points, TensorFunction

__all__ = ["ACTIVATIONS", "BaselineNetwork", "affine_layers", "compilers"]

ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = MappingProxyType(
    {
        "exp": torch.exp,
        "log": torch.log,
        "sigmoid": torch.sigmoid,
        "sin": torch.sin,
        "softplus": lambda z: torch.log1p(torch.exp(z)),
        "square": torch.square,
        "tanh": torch.tanh,
    }
)
"""The shortest torch code for each; some overflow early."""


_ISOLATED: dict[str, Any] = (  # since torch 2.13
    {"isolate_recompiles": True}
    if "isolate_recompiles" in inspect.signature(torch.compile).parameters
    else {}
)


class BaselineNetwork(nn.Module):
    """A plain complex perceptron: lift, affine maps, activations, real part.

    Args:
        layers: the affine maps.
        activation: between them.
    """

    def __init__(self, layers: Sequence[nn.Module], activation: TensorFunction) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.activation = activation

    def forward(self, x: Points) -> Logits:
        """Real logits."""
        z = x.flatten(1).to(torch.complex64)
        for layer in self.layers[:-1]:
            z = self.activation(layer(z))
        return self.layers[-1](z).real


def affine_layers(kind: Callable[..., nn.Module], widths: Sequence[int]) -> list[nn.Module]:
    """Affine maps between the widths, of `torch.nn.Linear` or complextorch's."""
    extra = {"dtype": torch.complex64} if kind is nn.Linear else {}
    return [kind(inner, outer, **extra) for inner, outer in itertools.pairwise(widths)]


def compilers() -> dict[str, Callable[[Any], Any]]:
    """torch.compile as it is, and with torch's wrapper of complex tensors where there is one.

    Each compiles anew: otherwise torch would give the second the code that it made for the
    first, and run the ninth network of a class as plain code.
    """
    named = {"torch.compile": _compiled}
    if hasattr(functorch_config, "enable_complex_wrapper") and _ISOLATED:
        named["torch.compile, complex wrapper"] = _wrapped
    return named


def _compiled(function: Any) -> Any:
    return torch.compile(function, **_ISOLATED)


def _wrapped(function: Any) -> Any:
    compiled = _compiled(function)

    def call(*args: Any) -> Any:  # the option is read when the first call compiles
        with functorch_config.patch(enable_complex_wrapper=True):
            return compiled(*args)

    return call
