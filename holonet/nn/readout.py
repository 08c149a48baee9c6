"""Readouts: the only exits from the holomorphic world to real numbers."""

from torch import Tensor

from holonet._types import RealTensor
from holonet.errors import DomainError
from holonet.functions import FunctionClass
from holonet.nn.module import DeclaredModule, require_complex

__all__ = ["ImagPart", "LogModulus", "Modulus", "Readout", "RealPart"]


class Readout(DeclaredModule):
    """A map from complex to real tensors, entry by entry: nothing holomorphic may follow it.

    A real-valued holomorphic function is constant, so every classifier ends with one.
    """


class RealPart(Readout):
    """Re z: harmonic, and pluriharmonic behind a holomorphic map of several variables."""

    function_class = FunctionClass.HARMONIC

    def forward(self, input: Tensor) -> RealTensor:
        """The real part."""
        require_complex(input, self)
        return input.real


class ImagPart(Readout):
    """Im z: harmonic."""

    function_class = FunctionClass.HARMONIC

    def forward(self, input: Tensor) -> RealTensor:
        """The imaginary part."""
        require_complex(input, self)
        return input.imag


class Modulus(Readout):
    """|z|: subharmonic, with a corner at the zeros (where the gradient is 0)."""

    function_class = FunctionClass.SUBHARMONIC

    def forward(self, input: Tensor) -> RealTensor:
        """The modulus."""
        require_complex(input, self)
        return input.abs()


class LogModulus(Readout):
    """log |z|: harmonic off the zeros, subharmonic across them.

    Args:
        eps: with eps > 0 the value is log(|z|^2 + eps^2) / 2, smooth and still subharmonic, but
            harmonic nowhere; with 0 the value at a zero is -infinity.

    Raises:
        DomainError: eps is negative.
    """

    function_class = FunctionClass.SUBHARMONIC

    def __init__(self, eps: float | int = 0.0) -> None:
        super().__init__()
        if not eps >= 0:
            raise DomainError(f"LogModulus(eps={eps}): choose eps >= 0")
        self.eps = eps

    def forward(self, input: Tensor) -> RealTensor:
        """The logarithm of the modulus."""
        require_complex(input, self)
        modulus = input.abs()
        return (modulus.hypot(modulus.new_tensor(self.eps)) if self.eps else modulus).log()

    def extra_repr(self) -> str:
        """The floor."""
        return f"eps={self.eps}"
