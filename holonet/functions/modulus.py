"""The modulus and the sign of complex numbers, with derivatives that are finite off zero.

Torch differentiates the modulus by z / |z| as complex numbers, which is NaN where |z| is subnormal.
Here numbers are brought to moderate size first, and at zeros the gradient is 0.
"""

import torch
from torch.overrides import has_torch_function_unary

from holonet._types import Entries, InexactEntries, RealEntries
from holonet.functions.analytic import with_derivative

__all__ = ["modulus", "sgn"]


def modulus(z: Entries) -> RealEntries:
    """|z|, whose gradient is z / |z|, and 0 at zeros.

    Law: it is torch's modulus, and its first derivatives are right for all finite numbers, the
        second ones wherever 1/|z| is finite.

    Example:
        >>> z = torch.tensor([3e-42 + 4e-42j, 0], requires_grad=True)
        >>> modulus(z).sum().backward()
        >>> bool((z.grad - torch.tensor([0.6 + 0.8j, 0])).abs().max() < 1e-3)
        True
    """
    if has_torch_function_unary(z):
        return z.abs()
    return with_derivative(z, torch.abs, lambda z: sgn(z).conj())


def sgn(z: InexactEntries) -> InexactEntries:
    """The number z / |z|, and 0 at zeros: torch.sgn, which is NaN at subnormal complex numbers.

    Law: of modulus 1 for all finite z but 0, subnormal and huge ones too.

    Example:
        >>> sgn(torch.tensor([3e38 + 3e38j, 1e-45j, 0]))
        tensor([0.7071+0.7071j, 0.0000+1.0000j, 0.0000+0.0000j])
    """
    if not z.is_complex():
        return z.sgn()
    peak = torch.maximum(z.real.abs(), z.imag.abs()).detach()
    scaled = torch.complex(*(part / torch.where(peak == 0, 1, peak) for part in (z.real, z.imag)))
    return scaled.sgn()
