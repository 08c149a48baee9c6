"""The pluriharmonic penalty against closed forms, for real and complex values."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from holonet.calculus import Probes
from holonet.errors import ConfigError
from holonet.regularizers import LaplacianPenalty, PluriharmonicPenalty

R64, C128 = torch.float64, torch.complex128
VALUES = ["real", "complex"]
seeds = st.integers(0, 2**32)


def randn(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=C128)


class Mixed:
    """(A z)^2 conj(B z) + (C z)^3 or its real part, with its complex Hessian 2 (A z) a b^H."""

    def __init__(self, values, seed, inputs=3, outputs=2):
        self.values = values
        self.a, self.b, self.c = randn(seed, 3, outputs, inputs)

    def __call__(self, z):
        value = (z @ self.a.mT) ** 2 * (z @ self.b.mT).conj() + (z @ self.c.mT) ** 3
        return value.real if self.values == "real" else value

    def penalty(self, z):
        outer = self.a[:, :, None] * self.b[:, None, :].conj()
        hessian = 2 * (z @ self.a.mT)[..., None, None] * outer
        if self.values == "real":
            hessian = (hessian + hessian.mH) / 2
        return hessian.abs().square().sum((1, 2, 3)).mean()


@pytest.mark.parametrize("values", VALUES)
@settings(max_examples=5)
@given(seed=seeds)
def test_the_exact_penalty_is_the_closed_form(values, seed):
    f, z = Mixed(values, seed), randn(seed + 1, 4, 3)
    value, penalty = PluriharmonicPenalty(None).value_and_penalty(f, z)
    torch.testing.assert_close(value, f(z))
    torch.testing.assert_close(penalty, f.penalty(z), rtol=1e-10, atol=0)


@pytest.mark.parametrize("every", [pytest.param(1, marks=pytest.mark.slow), 4])
@pytest.mark.parametrize("values", VALUES)
def test_the_estimate_is_unbiased(values, every):
    f, z = Mixed(values, 0), randn(1, 1200, 3)
    found = PluriharmonicPenalty(1, every).estimate(f, z, 20, Probes(0))
    exact = f.penalty(z)
    assert 0 < found.standard_error < 0.06 * exact
    assert found.z_score(exact).abs() < 3


@pytest.mark.parametrize("count", [None, 1, 2])
@settings(max_examples=5)
@given(seed=seeds, c=st.floats(-100, 100))
def test_a_real_diagonal_form_is_exact_in_every_draw(count, seed, c):
    """c |z|^2 has the complex Hessian c times the identity."""
    found = PluriharmonicPenalty(count, 2)(
        lambda z: c * (z * z.conj()).real.sum(1), randn(seed, 3, 5)
    )
    assert float(found) == pytest.approx(5 * c**2, rel=1e-9)


@pytest.mark.parametrize("count", [None, 1])
@settings(max_examples=5)
@given(seed=seeds)
def test_pluriharmonic_functions_have_none(count, seed):
    a, z = randn(seed, 2, 2), randn(seed + 1, 4, 2)
    scale = (1 + (z.abs().max() * a.abs().max())) ** 6
    penalty = PluriharmonicPenalty(count, 1)
    for f in (
        lambda z: ((z @ a) ** 3).real,
        lambda z: (z @ a) ** 3 + ((z @ a) ** 2).conj(),
        lambda z: ((z @ a) ** 2).real + 1j * (z @ a).imag,
    ):
        assert penalty(f, z) <= 1e-24 * scale


@pytest.mark.parametrize("count", [None, 1])
def test_the_logarithm_of_a_modulus_has_none(count):
    z = randn(0, 8, 3)
    f = PluriharmonicPenalty(count, 1)(lambda z: (z**2 + 3j * z).abs().log(), z)
    assert f <= 1e-20


def test_it_is_more_than_harmonic():
    z = randn(0, 4, 2)

    def f(z):
        return (z * z.conj()).real @ torch.tensor([1.0, -1.0], dtype=R64)

    assert LaplacianPenalty(None)(f, z) < 1e-28
    for count in (None, 1):
        assert float(PluriharmonicPenalty(count, 1)(f, z)) == pytest.approx(2)


@pytest.mark.parametrize("values", VALUES)
@given(seed=seeds)
def test_it_is_never_negative_and_positive_off_the_class(values, seed):
    f, z = Mixed(values, seed), randn(seed + 1, 4, 3)
    assert PluriharmonicPenalty(1, 1)(f, z) > 1e-8 * f.penalty(z)


def test_images_in_and_channels_out():
    z = randn(0, 4, 1, 2, 3)
    for count in (None, 1):
        found = PluriharmonicPenalty(count, 1)(lambda z: (z * z.conj()).real.sum((1, 2, 3)), z)
        assert float(found) == pytest.approx(6)


@pytest.mark.parametrize("arguments", [{"count": 0}, {"every": 0}])
def test_bad_arguments_are_refused(arguments):
    with pytest.raises(ConfigError, match="=0"):
        PluriharmonicPenalty(**arguments)
