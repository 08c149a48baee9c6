"""Saddle points: below every value, near to the least, and no worse than any choice of shares."""

import math

import pytest
import torch
from enclosed import F64

from holonet.certify import saddle
from holonet.certify.expansion import Expansion
from holonet.certify.quadratic import BALL, CUBE, dual_bound, forms
from holonet.certify.saddle import by_moduli, by_saddle_point
from holonet.certify.shares import split


def expansion(seed, units=5, region=CUBE, size=1.0, n=6):
    """A random one of a single margin; of half of all seeds its form is convex."""
    torch.manual_seed(seed)
    matrix = torch.randn(n, n, dtype=F64)
    matrix = matrix @ matrix.T / 2 if seed % 2 else matrix + matrix.T
    return Expansion(
        free=torch.arange(n),
        constant=torch.zeros(1, dtype=F64),
        slope=3 * torch.randn(1, n, dtype=F64),
        lower=matrix[None],
        weights=torch.randn(1, units, dtype=F64),
        rows=torch.randn(units, n, dtype=F64),
        reach=size * torch.rand(units, dtype=F64),
        region=region,
    )


def points_of(e, count=4000):
    n = len(e.free)
    points = torch.randn(count, n, dtype=F64)
    if e.region is CUBE:
        points = points.clamp(-1, 1)
        points[::2] = points[::2].sign()
    else:
        points[::2] /= points[::2].norm(dim=1, keepdim=True)
        points[1::2] /= points[1::2].norm(dim=1, keepdim=True).clamp(min=1)
    return points


def least(e):
    """The least value at sampled points, with the worst h of each, and behind a descent."""

    def values(t):
        u = t @ e.rows.T
        away = torch.where(e.weights[0] > 0, -torch.minimum(u.abs(), e.reach), e.reach)
        squares = (u.abs() + away).square() @ e.weights[0]
        return t @ e.slope[0] + torch.einsum("pi,ij,pj->p", t, e.lower[0], t) + squares

    t = points_of(e)
    best = values(t).min().item()
    t = t[values(t).argsort()[:50]].clone().requires_grad_()
    for step in range(100):
        (slope,) = torch.autograd.grad(values(t).sum(), t)
        moved = t.detach() - 0.3 / (1 + step) * slope / slope.norm(dim=1, keepdim=True)
        inside = moved.clamp(-1, 1)
        if e.region is BALL:
            inside = moved / moved.norm(dim=1, keepdim=True).clamp(min=1)
        t = inside.requires_grad_()
        best = min(best, values(t.detach()).min().item())
    return best


@pytest.mark.parametrize("region", [CUBE, BALL])
def test_bounds_are_below_every_value_and_near_to_the_least(region):
    gaps = []
    for seed in range(20):
        e = expansion(seed, units=seed % 3 * 4, region=region)
        found, (bound, dual, shares) = least(e), by_saddle_point(e, 0)
        assert max(bound, by_moduli(e)[0].item()) <= found
        assert by_moduli(e)[0] <= bound + 0.02 * abs(found)
        assert (dual >= 0).all()
        assert (shares > 0).all()
        assert len(shares) == len(e.reach)
        gaps.append((found - bound) / abs(found))
    assert sorted(gaps)[10] < (0.1 if region is CUBE else 0.02)


@pytest.mark.parametrize("region", [CUBE, BALL])
def test_no_choice_of_shares_proves_more(region):
    for seed in range(6):
        e = expansion(seed, region=region)
        bound, dual, shares = by_saddle_point(e, 0)
        for _ in range(20):
            other = shares * torch.exp(torch.randn_like(shares))
            other = torch.where(e.weights[0] > 0, other.clamp(max=1.0), other)
            kept, taken = split(e.weights, e.reach, other[None])
            matrix, vectors = e.lower[0] + forms(kept, e.rows.T)[0], None
            for _ in range(10):
                vectors, duals = region.relaxed(e.slope, matrix[None], vectors)
                dual = duals[0]
            proved = dual_bound(e.slope[0], matrix, dual, region)[0] - taken.item()
            assert proved <= bound + 0.03 * abs(bound)


def test_convex_and_concave_forms_without_squares_have_their_least_value():
    torch.manual_seed(0)
    matrix, slope = torch.eye(6, dtype=F64) + 0.1, 0.5 * torch.rand(6, dtype=F64)

    def bounded(matrix, slope, region=CUBE):
        e = expansion(0, 0, region, n=len(slope))
        changed = {**vars(e), "lower": matrix[None], "slope": slope[None]}
        return by_saddle_point(Expansion(**changed), 0)[0]

    inner = -(slope @ torch.linalg.solve(matrix, slope)).item() / 4
    assert inner - 1e-3 * abs(inner) < bounded(matrix, slope) <= inner
    corner = -matrix.sum().item() - slope.sum().item()
    assert corner - 1e-3 * abs(corner) < bounded(-matrix, slope) <= corner
    zero = torch.zeros(4, dtype=F64)
    assert bounded(-torch.eye(4, dtype=F64), zero, BALL) == pytest.approx(-1, rel=1e-3)
    assert bounded(-torch.eye(4, dtype=F64), zero) == pytest.approx(-4, rel=1e-2)


def test_the_search_ends_with_the_first_proof(monkeypatch):
    """And where a point shows that there is none, without more rounds than needed."""
    e = expansion(1)
    rounds = []
    true = saddle.dual_bound
    monkeypatch.setattr(saddle, "dual_bound", lambda *args: rounds.append(1) or true(*args))
    bound, *_ = by_saddle_point(Expansion(**{**vars(e), "constant": e.constant + 1e3}), 0)
    assert bound > 0
    assert len(rounds) == 1
    bound, *_ = by_saddle_point(e, 0)
    assert bound < 0
    assert len(rounds) == 2


def test_planted_half_of_the_price_is_found_by_sampling(monkeypatch):
    cases = [expansion(seed, size=3.0) for seed in range(10)]
    values = [least(e) for e in cases]

    def above():
        bounds = [by_saddle_point(e, 0)[0] for e in cases]
        return sum(bound > value for bound, value in zip(bounds, values, strict=True))

    assert above() == 0
    monkeypatch.setattr(saddle, "split", lambda *args: (split(*args)[0], split(*args)[1] / 2))
    assert above() > 0


def test_what_is_no_number_proves_nothing():
    e = expansion(0)
    for number in (math.nan, math.inf):
        bound = by_moduli(Expansion(**{**vars(e), "reach": e.reach * number}))[0]
        assert bound == -math.inf
