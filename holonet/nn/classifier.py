"""A classifier that is holomorphic up to its readout."""

import torch
from torch import Tensor, nn

from holonet._types import ComplexTensor, RealTensor
from holonet.domains import Domain
from holonet.errors import InputTypeError
from holonet.functions import FunctionClass
from holonet.functions.classes import compose
from holonet.nn.declare import declared_class, require_holomorphic
from holonet.nn.module import DeclaredModule
from holonet.nn.readout import RealPart

__all__ = ["HolomorphicClassifier"]


class HolomorphicClassifier(DeclaredModule):
    """Real images in, real logits out, holomorphic in between: readout(backbone(x + 0i)).

    Restricted to real x the logits are real-analytic; `holomorphic_map` is the map C^n -> C^k
    that continues them, before the readout. Complex input is taken as it is.

    Args:
        backbone: a holomorphic module from features to k classes.
        readout: complex to real, `RealPart` unless given.

    Raises:
        NotHolomorphicError: the backbone is not holomorphic.

    Example:
        >>> from holonet.nn import Linear
        >>> model = HolomorphicClassifier(Linear(4, 3))
        >>> model(torch.zeros(2, 4)).dtype, model.function_class
        (torch.float32, <FunctionClass.HARMONIC: 'harmonic'>)

    References:
        Barati, Safabakhsh and Rahmati (2022), holomorphic hypotheses (reconstructed).
    """

    def __init__(self, backbone: nn.Module, readout: nn.Module | None = None) -> None:
        super().__init__()
        require_holomorphic(backbone, "backbone")
        self.backbone = backbone
        self.readout = RealPart() if readout is None else readout

    @property
    def function_class(self) -> FunctionClass:
        """The class of the logits as functions of complex input."""
        inner = require_holomorphic(self.backbone, "backbone")
        return compose(declared_class(self.readout, "readout"), inner)

    @property
    def domain(self) -> Domain | None:
        """That of the backbone."""
        return getattr(self.backbone, "domain", None)

    @property
    def dtype(self) -> torch.dtype:
        """The complex dtype of the backbone's parameters."""
        for parameter in self.backbone.parameters():
            if parameter.is_complex():
                return parameter.dtype
        return torch.complex64

    def holomorphic_map(self, z: ComplexTensor) -> ComplexTensor:
        """The holomorphic map C^n -> C^k, in front of the readout."""
        return self.backbone(z)

    def forward(self, input: Tensor) -> RealTensor:
        """Real logits of real (or complex) input."""
        if not (input.is_complex() or input.is_floating_point()):
            raise InputTypeError(
                f"HolomorphicClassifier got {input.dtype}: convert the images to floating point "
                "in [0, 1] first, for example x.float() / 255"
            )
        return self.readout(self.holomorphic_map(input.to(self.dtype)))
