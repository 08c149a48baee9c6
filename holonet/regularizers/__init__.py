"""Penalties `(f, z) -> scalar` that push a network towards a class of functions."""

from holonet.regularizers.cauchy_riemann import CauchyRiemannPenalty
from holonet.regularizers.dirichlet import DirichletEnergy
from holonet.regularizers.gradient_norm import GradientNorm
from holonet.regularizers.hardy import HardyPenalty
from holonet.regularizers.laplacian import LaplacianPenalty
from holonet.regularizers.mean_value import MeanValuePenalty
from holonet.regularizers.pluriharmonic import PluriharmonicPenalty
from holonet.regularizers.regularizer import Regularizer

__all__ = [
    "CauchyRiemannPenalty",
    "DirichletEnergy",
    "GradientNorm",
    "HardyPenalty",
    "LaplacianPenalty",
    "MeanValuePenalty",
    "PluriharmonicPenalty",
    "Regularizer",
]
