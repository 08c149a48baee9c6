"""The mean value penalty against closed forms on spheres."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from holonet.calculus import Probes
from holonet.errors import ConfigError
from holonet.regularizers import LaplacianPenalty, MeanValuePenalty

R64, C128 = torch.float64, torch.complex128
seeds = st.integers(0, 2**32)


def randn(seed, *shape, dtype=C128):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def square(z):
    return (z * z.conj()).real.sum(1) if z.is_complex() else z.square().sum(1)


@pytest.mark.parametrize("dtype", [R64, C128])
@settings(max_examples=5)
@given(seed=seeds, radius=st.floats(0.01, 3))
def test_the_square_of_the_norm_has_the_square_of_the_radius(dtype, seed, radius):
    """From both ends of a diameter, whichever it is."""
    z = randn(seed, 4, 3, dtype=dtype)
    value, penalty = MeanValuePenalty(radius).value_and_penalty(square, z)
    torch.testing.assert_close(value, square(z))
    assert float(penalty) == pytest.approx(radius**4, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("dtype", "d"), [(R64, 3), (C128, 6)])
@pytest.mark.parametrize("every", [pytest.param(1, marks=pytest.mark.slow), 4])
def test_the_estimate_is_unbiased(dtype, d, every):
    """|x|^4 has the gap r^4 + r^2 |x|^2 (2 + 4 / d) over the sphere in R^d."""
    r, z = 0.8, randn(0, 2400, 3, dtype=dtype)
    gap = r**4 + r**2 * square(z) * (2 + 4 / d)
    exact = gap.square().mean()
    found = MeanValuePenalty(r, 1, every).estimate(lambda z: square(z) ** 2, z, 20, Probes(0))
    assert 0 < found.standard_error < 0.05 * exact
    assert found.z_score(exact).abs() < 3


def test_it_is_zero_in_the_mean_on_a_harmonic_function_that_is_not_on_a_cube_or_torus():
    """Of x^4 - 6 x^2 y^2 + y^4, harmonic, the mean over the corners of a square is not 0."""

    def f(x):
        return x[:, 0] ** 4 - 6 * x[:, 0] ** 2 * x[:, 1] ** 2 + x[:, 1] ** 4

    def g(z):
        p = (z * z.conj()).real
        return p[:, 0] ** 2 - 4 * p[:, 0] * p[:, 1] + p[:, 1] ** 2

    for u, dtype in ((f, R64), (g, C128)):
        z = torch.zeros(500, 2, dtype=dtype)
        found = MeanValuePenalty(1.0, 1, 1).estimate(u, z, 40, Probes(0))
        assert found.standard_error < 0.01
        assert found.value.abs() < 3 * found.standard_error


@given(seed=seeds, radius=st.floats(0.01, 2))
def test_the_exact_penalty_in_one_complex_coordinate(seed, radius):
    """Of sum c_ab z^a conj(z)^b about z_0 the mean over the circle keeps the terms a = b > 0."""
    c, center = randn(seed, 4, 4), randn(seed + 1, 1, 1)

    def f(z):
        w = z - center
        return sum(c[a, b] * w**a * w.conj() ** b for a in range(4) for b in range(4))

    gap = sum(c[a, a] * radius ** (2 * a) for a in range(1, 4))
    found = MeanValuePenalty(radius, None)(f, center)
    scale = float(c.abs().max()) * max(1, radius) ** 6
    assert float(found) ** 0.5 == pytest.approx(float(gap.abs()), rel=1e-9, abs=1e-13 * scale)


@given(seed=seeds, radius=st.floats(0.01, 2))
def test_the_exact_penalty_on_the_line_is_a_second_difference(seed, radius):
    x = randn(seed, 5, 1, dtype=R64)
    gap = (torch.sin(x + radius) + torch.sin(x - radius)) / 2 - torch.sin(x)
    found = MeanValuePenalty(radius, None)(torch.sin, x)
    assert float(found) == pytest.approx(float(gap.square().mean()), rel=1e-9, abs=1e-28)
    assert MeanValuePenalty(radius, None)(lambda x: 3 * x - 1, x) < 1e-28


@given(seed=seeds, degree=st.integers(1, 6))
def test_holomorphic_polynomials_of_one_variable_have_none_exactly(seed, degree):
    c, z = randn(seed, degree + 1), randn(seed + 1, 4, 1)

    def f(z):
        return sum(a * z**k for k, a in enumerate(c))

    scale = ((z.abs().max() + 1) ** degree * (1 + c.abs().max())) ** 2
    assert MeanValuePenalty(0.9, None)(f, z) <= 1e-28 * scale


@pytest.mark.parametrize("dtype", [R64, C128])
@given(seed=seeds)
def test_polynomials_of_low_degree_are_exact_in_every_draw(dtype, seed):
    """Holomorphic of degree 3, affine on R^n: nothing is left to the luck of the draw."""
    a, z = randn(seed, 3, 2, dtype=dtype), randn(seed + 1, 4, 3, dtype=dtype)
    degree = 3 if dtype is C128 else 1
    scale = (1 + (2 + z.abs().max()) * a.abs().max()) ** (2 * degree)
    assert MeanValuePenalty(1.0, 1, 1)(lambda z: (z @ a) ** degree, z).abs() <= 1e-26 * scale


@pytest.mark.parametrize(("dtype", "d"), [(R64, 2), (C128, 4)])
def test_small_spheres_see_the_laplacian(dtype, d):
    z = randn(0, 1500, 2, dtype=dtype)

    def f(z):
        return square(z) ** 2 + square(z)

    r = 1e-3
    found = MeanValuePenalty(r, 1, 1).estimate(f, z, 20, Probes(0))
    limit = LaplacianPenalty(None)(f, z)
    scale = (2 * d / r**2) ** 2
    assert scale * found.standard_error < 0.05 * limit
    assert (scale * found.value - limit).abs() < 3 * scale * found.standard_error + 1e-3 * limit


def test_kinks_are_seen():
    """|x| has no Laplacian off 0, and a mean that is not its value about 0."""
    x = torch.zeros(3, 1, dtype=R64)
    assert float(MeanValuePenalty(0.5, None)(torch.abs, x)) == pytest.approx(0.25)
    assert float(MeanValuePenalty(0.5)(torch.abs, x)) == pytest.approx(0.25)


def test_the_exact_mode_needs_a_single_coordinate():
    with pytest.raises(ConfigError, match=r"3 coordinates.*Give a count"):
        MeanValuePenalty(0.1, None)(torch.sin, randn(0, 2, 3))


@pytest.mark.parametrize("radius", [0.0, -1.0, float("inf"), float("nan")])
def test_bad_radii_are_refused(radius):
    with pytest.raises(ConfigError, match="radius"):
        MeanValuePenalty(radius)


@pytest.mark.parametrize("arguments", [{"count": 0}, {"every": 0}])
def test_bad_counts_are_refused(arguments):
    with pytest.raises(ConfigError, match="=0"):
        MeanValuePenalty(0.1, **arguments)
