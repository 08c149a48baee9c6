"""Fourier modes on circles against the Taylor coefficients that they are."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from holonet.calculus import fourier_coefficients, negative_mode_fraction

centers = st.complex_numbers(max_magnitude=2)
seeds = st.integers(0, 2**32)


def random_coefficients(seed, *shape):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.complex128)


@given(seed=seeds, center=centers, radius=st.floats(0.1, 2), samples=st.sampled_from([8, 9, 16]))
def test_modes_are_taylor_coefficients_times_powers_of_the_radius(seed, center, radius, samples):
    c = random_coefficients(seed, 4)

    def f(z):
        return sum(c[k] * (z - center) ** k for k in range(4))

    modes = fourier_coefficients(f, center, radius, samples=samples)
    expected = torch.zeros(samples, dtype=torch.complex128)
    for k in range(4):
        if k <= (samples - 1) // 2:
            expected[k + samples // 2] = c[k] * radius**k
    torch.testing.assert_close(modes, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("samples", [8, 9])
@pytest.mark.parametrize("k", [-3, -1, 0, 2, 3])
def test_mode_k_stands_where_it_is_said_to(samples, k):
    modes = fourier_coefficients(lambda z: z**k, 0, 1, samples=samples)
    assert int(modes.abs().argmax()) == k + samples // 2
    torch.testing.assert_close(modes.abs().sum().item(), 1.0)


@given(seed=seeds, samples=st.integers(1, 20))
def test_parseval(seed, samples):
    values = random_coefficients(seed, samples, 3)
    modes = fourier_coefficients(lambda z: values, 0, 1, samples=samples)
    assert modes.shape == (samples, 3)
    torch.testing.assert_close(
        modes.abs().square().sum(0), values.abs().square().mean(0), rtol=1e-12, atol=0
    )


@given(center=centers, radius=st.floats(0.2, 1))
def test_holomorphic_functions_have_no_negative_modes(center, radius):
    modes = fourier_coefficients(torch.exp, center, radius)
    assert negative_mode_fraction(modes) < 1e-28


@given(center=centers, radius=st.floats(0.2, 1), leak=st.floats(1e-6, 1e3))
def test_the_fraction_is_the_energy_of_the_leak(center, radius, leak):
    modes = fourier_coefficients(lambda z: z + leak * z.conj(), center, radius)
    expected = leak**2 / (1 + leak**2)
    assert negative_mode_fraction(modes) == pytest.approx(expected, rel=1e-6)


def test_the_fraction_of_a_constant_is_zero():
    modes = fourier_coefficients(lambda z: torch.full_like(z, 3j), 0, 1)
    modes[modes.abs() < 1e-12] = 0
    assert negative_mode_fraction(modes) == 0


def test_further_axes_are_summed_over():
    modes = fourier_coefficients(lambda z: torch.stack([z, z.conj() / 2], 1), 1j, 1)
    assert modes.shape == (64, 2)
    assert negative_mode_fraction(modes) == pytest.approx(0.2)
    assert negative_mode_fraction(modes[:, 1]) == pytest.approx(1.0)
