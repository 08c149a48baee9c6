"""Declarations of torch's and complextorch's own layers: what each is, so that none is guessed."""

from types import ModuleType

import complextorch.nn as ctnn
from torch import nn

from holonet.functions import CATALOGUE, FunctionClass
from holonet.nn.declare import declare

__all__ = ["AFFINE_LAYERS", "PIECEWISE_LAYERS", "SMOOTH_LAYERS"]


def _of_each_dimension(package: ModuleType, names: str) -> tuple[type[nn.Module], ...]:
    """The layers of these names for one, two and three axes."""
    return tuple(getattr(package, f"{name}{d}d") for name in names.split() for d in (1, 2, 3))


AFFINE_LAYERS: tuple[type[nn.Module], ...] = (
    nn.Identity,
    nn.Flatten,
    nn.Unflatten,
    nn.Linear,
    *_of_each_dimension(nn, "Conv ConvTranspose ZeroPad ConstantPad"),
    *_of_each_dimension(nn, "CircularPad ReflectionPad ReplicationPad"),
    nn.ChannelShuffle,
    nn.PixelShuffle,
    nn.PixelUnshuffle,
    nn.Fold,
    nn.Unfold,
    ctnn.Linear,
    *_of_each_dimension(ctnn, "Conv ConvTranspose AvgPool AdaptiveAvgPool SpectralPool"),
    ctnn.gauss.Linear,
    ctnn.PhaseShift,
    ctnn.ComplexScaling,
    ctnn.FFTBlock,
    ctnn.IFFTBlock,
    ctnn.S4D,
    ctnn.DSS,
    ctnn.SinusoidalPositionalEncoding,
)
"""Complex-affine layers, each checked by its directional defect in the tests."""

PIECEWISE_LAYERS: tuple[type[nn.Module], ...] = (
    ctnn.zReLU,
    ctnn.zLeakyReLU,
    ctnn.zAbsReLU,
    ctnn.CReLU,
    ctnn.CPReLU,
    ctnn.tReLU,
    ctnn.modReLU,
    *_of_each_dimension(ctnn, "MagMaxPool"),
    nn.ReLU,
    nn.LeakyReLU,
    nn.MaxPool1d,
    nn.MaxPool2d,
)
"""Layers that switch between formulas: some holomorphic on each piece, none across."""

SMOOTH_LAYERS: tuple[type[nn.Module], ...] = (
    ctnn.CVCardiod,
    ctnn.CVSigLog,
    ctnn.CTanh,
    ctnn.CSigmoid,
    ctnn.CGELU,
    ctnn.CVPolarTanh,
    ctnn.CVPolarSquash,
    ctnn.CVPolarLog,
    *_of_each_dimension(ctnn, "BatchNorm"),
    ctnn.LayerNorm,
    ctnn.GroupNorm,
    ctnn.RMSNorm,
    ctnn.Dropout,
)
"""Layers that mix z with its conjugate, or depend on statistics of the batch."""


def _gauss_convolution(layer: nn.Module) -> FunctionClass:
    """Three real products: with padding other than zeros, complextorch 2.1 pads only two."""
    zeros = all(getattr(c, "padding_mode", "zeros") == "zeros" for c in layer.modules())
    return FunctionClass.AFFINE if zeros else FunctionClass.SMOOTH


for _layer in AFFINE_LAYERS:
    declare(_layer, FunctionClass.AFFINE)
for _layer in PIECEWISE_LAYERS:
    declare(_layer, FunctionClass.PIECEWISE)
for _layer in SMOOTH_LAYERS:
    declare(_layer, FunctionClass.SMOOTH)
for _layer in _of_each_dimension(ctnn.gauss, "Conv"):
    declare(_layer, _gauss_convolution)
# complextorch 2.1.1 computes sigmoid(-z), whose poles are those of sigmoid
declare(
    ctnn.CVSigmoid,
    FunctionClass.MEROMORPHIC,
    domain=CATALOGUE["sigmoid"].domain,
    singularities=CATALOGUE["sigmoid"].singularities,
)
