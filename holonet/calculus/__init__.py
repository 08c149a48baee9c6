"""Complex calculus on torch functions: derivatives, contours, Fourier modes, means."""

from holonet.calculus.cauchy_riemann import cauchy_riemann, directional_defect, relative_defect
from holonet.calculus.channels import channels_from_complex, complex_from_channels
from holonet.calculus.contour import cauchy_formula, contour_integral, residue, winding_number
from holonet.calculus.curvature import Curvature, curvature
from holonet.calculus.estimate import Estimate
from holonet.calculus.hardy import (
    CircleModes,
    circle_modes,
    fourier_coefficients,
    hardy_norm,
    line_modes,
    negative_mode_fraction,
    szego_projection,
)
from holonet.calculus.harmonic_part import harmonic_part, nonharmonic_fraction, poisson_integral
from holonet.calculus.jets import jet, taylor_polynomial
from holonet.calculus.laplacian import (
    complex_hessian,
    laplacian,
    laplacian_estimate,
    laplacian_over_real_part,
    levi_form,
    levi_form_polarized,
    pluriharmonic_defect,
)
from holonet.calculus.mean_value import ball_mean, circle_mean, mean_value_gap, sphere_mean
from holonet.calculus.probes import Probes
from holonet.calculus.sphere import SphereDeviation, sphere_deviation
from holonet.calculus.tangent_kernel import tangent_kernel
from holonet.calculus.taylor import (
    ConvergenceRadius,
    TaylorCoefficients,
    radius_of_convergence,
    radius_of_series,
    taylor_coefficients,
)
from holonet.calculus.wirtinger import (
    dbar,
    dbar_along,
    dbar_norm_squared,
    derivative,
    directional_derivative,
    gradient,
    partial_z,
    partial_z_along,
    pullback,
    second_directional_derivative,
)
from holonet.calculus.witnesses import Witnesses, cauchy_derivative, holomorphy_witnesses

__all__ = [
    "CircleModes",
    "ConvergenceRadius",
    "Curvature",
    "Estimate",
    "Probes",
    "SphereDeviation",
    "TaylorCoefficients",
    "Witnesses",
    "ball_mean",
    "cauchy_derivative",
    "cauchy_formula",
    "cauchy_riemann",
    "channels_from_complex",
    "circle_mean",
    "circle_modes",
    "complex_from_channels",
    "complex_hessian",
    "contour_integral",
    "curvature",
    "dbar",
    "dbar_along",
    "dbar_norm_squared",
    "derivative",
    "directional_defect",
    "directional_derivative",
    "fourier_coefficients",
    "gradient",
    "hardy_norm",
    "harmonic_part",
    "holomorphy_witnesses",
    "jet",
    "laplacian",
    "laplacian_estimate",
    "laplacian_over_real_part",
    "levi_form",
    "levi_form_polarized",
    "line_modes",
    "mean_value_gap",
    "negative_mode_fraction",
    "nonharmonic_fraction",
    "partial_z",
    "partial_z_along",
    "pluriharmonic_defect",
    "poisson_integral",
    "pullback",
    "radius_of_convergence",
    "radius_of_series",
    "relative_defect",
    "residue",
    "second_directional_derivative",
    "sphere_deviation",
    "sphere_mean",
    "szego_projection",
    "tangent_kernel",
    "taylor_coefficients",
    "taylor_polynomial",
    "winding_number",
]
