"""The Hardy penalty: negative Fourier modes on circles in complex lines."""

import math

import torch

from holonet._arguments import checked
from holonet._types import ComplexTensor, Numbers, Points, TensorFunction
from holonet.calculus import Probes
from holonet.calculus.examples import square_norms
from holonet.errors import ConfigError
from holonet.regularizers.mean_value import require_radius
from holonet.regularizers.sampled import (
    SampledRegularizer,
    require_complex_values,
    unit_directions,
)

__all__ = ["HardyPenalty"]


@checked
class HardyPenalty(SampledRegularizer):
    """E of the energy of the negative Fourier modes of t -> f(z + r exp(it) v).

    That is the squared distance, on the circle, to the functions with a holomorphic extension
    into the disc (the Szego projection is what is nearest). The entries of v are phases: z + r
    exp(it) v stays on the torus of radius r about z, the corner of the polydisc. Summed over the
    outputs, in the mean over the batch. It needs values of f alone: no forward mode, no double
    backward, and jumps count as well (zReLU, whose dbar is 0 almost everywhere).

    Args:
        radius: r, for every coordinate.
        samples: points on the circle, at least 3; the modes -1 to -((samples - 1) // 2) are
            penalized. Taylor terms of degree above samples / 2 are taken for negative modes.
        count: independent estimates, averaged. None for the deterministic mode, the sum over the
            n coordinate lines, v = (1, 0, ..., 0) and so on: it is not the mean of the other
            mode, yet agrees with it to leading order in r and vanishes on the same functions.
        every: of that many examples one is probed; the default costs about two forward-backward
            passes (docs/results.md).

    Law: unbiased over the random v. Never negative; 0 whatever v where f is holomorphic on the
        closed polydisc of radius r about z, up to aliasing, and without it for polynomials of
        degree samples // 2. For r to 0 the penalty over r^2 is `CauchyRiemannPenalty`.

    Raises:
        ConfigError: a radius that is not positive and finite, fewer than 3 samples, `count` or
            `every` below 1.
        InputTypeError: at the call: real points or values.

    Example:
        >>> z = torch.randn(5, 3, dtype=torch.cdouble)
        >>> f = lambda z: z**2 + 2 * z.conj()
        >>> round(float(HardyPenalty(radius=0.1)(f, z)), 8)  # 3 * (2 r)^2
        0.12

    References:
        Krantz (2001), chapter 1, for the Szego projection.
    """

    at_complex_points = True

    def __init__(
        self, radius: float, samples: int = 8, count: int | None = 1, every: int = 8
    ) -> None:
        require_radius(radius, type(self).__name__)
        if samples < 3:
            raise ConfigError(
                f"HardyPenalty(samples={samples}): at least 3, for one negative mode beside the "
                "mean and a positive one"
            )
        super().__init__(count, every)
        self.radius = float(radius)
        self.samples = samples

    def _estimate(self, f: TensorFunction, z: Points, probes: Probes) -> Numbers:
        return self._energy(f, z, probes.like(z))

    def _exact(self, f: TensorFunction, z: Points) -> Numbers:
        return torch.stack([self._energy(f, z, v) for v in unit_directions(z)]).sum(0)

    def _energy(self, f: TensorFunction, z: ComplexTensor, v: ComplexTensor) -> Numbers:
        """The energy of the negative modes of each example on its line."""
        turns = [2 * math.pi * k / self.samples for k in range(self.samples)]
        steps = [self.radius * complex(math.cos(t), math.sin(t)) for t in turns]
        values = f(torch.cat([z + step * v for step in steps]))
        require_complex_values(values, type(self).__name__)
        modes = torch.fft.fft(values.unflatten(0, (self.samples, len(z))), dim=0, norm="forward")
        negative = modes[self.samples // 2 + 1 :]
        return square_norms(negative.movedim(0, 1))
