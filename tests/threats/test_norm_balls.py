"""Lengths, projections, maximizers and samples of each ball, against slow oracles."""

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from cases import each
from holonet.threats.norm_balls import Ball, Bounds, ComplexBall, L1Ball, L2Ball, LinfBall, Polydisc

REAL = [LinfBall(), L2Ball(), L1Ball()]
BALLS = [*REAL, Polydisc(), ComplexBall()]
seeds = st.integers(0, 2**32)
radii = st.sampled_from([1e-6, 0.03, 0.5, 3.0])
dtypes = st.sampled_from([torch.float32, torch.float64])
kinds = st.sampled_from(["none", "box", "corner", "half", "wide"])


def randn(seed: int, rows: int, entries: int, dtype: torch.dtype, ball: Ball) -> Tensor:
    if ball.is_complex:
        dtype = dtype.to_complex()
    return torch.randn(rows, entries, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def bounds_of(kind: str, like: Tensor, seed: int) -> Bounds:
    """Walls about the examples: none, some, some touched already, one side only, far ones."""
    if kind == "none" or like.is_complex():
        return None
    generator = torch.Generator().manual_seed(seed + 1)
    low, high = torch.rand(2, *like.shape, dtype=like.dtype, generator=generator)
    if kind == "corner":
        low = low * (torch.rand(like.shape, generator=generator) < 0.5)
        high = high * (torch.rand(like.shape, generator=generator) < 0.5)
    if kind == "half":
        high = torch.full_like(high, math.inf)
    scale = 100.0 if kind == "wide" else 1.0
    return -scale * low, scale * high


def inner(a: Tensor, b: Tensor) -> Tensor:
    return (a.conj() * b).real.sum(1) if a.is_complex() else (a * b).sum(1)


def within_bounds(delta: Tensor, bounds: Bounds) -> bool:
    return bounds is None or bool(((delta >= bounds[0]) & (delta <= bounds[1])).all())


def largest_by_hand(ball: Ball, g: list[float], eps: float, low: list, high: list) -> float:
    """The maximum of the linear form, one example at a time, by other means."""
    reach = [h if v > 0 else -lo for v, lo, h in zip(g, low, high, strict=True)]
    size = [abs(v) for v in g]
    if isinstance(ball, LinfBall):
        return sum(s * min(eps, r) for s, r in zip(size, reach, strict=True))
    if isinstance(ball, L1Ball):
        total, left = 0.0, eps
        for s, r in sorted(zip(size, reach, strict=True), reverse=True):
            total, left = total + s * min(left, r), left - min(left, r)
        return total
    small, large = 0.0, 1e12  # bisection for the multiple of g

    def cut(multiple: float) -> list[float]:
        return [min(multiple * s, r if s else 0.0) for s, r in zip(size, reach, strict=True)]

    for _ in range(120):
        middle = (small + large) / 2
        small, large = (middle, large) if math.hypot(*cut(middle)) <= eps else (small, middle)
    return sum(s * c for s, c in zip(size, cut(small), strict=True))


@pytest.mark.parametrize("ball", REAL, ids=lambda b: type(b).__name__)
@given(seed=seeds, entries=st.integers(1, 9), eps=radii, kind=kinds, holes=st.booleans())
def test_no_point_beats_the_farthest(ball, seed, entries, eps, kind, holes):
    g = randn(seed, 4, entries, torch.float64, ball)
    if holes:
        g = g.round()  # zeros and ties
    bounds = bounds_of(kind, g, seed)
    found = ball.linear_maximizer(g, eps, bounds)
    low, high = bounds if bounds is not None else torch.tensor([-math.inf, math.inf])[:, None, None]
    rows = (v.expand_as(g).tolist() for v in (g, low, high))
    best = [largest_by_hand(ball, v, eps, lo, hi) for v, lo, hi in zip(*rows, strict=True)]
    expected = torch.tensor(best, dtype=g.dtype)
    torch.testing.assert_close(inner(g, found), expected, rtol=1e-9, atol=1e-12)
    assert bool((ball.norm(found) <= eps * (1 + 1e-12)).all())
    assert within_bounds(found, bounds)
    assert not bool(found[g == 0].any())


@pytest.mark.parametrize("ball", BALLS, ids=lambda b: type(b).__name__)
@given(
    seed=seeds,
    entries=st.sampled_from([1, 2, 5, 60]),
    dtype=dtypes,
    eps=radii,
    kind=kinds,
    reach=st.sampled_from([1e-3, 1.0, 50.0]),
)
def test_the_nearest_point_is_nearest(ball, seed, entries, dtype, eps, kind, reach):
    """At the nearest point p of a convex set, no point is further along delta - p than p."""
    delta = reach * randn(seed, 4, entries, dtype, ball)
    bounds = bounds_of(kind, delta, seed)
    project = ball.project(delta, eps, bounds)
    unit = torch.finfo(dtype).eps
    assert bool((ball.norm(project) <= eps * (1 + 8 * unit)).all())
    assert within_bounds(project, bounds)
    off = (delta - project).to(torch.complex128 if ball.is_complex else torch.float64)
    wide = None if bounds is None else (bounds[0].double(), bounds[1].double())
    gap = inner(off, ball.linear_maximizer(off, eps, wide)) - inner(off, project.to(off.dtype))
    size = torch.linalg.vector_norm(delta.abs().double(), dim=1)
    assert bool((gap <= 100 * unit * size * size.clamp(max=eps * entries**0.5)).all())


@pytest.mark.parametrize("ball", BALLS, ids=lambda b: type(b).__name__)
@given(seed=seeds, entries=st.integers(1, 40), dtype=dtypes, eps=radii, kind=kinds)
def test_points_of_the_set_are_their_own_nearest(ball, seed, entries, dtype, eps, kind):
    delta = randn(seed, 4, entries, dtype, ball)
    bounds = bounds_of(kind, delta, seed)
    inside = 0.99 * ball.project(delta, eps, bounds)
    assert torch.equal(ball.project(inside, eps, bounds), inside)


@pytest.mark.parametrize("ball", BALLS, ids=lambda b: type(b).__name__)
@given(seed=seeds, entries=st.integers(1, 9), log=st.integers(-30, 30))
def test_the_dual_norm_is_attained_at_the_steepest(ball, seed, entries, log):
    g = 10.0**log * randn(seed, 4, entries, torch.float64, ball)
    direction = ball.steepest(g)
    torch.testing.assert_close(ball.norm(direction), torch.ones(4).double())
    torch.testing.assert_close(inner(g, direction), ball.dual(g), rtol=1e-12, atol=0)
    others = ball.uniform((200, entries), g.dtype, torch.Generator().manual_seed(seed))
    for other in others:
        assert bool((inner(g, other.expand_as(g)) <= ball.dual(g)).all())
    torch.testing.assert_close(
        ball.linear_maximizer(g, 0.3, None), 0.3 * direction, rtol=1e-12, atol=1e-15
    )


def test_dual_norms_by_hand() -> None:
    g = torch.tensor([[3.0, -4.0]])
    assert [float(ball.dual(g)) for ball in REAL] == [7.0, 5.0, 4.0]
    z = torch.tensor([[3 + 4j, -12j]])
    assert [float(ball.dual(z)) for ball in (Polydisc(), ComplexBall())] == [17.0, 13.0]
    assert [float(ball.norm(z)) for ball in (Polydisc(), ComplexBall())] == [12.0, 13.0]
    assert [float(ball.norm(g)) for ball in REAL] == [4.0, 5.0, 7.0]


@pytest.mark.parametrize("ball", BALLS, ids=lambda b: type(b).__name__)
def test_samples_are_uniform(ball: Ball) -> None:
    """Radii by the volume of smaller balls; directions by their second and fourth moments."""
    n, rows = 3, 20000
    dtype = torch.complex128 if ball.is_complex else torch.float64
    points = ball.uniform((rows, n), dtype, torch.Generator().manual_seed(0))
    assert points.dtype == dtype
    dimension = 2 * n if ball.is_complex else n
    norm = ball.norm(points)
    for share in (0.5, 0.8, 0.95):
        expected = share**dimension
        assert float((norm <= share).double().mean()) == pytest.approx(expected, abs=0.012)
    parts = torch.view_as_real(points).flatten(1) if ball.is_complex else points
    second = {  # E |entry|^2 of the direction, then of its square
        LinfBall: (1 / 3, 1 / 5),
        L2Ball: (1 / 5, 3 / 35),  # n / (n + 2) / n, and 3 / ((n + 2)(n + 4)) at n = 3
        L1Ball: (1 / 10, 24 / 840),  # 2 / ((n + 1)(n + 2)) / ... at n = 3
        Polydisc: (1 / 4, 1 / 8),
        ComplexBall: (1 / 8, 3 / 80),
    }[type(ball)]
    assert float(parts.mean(0).abs().max()) < 0.015
    for k, j in itertools.combinations(range(parts.shape[1]), 2):
        assert abs(float((parts[:, k] * parts[:, j]).mean())) < 0.01
    for power, moment in zip((2, 4), second, strict=True):
        for value in (parts**power).mean(0).tolist():
            assert value == pytest.approx(moment, rel=0.06)


@pytest.mark.parametrize("ball", BALLS, ids=lambda b: type(b).__name__)
def test_zero_has_no_direction(ball: Ball) -> None:
    zero = torch.zeros(2, 3, dtype=torch.complex64 if ball.is_complex else torch.float32)
    bounds = None if ball.is_complex else (zero - 1, zero + 1)
    assert torch.equal(ball.steepest(zero), zero)
    assert torch.equal(ball.linear_maximizer(zero, 0.5, None), zero)
    assert torch.equal(ball.linear_maximizer(zero, 0.5, bounds), zero)
    assert torch.equal(ball.project(zero, 0.5, bounds), zero)


def test_ties_go_to_the_first_entry() -> None:
    g = torch.tensor([[1.0, -2.0, 2.0, -2.0]])
    ball, bounds = L1Ball(), (torch.full((1, 4), -0.3), torch.full((1, 4), 0.3))
    assert torch.equal(ball.steepest(g), torch.tensor([[0.0, -1.0, 0.0, 0.0]]))
    expected = torch.tensor([[0.0, -0.3, 0.2, 0.0]])
    torch.testing.assert_close(ball.linear_maximizer(g, 0.5, bounds), expected)


@each("ball", REAL, ids=lambda b: type(b).__name__)
@each("scale", [1e-30, 1e-12, 1e12, 1e30])
def test_the_scale_of_a_gradient_does_not_matter(ball: Ball, scale: float) -> None:
    g = randn(0, 5, 7, torch.float32, ball)
    for bounds in (None, bounds_of("box", g, 0)):
        expected = ball.linear_maximizer(g, 0.8, bounds)
        torch.testing.assert_close(ball.linear_maximizer(g * scale, 0.8, bounds), expected)
