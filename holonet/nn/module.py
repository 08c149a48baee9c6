"""The base of every module: what it declares, and the checks of what it is given."""

import inspect
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from holonet._types import Entries, Numbers, Points
from holonet.domains import Domain, Plane
from holonet.errors import DomainError, InputTypeError, NotHolomorphicError, ShapeError
from holonet.functions import FunctionClass, Singularity
from holonet.nn.coefficients import complex_dtype, real_dtype
from holonet.nn.precision import ComplexConversion
from holonet.ops.affine import autocast_dtype

__all__ = [
    "DECLARATIONS",
    "Declaration",
    "DeclaredModule",
    "HolomorphicModule",
    "forward_hooks",
    "layer_domain",
    "layer_singularities",
    "of_this_thread",
    "require_numbers",
    "require_own_declaration",
    "require_size",
    "require_tensor",
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


class _Declaring(type):
    """Lets no instance come to be that says nothing of what it computes."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        module = super().__call__(*args, **kwargs)
        require_own_declaration(module)
        _require_types(module)
        return module


class DeclaredModule(nn.Module, metaclass=_Declaring):
    """A module that says how regular it is.

    A subclass gives its `function_class`, in its body, as a property or in its constructor. The
    declaration holds for subclasses of it that change the constructor only: one that overrides
    `forward`, or another method that its base computes with, declares anew.

    `function_class` is the class as a function of the input; `singularities` and `domain` are in
    the coordinate of each input entry. A container holds the singularities of all its layers,
    each in that layer's own coordinate; where there are any, the domain as a subset of C^n has
    no closed form and `domain` is None: ask `margin(z) > 0` instead.

    Law: a module with a holomorphic `function_class` passes the checks of holomorphy wherever
        `margin` is positive, in train and in eval mode, whatever its parameters.

    Raises:
        NotHolomorphicError: at construction, where nothing is declared of what it computes.
        InputTypeError: at construction, where `function_class` is no FunctionClass, `domain` no
            Domain or `singularities` no tuple; in a conversion to numbers that have no complex
            partner, 16 bits for example.
    """

    function_class: FunctionClass
    singularities: tuple[Singularity, ...] = ()
    domain: Domain | None = Plane()

    @torch.no_grad()
    def margin(self, z: Points) -> Numbers:
        """Distance of each example (first axis) of z to the module's singularities and cuts.

        It is measured in front of every layer inside, in that layer's coordinate, and the least
        is returned: positive exactly where z is in the domain, infinite for entire modules.

        Raises:
            DomainError: a layer was declared holomorphic off some singularities, without the
                domain that says where they are.
        """
        least = torch.full((len(z),), torch.inf, dtype=z.dtype.to_real(), device=z.device)

        def measure(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            domain = layer_domain(module)
            if _is_unlocated(module):
                name = type(module).__name__
                raise DomainError(
                    f"the margin of {name} is not known: it was declared without the domain that "
                    "it is holomorphic on. Declare that as well: domain = ... in the body of our "
                    f"kind of class, nn.declare({name}, ..., domain=...) for any other"
                )
            if domain is not None and not isinstance(domain, Plane):
                reached = inputs[0] if inputs[0].is_complex() else inputs[0] + 0j
                clearance = domain.clearance(reached).unsqueeze(-1).flatten(1).amin(1)
                torch.minimum(least, clearance, out=least)

        hook = of_this_thread(measure)
        with forward_hooks(module.register_forward_pre_hook(hook) for module in self.modules()):
            self(z)
        return least

    def _class_at(self, path: str) -> FunctionClass:
        """`function_class`; containers name what is at fault inside by its path from here."""
        del path
        return self.function_class

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "DeclaredModule":
        # what double(), to() and type() of this module, and of any module around it, go through
        if not isinstance(fn, ComplexConversion):  # as a module around this one makes it
            fn = ComplexConversion(fn)
            fn.check(self)
        return super()._apply(fn, recurse)

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        *rest: Any,
        **named: Any,
    ) -> None:
        assign = bool(local_metadata.get("assign_to_params_buffers"))
        for name, own in (*self._parameters.items(), *self._buffers.items()):
            _require_same_field(prefix + name, own, state_dict.get(prefix + name), assign)
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest, **named)


class HolomorphicModule(DeclaredModule):
    """A layer that is holomorphic by construction, with complex or with real coefficients.

    Complex tensors give complex ones. Where `takes_real`, real tensors are taken too. Complex
    coefficients do not compute with the zeros of x + 0i. Real coefficients give real values, by
    torch's own real operation. A module is `monotone` where it applies to every entry a function
    that is real and strictly increasing on the real axis.

    Law: module(x) == module(x + 0i) for real x, where it takes them. With real coefficients
        module(conj z) == conj(module(z)), the reflection principle of Schwarz.
    """

    takes_real: bool = False
    monotone: bool = False


_HARMLESS = {
    "reset_parameters",
    "margin",
    "singularities",
    "domain",
    "takes_real",
    "function_class",
}
"""What a subclass may override and still compute what its base does."""


_WAY_OUT = (
    "Say in its body what it is: function_class = FunctionClass.AFFINE, POLYNOMIAL, RATIONAL, "
    "ENTIRE, MEROMORPHIC or HOLOMORPHIC (docs/architecture.md has what they mean). What takes "
    "moduli, conjugates or statistics of its input is none of these: derive it from "
    "nn.DeclaredModule with function_class = FunctionClass.SMOOTH or PIECEWISE"
)


def _require_same_field(name: str, own: Tensor | None, given: Tensor | None, assign: bool) -> None:
    """Refuse real numbers in the place of complex ones, unless they are copied, and the reverse.

    Raises:
        InputTypeError: with the way out.
    """
    if own is None or given is None or own.is_complex() == given.is_complex():
        return
    if not own.is_complex():
        raise InputTypeError(
            f"load_state_dict of {name}: the module has real coefficients there ({own.dtype}) and "
            f"was given {given.dtype}, whose imaginary parts would be lost. Build the module with "
            "complex coefficients"
        )
    if assign:
        raise InputTypeError(
            f"load_state_dict(assign=True) of {name}: the module has {own.dtype} numbers there and "
            f"was given {given.dtype}. Convert them first, tensor.to({own.dtype}), or load without "
            "assign, which does"
        )


def require_own_declaration(module: DeclaredModule) -> None:
    """Refuse a module without a class, or with that of a base that computes something else.

    Raises:
        NotHolomorphicError: with the way out.
    """
    lineage = type(module).__mro__
    ours = lineage[: lineage.index(DeclaredModule)]
    in_constructor = "function_class" in vars(module)
    names = {"__init__"} if in_constructor else {"function_class", "_class_at"}
    at = next((k for k, kind in enumerate(ours) if names & vars(kind).keys()), None)
    name = type(module).__name__
    if at is None:
        raise NotHolomorphicError(f"{name} declares no function_class. {_WAY_OUT}")
    anew = _overridden(lineage[:at], lineage[at:])
    if "forward" in vars(module) and not in_constructor:
        anew.add("forward")
    if anew:
        raise NotHolomorphicError(
            f"{name} overrides {', '.join(sorted(anew))} and inherits the function_class of "
            f"{lineage[at].__name__}, which may compute something else. {_WAY_OUT}"
        )


def _require_types(module: DeclaredModule) -> None:
    """Refuse declarations that are not what they should be; properties are looked at too."""
    name = type(module).__name__
    try:
        found: object = module.function_class
    except AttributeError as error:
        raise InputTypeError(f"{name} cannot tell its function_class: {error}") from error
    if not isinstance(found, FunctionClass):
        raise InputTypeError(f"{name} declares function_class = {found!r}. {_WAY_OUT}")
    domain, singularities = module.domain, module.singularities
    if not (domain is None or isinstance(domain, Domain)):
        raise InputTypeError(f"{name} declares domain = {domain!r}: give one of holonet.domains")
    if not isinstance(singularities, tuple):
        raise InputTypeError(
            f"{name} declares singularities = {singularities!r}: give a tuple of them"
        )


def _is_unlocated(module: nn.Module) -> bool:
    """Whether it is declared singular somewhere, and neither it nor a layer inside says where.

    A domain that is given counts, and so does the domain of a container, which its layers know.
    """
    if not isinstance(module, DeclaredModule):
        return type(module) in DECLARATIONS and layer_domain(module) is None
    if inspect.getattr_static(module, "domain") is not vars(DeclaredModule)["domain"]:
        return False
    found = module.function_class
    inside = (layer_domain(m) for m in module.modules() if m is not module)
    return (
        found.is_holomorphic
        and not found.is_entire
        and all(domain is None or isinstance(domain, Plane) for domain in inside)
    )


def _overridden(front: tuple[type, ...], behind: tuple[type, ...]) -> set[str]:
    """Names that `front` defines anew of what the classes behind it compute with."""
    ours = {
        name
        for kind in behind
        for name, value in vars(kind).items()
        if callable(value) or hasattr(value, "__get__")
    }
    computing = ours - {*dir(nn.Module)} - _HARMLESS | {"forward", "__call__"}
    return computing & {name for kind in front for name in vars(kind)}


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


def of_this_thread(hook: Callable[..., None]) -> Callable[..., None]:
    """The hook for the calls that this thread makes: others may use the module at the same time."""
    owner = threading.get_ident()

    def called(*arguments: Any) -> None:
        if threading.get_ident() == owner:
            hook(*arguments)

    return called


def require_numbers(z: Any, module: nn.Module, dtype: torch.dtype | None = None) -> None:
    """Refuse what is no tensor of real or complex numbers, and another precision than `dtype`.

    Under torch.autocast real tensors may be of any precision: torch converts them.

    Raises:
        InputTypeError: with the way out.
    """
    require_tensor(z, module)
    name = type(module).__name__
    if z.dtype == torch.complex32:
        raise InputTypeError(
            f"{name} got {z.dtype} input, and complex numbers come in single and double precision: "
            "z.to(torch.complex64)"
        )
    if not (z.is_complex() or z.is_floating_point()):
        raise InputTypeError(
            f"{name} got a tensor of integers ({z.dtype}, shape {tuple(z.shape)}), it takes real "
            "and complex ones: convert it first, z.float(), images by z.float() / 255"
        )
    if dtype is None:
        return
    wanted = complex_dtype(dtype) if z.is_complex() else real_dtype(dtype)
    if z.dtype != wanted and (z.is_complex() or autocast_dtype(z) is None):
        double = z.dtype in (torch.complex128, torch.float64)
        single = z.dtype in (torch.complex64, torch.float32)
        ours = torch.complex128 if double else torch.complex64
        raise InputTypeError(
            f"{name} has {dtype} parameters and got {z.dtype} input. Convert "
            + (f"one of them: nn.to_precision(module, {ours}), or " if single or double else "it: ")
            + f"z.to({wanted})"
        )


def require_tensor(z: Any, module: nn.Module) -> None:
    """Refuse what is no tensor.

    Raises:
        InputTypeError: with the way out.
    """
    if not hasattr(z, "is_complex"):
        raise InputTypeError(
            f"{type(module).__name__} got a {type(z).__name__}, it takes tensors: convert it "
            "first, torch.as_tensor(z) for lists and arrays"
        )


def require_size(z: Entries, axis: int, size: int, module: nn.Module, what: str) -> None:
    """Refuse input whose `axis` has not the `size` that the module was built for.

    Raises:
        ShapeError: with both sizes.
    """
    if torch.jit.is_tracing():  # where sizes are tensors; what is traced says it in torch's words
        return
    if z.ndim < -axis or z.shape[axis] != size:
        raise ShapeError(
            f"{type(module).__name__} was built for {size} {what} (axis {axis}) and got input of "
            f"shape {tuple(z.shape)}. Rebuild the layer for that input or reshape the input"
        )
