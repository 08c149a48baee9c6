"""Layers, containers, readouts and initialization of holomorphic networks."""

from holonet.nn import functional, init
from holonet.nn.activation import (
    GELU,
    Activation,
    Exp,
    Sigmoid,
    SiLU,
    Sin,
    Softplus,
    Square,
    Tanh,
)
from holonet.nn.classifier import HolomorphicClassifier
from holonet.nn.container import Flatten, Product, Residual, Sequential
from holonet.nn.conv import Conv1d, Conv2d, ConvTranspose2d
from holonet.nn.declare import declare, declared_class
from holonet.nn.discs import admissible_radius
from holonet.nn.foreign_layers import AFFINE_LAYERS, PIECEWISE_LAYERS, SMOOTH_LAYERS
from holonet.nn.linear import Linear
from holonet.nn.models import (
    holomorphic_convnet,
    holomorphic_mlp,
    macs,
    matched_widths,
    real_convnet,
    real_mlp,
    real_parameter_count,
)
from holonet.nn.module import DeclaredModule, HolomorphicModule
from holonet.nn.normalization import FrozenNorm, calibrate
from holonet.nn.pairs import RealPairs
from holonet.nn.pooling import (
    AdaptiveAvgPool1d,
    AdaptiveAvgPool2d,
    AdaptiveAvgPool3d,
    AvgPool1d,
    AvgPool2d,
    AvgPool3d,
)
from holonet.nn.precision import double_copy, to_precision
from holonet.nn.readout import ImagPart, LogModulus, Modulus, Readout, RealPart
from holonet.nn.self_maps import to_self_map_
from holonet.nn.threshold import Threshold

__all__ = [
    "AFFINE_LAYERS",
    "GELU",
    "PIECEWISE_LAYERS",
    "SMOOTH_LAYERS",
    "Activation",
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d",
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "Conv1d",
    "Conv2d",
    "ConvTranspose2d",
    "DeclaredModule",
    "Exp",
    "Flatten",
    "FrozenNorm",
    "HolomorphicClassifier",
    "HolomorphicModule",
    "ImagPart",
    "Linear",
    "LogModulus",
    "Modulus",
    "Product",
    "Readout",
    "RealPairs",
    "RealPart",
    "Residual",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Sin",
    "Softplus",
    "Square",
    "Tanh",
    "Threshold",
    "admissible_radius",
    "calibrate",
    "declare",
    "declared_class",
    "double_copy",
    "functional",
    "holomorphic_convnet",
    "holomorphic_mlp",
    "init",
    "macs",
    "matched_widths",
    "real_convnet",
    "real_mlp",
    "real_parameter_count",
    "to_precision",
    "to_self_map_",
]
