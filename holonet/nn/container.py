"""Containers that compose what their layers declare, and refuse what is not holomorphic."""

from collections import OrderedDict
from typing import cast

import torch
from torch import Tensor, nn

from holonet._types import AnyTensor, ComplexTensor
from holonet.domains import Domain, Plane
from holonet.functions import FunctionClass, Singularity
from holonet.functions.classes import multiply
from holonet.nn.declare import compose_classes, require_holomorphic
from holonet.nn.module import DeclaredModule, HolomorphicModule, require_complex

__all__ = ["Flatten", "Product", "Residual", "Sequential"]


class _Container(DeclaredModule):
    """What containers share: singularities and domain are gathered from the layers inside."""

    @property
    def singularities(self) -> tuple[Singularity, ...]:
        """Those of all layers inside, each in its layer's own coordinate."""
        return tuple(s for layer in self._leaves() for s in layer.singularities)

    @property
    def domain(self) -> Domain | None:
        """The whole plane if every layer inside is entire, None (no closed form) otherwise."""
        entire = all(isinstance(layer.domain, Plane) for layer in self._leaves())
        return Plane() if entire else None

    def _leaves(self) -> list[DeclaredModule]:
        """The declared layers at any depth that hold no others."""
        declared = (m for m in self.modules() if isinstance(m, DeclaredModule))
        return [m for m in declared if not isinstance(m, _Container)]


class Sequential(_Container, nn.Sequential):
    """Layers applied in turn: holomorphic ones, and at most one readout, at the end.

    `function_class` is composed from the layers' own (docs/architecture.md has the table), anew
    at every look, so that layers may be appended.

    Law: f(g(z)) for layers g, f; holomorphic wherever `margin` is positive.

    Raises:
        NotHolomorphicError: a layer is not holomorphic, or stands behind a readout; the message
            names its path.

    Example:
        >>> from holonet.nn import Linear, Sin, RealPart
        >>> Sequential(Linear(2, 3), Sin(), Linear(3, 1)).function_class
        <FunctionClass.ENTIRE: 'entire'>
        >>> Sequential(Linear(2, 3), RealPart()).function_class
        <FunctionClass.HARMONIC: 'harmonic'>
    """

    def __init__(self, *layers: nn.Module | OrderedDict[str, nn.Module]) -> None:
        nn.Sequential.__init__(self, *cast("tuple[nn.Module, ...]", layers))
        compose_classes(self)

    @property
    def function_class(self) -> FunctionClass:
        """The class of the composition."""
        return compose_classes(self)

    def forward(self, input: Tensor) -> AnyTensor:
        """The last layer of ... of the first."""
        require_complex(input, self)
        return nn.Sequential.forward(self, input)


class Residual(_Container):
    """z + body(z), for a holomorphic body that keeps the shape.

    Raises:
        NotHolomorphicError: the body is not holomorphic.

    Example:
        >>> from holonet.nn import Square
        >>> Residual(Square())(torch.tensor([2j])).item()
        (-4+2j)
    """

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body
        require_holomorphic(body, "body")

    @property
    def function_class(self) -> FunctionClass:
        """The class of a sum with an affine map."""
        return FunctionClass.AFFINE | require_holomorphic(self.body, "body")

    def forward(self, input: Tensor) -> ComplexTensor:
        """The input plus the body's output."""
        require_complex(input, self)
        return input + self.body(input)


class Product(_Container):
    """The product, entry by entry, of branches that see the same input.

    Multiplicative gates of this kind are holomorphic, where gates by modulus are not.

    Raises:
        NotHolomorphicError: a branch is not holomorphic.

    Example:
        >>> Product(nn.Identity(), nn.Identity())(torch.tensor([2j])).item()
        (-4+0j)
    """

    def __init__(self, first: nn.Module, *others: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList([first, *others])
        for k, branch in enumerate(self.branches):
            require_holomorphic(branch, f"branches.{k}")

    @property
    def function_class(self) -> FunctionClass:
        """The class of the product."""
        first, *others = (
            require_holomorphic(b, f"branches.{k}") for k, b in enumerate(self.branches)
        )
        for other in others:
            first = multiply(first, other)
        return first

    def forward(self, input: Tensor) -> ComplexTensor:
        """The product of the branches' outputs."""
        require_complex(input, self)
        return torch.stack([branch(input) for branch in self.branches]).prod(0)


class Flatten(HolomorphicModule, nn.Flatten):
    """Axes `start_dim` (default 1) to `end_dim` (default -1) as one, in the order of memory."""

    def forward(self, input: Tensor) -> ComplexTensor:
        """The flattened tensor."""
        require_complex(input, self)
        return nn.Flatten.forward(self, input)
