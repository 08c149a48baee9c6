"""Tensors that look real and hold a complex value: what every torch function makes of one.

The model sees the shape, the real dtype and the device that its own intermediate has. Every torch
function is looked up by name in the table of operations, and computes with the complex values.
With frozen pieces a real value at the base point is computed beside it, and decides.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

from holonet._types import ComplexEntries, Entries, OwnShape
from holonet.continuation.calls import (
    CONSTANTS,
    LOOKS,
    OPERATORS,
    RESHAPES_IN_PLACE,
    UNSEEN,
    VIEWS,
    is_in_place,
    name_of,
    options,
    out_of_place,
    replaced,
)
from holonet.continuation.entire import is_entire
from holonet.continuation.operation import Operation, Refusal
from holonet.continuation.parts import Parts, joined
from holonet.functions.parts import has_parts

__all__ = ["Continued", "Memory", "Run"]


_COMPLEX = {torch.float32: torch.complex64, torch.float64: torch.complex128}
_LOW = (torch.float16, torch.bfloat16)
_APPLY = torch.autograd.Function.apply.__func__.__code__


@dataclass(eq=False)
class Run:
    """One call of a continuation. Tensors of different calls cannot be combined.

    Args:
        operations: name of a torch function -> what is known of it.
        frozen: whether the piece that is active at the base point is continued.
        gaps: where the distances to kinks are collected, if they are asked for: complex values,
            whose zeros are the kinks.
        zeros: where, if they are asked for, the values are collected whose zeros are singularities.
        singular: operations so far that are not entire, in the order of their first calls.
    """

    operations: Mapping[str, Operation]
    frozen: bool = False
    gaps: list[OwnShape] | None = field(default=None, repr=False)
    zeros: list[OwnShape] | None = field(default=None, repr=False)
    singular: dict[str, None] = field(default_factory=dict, repr=False)

    def note(self, gap: ComplexEntries) -> None:
        """Note a value whose zeros are kinks."""
        if self.gaps is not None:
            self.gaps.append(gap)


@dataclass(eq=False)
class Memory:
    """What is known of the memory of a tensor, and of all that are views of it.

    Args:
        constant: whether nothing that depends on the input was written there.
        shared: whether there are views.
    """

    constant: bool = False
    shared: bool = False


class Continued(Tensor):
    """A real tensor of the model, continued.

    Args:
        value: complex, at the point; given as a tensor or as its parts.
        base: real, at the base point; None unless pieces are frozen.
        run: the call that it belongs to.
    """

    base: Any
    run: Run
    memory: Memory

    @staticmethod
    def __new__(cls: type, value: Entries | Parts, *rest: Any) -> Any:
        """A wrapper of the looks of the real tensor, without storage."""
        like = value.real if isinstance(value, Parts) else value
        return Tensor._make_wrapper_subclass(
            cls, like.shape, dtype=like.dtype.to_real(), device=like.device
        )

    def __init__(self, value: Entries | Parts, base: Entries | None, run: Run) -> None:
        self.given, self.base, self.run, self.memory = value, base, run, Memory()

    @property
    def value(self) -> Entries:
        """The complex tensor; parts are joined when it is first asked for."""
        self.given = joined(self.given)
        return self.given

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        return f"Continued({self.value})"

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name, kwargs = name_of(func), dict(kwargs or {})
        if name in LOOKS:
            with torch._C.DisableTorchFunctionSubclass():
                return func(*args, **kwargs)
        if name == "requires_grad" and not kwargs and len(args) == 1:
            return args[0].value.requires_grad
        _refuse_custom_functions()
        return _apply(name, func, args, kwargs)

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Reached only where torch bypasses `__torch_function__`."""
        raise Refusal(
            f"{func} was called past torch's override protocol, by compiled code or by torch.func "
            f"inside of the model: {UNSEEN}. Give the model as plain Python code",
            holomorphic=True,
        )


