"""Closed forms: harmonic, least in energy, and minimizers of what they say they minimize."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cases import each, some_of
from holonet.calculus import laplacian
from holonet.data import DiscMode, RingPotential, two_rings
from holonet.data.synthetic import _bessel
from holonet.errors import DomainError
from holonet.regularizers import DirichletEnergy

PROBLEMS = st.one_of(
    st.builds(DiscMode, st.integers(1, 5)),
    st.builds(
        lambda inner, ratio: RingPotential(inner, inner * ratio),
        st.floats(0.1, 2.0),
        st.floats(1.3, 5.0),
    ),
)
WEIGHTS = st.floats(0.01, 3.0)
SEEDS = st.integers(0, 1000)


def inside(problem, count=20, seed=0):
    return problem.domain.sample(count, generator=torch.Generator().manual_seed(seed))


def grid(problem, radii=200, angles=128):
    """Points whose plain mean is the mean over the domain's area, by Gauss and the trapezoid."""
    low = getattr(problem, "inner", 0.0) ** 2
    high = getattr(problem, "outer", 1.0) ** 2
    squares = low + (high - low) * (torch.arange(radii, dtype=torch.float64) + 0.5) / radii
    angle = torch.arange(angles, dtype=torch.float64) * (2 * math.pi / angles)
    return torch.polar(squares.sqrt()[:, None], angle[None]).flatten()


def energy(u, z):
    return float(DirichletEnergy(count=None)(lambda x: u(torch.view_as_complex(x)), real(z)))


def real(z):
    return torch.view_as_real(z).contiguous()


def objective(u, problem, weight, paid):
    error = u(paid) - problem.solution(paid)
    return float(error.square().mean()) + weight * energy(u, grid(problem))


@settings(max_examples=15)
@given(PROBLEMS, WEIGHTS, SEEDS)
def test_solutions_are_harmonic(problem, weight, seed) -> None:
    z = inside(problem, seed=seed)
    for u in (problem.solution, lambda z: problem.soft_solution(z, weight)):
        size = u(z).abs().max() / z.abs().min() ** 2
        assert laplacian(u, z).abs().max() < 1e-10 * (1 + size)


@given(st.integers(1, 5))
def test_values_on_the_circle(k) -> None:
    z = DiscMode(k).domain.boundary(64)
    torch.testing.assert_close(DiscMode(k).solution(z), torch.cos(k * z.angle()))


@given(st.floats(0.1, 2.0), st.floats(1.3, 5.0))
def test_values_on_the_ring(inner, ratio) -> None:
    problem = RingPotential(inner, inner * ratio)
    values = problem.solution(problem.domain.boundary(20))
    expected = torch.cat([torch.ones(10), torch.zeros(10)]).double()
    torch.testing.assert_close(values, expected)
    middle = torch.tensor([problem.harmonic_boundary + 0j], dtype=torch.complex128)
    torch.testing.assert_close(problem.solution(middle), torch.tensor([0.5]).double())


@given(PROBLEMS)
def test_energy_is_that_of_the_solution(problem) -> None:
    assert energy(problem.solution, grid(problem)) == pytest.approx(problem.energy, rel=1e-3)


@given(PROBLEMS, st.floats(0.1, 1.0), st.integers(0, 3))
def test_no_function_with_its_boundary_values_has_less_energy(problem, size, mode) -> None:
    inner, outer = getattr(problem, "inner", 0.0), getattr(problem, "outer", 1.0)

    def other(z):  # equal on the boundary
        low = (z.abs() - inner) / (outer - inner) if inner else 1 + z.abs()
        bump = low * (outer - z.abs()) / (outer - inner)
        return problem.solution(z) + size * bump * torch.cos(mode * z.angle())

    assert energy(other, grid(problem)) > energy(problem.solution, grid(problem))


@given(PROBLEMS, WEIGHTS, st.sampled_from([-1e-2, 1e-2]), st.sampled_from(["scale", "shift"]))
def test_the_soft_solution_minimizes(problem, weight, step, direction) -> None:
    """Not even other boundary values, which may be missed at a price, do better."""
    edge = problem.domain.boundary(256)
    least = objective(lambda z: problem.soft_solution(z, weight), problem, weight, edge)

    def other(z):
        u = problem.soft_solution(z, weight)
        return u + step * (problem.solution(z) if direction == "scale" else 1.0)

    assert objective(other, problem, weight, edge) > least


@given(PROBLEMS, SEEDS)
def test_the_soft_solution_without_a_price_is_the_solution(problem, seed) -> None:
    z = inside(problem, seed=seed)
    torch.testing.assert_close(problem.soft_solution(z, 0), problem.solution(z))


