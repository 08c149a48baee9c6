"""The mean value penalty: whether a function is at the center what it is on spheres."""

import math

import torch

from holonet._arguments import checked
from holonet._types import AnyTensor, Numbers, Points, TensorFunction
from holonet.calculus import Probes
from holonet.calculus.examples import inner_products, square_norms
from holonet.errors import ConfigError
from holonet.regularizers.sampled import SampledRegularizer, sphere_directions

__all__ = ["MeanValuePenalty"]

QUADRATURE = 64  # points on the circle in the exact mode


@checked
class MeanValuePenalty(SampledRegularizer):
    """E |mean of u over the sphere of a radius about z - u(z)|^2: harmonic functions have none.

    The sphere lies in all real coordinates that the points have, d = n for real and 2n for
    complex ones. Summed over the outputs, in the mean over the batch. It needs values of u alone:
    neither of the two modes of differentiation in z, and u need not be smooth; but the gap is a
    difference of values, of order radius^2, so mind rounding in single precision.

    The estimate of one example is the product of two unbiased ones of the gap, which has either
    sign (no unbiased estimate is never negative: it would have to vanish surely at harmonic u).
    A gap is estimated from both ends of a random diameter for real points, and from v, iv, -v and
    -iv for complex ones: the former drops the odd terms of the Taylor series, the latter all of
    order below four but the complex Hessian, which is what is asked.

    Args:
        radius: of the sphere, the Euclidean distance from z.
        count: independent estimates, averaged. None for the exact penalty, by quadrature with 64
            points, which exists for one real or one complex coordinate alone: on spheres of more
            dimensions no rule with few points is exact on harmonic functions, take a larger count.
        every: of that many examples one is probed; the default costs about two forward-backward
            passes (docs/results.md).

    Law: unbiased: the mean over probes is the exact penalty. It is 0 where u is harmonic on the
        ball; the converse needs all points and two radii, or the limit of radius 0, in which
        (2 d / radius^2)^2 times the penalty is `LaplacianPenalty`.

    Raises:
        ConfigError: a radius that is not positive and finite, `count` or `every` below 1; at the
            call: count=None with more than one coordinate.
        InputTypeError: at the call: points that are neither real floating nor complex.

    Example:
        >>> z = torch.randn(5, 3, dtype=torch.cdouble)
        >>> u = lambda z: (z * z.conj()).real.sum(1)  # over a sphere the mean is |z|^2 + r^2
        >>> round(float(MeanValuePenalty(radius=0.1)(u, z)), 8)  # r^4
        0.0001

    References:
        Axler, Bourdon and Ramey (2001), chapter 1; Delsarte (1961) for two radii.
    """

    def __init__(self, radius: float, count: int | None = 1, every: int = 8) -> None:
        require_radius(radius, type(self).__name__)
        super().__init__(count, every)
        self.radius = float(radius)

    def _estimate(self, f: TensorFunction, z: Points, probes: Probes) -> Numbers:
        units = (1, 1j, -1, -1j) if z.is_complex() else (1, -1)
        v, w = sphere_directions(z, probes), sphere_directions(z, probes)
        offsets = [unit * direction for direction in (v, w) for unit in units]
        first, other = self._gaps(f, z, offsets, 2)
        return inner_products(first, other)

    def _exact(self, f: TensorFunction, z: Points) -> Numbers:
        coordinates = math.prod(z.shape[1:])
        if coordinates != 1:
            raise ConfigError(
                f"MeanValuePenalty(count=None) at points with {coordinates} coordinates: the mean "
                "over a sphere is computed exactly for one real or one complex coordinate only. "
                "Give a count, and estimate(f, z, count) for the standard error"
            )
        if z.is_complex():
            angles = [2 * math.pi * k / QUADRATURE for k in range(QUADRATURE)]
            units = [complex(math.cos(a), math.sin(a)) for a in angles]
        else:
            units = [1, -1]
        offsets = [torch.full_like(z, unit) for unit in units]
        return square_norms(self._gaps(f, z, offsets, 1)[0])

    def _gaps(
        self, f: TensorFunction, z: Points, offsets: list[AnyTensor], parts: int
    ) -> AnyTensor:
        """Means of f over as many equal parts of the offsets, minus f(z): (parts, batch, *out)."""
        values = f(torch.cat([z, *(z + self.radius * offset for offset in offsets)]))
        center, around = values[: len(z)], values[len(z) :]
        return around.unflatten(0, (parts, len(offsets) // parts, len(z))).mean(1) - center


def require_radius(radius: float, asked: str) -> None:
    """A radius must be positive and finite.

    Raises:
        ConfigError: it is not.
    """
    if not 0 < radius < math.inf:
        raise ConfigError(f"{asked}(radius={radius}): choose a positive finite radius")
