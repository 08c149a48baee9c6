"""Readouts: the only exits from the holomorphic world to real numbers."""

import math

import torch

from holonet._types import AnyTensor, InexactEntries, RealEntries, RealTensor
from holonet.errors import DomainError, InputTypeError
from holonet.functions import FunctionClass
from holonet.functions.modulus import modulus
from holonet.nn.coefficients import real_dtype
from holonet.nn.module import DeclaredModule, require_numbers

__all__ = ["ImagPart", "LogModulus", "Modulus", "Readout", "RealPart"]


class Readout(DeclaredModule):
    """A map to real tensors, entry by entry: nothing holomorphic may follow it.

    Real tensors, which networks with real coefficients give at real points, are read as x + 0i.

    A real-valued holomorphic function is constant, so every classifier ends with one.
    """


class RealPart(Readout):
    """Re z: harmonic, and pluriharmonic behind a holomorphic map of several variables."""

    function_class = FunctionClass.HARMONIC

    def forward(self, input: InexactEntries) -> RealEntries:
        """The real part."""
        require_numbers(input, self)
        return input.real


class ImagPart(Readout):
    """Im z: harmonic."""

    function_class = FunctionClass.HARMONIC

    def forward(self, input: InexactEntries) -> RealEntries:
        """The imaginary part."""
        require_numbers(input, self)
        if not input.is_complex():
            raise InputTypeError(
                f"ImagPart got a real tensor ({input.dtype}, shape {tuple(input.shape)}), whose "
                "imaginary part is 0: take nn.RealPart, or give the layers complex coefficients"
            )
        return input.imag


class Modulus(Readout):
    """|z|: subharmonic, with a corner at the zeros (where the gradient is 0)."""

    function_class = FunctionClass.SUBHARMONIC

    def forward(self, input: InexactEntries) -> RealEntries:
        """The modulus."""
        require_numbers(input, self)
        return modulus(input)


class LogModulus(Readout):
    """log |z|: harmonic off the zeros, subharmonic across them.

    Args:
        eps: with eps > 0 the value is log(|z|^2 + eps^2) / 2, smooth and still subharmonic, but
            harmonic nowhere; with 0 the value at a zero is -infinity, and the derivatives next to
            it are as large as 1/|z| and 1/|z|^2.

    Raises:
        DomainError: eps is negative or infinite.
    """

    function_class = FunctionClass.SUBHARMONIC

    def __init__(self, eps: float | int = 0.0) -> None:
        super().__init__()
        if not 0 <= eps < math.inf:
            raise DomainError(f"LogModulus(eps={eps}): choose eps >= 0, and finite")
        self.eps = eps

    def forward(self, input: InexactEntries) -> RealEntries:
        """The logarithm of the modulus."""
        require_numbers(input, self)
        factor = _into_range(input, self.eps)
        z, eps = input * factor, self.eps * factor
        near = z.abs() <= eps
        size = modulus(torch.where(near, 1, z))
        outer = size.log() - factor.log()
        if not self.eps:
            return torch.where(near, -math.inf, outer)
        least = factor * torch.finfo(factor.dtype).tiny  # 1/eps is to be finite
        inside = torch.where(near, z, 0) / torch.maximum(eps, least)
        square = inside.real * inside.real
        if inside.is_complex():
            square = square + inside.imag * inside.imag
        inner = math.log(self.eps) + square.log1p() / 2
        ratio = eps / size
        return torch.where(near, inner, outer + (ratio * ratio).log1p() / 2)

    def extra_repr(self) -> str:
        """The floor."""
        return f"eps={self.eps}"


def _into_range(z: AnyTensor, eps: float | int) -> RealTensor:
    """Powers of two that take what is subnormal or huge to where moduli are exact; else 1."""
    size, one = z.abs(), torch.ones((), dtype=real_dtype(z.dtype), device=z.device)
    info = torch.finfo(z.dtype)
    small = info.tiny / info.eps
    factor = torch.where(size > info.max / 4, one / 4, one)
    return factor if eps >= small else torch.where(size < small, one / small, factor)
