"""The first layer behind which a network is not holomorphic in its input.

A forward pass crosses boundaries: a module is entered, and left. What crosses a boundary is a
function of the network's input, and all of them are asked at once whether they are holomorphic. Two
witnesses ask: the derivative d/dzbar, and Fourier modes on a circle for what jumps or has kinks
between holomorphic pieces. Modules whose own output is holomorphic are not looked into: a complex
product made of real ones is none of their faults.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, NoReturn

import torch
from jaxtyping import Bool
from torch import Tensor, nn

from holonet._arguments import checked
from holonet._subject import random_lines
from holonet._types import GivenPoints, TensorFunction
from holonet.diagnostics.boundaries import (
    Boundary,
    Call,
    calls_of,
    is_from_library,
    is_whole,
    recorded,
)
from holonet.diagnostics.boundary_evidence import circle_evidence, derivative_evidence
from holonet.errors import NotHolomorphicError, NumericalError
from holonet.functions import FunctionClass
from holonet.nn import declared_class
from holonet.nn.replacements import way_out_for

__all__ = ["FirstViolation", "first_violation"]


@dataclass(frozen=True)
class FirstViolation:
    """Where a network stops being holomorphic in its input.

    Args:
        path: of the module at fault, as `named_modules` has it; "" is the network itself.
        type_name: of that module.
        defect: by derivatives |df/dzbar conj(v)| / (|df/dz v| + |df/dzbar conj(v)|), on circles
            the amplitude fraction of the negative modes; between 0 and 1.
        share: the antiholomorphic part of the energy there, between 0 and 1: of the derivatives
            |df/dzbar conj(v)|^2 over the sum with |df/dz v|^2, on circles that of the negative
            modes over all but the mean. Of outputs of more than 512 numbers it is estimated, to a
            relative error of 6%.
        tolerance: the defect that rounding may leave.
        witness: "derivative", or "circle" where d/dzbar is 0 and the function jumps or has kinks.
        call: which call of the module it is, from 1.
        behind, before: for an operation in the forward of the module, between the modules inside
            of it, the paths of the modules next to it; None where there is none.
        inside: whether it is such an operation.
        suggestion: what to change.
    """

    path: str
    type_name: str
    defect: float
    share: float
    tolerance: float
    witness: Literal["derivative", "circle"]
    call: int
    behind: str | None
    before: str | None
    inside: bool
    suggestion: str

    def to_json(self) -> dict[str, Any]:
        """All fields in plain types."""
        return asdict(self)

    def __str__(self) -> str:
        name = f"{self.path!r} ({self.type_name})" if self.path else self.type_name
        place = f"in {name}"
        if self.inside:
            sides = (("behind", self.behind), ("in front of", self.before))
            near = " and ".join(f"{word} {path!r}" for word, path in sides if path is not None)
            place = f"in the forward of {name}, {near}"
        call = f", call {self.call}" if self.call > 1 else ""
        return (
            f"the first violation of holomorphy is {place}{call}: of the energy there a share of "
            f"{self.share:.2g} is antiholomorphic (defect {self.defect:.2g} by the "
            f"{self.witness}, limit {self.tolerance:.1g}); {self.suggestion}"
        )


@checked
def first_violation(
    model: TensorFunction,
    z: GivenPoints | None = None,
    *,
    radius: float | None = None,
    seed: int = 0,
) -> FirstViolation | None:
    """The first module, in the order of execution, behind which a model is not holomorphic.

    Its inputs are holomorphic functions of the model's input, and its output is not. Or an
    operation between the modules inside of it is to blame. The model is looked at as it is, in the
    mode that it has, as a copy in double precision. Random draws, of dropout for example, are the
    same in all passes. A layer of torch or complextorch, or of a declared type, is not taken apart.

    The cost is that of 16 forward passes at all points and 64 to 1024 at eight of them, and a few
    times that where a layer's domain makes the circle smaller. The memory is 8 kB for each boundary
    of a module, and up to 256 kB more while a circle is looked at.

    Args:
        model: a module, or the bound method of one, such as
            `HolomorphicClassifier.holomorphic_map`, from complex points to tensors, or to tuples,
            lists or mappings of tensors. With a readout at its end, the readout is the violation.
        z: the points, first axis the batch; real ones are lifted. Default 8 normal ones, with as
            many entries as the first layer takes.
        radius: of the circle, as for `holomorphy_check`; it is halved until every layer that
            declares its domain gets a disc inside of it. A pole of an undeclared layer inside the
            circle is no violation, a branch cut across it is one.
        seed: of the directions.

    Returns:
        None where no violation was found, which is evidence and not proof. A seam between
        holomorphic pieces that no circle crosses is not seen. A defect below 1e-10 in the output of
        the layer may be missed: of 50 random networks none was at 1e-10 and 19 were at 1e-11.

    Law: the same for the model and for c times it; a violation is in a module whose inputs passed.

    Raises:
        InputTypeError: the model is no module, or takes real points only.
        NotHolomorphicError: the model calls other modules at other points.
        NumericalError: something in it is not finite.
        DomainError, ConfigError, ShapeError: as for `holomorphy_check`.

    Example:
        >>> class Conjugate(nn.Module):
        ...     def forward(self, z):
        ...         return z + 0.1 * z.conj()
        >>> layers = [nn.Linear(3, 3, dtype=torch.cfloat) for _ in range(3)]
        >>> violation = first_violation(nn.Sequential(*layers[:2], Conjugate(), layers[2]))
        >>> violation.path, violation.type_name, violation.inside
        ('2', 'Conjugate', False)
    """
    subject, recorder = recorded(model, z, radius, seed, "first_violation")
    v = random_lines(subject.z, torch.Generator().manual_seed(seed))
    with torch.no_grad():
        evidence = derivative_evidence(recorder, subject.z, v, subject.radius)
        calls, looked = calls_of(recorder.boundaries), evidence.looked
        fault = _fault(calls, evidence.bad, recorder.modules)
        before = looked if fault is None else min(fault.at, looked)
        oncircle_evidence = circle_evidence(recorder, subject.z, v, subject.radius, before)
        earlier = _fault(calls, evidence.bad | oncircle_evidence.bad, recorder.modules)
        if earlier is not None and earlier.at < min(before, oncircle_evidence.looked):
            fault, evidence = earlier, oncircle_evidence
    if looked < len(recorder.boundaries) and (fault is None or fault.at >= looked):
        _refuse_infinite(recorder.boundaries[looked])
    if fault is None:
        return None
    module = recorder.modules[fault.call.path]
    between = fault.at != fault.call.leave or bool(fault.call.children)
    inside = between and not (is_whole(module) or is_from_library(module))
    return FirstViolation(
        path=fault.call.path,
        type_name=type(module).__name__,
        defect=float(evidence.defect[fault.at]),
        share=float(evidence.share[fault.at]),
        tolerance=evidence.tolerance,
        witness=evidence.witness,
        call=fault.call.number,
        behind=fault.behind if inside else None,
        before=fault.before if inside else None,
        inside=inside,
        suggestion=_suggestion(module, inside),
    )


@dataclass(frozen=True)
class _Fault:
    """The call at fault, the boundary at which that shows, and the calls next to it inside."""

    call: Call
    at: int
    behind: str | None = None
    before: str | None = None


def _refuse_infinite(boundary: Boundary) -> NoReturn:
    side = "gets" if boundary.entered else "gives"
    raise NumericalError(
        f"first_violation: {boundary.path or 'the model'!r} {side} values or derivatives that are "
        "not finite: choose other points"
    )


def _fault(
    root: Call, bad: Bool[Tensor, " boundaries"], modules: Mapping[str, nn.Module]
) -> _Fault | None:
    """Down from the root, into the first call inside whose inputs pass and whose output fails."""
    if not bool(bad[root.leave]):
        return None
    call = root
    while call is root or not is_whole(modules[call.path]):
        behind: str | None = None
        for child in call.children:
            if bool(bad[child.enter]):
                return _Fault(call, child.enter, behind, child.path)
            if bool(bad[child.leave]):
                call = child
                break
            behind = child.path
        else:
            return _Fault(call, call.leave, behind)
    return _Fault(call, call.leave)


def _suggestion(module: nn.Module, inside: bool) -> str:
    """What to change."""
    if inside:
        return (
            "look there for moduli, conjugates, real or imaginary parts, comparisons and "
            "statistics of complex tensors: write it without them, or move it behind a readout"
        )
    name = type(module).__name__
    if known := way_out_for(type(module)):
        return f"{name} {known}"
    try:
        kind = declared_class(module)
    except NotHolomorphicError:
        return (
            f"replace {name} by a layer of holonet.nn, or write it without moduli, conjugates, "
            "real or imaginary parts, comparisons and statistics of complex tensors"
        )
    if kind in (FunctionClass.HARMONIC, FunctionClass.SUBHARMONIC):
        return (
            f"{name} is a readout, which belongs at the end: ask about the map in front of it, "
            "such as HolomorphicClassifier.holomorphic_map"
        )
    if kind.is_holomorphic:
        return f"{name} is declared {kind.value}: correct the declaration, or what it computes"
    return (
        f"{name} is {kind.value}: use a holomorphic activation (`holonet list activations`), or "
        "end the holomorphic part in front of it with a readout such as nn.RealPart"
    )