@given(st.sampled_from([0, 1]), st.floats(0.1, 45.0), st.floats(0, 1))
def test_the_series_of_bessel_functions(k, largest, share) -> None:
    x = torch.tensor(share * largest, dtype=torch.float64)
    torch.testing.assert_close(_bessel(k, x, largest), [torch.special.i0, torch.special.i1][k](x))


@settings(max_examples=3)
@given(st.integers(1, 4), st.floats(0.02, 3.0), SEEDS)
def test_the_filled_solution_solves_its_equation(k, weight, seed) -> None:
    problem = DiscMode(k)
    z = inside(problem, 5, seed)
    u = problem.filled_solution(z, weight)
    curved = laplacian(lambda z: problem.filled_solution(z, weight), z)
    torch.testing.assert_close(curved, 2 * (u - problem.solution(z)) / weight, atol=1e-8, rtol=1e-6)
    assert curved.abs().max() > 1e-6  # and is not harmonic


@given(st.integers(1, 4), st.floats(0.02, 3.0))
def test_the_filled_solution_has_no_slope_at_the_circle(k, weight) -> None:
    problem, angle = DiscMode(k), torch.linspace(0, 6, 7, dtype=torch.float64)
    radius = torch.ones_like(angle, requires_grad=True)
    u = problem.filled_solution(torch.polar(radius, angle), weight)
    (slope,) = torch.autograd.grad(u.sum(), radius)
    assert slope.abs().max() < 1e-9


@some_of(
    ("k", "weight", "step"),
    [*itertools.product([1, 3], [0.05, 0.5], [-1e-2, 1e-2])],
    slice(None, None, 5),
)
def test_the_filled_solution_minimizes(k, weight, step) -> None:
    problem = DiscMode(k)
    paid = grid(problem)

    def u(z):
        return problem.filled_solution(z, weight)

    least = objective(u, problem, weight, paid)
    for other in (
        lambda z: u(z) + step * problem.solution(z),
        lambda z: u(z) + step * problem.solution(z) * z.abs() ** 2,
    ):
        assert objective(other, problem, weight, paid) > least


@given(st.floats(0.1, 2.0), st.floats(1.2, 5.0), st.integers(2, 60), st.integers(2, 60), SEEDS)
def test_rings_lie_on_their_circles(inner, ratio, train, test, seed) -> None:
    data = two_rings(train, test, inner=inner, outer=inner * ratio, seed=seed)
    for x, y, count in (
        (data.x_train, data.y_train, train),
        (data.x_test, data.y_test, test),
    ):
        wanted = torch.where(y == 1, inner * ratio, inner)
        torch.testing.assert_close(x.norm(dim=1), wanted.float(), rtol=1e-5, atol=1e-5)
        assert y.bincount(minlength=2).tolist() == [(count + 1) // 2, count // 2]


def test_rings_follow_their_seed_and_leave_the_global_stream_alone() -> None:
    before = torch.get_rng_state()
    first = two_rings(seed=1, noise=0.1).fingerprint()
    assert two_rings(seed=1, noise=0.1).fingerprint() == first
    assert two_rings(seed=2, noise=0.1).fingerprint() != first
    assert torch.equal(torch.get_rng_state(), before)


def test_noise_moves_points_off_their_circle_by_its_size() -> None:
    data = two_rings(4000, 2, noise=0.05)
    wanted = torch.where(data.y_train == 1, 1.0, 0.4)
    assert float((data.x_train.norm(dim=1) - wanted).std()) == pytest.approx(0.05, rel=0.1)


@each(
    ("ask", "message"),
    [
        (lambda: DiscMode(0), r"DiscMode\(k=0\)"),
        (lambda: DiscMode(1).soft_solution(torch.zeros(1) + 0j, -1), r"weight=-1"),
        (lambda: DiscMode(1).filled_solution(torch.zeros(1) + 0j, 1e-9), r"weight=1e-09"),
        (lambda: RingPotential(1.0, 0.5), r"inner=1.0, outer=0.5"),
        (lambda: RingPotential(0.0, 0.5), r"inner=0.0"),
        (lambda: two_rings(inner=2), r"inner=2.0, outer=1.0"),
        (lambda: two_rings(noise=-1), r"noise=-1"),
        (lambda: two_rings(1, 5), r"train=1"),
    ],
)
def test_what_makes_no_problem_is_refused(ask, message) -> None:
    with pytest.raises(DomainError, match=message):
        ask()
