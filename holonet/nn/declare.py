"""What modules are, by declaration: ours say it themselves, foreign types are declared here."""

from collections.abc import Callable

from torch import nn

from holonet._arguments import checked
from holonet.domains import Domain
from holonet.errors import ConfigError, InputTypeError, NotHolomorphicError
from holonet.functions import FunctionClass, Singularity
from holonet.functions.classes import compose
from holonet.nn.module import (
    DECLARATIONS,
    Declaration,
    DeclaredModule,
    require_own_declaration,
)
from holonet.nn.replacements import way_out_for

__all__ = [
    "compose_classes",
    "declare",
    "declared_class",
    "join_path",
    "require_holomorphic",
    "require_module",
]

_READOUT_CLASSES = (FunctionClass.HARMONIC, FunctionClass.SUBHARMONIC)


@checked
def declare(
    module_type: type[nn.Module],
    function_class: FunctionClass | Callable[[nn.Module], FunctionClass],
    *,
    domain: Domain | None = None,
    singularities: tuple[Singularity, ...] = (),
) -> None:
    """Say what class of function a foreign layer is, so that containers accept and compose it.

    The declaration is for this very type: a subclass may compute something else and needs its
    own. Nothing is guessed and nothing believed blindly: check a declaration with
    `diagnostics.holomorphy_check` on the layer.

    Args:
        module_type: the layer's type.
        function_class: its class, or a function of the instance that says it where that
            depends on arguments or on train and eval mode.
        domain: where it is holomorphic, in the coordinate of an input entry. A layer that is
            holomorphic and not entire needs one before `margin` can be asked.
        singularities: its poles, branch points and essential singularities.

    Raises:
        ConfigError: the type is a DeclaredModule, which declares itself.

    Example:
        >>> class Double(nn.Module):
        ...     def forward(self, z):
        ...         return 2 * z
        >>> declare(Double, FunctionClass.AFFINE)
        >>> declared_class(Double())
        <FunctionClass.AFFINE: 'affine'>
    """
    if issubclass(module_type, DeclaredModule):
        raise ConfigError(
            f"nn.declare({module_type.__name__}, ...): subclasses of nn.DeclaredModule say "
            "themselves what they are. Set function_class in the body of the class"
        )
    DECLARATIONS[module_type] = Declaration(function_class, domain, singularities)


@checked
def declared_class(module: nn.Module, path: str = "") -> FunctionClass:
    """The class that a module declares, or that was declared for its type.

    A plain `torch.nn.Sequential` is composed from its layers.

    Args:
        module: the module to look up.
        path: where it stands in its container, for the message.

    Raises:
        NotHolomorphicError: nothing was declared for it, or not for what it computes by now.
        InputTypeError: it is no module.
    """
    require_module(module, path)
    if isinstance(module, DeclaredModule):
        require_own_declaration(module)
        return module._class_at(path)
    if "forward" in vars(module):
        raise NotHolomorphicError(
            f"{_at(path)}{_full_name(module)} had its forward exchanged, so nothing is known about "
            "its regularity: write a class of its own, and declare that"
        )
    declaration = DECLARATIONS.get(type(module))
    if declaration is not None:
        return declaration.class_of(module)
    if type(module) is nn.Sequential:
        return compose_classes(module, path)
    raise NotHolomorphicError(
        f"{_at(path)}{_full_name(module)} is not declared, so nothing is known about its "
        f"regularity. {_reason(module) or _how_to_declare(module)}"
    )


def require_holomorphic(module: nn.Module, path: str = "") -> FunctionClass:
    """The class of a module that must be holomorphic.

    Raises:
        NotHolomorphicError: with the path, the class and the way out.
    """
    kind = declared_class(module, path)
    if kind.is_holomorphic:
        return kind
    before = "end the holomorphic part in front of it with a readout such as nn.RealPart"
    if reason := _reason(module):
        way_out = f"{reason}. Or {before}"
    elif kind in _READOUT_CLASSES:
        way_out = "A readout may only stand at the very end: move it there, or take it out"
    else:
        way_out = f"Use a holomorphic activation (`holonet list activations`), or {before}"
    raise NotHolomorphicError(
        f"{_at(path)}{_full_name(module)} is {kind.value}, not holomorphic, where only "
        f"holomorphic layers may stand. {way_out}"
    )


def compose_classes(layers: nn.Sequential, path: str = "") -> FunctionClass:
    """The class of layers applied in turn: holomorphic ones, then at most one that is not.

    Raises:
        NotHolomorphicError: a layer follows one that is not holomorphic, which is at fault
            unless it is a readout at the very end; or a layer is not declared.
    """
    total = FunctionClass.AFFINE
    named = layers_in_order(layers)
    for position, (name, layer) in enumerate(named):
        here = join_path(path, name)
        last = position == len(named) - 1
        may_end = last and declared_class(layer, here) in _READOUT_CLASSES
        kind = declared_class(layer, here) if may_end else require_holomorphic(layer, here)
        total = compose(kind, total)
    return total


def layers_in_order(layers: nn.Sequential | nn.ModuleList) -> list[tuple[str, nn.Module]]:
    """Names and layers, a shared layer in each of its places.

    `named_children` has it in the first place alone.

    Example:
        >>> shared = nn.ReLU()
        >>> [name for name, _ in layers_in_order(nn.Sequential(shared, nn.Flatten(), shared))]
        ['0', '1', '2']
    """
    return list(zip(layers._modules, layers, strict=True))


def join_path(path: str, name: str) -> str:
    """The dotted path of a layer inside the module at `path`.

    Example:
        >>> join_path("", "body"), join_path("0", "body")
        ('body', '0.body')
    """
    return f"{path}.{name}" if path else name


def require_module(module: object, path: str = "") -> None:
    """Refuse functions and other things that are no modules.

    Raises:
        InputTypeError: with the way out.
    """
    if not isinstance(module, nn.Module):
        raise InputTypeError(
            f"{_at(path)}a {type(module).__name__} stands where a module belongs. Give lists of "
            "layers as nn.Sequential(*layers), names of activations as nn.Activation(name), and "
            "write functions as subclasses of nn.HolomorphicModule with a forward and a "
            "function_class"
        )


def _reason(module: nn.Module) -> str:
    """What is known of a layer of torch that is not holomorphic; empty if nothing is."""
    said = way_out_for(type(module))
    return said and f"{type(module).__name__} {said}"


def _how_to_declare(module: nn.Module) -> str:
    name = type(module).__name__
    return (
        "Nothing is guessed, and declarations are not inherited. If it is holomorphic, say so once "
        f"with the class that it has: nn.declare({name}, function_class), where FunctionClass has "
        "AFFINE, POLYNOMIAL, RATIONAL, ENTIRE, MEROMORPHIC and HOLOMORPHIC, and check that with "
        "diagnostics.holomorphy_check. What depends on moduli, conjugates or statistics of its "
        "input is none of them"
    )


def _at(path: str) -> str:
    return f"layer {path!r}: " if path else ""


def _full_name(module: nn.Module) -> str:
    package, name = type(module).__module__.split(".")[0], type(module).__name__
    return name if package == "__main__" else f"{package}'s {name}"
