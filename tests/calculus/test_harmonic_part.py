"""Harmonic parts on discs and balls: closed forms, the maximum principle, honest errors."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cases import each
from holonet.calculus.harmonic_part import harmonic_part, nonharmonic_fraction, poisson_integral
from holonet.domains import Annulus, Disc
from holonet.errors import ConfigError, DomainError, InputTypeError, NumericalError, ShapeError
from holonet.functions import get_function

F64, C64, C128 = torch.float64, torch.complex64, torch.complex128
seeds = st.integers(0, 2**32)
radii = st.floats(0.2, 2)
complexes = st.complex_numbers(max_magnitude=2)


def generator(seed):
    return torch.Generator().manual_seed(seed)


def randn(seed, *shape, dtype=C128):
    return torch.randn(*shape, generator=generator(seed), dtype=dtype)


def point(z):
    return torch.tensor(z, dtype=C128)


def inside(seed, center, radius, count=5):
    w = randn(seed, count)
    return center + radius * w / (w.abs().max() * 1.01)


# the disc


@given(seed=seeds, center=complexes, radius=radii)
def test_harmonic_functions_are_their_own_harmonic_part(seed, center, radius):
    z = inside(seed, center, radius)
    for u in (lambda z: z.exp().real, lambda z: (z**3).imag, lambda z: z.exp() + z.conj() ** 2):
        found = harmonic_part(u, z, center, radius)
        torch.testing.assert_close(found, u(z), rtol=1e-10, atol=1e-10)


@settings(max_examples=5)
@given(seed=seeds, radius=radii)
def test_closed_forms_about_the_origin(seed, radius):
    z, r2 = inside(seed, 0, radius), radius**2
    for u, expected in (
        (lambda z: z.abs() ** 2, torch.full((5,), r2, dtype=F64)),
        (lambda z: z.abs() ** 4, torch.full((5,), r2**2, dtype=F64)),
        (lambda z: z.real**2, (r2 + (z**2).real) / 2),
        (lambda z: z.imag**2, (r2 - (z**2).real) / 2),
        (lambda z: z.conj() * z**2, r2 * z),
        (lambda z: z * z.conj() ** 2, r2 * z.conj()),
    ):
        torch.testing.assert_close(harmonic_part(u, z, 0, radius), expected, rtol=1e-10, atol=1e-12)


@given(seed=seeds, center=complexes, radius=radii)
def test_poissons_kernel(seed, center, radius):
    """Against the integral itself, on points near enough to the center for 400 nodes."""
    u = lambda z: (z.real * 2).sin() * z.imag  # noqa: E731
    z = center + 0.9 * (inside(seed, center, radius) - center)
    unit = torch.exp(2j * math.pi * torch.arange(400, dtype=F64) / 400)
    y = center + radius * unit
    kernel = (radius**2 - (z - center).abs() ** 2).unsqueeze(1) / (z[:, None] - y).abs() ** 2
    expected = (kernel * u(y)).mean(1)
    torch.testing.assert_close(harmonic_part(u, z, center, radius), expected, rtol=0, atol=1e-9)


@given(seed=seeds, center=complexes, radius=radii)
def test_the_maximum_principle(seed, center, radius):
    weights = randn(seed, 4, dtype=F64)
    u = lambda z: (weights * torch.stack([z.real, z.imag**2, z.abs() ** 2, z.real**3], -1)).sum(-1)  # noqa: E731
    boundary = u(center + radius * torch.exp(2j * math.pi * torch.arange(500, dtype=F64) / 500))
    found = harmonic_part(u, inside(seed, center, radius, 20), center, radius)
    slack = 1e-3 * (boundary.max() - boundary.min()) + 1e-10
    assert found.max() <= boundary.max() + slack
    assert found.min() >= boundary.min() - slack


@given(seed=seeds, center=complexes, radius=radii)
def test_the_harmonic_part_is_idempotent_and_has_the_values_on_the_circle(seed, center, radius):
    u = lambda z: z.abs() ** 2 * z.real + z.imag  # noqa: E731
    z = inside(seed, center, radius)
    once = harmonic_part(u, z, center, radius)
    twice = harmonic_part(
        lambda y: harmonic_part(u, y, center, radius), z, center, radius, samples=32
    )
    torch.testing.assert_close(twice, once, rtol=1e-9, atol=1e-9)
    on = center + radius * torch.exp(1j * torch.arange(5, dtype=F64))
    torch.testing.assert_close(harmonic_part(u, on, center, radius), u(on), rtol=1e-9, atol=1e-9)


def test_the_mean_stands_at_the_center():
    z = point(0.5j)
    found = harmonic_part(lambda z: z.abs() ** 2, z, 0.5j, 2)
    torch.testing.assert_close(found, torch.tensor(0.25 + 4, dtype=F64))


@pytest.mark.parametrize("samples", [1, 2, 3, 7, 8])
def test_the_highest_degree_that_is_exact(samples):
    z, degree = point([0.5, 0.3j]), (samples - 1) // 2
    for u in (lambda z: z**degree, lambda z: z.conj() ** degree):
        torch.testing.assert_close(harmonic_part(u, z, 0, 1, samples=samples), u(z))
    if samples > 1:
        aliased = harmonic_part(lambda z: z ** (samples - 1), z, 0, 1, samples=samples)
        assert (aliased - z ** (samples - 1)).abs().max() > 0.1


def test_the_series_of_a_jump_does_not_settle_and_of_a_singularity_converges():
    with pytest.raises(NumericalError, match=r"harmonic_part .*not settled with 4096 samples"):
        harmonic_part(lambda z: z.imag.sign(), point([0.9j]), 0, 1)
    for n in (8, 16, 32):
        found = harmonic_part(lambda z: (1 / (1 - 0.6 * z)).real, point([0]), 0, 1, samples=n)
        assert float(found) - 1 == pytest.approx(0.6**n / (1 - 0.6**n), rel=1e-5)


def test_shapes_dtypes_and_gradients():
    z = randn(0, 2, 3, dtype=C64) / 10
    u = lambda z: torch.stack([z.real, z.imag**2], -1)  # noqa: E731
    found = harmonic_part(u, z, 0, 1)
    assert found.shape == (2, 3, 2)
    assert found.dtype == torch.float32
    assert harmonic_part(torch.exp, z, 0, 1).dtype == C64
    inner = point([0.2, 0.0, -0.3j]).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda z: harmonic_part(lambda y: y.real**2, z, 0, 1, samples=8), (inner,)
    )


def test_obstacles_inside_the_circle_are_no_matter():
    ring = Annulus(0, 0.5, 2)
    found = harmonic_part(lambda z: z.abs().log(), point([0.1]), 0, 1.5, domain=ring)
    torch.testing.assert_close(found, torch.full((1,), math.log(1.5), dtype=F64))
    with pytest.raises(DomainError, match=r"harmonic_part: the circle .* touches"):
        harmonic_part(get_function("log"), point([0.1]), 0, 1.0)
    with pytest.raises(NumericalError, match=r"harmonic_part: f\(1\+0j\)"):
        harmonic_part(lambda z: 1 / (z - 1), point([0.1]), 0, 1.0, samples=4)


@pytest.mark.parametrize("z", [[0, 2], [0.5, 1.001j], [math.nan]])
def test_points_outside_the_disc(z):
    with pytest.raises(DomainError, match=r"harmonic_part: the point .* radii from the center"):
        harmonic_part(torch.exp, point(z), 0, 1)


# the ball


@pytest.mark.parametrize("repeats", [10, pytest.param(200, marks=pytest.mark.slow)])
def test_poisson_integrals_of_harmonic_polynomials_with_honest_errors(repeats):
    """A cubic harmonic polynomial in space; scores of mean 0, and of many variance near 1."""
    x = torch.tensor([[0.1, 0.2, 0.3], [0.5, -0.2, 0.0], [0.0, 0.0, 0.0]], dtype=F64)
    center = torch.tensor([1.0, -2.0, 0.5], dtype=F64)
    h = lambda x: x[:, 0] * x[:, 1] + x[:, 2] ** 3 - 3 * x[:, 2] * x[:, 0] ** 2 + x[:, 1]  # noqa: E731
    u = lambda y: h((y - center) / 2)  # noqa: E731
    found = [
        poisson_integral(u, center + 2 * x, center, 2.0, count=25, generator=generator(seed))
        for seed in range(repeats)
    ]
    scores = torch.stack([e.z_score(h(x)) for e in found])[:, :2]
    assert scores.mean(0).abs().max() < 5 / math.sqrt(repeats)
    if repeats > 100:
        assert scores.var(0).min() > 0.7
        assert scores.var(0).max() < 1.5
    at_center = torch.stack([e.value for e in found])[:, 2]
    assert at_center.abs().max() < 1e-12  # odd and quadratic: the frame is exact


@pytest.mark.parametrize(("dtype", "shape"), [(F64, (2,)), (C128, ()), (C128, (2,))])
def test_poisson_integrals_of_the_squared_norm(dtype, shape):
    """Constant on the sphere, so nothing is left to chance: R^2."""
    center = torch.zeros(shape, dtype=dtype)
    x = randn(0, 3, *shape, dtype=dtype) / 10
    u = lambda y: y.abs().square().reshape(len(y), -1).sum(1)  # noqa: E731
    found = poisson_integral(u, x, center, 1.5, generator=generator(0))
    torch.testing.assert_close(found.value, torch.full((3,), 2.25, dtype=F64))
    assert found.standard_error.max() < 1e-12


def test_poisson_integrals_agree_with_the_series_on_a_disc():
    z = point([0.3, -0.2j, 0.4 + 0.4j])
    u = lambda z: z.real**2 * z.imag + z.abs() + 1j * z.imag**2  # noqa: E731
    exact = harmonic_part(u, z, 0, 1)
    found = poisson_integral(u, z, point(0), 1.0, count=1000, generator=generator(1))
    assert found.value.dtype == C128
    assert (found.z_score(exact).abs() < 4.5).all()
    assert found.standard_error.max() < 0.04


def test_in_one_dimension_it_is_the_straight_line():
    x = torch.tensor([[0.5], [-0.9]], dtype=F64)
    found = poisson_integral(
        lambda x: x.exp()[:, 0], x, torch.zeros(1, dtype=F64), 1.0, generator=generator(0)
    )
    line = math.cosh(1) + math.sinh(1) * x[:, 0]
    torch.testing.assert_close(found.value, line)


@pytest.mark.parametrize("count", [2, 100])
def test_points_too_near_to_the_sphere(count):
    x = torch.zeros(1, 20, dtype=F64)
    x[0, 0] = 0.9
    with pytest.raises(NumericalError, match=r"in 20 real dimensions .*at least \d+ frames"):
        poisson_integral(lambda x: x.sum(1), x, x[0] * 0, 1.0, count=count)


def test_the_second_moment_of_the_weights():
    """The number that decides whether so few points are believed."""
    n, s = 3, 0.5
    y = torch.randn(200_000, n, generator=generator(0), dtype=F64)
    y = y / y.norm(dim=1, keepdim=True)
    x = torch.tensor([s, 0, 0], dtype=F64)
    weights = (1 - s**2) / (x - y).norm(dim=1) ** n
    assert float(weights.mean()) == pytest.approx(1, abs=0.02)
    moment = (1 + s**2) / (1 - s**2) ** (n - 1)
    assert float((weights**2).mean()) == pytest.approx(moment, rel=0.05)
    frames = math.ceil(30 * moment / (2 * n))
    poisson_integral(lambda x: x.sum(1), x[None], 0 * x, 1.0, count=frames)
    with pytest.raises(NumericalError, match=f"at least {frames} frames"):
        poisson_integral(lambda x: x.sum(1), x[None], 0 * x, 1.0, count=frames - 1)


@pytest.mark.parametrize("shape", [(3,), (2, 2), (0, 3), (2, 3, 1)])
def test_points_of_another_shape_than_the_center(shape):
    with pytest.raises(ShapeError, match=r"poisson_integral at points .* \(3,\)"):
        poisson_integral(lambda x: x.sum(1), torch.zeros(shape), torch.zeros(3), 1.0)


def test_bad_balls():
    x, center = torch.zeros(2, 3), torch.zeros(3)
    u = lambda x: x.sum(1)  # noqa: E731
    with pytest.raises(DomainError, match="poisson_integral: the point"):
        poisson_integral(u, x + 1, center, 1.0)
    with pytest.raises(ConfigError, match="poisson_integral: radius=-1"):
        poisson_integral(u, x, center, -1)
    with pytest.raises(ConfigError, match="poisson_integral: count=1"):
        poisson_integral(u, x, center, 1.0, count=1)
    with pytest.raises(NumericalError, match="poisson_integral: f"):
        poisson_integral(lambda x: (x.sum(1) - 9).log(), x, center, 1.0)


# the fraction


@settings(max_examples=5)
@given(seed=seeds, radius=radii)
def test_harmonic_functions_have_no_fraction(seed, radius):
    z = randn(seed, 3)
    for u in (
        lambda z: (z / 2).exp().real,
        lambda z: (z**3).imag,
        lambda z: z.exp() - z.conj() ** 2,
    ):
        assert nonharmonic_fraction(u, z, radius).max() < 1e-20


@pytest.mark.parametrize("radius", [0.3, 1.7])
def test_fractions_in_closed_form(radius):
    z = point([0])
    for u, expected in (
        (lambda z: z.abs() ** 2, 1),
        (lambda z: z.abs() ** 4, 1),
        (lambda z: z.real**2, 1 / 3),
        (lambda z: z.real**2 + 2j * z.imag**2 + 5, 1 / 3),
        (lambda z: torch.stack([z.real**2, z.real * z.imag], -1), 1 / 5),
        (lambda z: z.conj() * z**2, 1 / 9),
        (lambda z: z.conj() ** 2 * z, 1 / 9),
    ):
        found = nonharmonic_fraction(u, z, radius)
        torch.testing.assert_close(found, torch.tensor([expected], dtype=F64), rtol=1e-10, atol=0)


@given(seed=seeds, radius=radii)
def test_the_fraction_is_the_least_squares_misfit(seed, radius):
    """Against a fit of harmonic polynomials to random points of the disc; and between 0 and 1."""
    center = randn(seed, 1)
    weights = randn(seed + 1, 6, dtype=F64)

    def u(z):
        x, y = z.real, z.imag
        return torch.stack([x, y**2, x**2, x * y, x**3, y * x**2], -1) @ weights

    found = nonharmonic_fraction(u, center, radius)
    assert 0 <= float(found) <= 1
    nodes, mass = grid()
    z = center + radius * nodes
    basis = torch.stack(
        [
            torch.ones_like(z.real),
            *(p for k in (1, 2, 3) for p in ((nodes**k).real, (nodes**k).imag)),
        ],
        -1,
    )
    root = mass.sqrt()
    values = (u(z) * root).unsqueeze(1)
    fit = torch.linalg.lstsq(basis * root.unsqueeze(1), values).solution
    rest = (values - basis * root.unsqueeze(1) @ fit).square().sum()
    varying = (values[:, 0] - (values[:, 0] * root).sum() * root).square().sum()
    torch.testing.assert_close(found[0], rest / varying, rtol=1e-6, atol=1e-12)


def grid():
    """A product rule on the unit disc by midpoints in angle and Gauss in radius, its own code."""
    s = torch.tensor([0.0694318442, 0.3300094782, 0.6699905218, 0.9305681558], dtype=F64)
    w = torch.tensor([0.1739274226, 0.3260725774, 0.3260725774, 0.1739274226], dtype=F64)
    angle = (torch.arange(16, dtype=F64) + 0.5) * math.pi / 8
    nodes = s.sqrt()[:, None] * torch.exp(1j * angle)
    return nodes.flatten(), (w[:, None] / 16).expand(4, 16).flatten() / w.sum()


@given(seed=seeds, radius=radii, a=st.complex_numbers(min_magnitude=0.1, max_magnitude=10))
def test_the_fraction_is_the_same_for_multiples_and_shifts(seed, radius, a):
    z = randn(seed, 3)
    u = lambda z: z.abs() ** 2 + z.real  # noqa: E731
    torch.testing.assert_close(
        nonharmonic_fraction(lambda z: a * u(z) + 3, z, radius),
        nonharmonic_fraction(u, z, radius),
        rtol=1e-6,
        atol=1e-10,
    )


def test_constants_have_no_fraction():
    z = randn(0, 3)
    for c in (0.0, 7.0, 1e10, 1e-10):
        assert nonharmonic_fraction(lambda z, c=c: 0 * z.real + c, z, 1.0).tolist() == [0, 0, 0]


def test_lines_tell_pluriharmonic_from_harmonic():
    z, v = randn(0, 5, 2), randn(1, 5, 2)
    pluriharmonic = lambda z: (z[:, 0] * z[:, 1] ** 2).real  # noqa: E731
    harmonic = lambda z: z[:, 0].abs() ** 2 - z[:, 1].abs() ** 2  # noqa: E731
    assert nonharmonic_fraction(pluriharmonic, z, 1.0, direction=v).max() < 1e-20
    assert nonharmonic_fraction(harmonic, z, 1.0, direction=v).min() > 1e-5
    doubled = nonharmonic_fraction(harmonic, z, 0.5, direction=2j * v)
    torch.testing.assert_close(doubled, nonharmonic_fraction(harmonic, z, 1.0, direction=v))
    one = nonharmonic_fraction(lambda z: z[:, 0].real ** 2, torch.zeros(2, 1, dtype=C128), 1.0)
    torch.testing.assert_close(one, torch.full((2,), 1 / 3, dtype=F64))


@pytest.mark.parametrize("samples", [8, 9, 32])
def test_the_degrees_that_are_exact(samples):
    degree = (samples - 1) // 2
    z = point([0.3 - 0.2j])
    assert float(nonharmonic_fraction(lambda z: (z**degree).real, z, 1.0, samples=samples)) < 1e-20
    u = lambda z: z.real ** (degree - 1)  # noqa: E731
    torch.testing.assert_close(
        nonharmonic_fraction(u, z, 1.0, samples=samples),
        nonharmonic_fraction(u, z, 1.0, samples=64),
    )


def test_single_precision_and_gradients():
    z = randn(0, 3, dtype=C64)
    found = nonharmonic_fraction(lambda z: z.abs() ** 2 + z.real, z, 1.0)
    assert found.dtype == torch.float32
    assert nonharmonic_fraction(lambda z: z.real, z, 1.0).max() < 1e-11
    weight = torch.tensor(0.5, dtype=F64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda w: nonharmonic_fraction(
            lambda z: z.real + w * z.imag**2, point([0.2j]), 1.0, samples=8
        ),
        (weight,),
    )


def test_bad_discs():
    z = point([2, 3])
    with pytest.raises(DomainError, match=r"nonharmonic_fraction: .*closed disc.*below 2,"):
        nonharmonic_fraction(get_function("log"), z, 2.0)
    with pytest.raises(DomainError):
        nonharmonic_fraction(get_function("log"), z, 1.0, direction=point([1, 3.5]))
    with pytest.raises(DomainError):
        nonharmonic_fraction(torch.exp, z, 1.0, domain=Disc())
    with pytest.raises(NumericalError, match="nonharmonic_fraction: f"):
        nonharmonic_fraction(lambda z: z / 0, z, 1.0)
    with pytest.raises(ConfigError, match="samples=3"):
        nonharmonic_fraction(torch.exp, z, 1.0, samples=3)
    with pytest.raises(ShapeError, match="directions of the same shape"):
        nonharmonic_fraction(torch.exp, z[None], 1.0)
    with pytest.raises(ShapeError):
        nonharmonic_fraction(torch.exp, z, 1.0, direction=z[:1])
    with pytest.raises(ShapeError):
        nonharmonic_fraction(torch.exp, z[0], 1.0)
    with pytest.raises(InputTypeError, match="nonharmonic_fraction at real points"):
        nonharmonic_fraction(torch.exp, z.real, 1.0)
    with pytest.raises(InputTypeError, match=r"harmonic_part at real points .*poisson_integral"):
        harmonic_part(torch.exp, z.real, 0, 4)


@pytest.mark.parametrize("radius", [0, -1.0, math.inf, math.nan])
def test_bad_radii(radius):
    with pytest.raises(ConfigError, match=f"nonharmonic_fraction: radius={radius}"):
        nonharmonic_fraction(torch.exp, point([0]), radius)
    with pytest.raises(ConfigError, match=f"harmonic_part: radius={radius}"):
        harmonic_part(torch.exp, point([0]), 0, radius)


@each("degree", [3, 12, 13, 20, 40, 64, 200, 270])
def test_a_high_mode_is_not_taken_for_a_low_one(degree):
    def u(z):
        return (z**degree).real

    def fraction():
        return nonharmonic_fraction(u, point([0]), 1.0)

    if degree < 22:
        assert fraction() < 1e-20
    else:  # harmonic all the same, but beyond what the samples tell apart
        with pytest.raises(NumericalError, match="has not settled with 77 samples"):
            fraction()


@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1e160, 1e300])
def test_the_fraction_does_not_depend_on_the_scale(scale):
    found = nonharmonic_fraction(lambda z: scale * z.real.square(), point([0]), 1.0)
    torch.testing.assert_close(found, torch.tensor([1 / 3], dtype=torch.float64))
