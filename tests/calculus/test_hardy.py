"""Fourier modes on circles against the Taylor coefficients that they are."""

import cmath
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cases import each
from holonet.calculus import (
    circle_mean,
    circle_modes,
    fourier_coefficients,
    hardy_norm,
    line_modes,
    negative_mode_fraction,
    szego_projection,
)
from holonet.calculus.hardy import is_rough
from holonet.errors import ConfigError, DomainError, NumericalError, ShapeError
from holonet.functions import CATALOGUE

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


@each("samples", [8, 9])
@each("k", [-3, -1, 0, 2, 3])
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


@given(center=centers, radius=st.floats(0.2, 1))
def test_circle_modes_of_entire_functions_are_resolved_without_negative_ones(center, radius):
    found = circle_modes(lambda z: (3 * z).sin(), center, radius)
    assert found.resolved.all()
    assert found.negative.item() < 1e-13


@each("power", [33, 60, 64, 100, 200, 400])
def test_aliases_are_told_from_negative_modes(power):
    """With 64 points z^60 looks like z^-4; with 128 it does not."""
    naive = fourier_coefficients(lambda z: z**power, 0, 1)
    aliased = int(naive.abs().argmax()) - 32
    assert aliased == (power + 32) % 64 - 32
    found = circle_modes(lambda z: z**power, 0, 1)
    assert found.resolved.all()
    assert found.negative.item() < 1e-12
    assert (len(found.coefficients) > 2 * power) is (aliased < 0)


@given(leak=st.floats(1e-9, 1e3), power=st.integers(1, 40))
def test_negative_modes_are_measured_in_amplitude(leak, power):
    found = circle_modes(lambda z: z + leak * z.conj() ** power, 0, 1)
    assert found.negative.item() == pytest.approx(leak / (1 + leak**2) ** 0.5, rel=1e-4)


def test_a_pole_outside_is_told_from_one_inside():
    for pole, inside in ((1.05, False), (0.95, True), (1.2, False), (0.5, True)):
        found = circle_modes(lambda z, pole=pole: 1 / (z - pole), 0, 1)
        assert (found.negative.item() > 0.5) is inside


def test_steps_are_negative_modes_though_they_are_never_resolved():
    found = circle_modes(lambda z: torch.where(z.real > 0.1, z.exp(), z), 0.3, 1)
    assert not found.resolved.any()
    assert found.negative.item() > 0.05


def test_what_grows_too_fast_is_undecided_and_no_finding():
    found = circle_modes(lambda z: (z**300).exp(), 0, 1.3)
    assert found.negative.isnan().all()  # overflow
    found = circle_modes(lambda z: z**700, 0, 1)
    assert found.negative.item() == 0
    assert not found.resolved.any()


def test_noise_is_no_finding_and_not_resolved():
    noise = random_coefficients(0, 1 << 11)

    def f(z):
        return z + 1e-6 * noise[: len(z)]

    found = circle_modes(f, 0, 1)
    assert not found.resolved.any()
    assert found.negative.item() == 0


