"""The pluriharmonic penalty: how far a network is from the real part of a holomorphic one."""

from holonet._arguments import checked
from holonet._types import AnyTensor, Numbers, Points, TensorFunction
from holonet.calculus import Probes, pullback
from holonet.calculus.examples import square_norms
from holonet.calculus.laplacian import complex_hessian
from holonet.regularizers.sampled import SampledRegularizer

__all__ = ["PluriharmonicPenalty"]


@checked
class PluriharmonicPenalty(SampledRegularizer):
    """E ||d2u/dz dzbar||_F^2: the squared complex Hessian.

    Summed over the n^2 entries H_jk = d2u/dz_j dzbar_k and over the outputs, in the mean over the
    batch. It is 0 where u is harmonic on every complex line, which is more than harmonic.

    The estimate takes a random combination s = Re <w, u> of the outputs and applies its complex
    Hessian to a random v, two pullbacks through the gradient of s: ||H v||^2 for real u, twice
    that for complex u, of which s sees the Hermitian part of a random turn of H only. Against
    |v^T H conj(w)|^2 with v, w two directions of the input, it has a fifth of the variance on
    784-256-256-10 with split tanh.

    Args:
        count: independent estimates, averaged; None for the exact penalty, which builds the
            complex Hessian from 8 n (n + 1) forward passes.
        every: of that many examples one is probed; the default costs about two forward-backward
            passes (docs/results.md).

    Law: unbiased: the mean over probes is the exact penalty. Never negative; 0 whatever the
        probes exactly where u is pluriharmonic, as real parts and logarithms of moduli of
        holomorphic functions are.

    Raises:
        ConfigError: `count` or `every` below 1.
        InputTypeError: at the call: real points.

    Example:
        >>> import torch
        >>> z = torch.randn(5, 3, dtype=torch.cfloat)
        >>> u = lambda z: (z * z.conj()).real.sum(1)
        >>> round(float(PluriharmonicPenalty()(u, z)), 4)  # n
        3.0

    References:
        Hutchinson (1990).
    """

    at_complex_points = True

    def __init__(self, count: int | None = 1, every: int = 8) -> None:
        super().__init__(count, every)

    def _estimate(self, f: TensorFunction, z: Points, probes: Probes) -> Numbers:
        value = f(z.clone())
        w, v = probes.like(value), probes.like(z)

        def gradient(z: Points) -> AnyTensor:
            """2 ds/dzbar."""
            return pullback(f, z)[1](w)

        twice = pullback(gradient, z)[1]
        hessian_v = (twice(v) - 1j * twice(1j * v)) / 4
        return square_norms(hessian_v) * (2 if value.is_complex() else 1)

    def _exact(self, f: TensorFunction, z: Points) -> Numbers:
        return square_norms(complex_hessian(f, z))
