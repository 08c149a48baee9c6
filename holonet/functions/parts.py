"""Arithmetic with real and imaginary constants part by part, as C99's Annex G has it.

Torch makes a complex number of a real factor, x + 0i, and of a real term too. So 0 times infinity
becomes NaN, and a negative zero, which says on which side of a cut a number lies, becomes a
positive one.
"""

import torch
from torch import Tensor
from torch.nn import Parameter

from holonet._types import Entries, InexactEntries

__all__ = ["has_parts", "scaled", "shifted", "turned"]


def has_parts(z: Entries) -> bool:
    """Whether parts may be taken and joined: z is complex, and no subclass.

    Jets, a subclass, know holomorphic operations only.
    """
    return type(z) in (Tensor, Parameter) and z.is_complex()


def scaled(z: InexactEntries, factor: complex | float | int) -> InexactEntries:
    """Factor * z, where a real factor leaves infinite parts and zeros what they are.

    Example:
        >>> scaled(torch.tensor([complex(float("inf"), 1)]), -2)
        tensor([-inf-2.j])
    """
    if factor == 1:
        return z
    if complex(factor).imag or not has_parts(z):
        return z * factor
    parts = torch.view_as_real(z.resolve_conj()) * complex(factor).real
    return torch.view_as_complex(parts)


def shifted(z: InexactEntries, term: float | int) -> InexactEntries:
    """Z + term, where the imaginary part stays what it is, also a negative zero.

    Example:
        >>> shifted(torch.tensor([complex(2, -0.0)]), 1).imag.signbit()
        tensor([True])
    """
    if not has_parts(z):
        return z + term
    return torch.complex(z.real + term, z.imag)


def turned(z: InexactEntries, quarters: int = 1) -> InexactEntries:
    """i^quarters z: z turned about 0.

    Example:
        >>> turned(torch.tensor([complex(float("inf"), 1)]))
        tensor([-1.+infj])
    """
    quarters %= 4
    if quarters == 0:
        return z
    if not has_parts(z):
        return z * 1j**quarters
    if quarters == 1:
        return torch.complex(-z.imag, z.real)
    return scaled(z, -1) if quarters == 2 else torch.complex(z.imag, -z.real)
