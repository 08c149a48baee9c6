"""A classifier that is holomorphic up to its readout."""

import torch
from jaxtyping import Complex, Float
from torch import Tensor, nn

from holonet._arguments import checked
from holonet._types import ComplexEntries, InexactEntries
from holonet.domains import Domain
from holonet.errors import ConfigError, InputTypeError
from holonet.functions import FunctionClass, Singularity
from holonet.functions.classes import compose
from holonet.nn.coefficients import complex_dtype, input_dtype, real_on_real
from holonet.nn.declare import declared_class, join_path, require_holomorphic
from holonet.nn.module import (
    DeclaredModule,
    layer_domain,
    layer_singularities,
    require_tensor,
)
from holonet.nn.readout import ImagPart, RealPart

__all__ = ["HolomorphicClassifier"]


class HolomorphicClassifier(DeclaredModule):
    """Real images in, real logits out, holomorphic in between: readout(backbone(x + 0i)).

    Restricted to real x the logits are real-analytic; `holomorphic_map` is the map C^n -> C^k
    that continues them, before the readout. Real input is brought to the precision of the
    parameters and, unless the backbone takes it as it is, lifted to complex; complex input is
    taken as it is. With real coefficients real input stays real up to the logits.

    Args:
        backbone: a holomorphic module from features to k classes.
        readout: complex to real, `RealPart` unless given.

    Raises:
        NotHolomorphicError: the backbone is not holomorphic, or nothing is declared of the
            readout.
        ConfigError: the readout is holomorphic, so the logits would be complex; or it is `ImagPart`
            behind real coefficients, so the logits of real input would be 0.
        InputTypeError: integer input.

    Example:
        >>> from holonet.nn import Linear
        >>> model = HolomorphicClassifier(Linear(4, 3))
        >>> model(torch.zeros(2, 4)).dtype, model.function_class
        (torch.float32, <FunctionClass.HARMONIC: 'harmonic'>)

    References:
        Barati, Safabakhsh and Rahmati (2022), holomorphic hypotheses (reconstructed).
    """

    @checked
    def __init__(self, backbone: nn.Module, readout: nn.Module | None = None) -> None:
        super().__init__()
        self.backbone = backbone
        self.readout = RealPart() if readout is None else readout
        self._class_at("")

    @property
    def function_class(self) -> FunctionClass:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The class of the logits as functions of complex input."""
        return self._class_at("")

    def _class_at(self, path: str) -> FunctionClass:
        inner = require_holomorphic(self.backbone, join_path(path, "backbone"))
        outer = declared_class(self.readout, join_path(path, "readout"))
        if outer.is_holomorphic:
            raise ConfigError(
                f"the readout {self.readout} is holomorphic, so the logits would be complex: "
                "end with nn.RealPart, nn.ImagPart, nn.Modulus or nn.LogModulus"
            )
        if isinstance(self.readout, ImagPart) and real_on_real(self.backbone):
            raise ConfigError(
                "nn.ImagPart behind real coefficients: the imaginary part is 0 at real input. End "
                "with nn.RealPart, or give the network complex coefficients"
            )
        return compose(outer, inner)

    @property
    def singularities(self) -> tuple[Singularity, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Those of the backbone."""
        return layer_singularities(self.backbone)

    @property
    def domain(self) -> Domain | None:  # pyright: ignore[reportIncompatibleVariableOverride]
        """That of the backbone."""
        return layer_domain(self.backbone)

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of complex input: that of the backbone's parameters, or of such parts."""
        return complex_dtype(next((p.dtype for p in self.backbone.parameters()), torch.complex64))

    def holomorphic_map(self, z: ComplexEntries) -> Complex[Tensor, "*out"]:
        """The holomorphic map C^n -> C^k, in front of the readout."""
        return self.backbone(z)

    def forward(self, input: InexactEntries) -> Float[Tensor, "*logits"]:
        """Real logits of real (or complex) input."""
        require_tensor(input, self)
        if input.is_complex():
            return self.readout(self.holomorphic_map(input))
        if not input.is_floating_point():
            raise InputTypeError(
                f"HolomorphicClassifier got {input.dtype}: convert the images to floating point "
                "in [0, 1] first, for example x.float() / 255"
            )
        return self.readout(self.backbone(input.to(input_dtype(self.backbone, input))))
