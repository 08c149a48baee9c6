"""The base of every module: what it declares, and the checks of what it is given."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from holonet._types import RealTensor
from holonet.domains import Domain, Plane
from holonet.errors import DomainError, InputTypeError, ShapeError
from holonet.functions import FunctionClass, Singularity

__all__ = [
    "DECLARATIONS",
    "Declaration",
    "DeclaredModule",
    "HolomorphicModule",
    "complex_dtype",
    "forward_hooks",
    "layer_domain",
    "layer_singularities",
    "require_complex",
    "require_size",
]


@dataclass(frozen=True)
class Declaration:
    """What was declared of a foreign type of layer; `nn.declare` says what the fields mean."""

    function_class: FunctionClass | Callable[[nn.Module], FunctionClass]
    domain: Domain | None = None
    singularities: tuple[Singularity, ...] = ()

    def class_of(self, module: nn.Module) -> FunctionClass:
        """The class of this instance."""
        if isinstance(self.function_class, FunctionClass):
            return self.function_class
        return self.function_class(module)


DECLARATIONS: dict[type[nn.Module], Declaration] = {}
"""Foreign types of layers, filled by `nn.declare`."""


class DeclaredModule(nn.Module):
    """A module that says how regular it is.

    `function_class` is the class as a function of the input; `singularities` and `domain` are in
    the coordinate of each input entry. A container holds the singularities of all its layers,
    each in that layer's own coordinate; where there are any, the domain as a subset of C^n has
    no closed form and `domain` is None: ask `margin(z) > 0` instead.

    Law: a module with a holomorphic `function_class` passes the checks of holomorphy wherever
        `margin` is positive, in train and in eval mode, whatever its parameters.
    """

    function_class: FunctionClass = FunctionClass.SMOOTH
    singularities: tuple[Singularity, ...] = ()
    domain: Domain | None = Plane()

    @torch.no_grad()
    def margin(self, z: Tensor) -> RealTensor:
        """Distance of each example (first axis) of z to the module's singularities and cuts.

        It is measured in front of every layer inside, in that layer's coordinate, and the least
        is returned: positive exactly where z is in the domain, infinite for entire modules.

        Raises:
            DomainError: a foreign layer was declared holomorphic off some singularities, without
                the domain that says where they are.
        """
        least = torch.full((len(z),), torch.inf, dtype=z.dtype.to_real(), device=z.device)

        def measure(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            domain = layer_domain(module)
            if domain is None and type(module) in DECLARATIONS:
                raise DomainError(
                    f"the margin of {type(module).__name__} is not known: it was declared without "
                    "the domain that it is holomorphic on. Declare it again with "
                    f"nn.declare({type(module).__name__}, ..., domain=...)"
                )
            if domain is not None and not isinstance(domain, Plane):
                clearance = domain.clearance(inputs[0]).unsqueeze(-1).flatten(1).amin(1)
                torch.minimum(least, clearance, out=least)

        with forward_hooks(module.register_forward_pre_hook(measure) for module in self.modules()):
            self(z)
        return least

    def _class_at(self, path: str) -> FunctionClass:
        """`function_class`; containers name what is at fault inside by its path from here."""
        del path
        return self.function_class


class HolomorphicModule(DeclaredModule):
    """A layer that is holomorphic by construction: complex tensors in, complex tensors out.

    Where `takes_real`, real input is taken as complex numbers whose imaginary part is 0, and these
    zeros are not computed with; elsewhere it is refused.

    Law: module(x) == module(x + 0i) for real x, where it takes them.
    """

    function_class: FunctionClass = FunctionClass.AFFINE
    takes_real: bool = False


def layer_domain(module: nn.Module) -> Domain | None:
    """Where a layer is holomorphic; None where that was not declared or has no closed form."""
    if isinstance(module, DeclaredModule):
        return module.domain
    declaration = DECLARATIONS.get(type(module))
    if declaration is None:
        return None
    found = declaration.class_of(module)
    everywhere = found.is_entire or not found.is_holomorphic
    return Plane() if declaration.domain is None and everywhere else declaration.domain


def layer_singularities(module: nn.Module) -> tuple[Singularity, ...]:
    """The declared singularities of a layer."""
    if isinstance(module, DeclaredModule):
        return module.singularities
    declaration = DECLARATIONS.get(type(module))
    return () if declaration is None else declaration.singularities


def forward_hooks(handles: Iterator[RemovableHandle]) -> ExitStack:
    """A context that removes the hooks when it ends, however it ends."""
    stack = ExitStack()
    for handle in handles:
        stack.callback(handle.remove)
    return stack


def complex_dtype(dtype: torch.dtype | None, owner: str) -> torch.dtype:
    """The dtype asked for, complex64 if none was; an error if it is real."""
    if dtype is None:
        return torch.complex64
    if not dtype.is_complex:
        raise InputTypeError(
            f"{owner}(dtype={dtype}): a holomorphic layer has complex parameters. "
            "Choose torch.complex64 or torch.complex128"
        )
    return dtype


def require_complex(z: Tensor, module: nn.Module, dtype: torch.dtype | None = None) -> None:
    """Refuse real input unless the module takes it, and input of another precision than `dtype`.

    Raises:
        InputTypeError: with the way out.
    """
    name = type(module).__name__
    if not z.is_complex() and getattr(module, "takes_real", False) and z.is_floating_point():
        dtype = None if dtype is None else dtype.to_real()
    elif not z.is_complex():
        raise InputTypeError(
            f"{name} got a real tensor ({z.dtype}, shape {tuple(z.shape)}), it takes complex ones. "
            "Lift the data first (holonet.data.embed(x), or x.to(torch.complex64)), "
            "or wrap the network in nn.HolomorphicClassifier, which lifts real input"
        )
    if dtype is not None and z.dtype != dtype:
        raise InputTypeError(
            f"{name} has {dtype} parameters and got {z.dtype} input. Convert one of them: "
            f"nn.to_precision(module, {z.dtype.to_complex()}), or z.to({dtype})"
        )


def require_size(z: Tensor, axis: int, size: int, module: nn.Module, what: str) -> None:
    """Refuse input whose `axis` has not the `size` that the module was built for.

    Raises:
        ShapeError: with both sizes.
    """
    if z.ndim < -axis or z.shape[axis] != size:
        raise ShapeError(
            f"{type(module).__name__} was built for {size} {what} (axis {axis}) and got input of "
            f"shape {tuple(z.shape)}. Rebuild the layer for that input or reshape the input"
        )
