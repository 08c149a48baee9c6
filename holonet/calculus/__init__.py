"""Complex calculus on torch functions: Wirtinger derivatives, Fourier modes on circles."""

from holonet.calculus.hardy import fourier_coefficients, negative_mode_fraction
from holonet.calculus.probes import Probes
from holonet.calculus.wirtinger import (
    dbar,
    dbar_along,
    dbar_norm_squared,
    derivative,
    directional_derivative,
    partial_z,
    partial_z_along,
    pullback,
    second_directional_derivative,
)

__all__ = [
    "Probes",
    "dbar",
    "dbar_along",
    "dbar_norm_squared",
    "derivative",
    "directional_derivative",
    "fourier_coefficients",
    "negative_mode_fraction",
    "partial_z",
    "partial_z_along",
    "pullback",
    "second_directional_derivative",
]
