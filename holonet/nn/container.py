"""Containers that compose what their layers declare, and refuse what is not holomorphic."""

import functools
import operator
from collections import OrderedDict
from collections.abc import Iterator
from typing import cast

from jaxtyping import Inexact
from torch import Tensor, nn

from holonet._types import InexactEntries
from holonet.domains import Domain, Plane
from holonet.errors import ShapeError
from holonet.functions import FunctionClass, Singularity
from holonet.functions.classes import multiply
from holonet.nn.coefficients import chain_takes_real, takes_real
from holonet.nn.declare import (
    compose_classes,
    join_path,
    layers_in_order,
    require_holomorphic,
    require_module,
)
from holonet.nn.module import (
    DeclaredModule,
    HolomorphicModule,
    layer_domain,
    layer_singularities,
    require_numbers,
)

__all__ = ["Flatten", "Product", "Residual", "Sequential"]


class _Container(DeclaredModule):
    """What containers share: what they declare is gathered from the layers inside."""

    @property
    def function_class(self) -> FunctionClass:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The class composed from the layers' own, anew at every look."""
        return self._class_at("")

    @property
    def singularities(self) -> tuple[Singularity, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Those of all layers inside, each in its layer's own coordinate."""
        return tuple(s for layer in _leaves(self) for s in layer_singularities(layer))

    @property
    def domain(self) -> Domain | None:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The whole plane if every layer inside is entire, None (no closed form) otherwise."""
        entire = all(isinstance(layer_domain(layer), Plane) for layer in _leaves(self))
        return Plane() if entire else None


def _leaves(module: nn.Module) -> Iterator[nn.Module]:
    """The layers at any depth that are no containers."""
    if isinstance(module, _Container | nn.Sequential | nn.ModuleList):
        for child in module.children():
            yield from _leaves(child)
    else:
        yield module


class Sequential(_Container, nn.Sequential):
    """Layers applied in turn: holomorphic ones, and at most one readout, at the end.

    `function_class` is composed from the layers' own (docs/architecture.md has the table), anew
    at every look, so that layers may be appended.

    Law: f(g(z)) for layers g, f; holomorphic wherever `margin` is positive.

    Raises:
        NotHolomorphicError: a layer is not holomorphic, or stands behind a readout; the message
            names its path.
        InputTypeError: a layer is no module.

    Example:
        >>> from holonet.nn import Linear, Sin, RealPart
        >>> Sequential(Linear(2, 3), Sin(), Linear(3, 1)).function_class
        <FunctionClass.ENTIRE: 'entire'>
        >>> Sequential(Linear(2, 3), RealPart()).function_class
        <FunctionClass.HARMONIC: 'harmonic'>
    """

    def __init__(self, *layers: nn.Module | OrderedDict[str, nn.Module]) -> None:
        for position, layer in enumerate(layers):
            if not isinstance(layer, OrderedDict):
                require_module(layer, str(position))
        nn.Sequential.__init__(self, *cast("tuple[nn.Module, ...]", layers))
        compose_classes(self)

    def _class_at(self, path: str) -> FunctionClass:
        return compose_classes(self, path)

    @property
    def takes_real(self) -> bool:
        """Whether all layers do up to the first one with complex values."""
        return chain_takes_real(self)

    def forward(self, input: InexactEntries) -> Inexact[Tensor, "*out"]:
        """The last layer of ... of the first."""
        require_numbers(input, self)
        return nn.Sequential.forward(self, input)


class Residual(_Container):
    """z + body(z), for a holomorphic body that keeps the shape.

    Raises:
        NotHolomorphicError: the body is not holomorphic.
        ShapeError: the body changes the shape.

    Example:
        >>> import torch
        >>> from holonet.nn import Square
        >>> Residual(Square())(torch.tensor([2j])).item()
        (-4+2j)
    """

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body
        self._class_at("")

    def _class_at(self, path: str) -> FunctionClass:
        return FunctionClass.AFFINE | require_holomorphic(self.body, join_path(path, "body"))

    @property
    def takes_real(self) -> bool:
        """Whether the body does."""
        return takes_real(self.body)

    def forward(self, input: InexactEntries) -> InexactEntries:
        """The input plus the body's output."""
        require_numbers(input, self)
        change = self.body(input)
        if change.shape != input.shape:
            raise ShapeError(
                f"Residual adds its body's output of shape {tuple(change.shape)} to its input of "
                f"shape {tuple(input.shape)}: give it a body that keeps the shape"
            )
        return input + change


class Product(_Container):
    """The product, entry by entry, of branches that see the same input.

    Multiplicative gates of this kind are holomorphic, where gates by modulus are not.

    Raises:
        NotHolomorphicError: a branch is not holomorphic.
        ShapeError: the branches give different shapes.

    Example:
        >>> import torch
        >>> Product(nn.Identity(), nn.Identity())(torch.tensor([2j])).item()
        (-4+0j)
    """

    def __init__(self, first: nn.Module, *others: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList([first, *others])
        self._class_at("")

    def _class_at(self, path: str) -> FunctionClass:
        inside = join_path(path, "branches")
        classes = (
            require_holomorphic(branch, join_path(inside, name))
            for name, branch in layers_in_order(self.branches)
        )
        return functools.reduce(multiply, classes)

    @property
    def takes_real(self) -> bool:
        """Whether every branch does."""
        return all(map(takes_real, self.branches))

    def forward(self, input: InexactEntries) -> Inexact[Tensor, "*out"]:
        """The product of the branches' outputs."""
        require_numbers(input, self)
        factors = [branch(input) for branch in self.branches]
        if len(shapes := {tuple(factor.shape) for factor in factors}) > 1:
            raise ShapeError(
                f"Product multiplies entry by entry, and its branches gave the shapes {shapes}: "
                "make them equal"
            )
        return functools.reduce(operator.mul, factors)


class Flatten(HolomorphicModule, nn.Flatten):
    """Axes `start_dim` (default 1) to `end_dim` (default -1) as one, in the order of memory."""

    function_class = FunctionClass.AFFINE
    takes_real = True

    def forward(self, input: InexactEntries) -> Inexact[Tensor, "*out"]:
        """The flattened tensor."""
        require_numbers(input, self)
        if input.ndim <= max(self.start_dim, self.end_dim):
            raise ShapeError(
                f"Flatten(start_dim={self.start_dim}) got input of shape {tuple(input.shape)}: its "
                "first axis is the batch, x.unsqueeze(0) for one example"
            )
        return nn.Flatten.forward(self, input)
