"""Declarations of torch's and complextorch's own layers: what each is, so that none is guessed."""

import complextorch.nn as ctnn
from torch import nn

from holonet.functions import CATALOGUE, FunctionClass
from holonet.nn.declare import declare

__all__ = ["AFFINE_LAYERS", "PIECEWISE_LAYERS", "SMOOTH_LAYERS"]

AFFINE_LAYERS: tuple[type[nn.Module], ...] = (
    nn.Identity,
    nn.Flatten,
    nn.Unflatten,
    nn.Linear,
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
    nn.ConvTranspose3d,
    nn.ZeroPad1d,
    nn.ZeroPad2d,
    nn.ZeroPad3d,
    nn.ConstantPad1d,
    nn.ConstantPad2d,
    nn.ConstantPad3d,
    nn.CircularPad1d,
    nn.CircularPad2d,
    nn.CircularPad3d,
    nn.ReflectionPad1d,
    nn.ReflectionPad2d,
    nn.ReflectionPad3d,
    nn.ReplicationPad1d,
    nn.ReplicationPad2d,
    nn.ReplicationPad3d,
    nn.ChannelShuffle,
    nn.PixelShuffle,
    nn.PixelUnshuffle,
    nn.Fold,
    nn.Unfold,
    ctnn.Linear,
    ctnn.Conv1d,
    ctnn.Conv2d,
    ctnn.Conv3d,
    ctnn.ConvTranspose1d,
    ctnn.ConvTranspose2d,
    ctnn.ConvTranspose3d,
    ctnn.gauss.Linear,
    ctnn.AvgPool1d,
    ctnn.AvgPool2d,
    ctnn.AvgPool3d,
    ctnn.AdaptiveAvgPool1d,
    ctnn.AdaptiveAvgPool2d,
    ctnn.AdaptiveAvgPool3d,
    ctnn.SpectralPool1d,
    ctnn.SpectralPool2d,
    ctnn.SpectralPool3d,
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
    ctnn.MagMaxPool1d,
    ctnn.MagMaxPool2d,
    ctnn.MagMaxPool3d,
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
    ctnn.BatchNorm1d,
    ctnn.BatchNorm2d,
    ctnn.BatchNorm3d,
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
for _layer in (ctnn.gauss.Conv1d, ctnn.gauss.Conv2d, ctnn.gauss.Conv3d):
    declare(_layer, _gauss_convolution)
# complextorch 2.1.1 computes sigmoid(-z), whose poles are those of sigmoid
declare(
    ctnn.CVSigmoid,
    FunctionClass.MEROMORPHIC,
    domain=CATALOGUE["sigmoid"].domain,
    singularities=CATALOGUE["sigmoid"].singularities,
)
