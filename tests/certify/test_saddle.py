"""Saddle points: below every value, near to the least, and better than other shares and offsets."""

import math

import pytest
import torch
from enclosed import F64
from expanded import expansion, least

from holonet.certify import saddle
from holonet.certify.quadratic import BALL, CUBE, dual_bound, forms
from holonet.certify.saddle import by_moduli, by_saddle_point
from holonet.certify.shares import shares_for, split

REGIONS = [CUBE, BALL]


@pytest.mark.parametrize("region", REGIONS)
def test_bounds_are_below_every_value_and_near_to_the_least(region):
    gaps = []
    for seed in range(18):
        e, values = expansion(seed, 1 + seed % 3, region, 0.1 if seed % 3 == 2 else 0.3)
        found, (bound, proof) = least(values, region), by_saddle_point(e, 0)
        moduli = by_moduli(e)[0].item()
        bound = max(bound, moduli)
        assert bound <= found
        assert (proof.dual >= 0).all()
        assert (proof.shares > 0).all()
        assert proof.shares.shape == proof.offsets.shape == e.reach.shape
        gaps.append((found - bound) / abs(found))
    assert sorted(gaps)[9] < 0.1


def proved(e, shares, region):
    """What the best multipliers prove by some shares at the offsets of an expansion."""
    kept, taken = split(e.weights, e.reach, shares[None])
    matrix, vectors, dual = e.lower[0] + forms(kept, e.rows.T)[0], None, torch.empty(0)
    slope = e.slope[0] - 2 * (kept[0] * e.offsets) @ e.rows
    for _ in range(12):
        vectors, duals = region.relaxed(slope[None], matrix[None], vectors)
        dual = duals[0]
    constant = e.constant + kept @ e.offsets.square() - taken
    return (constant + dual_bound(slope, matrix, dual, region)[0]).item()


@pytest.mark.parametrize("region", REGIONS)
def test_other_shares_and_offsets_prove_less(region):
    better = 0
    for seed in range(6):
        e, _ = expansion(seed, region=region, radius=0.3)
        bound, proof = by_saddle_point(e, 0)
        for _ in range(10):
            factors = torch.exp(torch.randn_like(proof.shares))
            shares = shares_for(e.weights, proof.shares * factors, torch.ones_like(factors))[0]
            offsets = proof.offsets + 0.3 * e.rows.norm(dim=1) * torch.randn_like(factors)
            for other in (e.at(0, proof.offsets), e.at(0, offsets)):
                better += proved(other, shares, region) > bound + 0.03 * abs(bound)
        assert proved(e.at(0, proof.offsets), proof.shares, region) >= bound - 0.01 * abs(bound)
    assert better <= 2


def test_offsets_are_worth_a_part_of_the_gap(monkeypatch):
    """The same with squares that are expanded at the center alone."""
    cases = [expansion(seed, radius=0.4) for seed in range(10)]
    gaps = torch.tensor([least(v, CUBE) - by_saddle_point(e, 0)[0] for e, v in cases])
    monkeypatch.setattr(saddle, "_CENTERED", 99)
    centered = torch.tensor([least(v, CUBE) - by_saddle_point(e, 0)[0] for e, v in cases])
    assert (gaps <= 1.1 * centered).all()
    assert (gaps / centered).median() < 0.8


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("layers", [2, 3])
def test_at_any_offsets_the_polynomial_is_the_margin(region, layers):
    e, values = expansion(3, layers, region)
    moved = e.at(0, torch.randn_like(e.reach))
    t = torch.rand(50, 6, dtype=F64) - 0.5
    z, units = t, []
    for chain, layer in zip(e.source.network.chains, e.source.layers, strict=False):
        value = (0 if units else chain.linear(e.source.box.center[None])) + chain.linear(
            z if units else z * e.source.box.radius
        )
        units.append(value + chain.bias - layer.center)
        z = (value + chain.bias).square()
    away = torch.cat(units[1:], 1) - moved.offsets
    form = torch.einsum("pi,ij,pj->p", t, moved.lower[0], t)
    found = moved.constant + t @ moved.slope[0] + form + away.square() @ moved.weights[0]
    assert torch.allclose(found, values(t), atol=1e-9)


def test_the_search_ends_with_the_first_proof(monkeypatch):
    """And where a point shows that there is none, without more rounds than needed."""
    rounds = []
    true = saddle.dual_bound
    monkeypatch.setattr(saddle, "dual_bound", lambda *args: rounds.append(1) or true(*args))
    e, _ = expansion(1, radius=0.05)
    network = e.source.network
    assert by_saddle_point(e, 0)[0] < 0
    assert len(rounds) == 2
    rounds.clear()
    network.chains[-1].bias[0] += 100.0
    assert by_saddle_point(e, 0)[0] > 0
    assert len(rounds) == 1


def test_planted_half_of_the_price_is_found(monkeypatch):
    cases = [expansion(seed, radius=1.0) for seed in range(10)]
    values = [least(v, CUBE) for _, v in cases]

    def above():
        bounds = [by_saddle_point(e, 0)[0] for e, _ in cases]
        return sum(bound > value for bound, value in zip(bounds, values, strict=True))

    assert above() == 0
    monkeypatch.setattr(saddle, "split", lambda *args: (split(*args)[0], 0 * split(*args)[1]))
    assert above() > 0


def test_what_is_no_number_proves_nothing():
    e, _ = expansion(0)
    for number in (math.nan, math.inf):
        e.reach.fill_(number)
        assert by_moduli(e)[0] == -math.inf
