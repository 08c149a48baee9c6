"""The Laplacian penalty: how far a network is from harmonic."""

import torch

from holonet._arguments import checked
from holonet._types import Numbers, Points, TensorFunction
from holonet.calculus import Probes, second_directional_derivative
from holonet.calculus.examples import inner_products, square_norms
from holonet.calculus.laplacian import laplacian
from holonet.regularizers.sampled import SampledRegularizer

__all__ = ["LaplacianPenalty"]


@checked
class LaplacianPenalty(SampledRegularizer):
    """E |Laplacian u|^2, over all real coordinates that the points have.

    Those are n for real points and 2n for complex ones, where the Laplacian is 4 tr d2u/dz dzbar.
    Summed over the outputs, in the mean over the batch. Harmonic in the 2n coordinates is not
    harmonic in the real parts alone, see `calculus.laplacian_over_real_part`.

    The estimate of one example is the product of two unbiased ones of its Laplacian: D2u[v, v]
    for real points, D2u[v, v] + D2u[iv, iv] for complex ones, where that is 4 times the Levi
    form: twice the work of 2 D2u[v, v], but exactly 0 on pluriharmonic functions and on a split
    tanh network of half the variance. The product has either sign. No unbiased estimate is never
    negative: at a harmonic u its mean is 0, so that it would have to vanish surely, and what has
    seen fewer than all directions cannot tell that u is harmonic. The exact mode is never
    negative.

    Args:
        count: independent estimates, averaged; None for the exact penalty, at the cost of four
            forward passes for every real coordinate and the backward pass through them.
        every: of that many examples one is probed, see below.

    The penalty of all examples costs as much as 13 forward-backward passes of a real network and 24
    of a complex one (docs/results.md), hence the default probes one in 32, at about two passes. One
    estimate of one example has a standard deviation of about 0.8 (real) or 0.3 (complex, split
    tanh) times the mean: train with more examples or a larger count where that is too noisy.

    Second derivatives are forward over forward, with the limits that `calculus.laplacian` names.

    Law: unbiased: the mean over probes is the exact penalty, which is 0 exactly where u is
        harmonic. 0 whatever the probes where the points are complex and u is pluriharmonic.

    Raises:
        ConfigError: `count` or `every` below 1.
        InputTypeError: at the call: points that are neither real floating nor complex.

    Example:
        >>> x = torch.randn(5, 3)
        >>> LaplacianPenalty()(lambda x: (x**2).sum(1), x)  # (2 n)^2
        tensor(36.)

    References:
        Hutchinson (1990).
    """

    def __init__(self, count: int | None = 1, every: int = 32) -> None:
        super().__init__(count, every)

    def _estimate(self, f: TensorFunction, z: Points, probes: Probes) -> Numbers:
        v, w = probes.like(z), probes.like(z)
        along = [v, 1j * v, w, 1j * w] if z.is_complex() else [v, w]
        directions, points = torch.cat(along), torch.cat([z] * len(along))
        second = second_directional_derivative(f, points, directions, directions)[1]
        first, other = second.unflatten(0, (2, len(along) // 2, len(z))).sum(1)
        return inner_products(first, other)

    def _exact(self, f: TensorFunction, z: Points) -> Numbers:
        return square_norms(laplacian(f, z))