def _apply(name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What the table says of this function, at these arguments."""
    leaves: list[Any] = []
    replaced((args, kwargs), leaves.append)
    sources = [leaf for leaf in leaves if isinstance(leaf, Continued)]
    run = sources[0].run
    _require_alike(name, run, leaves)
    in_place = is_in_place(name, kwargs)
    if in_place:
        name = OPERATORS.get(name, name.removesuffix("_"))
        _require_target(name, args[0])
    operation = run.operations.get(name)
    constant = all(x.memory.constant for x in sources) or name in CONSTANTS
    if constant and not (operation and operation.holomorphic):
        result = _of_constants(run, func, args, kwargs)
        return args[0] if in_place else result
    if operation is None:
        raise Refusal(
            f"torch.{name} has no rule. Write it with operations of "
            "holonet.continuation.OPERATIONS",
            holomorphic=True,
        )
    if not operation.holomorphic and (operation.rule is None or not run.frozen):
        raise Refusal(f"torch.{name} {operation.refusal}")
    assert operation.rule is not None  # noqa: S101
    given = (args, kwargs)
    kwargs = options(kwargs)
    singular = not constant and not is_entire(name, Continued, args, kwargs)
    if singular:
        run.singular[name] = None
    plain = out_of_place(name, func) if in_place else func
    if operation.holomorphic:
        if in_place and args[0].memory.shared:  # what was saved for the backward pass stays
            args = (args[0].value.clone(), *args[1:])
        args, kwargs = replaced((args, kwargs), lambda x: _complex(name, x, operation.takes_parts))
    if singular and run.zeros is not None and operation.zeros is not None:
        run.zeros.append(operation.zeros(plain, *args, **kwargs))
    result = operation.rule(plain, *args, **kwargs)
    base = _at_base(func, *given) if run.frozen and operation.holomorphic else None
    if in_place:
        given[0][0].memory.constant &= constant
        return _overwrite(name, given[0][0], result)
    if not operation.holomorphic:
        return result
    memory = Memory(constant)
    if name in VIEWS:
        memory = sources[0].memory
        memory.shared = True
    return _wrapped(result, base, run, memory)


def _of_constants(run: Run, func: Any, args: Any, kwargs: Any) -> Any:
    """What the model computes of constants that were made in the looks of the input."""
    args, kwargs = replaced(
        (args, kwargs), lambda x: x.value.real if isinstance(x, Continued) else x
    )

    def wrapped(x: Tensor) -> Any:
        if not x.is_floating_point():
            return x
        base = x.clone() if run.frozen else None
        return _wrapped(torch.complex(x, torch.zeros_like(x)), base, run, Memory(constant=True))

    return tree_map_only(Tensor, wrapped, func(*args, **kwargs))


def _wrapped(result: Any, base: Any, run: Run, memory: Memory) -> Any:
    """Complex tensors as `Continued` ones."""
    if isinstance(result, Tensor | Parts):
        if isinstance(result, Tensor) and not result.is_complex():
            return result
        tensor = Continued(result, base, run)
        tensor.memory = memory
        return tensor
    if isinstance(result, tuple | list):
        bases = base if base is not None else [None] * len(result)
        return tuple(_wrapped(r, b, run, memory) for r, b in zip(result, bases, strict=True))
    return result


def _overwrite(name: str, target: Continued, result: Any) -> Continued:
    """The target with a new value; where memory is shared, the value in its place."""
    value = result.given if isinstance(result, Continued) else result
    if not isinstance(value, Parts) or target.memory.shared or value.shape != target.shape:
        value = joined(value).expand(target.shape).to(target.value.dtype)
    if not target.memory.shared or isinstance(value, Parts):
        target.given = value
    elif has_parts(target.value):
        target.value.copy_(value)
    else:
        raise Refusal(
            f"torch.{name} changes a view in place, which jets cannot follow. Change nothing in "
            "place",
            holomorphic=True,
        )
    if isinstance(result, Continued) and target.base is not None and result.base is not None:
        target.base.copy_(result.base)
    return target


def _at_base(func: Any, args: Any, kwargs: Any) -> Any:
    """What the model itself computes at the base point."""
    with torch.no_grad():
        args, kwargs = replaced((args, kwargs), lambda x: x.base if isinstance(x, Continued) else x)
        return func(*args, **kwargs)


def _refuse_custom_functions() -> None:
    """Between the call of the continuation and the operation is no function of the user's own."""
    frame = sys._getframe(2)
    while frame is not None and frame.f_code.co_filename != _EDGE:
        if frame.f_code is _APPLY:
            raise Refusal(
                "a torch.autograd.Function computes and differentiates by code of its own, which "
                "has no formula. Write its forward pass with torch functions",
                holomorphic=True,
            )
        frame = frame.f_back


_EDGE = __file__.removesuffix("tensor.py") + "model.py"


def _require_alike(name: str, run: Run, leaves: list[Any]) -> None:
    """All continued tensors are of one call, and nothing else is complex."""
    for leaf in leaves:
        if isinstance(leaf, Continued):
            if leaf.run is not run:
                raise Refusal(
                    f"torch.{name} combines tensors of two calls of a continuation. Keep no tensor "
                    "of one call for the next one",
                    holomorphic=True,
                )
        elif isinstance(leaf, complex) or (isinstance(leaf, Tensor) and leaf.is_complex()):
            raise Refusal(
                f"torch.{name} combines the input with complex numbers, and only real models are "
                "extended. A model that takes complex input is holomorphic, or not, as it is",
                holomorphic=True,
            )


def _require_target(name: str, target: Any) -> None:
    if not isinstance(target, Continued):
        raise Refusal(
            f"torch.{name} writes a value that depends on the input into a real tensor in place. "
            "Make that tensor of the input, for example x.new_zeros(shape) or torch.zeros_like(x)",
            holomorphic=True,
        )
    if name in RESHAPES_IN_PLACE:
        raise Refusal(f"torch.{name}_ changes a shape in place. Use torch.{name}", holomorphic=True)


def _complex(name: str, x: Any, as_parts: bool) -> Any:
    """The complex value, or its parts if these are known; a complex dtype; or x as it is."""
    if isinstance(x, Continued):
        return x.given if as_parts else x.value
    if not isinstance(x, torch.dtype):
        return x
    if x in _LOW:
        raise Refusal(
            f"torch.{name} to {x}: no complex numbers have parts of 16 bits. Extend the model "
            "in single or double precision",
            holomorphic=True,
        )
    return _COMPLEX.get(x, x)