@settings(max_examples=5)
@given(seed=seeds, scale=st.sampled_from([1e-200, 1e-30, 1.0, 1e30, 1e200]))
def test_the_verdict_does_not_depend_on_the_scale(seed, scale):
    z, v = random_coefficients(seed, 2, 3, 4)

    def f(z):
        return scale * (z.sin() + 0.5 * z.conj())

    found = line_modes(f, z, v, radius=0.3)
    same = line_modes(lambda z: f(z) / scale, z, v, radius=0.3)
    torch.testing.assert_close(found.negative, same.negative, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(found.scale, scale * same.scale, rtol=1e-9, atol=0)


@given(seed=seeds)
def test_line_modes_are_those_of_each_line(seed):
    z, v = random_coefficients(seed, 2, 3, 4)
    radius = torch.tensor([0.2, 0.5, 1.0], dtype=torch.float64)
    found = line_modes(torch.sin, z, v, radius=radius, center=0.4j)
    for k in range(3):
        alone = fourier_coefficients(
            lambda t, k=k: (z[k] + t[:, None] * v[k]).sin(),
            0.4j * float(radius[k]),
            float(radius[k]),
            samples=len(found.coefficients),
        )
        torch.testing.assert_close(found.coefficients[:, k], alone, rtol=1e-12, atol=1e-12)


@given(seed=seeds, p=st.floats(1, 8), radius=st.floats(0.1, 2))
def test_hardy_norms_grow_with_the_radius_and_the_exponent(seed, p, radius):
    c = random_coefficients(seed, 4)

    def f(z):
        return sum(c[k] * z**k for k in range(4))

    norm = hardy_norm(f, 0, radius, p=p, samples=256).item()
    assert norm <= hardy_norm(f, 0, 1.5 * radius, p=p, samples=256).item() * (1 + 1e-12)
    assert norm <= hardy_norm(f, 0, radius, p=p + 1, samples=256).item() * (1 + 1e-12)
    assert norm <= hardy_norm(f, 0, radius, p=math.inf, samples=256).item() * (1 + 1e-12)


@given(seed=seeds, radius=st.floats(0.1, 2))
def test_the_norm_of_h2_is_parseval(seed, radius):
    c = random_coefficients(seed, 4)
    norm = hardy_norm(lambda z: sum(c[k] * z**k for k in range(4)), 0, radius)
    powers = radius ** torch.arange(4, dtype=torch.float64)
    expected = torch.linalg.vector_norm(c * powers)
    torch.testing.assert_close(norm, expected, rtol=1e-12, atol=0)


@settings(max_examples=5)
@given(seed=seeds, center=centers, radius=st.floats(0.2, 2))
def test_szego_projection_keeps_the_holomorphic_part_and_drops_the_other(seed, center, radius):
    c = random_coefficients(seed, 2, 4)
    z = center + radius * 0.9 * torch.tanh(random_coefficients(seed + 1, 5).real).to(c.dtype)

    def part(w, row):
        return sum(c[row, k] * w**k for k in range(4))

    def f(z):
        w = (z - center) / radius
        return part(w, 0) + w.conj() * part(w.conj(), 1)

    found = szego_projection(f, z, center, radius)
    torch.testing.assert_close(found, part((z - center) / radius, 0), rtol=1e-11, atol=1e-11)
    again = szego_projection(lambda z: szego_projection(f, z, center, radius), z, center, radius)
    torch.testing.assert_close(again, found, rtol=1e-11, atol=1e-11)


def test_the_projection_is_orthogonal():
    """In L^2 of the circle f - Pf is orthogonal to every power of z."""

    def f(z):
        return (z.real * 3).sin() + 1j * z.imag.exp()

    def rest(z):
        return f(z) - szego_projection(f, z, 0, 1)

    modes = fourier_coefficients(rest, 0, 1, samples=256)
    assert modes[128:].abs().max() < 1e-13
    assert modes[:128].abs().max() > 0.1


@pytest.mark.parametrize("radius", [0, -1, math.inf, math.nan])
def test_circles_need_a_radius(radius):
    z = torch.zeros(1, dtype=torch.complex128)
    for ask in (
        lambda: fourier_coefficients(torch.sin, 0, radius),
        lambda: circle_modes(torch.sin, 0, radius),
        lambda: line_modes(torch.sin, z, z, radius=radius),
        lambda: hardy_norm(torch.sin, 0, radius),
        lambda: szego_projection(torch.sin, z, 0, radius),
    ):
        with pytest.raises(ConfigError, match="radius"):
            ask()


def test_bad_requests_are_refused():
    z = torch.zeros(2, dtype=torch.complex128)
    with pytest.raises(ConfigError, match=r"p=0.5"):
        hardy_norm(torch.sin, 0, 1, p=0.5)
    with pytest.raises(DomainError, match="Enlarge the disc"):
        szego_projection(torch.sin, z + 2, 0, 1)
    with pytest.raises(ConfigError, match="samples=4, but at least 8"):
        circle_modes(torch.sin, 0, 1, samples=4)
    with pytest.raises(ShapeError, match="one each"):
        line_modes(torch.sin, z, z[:1], radius=1)


def test_declared_domains_and_infinite_values_are_minded():
    log = CATALOGUE["log"]
    with pytest.raises(DomainError, match="choose a radius below 2,"):
        hardy_norm(log, 2, 3)
    assert hardy_norm(log, 2, 1.9).isfinite()
    z = torch.zeros(1, dtype=torch.complex128)
    for ask in (
        lambda f: fourier_coefficients(f, 0, 1),
        lambda f: hardy_norm(f, 0, 1),
        lambda f: szego_projection(f, z, 0, 1),
    ):
        with pytest.raises(NumericalError, match=r"f\(1\+0j\) = inf"):
            ask(lambda z: torch.where(z == 1, math.inf, z))


@settings(max_examples=5)
@given(gap=st.floats(1e-5, 2), angle=st.floats(0, 6))
def test_what_a_pole_near_the_circle_leaves_is_right_or_refused(gap, angle):
    """f = 1/(z - a), |a| = 1 + gap: the norm in H^2 is (|a|^2 - 1)^(-1/2), and f is kept."""
    a = (1 + gap) * cmath.exp(1j * angle)
    z = torch.tensor([0.3 + 0.1j], dtype=torch.complex128)

    def f(z):
        return 1 / (z - a)

    for ask, right in (
        (lambda: hardy_norm(f, 0, 1), torch.tensor(abs(a) ** 2 - 1).rsqrt()),
        (lambda: szego_projection(f, z, 0, 1), f(z)),
        (lambda: circle_mean(f, 0 * z, 1 + 0 * z, 1.0), f(0 * z)),
    ):
        try:
            found = ask()
        except NumericalError:
            assert gap < 0.01
        else:
            assert ((found - right).abs() <= 1e-2 * right.abs()).all()


def test_the_rounding_of_values_that_cancel_is_no_result():
    z = torch.zeros(1, dtype=torch.complex128)
    for ask in (
        lambda: szego_projection(lambda z: (50 * z).exp(), z, 0, 1),
        lambda: circle_mean(lambda z: (50 * z).exp(), z, z + 1, 1.0),
    ):
        with pytest.raises(NumericalError, match="is rounding"):
            ask()
    assert float(szego_projection(lambda z: z.conj(), z, 0, 1).abs()) < 1e-15


def test_modes_of_jumps_kinks_and_noise_are_rough_and_those_of_a_pole_are_not():
    functions = {
        "jump": (True, lambda z: z + (z.real > 0)),
        "kink": (True, lambda z: z + z.real.relu()),
        "noise": (True, lambda z: z + 1e-3 * random_coefficients(0, *z.shape)),
        "pole": (False, lambda z: 1 / (z - 0.95)),
        "poles on both sides": (False, lambda z: 1 / (z - 0.97) + 1 / (z - 1.04)),
    }
    for name, (rough, f) in functions.items():
        coefficients = circle_modes(f, 0, 1, samples=1024).coefficients
        assert bool(is_rough(coefficients)) is rough, name
