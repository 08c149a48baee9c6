"""Means over circles, spheres and balls: closed forms, honest errors, and what is refused."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cases import each
from holonet.calculus.mean_value import (
    LARGEST_FRAME,
    ball_mean,
    circle_mean,
    frame,
    mean_value_gap,
    sphere_mean,
)
from holonet.domains import Disc, Polydisc
from holonet.errors import ConfigError, DomainError, InputTypeError, NumericalError, ShapeError
from holonet.functions import get_function

F64, C64, C128 = torch.float64, torch.complex64, torch.complex128
seeds = st.integers(0, 2**32)
radii = st.floats(0.1, 3)
MEANS = {"sphere_mean": sphere_mean, "ball_mean": ball_mean, "mean_value_gap": mean_value_gap}
SHAPES = [(F64, (2, 1)), (F64, (2, 3)), (C128, (2,)), (C128, (2, 2)), (F64, (2, 2, 2))]


def generator(seed):
    return torch.Generator().manual_seed(seed)


def randn(seed, *shape, dtype=C128):
    return torch.randn(shape, generator=generator(seed), dtype=dtype)


def real_coordinates(z):
    return (torch.view_as_real(z) if z.is_complex() else z).reshape(len(z), -1)


class Quadratic:
    """(Ax, x) + (b, x) + c in the real coordinates, with its means by hand."""

    def __init__(self, seed, n):
        self.a, self.b, self.c = (randn(seed, *s, dtype=F64) for s in ((n, n), (n,), ()))

    def __call__(self, z):
        x = real_coordinates(z)
        return ((x @ self.a) * x).sum(1) + x @ self.b + self.c

    def gap(self, n, radius):
        return self.a.trace() * radius**2 / n


# circles


@given(seed=seeds, radius=radii)
def test_holomorphic_and_pluriharmonic_functions_have_their_value(seed, radius):
    z, v = randn(seed, 3, 2), randn(seed + 1, 3, 2)

    def f(z):
        return z[:, 0] ** 3 * z[:, 1] + (0.3 * z[:, 1]).exp()

    size = (
        f(z).abs()
        + ((z.abs() + radius * v.abs()).sum(1) + 1) ** 4 * (radius * v.abs().sum(1)).exp()
    )
    for u in (f, lambda z: f(z).real, lambda z: f(z).conj()):
        found = circle_mean(u, z, v, radius)
        assert ((found - u(z)).abs() <= 1e-13 * size).all()


@pytest.mark.parametrize("samples", [1, 4, 9])
def test_circle_means_are_exact_below_the_number_of_samples(samples):
    z, v = torch.zeros(1, dtype=C128), torch.ones(1, dtype=C128)
    for k in range(1, samples):
        for f in (lambda z, k=k: z**k, lambda z, k=k: z.conj() ** k):
            assert circle_mean(f, z, v, 1.0, samples=samples).abs() < 1e-14
    aliased = circle_mean(lambda z: z**samples, z, v, 1.0, samples=samples)
    torch.testing.assert_close(aliased, torch.ones(1, dtype=C128))


@given(seed=seeds, radius=radii)
def test_the_squared_modulus_grows_by_that_of_the_step(seed, radius):
    z, v = randn(seed, 3, 2, 2), randn(seed + 1, 3, 2, 2)
    found = circle_mean(lambda z: (z * z.conj()).real, z, v, radius)
    torch.testing.assert_close(found, z.abs() ** 2 + radius**2 * v.abs() ** 2)


def test_a_circle_stays_in_its_complex_line():
    seen = []

    def f(z):
        seen.append(z)
        return z[:, 0]

    z, v = point([[1, 2j]]), point([[1j, 2]])
    circle_mean(f, z, v, 3.0, samples=8)
    t = (seen[0] - z) / v
    torch.testing.assert_close(t[:, 0], t[:, 1])
    torch.testing.assert_close(t.abs(), torch.full_like(t.real, 3))
    assert float(t[:, 0].sum().abs()) < 1e-12


def point(z):
    return torch.tensor(z, dtype=C128)


def test_circle_means_in_single_precision_with_a_gradient():
    z = torch.tensor([1 + 1j], dtype=C64, requires_grad=True)
    found = circle_mean(lambda z: z.abs() ** 2, z, torch.ones_like(z), 2.0)
    assert found.dtype == torch.float32
    found.sum().backward()
    torch.testing.assert_close(z.grad, 2 * z.detach())


def test_circles_need_complex_points():
    with pytest.raises(InputTypeError, match=r"circle_mean at real points .*sphere_mean"):
        circle_mean(torch.sin, torch.ones(2), torch.ones(2), 1.0)


def test_circles_keep_to_the_domain():
    log, z, v = get_function("log"), point([2, 3]), point([1, 1])
    torch.testing.assert_close(circle_mean(log, z, v, 1.0), z.log())
    with pytest.raises(DomainError, match=r"circle_mean: .* radius 2.5 .*below 2,"):
        circle_mean(log, z, v, 2.5)
    with pytest.raises(DomainError, match=r"circle_mean: .* radius 3.0 "):
        circle_mean(log, z, 3j * v, 1.0)
    with pytest.raises(ConfigError, match="samples=0"):
        circle_mean(log, z, v, 1.0, samples=0)
    with pytest.raises(NumericalError, match=r"circle_mean: f\(0"):
        circle_mean(torch.reciprocal, point([-1]), point([1]), 1.0)


# frames


@each(("dtype", "shape"), [*SHAPES, (F64, (2, 40)), (C128, (1, 20))])
def test_frames_are_orthonormal_with_opposites(dtype, shape):
    z = randn(0, *shape, dtype=dtype)
    directions = frame(z, generator(1))
    n = real_coordinates(z).shape[1]
    k = min(n, LARGEST_FRAME)
    assert directions.shape == (2 * k, *shape)
    assert directions.dtype == dtype
    torch.testing.assert_close(directions[k:], -directions[:k])
    x = torch.stack([real_coordinates(d) for d in directions[:k]], 1)
    torch.testing.assert_close(x @ x.mT, torch.eye(k, dtype=F64).expand(len(z), k, k))
    if len(z) > 1 and n > 1:  # every example has its own
        assert not torch.allclose(x[0], x[1])


def test_directions_are_uniform_on_the_sphere():
    x = frame(torch.zeros(4000, 3, dtype=F64), generator(0))[:3]
    for axis in range(3):
        square, fourth = x[:, :, axis] ** 2, x[:, :, axis] ** 4
        for values, mean in ((square, 1 / 3), (fourth, 1 / 5)):
            error = values.std(1) / math.sqrt(4000)
            assert ((values.mean(1) - mean).abs() < 4.5 * error).all()
        other = x[:, :, axis] * x[:, :, (axis + 1) % 3]
        assert (other.mean(1).abs() < 4.5 * other.std(1) / math.sqrt(4000)).all()


# spheres and balls


@pytest.mark.parametrize(("dtype", "shape"), SHAPES)
@settings(max_examples=5)
@given(seed=seeds, radius=radii)
def test_quadratics_have_exact_spherical_means(dtype, shape, seed, radius):
    z = randn(seed, *shape, dtype=dtype)
    n = real_coordinates(z).shape[1]
    u = Quadratic(seed + 1, n)
    found = mean_value_gap(u, z, radius, count=2, generator=generator(seed))
    size = (1 + z.abs().max() + radius) ** 2
    expected = u.gap(n, radius).expand(2)
    torch.testing.assert_close(found.value, expected, rtol=0, atol=1e-12 * float(size) * n)
    assert (found.standard_error < 1e-12 * size * n).all()
    mean = sphere_mean(u, z, radius, count=2, generator=generator(seed))
    torch.testing.assert_close(mean.value, u(z) + expected, rtol=0, atol=1e-12 * float(size) * n)


@given(seed=seeds, radius=radii)
def test_odd_functions_about_the_centers_have_mean_zero(seed, radius):
    z = randn(seed, 2, 3, dtype=F64)
    for mean in (sphere_mean, ball_mean):
        found = mean(lambda x: ((x[:, None] - z).sin() ** 3).sum(2), z, radius, count=2)
        for example in range(2):
            assert found.value[example, example].abs() < 1e-14


@pytest.mark.parametrize("n", [1, 2, 5, 40])
def test_the_ball_mean_of_the_squared_norm(n):
    x = randn(n, 30, n, dtype=F64)
    found = ball_mean(lambda x: (x**2).sum(1), x, 2.0, count=30, generator=generator(0))
    expected = (x**2).sum(1) + 4 * n / (n + 2)
    z = found.z_score(expected)
    assert z.abs().max() < 5
    assert float((z**2).mean()) < 2
    assert found.standard_error.max() < 0.3


def test_strata_and_frames_have_less_variance_than_plain_points():
    """Against as many independent points, for a function with a linear and a quadratic part."""
    x = randn(0, 1, 8, dtype=F64)
    u = lambda x: (0.3 * x).exp().prod(1)  # noqa: E731
    count = 40
    plain = torch.randn(count * 16, 8, generator=generator(1), dtype=F64)
    plain = u(x + plain / plain.norm(dim=1, keepdim=True)).std() / math.sqrt(len(plain))
    found = sphere_mean(u, x, 1.0, count=count, generator=generator(1))
    assert float(found.standard_error) < float(plain) / 20


@pytest.mark.parametrize(("dtype", "shape"), [(F64, (2, 3)), (C128, (2, 2))])
def test_fourth_powers_have_honest_errors(dtype, shape):
    """Mean of |x_1|^4 over the sphere about 0 is 3/(n(n+2)), over the ball n/(n+4) of it."""
    z = torch.zeros(400, *shape[1:], dtype=dtype)
    n = real_coordinates(z).shape[1]
    sphere = 3 / (n * (n + 2)) * 1.5**4
    for mean, expected in (
        (sphere_mean, sphere),
        (mean_value_gap, sphere),
        (ball_mean, sphere * n / (n + 4)),
    ):
        u = lambda z: real_coordinates(z)[:, 0] ** 4  # noqa: E731
        found = mean(u, z, 1.5, count=40, generator=generator(3))
        scores = found.z_score(expected)
        assert float(scores.mean().abs()) < 0.25  # 5/sqrt(400)
        assert 0.75 < float(scores.var()) < 1.4


@given(seed=seeds, radius=st.floats(0.1, 1))
def test_harmonic_functions_have_no_gap(seed, radius):
    """In all real coordinates: the real part of a holomorphic function, and 1/|x| in space."""
    z = randn(seed, 3, 2)
    u = lambda z: (z[:, 0] ** 2 * z[:, 1] ** 3).real  # noqa: E731
    gap = mean_value_gap(u, z, radius, generator=generator(seed))
    assert (gap.z_score(0).abs() < 8).all()
    x = randn(seed, 3, 3, dtype=F64)
    x = x / x.norm(dim=1, keepdim=True) * 2.5
    gap = mean_value_gap(lambda x: 1 / x.norm(dim=1), x, radius, generator=generator(seed))
    assert (gap.z_score(0).abs() < 8).all()


def test_newtons_potential_is_harmonic_in_three_dimensions_only():
    for n in (2, 3, 4):
        x = torch.full((200, n), 2 / math.sqrt(n), dtype=F64)
        gap = mean_value_gap(lambda x: 1 / x.norm(dim=1), x, 1.0, count=40, generator=generator(n))
        score = float(gap.z_score(0).mean()) * math.sqrt(200)
        assert (abs(score) < 5) == (n == 3)


@settings(max_examples=5)
@given(seed=seeds, radius=radii)
def test_subharmonic_functions_lie_below_their_means(seed, radius):
    z = randn(seed, 3)
    for u in (
        lambda z: (z - 0.3).abs(),
        lambda z: torch.log(1 + z.abs() ** 2),
        lambda z: z.real.exp(),
    ):
        gap = mean_value_gap(u, z, radius, generator=generator(seed))
        assert (gap.value > -6 * gap.standard_error).all()


def test_the_gap_is_the_laplacian_for_small_radii():
    x = randn(0, 5, 3, dtype=F64)
    u = lambda x: x.sin().sum(1) + (x[:, 0] * x[:, 1]) ** 2  # noqa: E731
    laplacian = -x.sin().sum(1) + 2 * (x[:, 0] ** 2 + x[:, 1] ** 2)
    errors = []
    for radius in (0.1, 0.05):
        gap = mean_value_gap(u, x, radius, count=64, generator=generator(1))
        errors.append((gap.value * 6 / radius**2 - laplacian).abs().max())
    assert errors[1] < errors[0] / 3  # O(radius^2)
    assert errors[1] < 0.01


@pytest.mark.parametrize("mean", MEANS.values(), ids=MEANS)
def test_complex_values_real_points_and_more_axes(mean):
    x = randn(0, 4, 3, dtype=F64)
    found = mean(lambda x: torch.complex(x, x**2)[:, :, None] * torch.ones(2), x, 1.0)
    assert found.value.shape == (4, 3, 2)
    assert found.value.dtype == C128
    assert found.standard_error.shape == (4, 3, 2)
    assert found.standard_error.dtype == F64


@each("mean", MEANS.values(), ids=MEANS)
@each("dtype", [torch.float32, C64])
def test_single_precision(mean, dtype):
    z = randn(0, 4, 3, dtype=dtype)
    found = mean(lambda z: (z * z.conj()).real.sum(1), z, 1.0)
    assert found.value.dtype == torch.float32
    assert found.standard_error.dtype == torch.float32


@pytest.mark.parametrize("mean", MEANS.values(), ids=MEANS)
def test_means_can_be_differentiated_and_repeated(mean):
    x = randn(0, 2, 3, dtype=F64).requires_grad_()

    def value(x):
        return mean(lambda x: x.sin().prod(1), x, 1.0, count=2, generator=generator(5)).value

    assert torch.autograd.gradcheck(value, (x,))
    assert torch.equal(value(x), value(x))
    state = torch.get_rng_state()
    value(x)
    assert torch.equal(state, torch.get_rng_state())


def test_constants():
    z = randn(0, 3, 2)
    for mean in (sphere_mean, ball_mean):
        found = mean(lambda z: torch.full((len(z),), 7.0, dtype=F64), z, 1.0)
        torch.testing.assert_close(found.value, torch.full((3,), 7.0, dtype=F64))
        assert (found.standard_error < 1e-14).all()


# what is refused


@each("name", MEANS)
@each("radius", [0, -1.0, math.inf, math.nan])
def test_bad_radii(name, radius):
    with pytest.raises(ConfigError, match=f"{name}: radius={radius}"):
        MEANS[name](torch.sin, torch.ones(2), radius)
    with pytest.raises(ConfigError, match=f"circle_mean: radius={radius}"):
        circle_mean(torch.sin, point([1]), point([1]), radius)


@each("name", MEANS)
@each("count", [1, 0, -2])
def test_one_frame_has_no_standard_error(name, count):
    with pytest.raises(ConfigError, match=f"{name}: count={count}.*at least 2"):
        MEANS[name](torch.sin, torch.ones(2), 1.0, count=count)


@each("name", MEANS)
@each("shape", [(), (0,), (0, 3), (3, 0)])
def test_points_without_a_batch(name, shape):
    with pytest.raises(ShapeError, match=f"{name} at points of shape .*unsqueeze"):
        MEANS[name](torch.sin, torch.ones(shape), 1.0)
    with pytest.raises(ShapeError, match="circle_mean"):
        circle_mean(torch.sin, torch.ones(shape, dtype=C64), torch.ones(shape, dtype=C64), 1.0)


@pytest.mark.parametrize("name", MEANS)
def test_integers(name):
    with pytest.raises(InputTypeError, match=f"{name} at torch.int64"):
        MEANS[name](torch.sin, torch.ones(2, dtype=torch.int64), 1.0)


@pytest.mark.parametrize("name", MEANS)
def test_balls_keep_to_the_domain(name):
    log, z = get_function("log"), point([[2, 3], [4, 1j]])
    MEANS[name](log, z, 0.9)
    with pytest.raises(DomainError, match=f"{name}: .*one of the 2 points: .*below 1,"):
        MEANS[name](log, z, 1.1)
    with pytest.raises(DomainError, match=name):
        MEANS[name](torch.exp, z, 0.1, domain=Disc())
    with pytest.raises(DomainError, match=name):
        MEANS[name](torch.exp, z, 0.5, domain=Polydisc(z[0], 0.4))


def test_real_points_have_no_planar_domain():
    """A singularity off the real axis is none for real points."""
    found = sphere_mean(torch.tanh, torch.zeros(2), 3.0, domain=get_function("tanh").domain)
    assert found.value.abs().max() < 1e-6


@pytest.mark.parametrize("name", MEANS)
def test_values_that_are_not_finite(name):
    with pytest.raises(NumericalError, match=rf"{name}: f\(.*not finite"):
        MEANS[name](lambda x: (x - 5).log(), torch.zeros(2, dtype=F64), 1.0)
    with pytest.raises(ShapeError, match=f"{name}: f took points"):
        MEANS[name](torch.sum, torch.zeros(2, dtype=F64), 1.0)
