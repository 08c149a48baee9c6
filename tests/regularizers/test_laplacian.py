"""The Laplacian penalty against closed forms, at real and complex points."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from holonet.calculus import Probes
from holonet.regularizers import LaplacianPenalty

R64, C128 = torch.float64, torch.complex128
seeds = st.integers(0, 2**32)


def randn(seed, *shape, dtype=C128):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


class Cubic:
    """(A x) (B x) (C x) on R^n, with its Laplacian 2 (<a, b> c + <a, c> b + <b, c> a) x."""

    dtype = R64

    def __init__(self, seed, inputs=3, outputs=2):
        self.weights = randn(seed, 3, outputs, inputs, dtype=R64)

    def __call__(self, x):
        a, b, c = (x @ w.mT for w in self.weights)
        return a * b * c

    def penalty(self, x):
        a, b, c = self.weights
        found = sum((x @ p.mT) * (q * r).sum(1) for p, q, r in [(a, b, c), (b, c, a), (c, a, b)])
        return (2 * found).square().sum(1).mean()


class Mixed:
    """(A z)^2 conj(B z) + (C z)^3 on C^n, with its Laplacian 8 (A z) <a, b>."""

    dtype = C128

    def __init__(self, seed, inputs=3, outputs=2):
        self.a, self.b, self.c = randn(seed, 3, outputs, inputs)

    def __call__(self, z):
        return (z @ self.a.mT) ** 2 * (z @ self.b.mT).conj() + (z @ self.c.mT) ** 3

    def penalty(self, z):
        found = 8 * (z @ self.a.mT) * (self.a * self.b.conj()).sum(1)
        return found.abs().square().sum(1).mean()


@pytest.mark.parametrize("kind", [Cubic, Mixed])
@settings(max_examples=5)
@given(seed=seeds)
def test_the_exact_penalty_is_the_closed_form(kind, seed):
    f, z = kind(seed), randn(seed + 1, 4, 3, dtype=kind.dtype)
    value, penalty = LaplacianPenalty(None).value_and_penalty(f, z)
    torch.testing.assert_close(value, f(z))
    scale = f(z).abs().square().mean() * 1e-24
    torch.testing.assert_close(penalty, f.penalty(z), rtol=1e-10, atol=float(scale))


@pytest.mark.parametrize("every", [pytest.param(1, marks=pytest.mark.slow), 8])
@pytest.mark.parametrize("kind", [Cubic, Mixed])
def test_the_estimate_is_unbiased(kind, every):
    f, z = kind(0), randn(1, 800, 3, dtype=kind.dtype)
    found = LaplacianPenalty(1, every).estimate(f, z, 60, Probes(0))
    exact = f.penalty(z)
    assert 0 < found.standard_error < 0.06 * exact
    assert found.z_score(exact).abs() < 3


@pytest.mark.parametrize("count", [None, 1, 2])
@settings(max_examples=5)
@given(seed=seeds, c=st.floats(-100, 100))
def test_the_square_of_the_norm(count, seed, c):
    """c |z|^2 has (2 n c)^2 on R^n and (4 n c)^2 on C^n, whatever the directions."""
    penalty = LaplacianPenalty(count, 2)
    x, z = randn(seed, 3, 5, dtype=R64), randn(seed, 3, 5)
    found = penalty(lambda x: c * x.square().sum(1), x)
    assert float(found) == pytest.approx((10 * c) ** 2, rel=1e-9)
    found = penalty(lambda z: c * (z * z.conj()).real.sum(1), z)
    assert float(found) == pytest.approx((20 * c) ** 2, rel=1e-9)


class TraceFree:
    """x^T Q x with tr Q = 0, harmonic on R^4; along one direction D2u is not 0."""

    def __init__(self, seed):
        q = randn(seed, 4, 4, dtype=R64)
        q = q + q.mT
        self.q = q - torch.eye(4, dtype=R64) * q.diagonal().mean()

    def __call__(self, x):
        return torch.einsum("bi,ij,bj->b", x, self.q, x)


@given(seed=seeds)
def test_harmonic_polynomials_have_none(seed):
    f, x = TraceFree(seed), randn(seed + 1, 5, 4, dtype=R64)
    assert LaplacianPenalty(None)(f, x) <= 1e-24 * f.q.square().sum()


def test_harmonic_polynomials_have_none_in_the_mean():
    f, x = TraceFree(0), randn(1, 500, 4, dtype=R64)
    found = LaplacianPenalty(1, 1).estimate(f, x, 20, Probes(0))
    assert 0 < found.standard_error < 0.1 * f.q.square().sum()
    assert found.value.abs() < 3 * found.standard_error


@given(seed=seeds)
def test_pluriharmonic_functions_have_none_whatever_the_directions(seed):
    a, z = randn(seed, 2, 3), randn(seed + 1, 5, 3)
    f = LaplacianPenalty(1, 1)(lambda z: ((z @ a.mT) ** 3).real + (z**2).imag[:, :2], z)
    assert f.abs() <= 1e-22 * (1 + (z @ a.mT).abs().max() * (1 + a.abs().max()) ** 2) ** 2


def test_harmonic_is_less_than_pluriharmonic():
    """|z_1|^2 - |z_2|^2: the Laplacian vanishes, in the single draw as well (a diagonal form)."""
    z = randn(0, 4, 2)

    def f(z):
        return (z * z.conj()).real @ torch.tensor([1.0, -1.0], dtype=R64)

    assert LaplacianPenalty(None)(f, z) < 1e-28
    assert LaplacianPenalty(1, 1)(f, z).abs() < 1e-28


def test_a_draw_may_be_negative_and_the_exact_penalty_not():
    x = randn(0, 1, 2, dtype=R64)

    def f(x):
        return x[:, 0] * x[:, 1]

    draws = torch.stack([LaplacianPenalty(1, 1)(f, x, Probes(s)) for s in range(20)])
    assert draws.min() < 0 < draws.max()
    assert LaplacianPenalty(None)(f, x) == 0


def test_images_in_and_channels_out():
    x = randn(0, 4, 1, 2, 3, dtype=R64)
    for count in (None, 1):
        found = LaplacianPenalty(count, 1)(lambda x: x.square().expand(-1, 2, -1, -1), x)
        assert float(found) == pytest.approx(4.0 * 12)


@given(seed=st.integers(0, 2**32))
def test_a_pluriharmonic_part_changes_no_estimate(seed):
    """At complex points only Levi forms enter, so that Re of a holomorphic map adds nothing."""
    z = torch.randn(4, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.complex128)
    penalty = LaplacianPenalty(every=1)

    def u(z):
        return (z.real**2 + 2 * z.imag**2).sum(1)

    alone = penalty(u, z, Probes(seed))
    beside = penalty(lambda z: u(z) + 5 * (z**2).sum(1).real, z, Probes(seed))
    torch.testing.assert_close(beside, alone, rtol=1e-10, atol=1e-10)
