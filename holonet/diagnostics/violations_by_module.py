"""How far from holomorphic a network is behind each of its modules."""

from dataclasses import asdict, dataclass
from typing import Any

import torch

from holonet._arguments import checked
from holonet._subject import random_lines
from holonet._types import GivenPoints, TensorFunction
from holonet.diagnostics.boundaries import Call, calls_of, is_whole, recorded
from holonet.diagnostics.boundary_evidence import derivative_evidence

__all__ = ["ModuleViolation", "violations_by_module"]


@dataclass(frozen=True)
class ModuleViolation:
    """How far from holomorphic the output of a module is, as a function of the network's input.

    Args:
        path: of the module, as `named_modules` has it.
        type_name: of the module.
        call: which call of it, from 1.
        defect: |df/dzbar conj(v)| / (|df/dz v| + |df/dzbar conj(v)|), between 0 and 1.
        share: of the energy of the derivatives, the antiholomorphic part.
    """

    path: str
    type_name: str
    call: int
    defect: float
    share: float

    def to_json(self) -> dict[str, Any]:
        """All fields in plain types."""
        return asdict(self)


@checked
def violations_by_module(
    model: TensorFunction, z: GivenPoints | None = None, *, seed: int = 0
) -> tuple[ModuleViolation, ...]:
    """The defect behind each call of a module, in the order in which the calls end.

    By derivatives alone: pieces that are holomorphic, with kinks or jumps between, have defect 0.
    Layers of a library, of a declared type, and modules with a holomorphic output that is made of
    other parts are not taken apart.

    Args:
        model, z, seed: as for `first_violation`.

    Raises:
        InputTypeError, NotHolomorphicError, DomainError, ShapeError: as for `first_violation`.

    Example:
        >>> from torch import nn
        >>> from holonet.diagnostics import violations_by_module
        >>> net = nn.Sequential(nn.Linear(2, 2, dtype=torch.cfloat), nn.Flatten())
        >>> [(one.path, one.defect < 1e-12) for one in violations_by_module(net)]
        [('0', True), ('1', True), ('', True)]
    """
    subject, recorder = recorded(model, z, None, seed, "violations_by_module")
    v = random_lines(subject.z, torch.Generator().manual_seed(seed))
    with torch.no_grad():
        evidence = derivative_evidence(recorder, subject.z, v, subject.radius)

    def opened(call: Call) -> list[Call]:
        """The calls inside that are shown: none where a holomorphic output is made of others."""
        if is_whole(recorder.modules[call.path]):
            return []
        inner = [one for child in call.children for one in (*opened(child), child)]
        is_repaired = not evidence.bad[call.leave] and any(evidence.bad[c.leave] for c in inner)
        return [] if is_repaired else inner

    root = calls_of(recorder.boundaries)
    return tuple(
        ModuleViolation(
            path=call.path,
            type_name=type(recorder.modules[call.path]).__name__,
            call=call.number,
            defect=float(evidence.defect[call.leave]),
            share=float(evidence.share[call.leave]),
        )
        for call in (*opened(root), root)
    )
