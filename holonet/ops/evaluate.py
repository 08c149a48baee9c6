"""Planar expressions run as torch code on real tensors: what each operation means."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import torch
from torch import Tensor

from holonet._types import ComplexEntries
from holonet.ops.planar import Planar, in_order

__all__ = ["OPERATIONS", "evaluate"]

_AS_IN_TORCH = (
    "abs add atan2 ceil copysign cos div exp expm1 le log log1p lt maximum minimum mul neg sin "
    "sqrt sub trunc where"
)
OPERATIONS: Mapping[str, Callable[..., Tensor]] = MappingProxyType(
    {name: getattr(torch, name) for name in _AS_IN_TORCH.split()}
    | {"and": torch.logical_and, "or": torch.logical_or}
)
"""Every operation that an expression may hold, on real tensors and conditions."""


def evaluate(
    outputs: Sequence[Planar], inputs: Mapping[str, ComplexEntries]
) -> list[ComplexEntries]:
    """The outputs for these inputs, which share a shape and the precision of the sheet.

    Example:
        >>> from holonet.ops.planar import Sheet
        >>> z = Sheet().complex_input("z")
        >>> evaluate([z.times(z)], {"z": torch.tensor([1j])})
        [tensor([-1.+0.j])]
    """
    like = next(iter(inputs.values())).real
    parts = {f"{name}_re": z.real for name, z in inputs.items()}
    parts |= {f"{name}_im": z.imag for name, z in inputs.items()}
    known: dict[int, Tensor] = {}
    for node in in_order([part for output in outputs for part in output]):
        if node.op == "constant":
            known[id(node)] = torch.full_like(like, float(str(node.value)))
        elif node.op == "input":
            known[id(node)] = parts[str(node.value)]
        else:
            known[id(node)] = OPERATIONS[node.op](*(known[id(a)] for a in node.args))
    return [torch.complex(known[id(re)], known[id(im)]) for re, im in outputs]
