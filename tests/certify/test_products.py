"""Products of entries: sound, nearer to the least value than shares, and for boxes alone."""

import math

import pytest
import torch
from enclosed import F64
from expanded import expansion, least
from hypothesis import given
from hypothesis import strategies as st

from holonet.certify import products
from holonet.certify.products import _Lift, by_products
from holonet.certify.quadratic import BALL, CUBE
from holonet.certify.saddle import by_saddle_point


def both(e):
    """Bounds of a margin by shares and by products, and the proof of the second."""
    bound, proof = by_saddle_point(e, 0)
    return bound, *by_products(e, 0, proof)


@pytest.mark.parametrize(("layers", "entries"), [(2, 6), (3, 6), (2, 3), (3, 3)])
def test_bounds_are_below_every_value(layers, entries):
    """With more products than units, and with fewer."""
    better = 0
    for seed in range(12):
        radius = (0.1, 0.3, 1.0)[seed % 3] / (1 if layers == 2 else 5)
        e, values = expansion(seed, layers, radius=radius, entries=entries)
        bound, lifted, proof = both(e)
        assert lifted <= least(values, CUBE, entries=entries)
        assert (proof.products > 0).all()
        assert len(proof.products) == entries * (entries + 1) // 2
        assert len(proof.dual) == entries + min(len(proof.products), len(e.reach))
        better += lifted > bound
    assert better > 6


@pytest.mark.parametrize("layers", [2, 3])
def test_they_are_worth_a_part_of_the_gap(layers):
    shares = []
    for seed in range(10):
        e, values = expansion(seed, layers, radius=0.4 if layers == 2 else 0.1)
        bound, lifted, _ = both(e)
        low = least(values, CUBE)
        shares.append((low - lifted) / (low - bound))
    assert sorted(shares)[5] < 0.8


@given(st.integers(0, 2**31), st.floats(0.01, 3.0), st.sampled_from([2, 3, 4, 6]))
def test_multipliers_of_products_bound_what_is_linear_in_them(seed, radius, n):
    """With q x = R v and |v|^2 <= x^T D x <= sum D."""
    e, _ = expansion(seed % 7, 2 + seed % 2, radius=radius, entries=n)
    bends = e.products
    lift = _Lift(e.at(0, e.offsets), bends, e.reach)
    torch.manual_seed(seed)
    t = 2 * torch.rand(n, dtype=F64) - 1
    t = t.sign() if seed % 3 else t
    square = t[:, None] * t
    first, second = torch.triu_indices(n, n)
    x = torch.where(first < second, square[first, second], 2 * square[first, second] - 1)
    size = bends.rows.abs().sum(1).max()

    multipliers = torch.exp(2 * torch.randn(len(x), dtype=F64))
    factor = lift.factor(multipliers)
    v = torch.linalg.lstsq(factor, (bends.rows @ x)[:, None]).solution
    assert torch.allclose(factor @ v, (bends.rows @ x)[:, None], rtol=0, atol=1e-9 * size)
    assert v.square().sum() <= (x * multipliers * x).sum() * (1 + 1e-9)
    assert (multipliers * x * x).sum() <= multipliers.sum()


def test_none_in_a_ball_of_one_layer_or_of_too_many(monkeypatch):
    for e, _ in (expansion(1, region=BALL), expansion(1, layers=1)):
        assert by_products(e, 0, by_saddle_point(e, 0)[1])[0] == -math.inf
    for name in ("_MOST_FREE", "_LARGEST_RANK"):
        with monkeypatch.context() as patch:
            patch.setattr(products, name, 5)
            assert both(expansion(1)[0])[1] == -math.inf


def test_the_search_ends_with_the_first_proof(monkeypatch):
    e, _ = expansion(1, radius=0.05)
    e.source.network.chains[-1].bias[0] += 100.0
    rounds, true = [], products.dual_bound
    monkeypatch.setattr(products, "dual_bound", lambda *args: rounds.append(1) or true(*args))
    assert both(e)[1] > 0
    assert len(rounds) == 1


@pytest.fixture(scope="module")
def cases():
    """Margins, each with its least value, of which no bound is above."""
    drawn = [expansion(seed, radius=radius) for seed in range(8) for radius in (0.5, 1.0)]
    found = [(e, least(values, CUBE)) for e, values in drawn]
    assert not any(is_above(*case) for case in found)
    return found


def is_above(e, value):
    """Whether the bound by products is no bound."""
    return both(e)[1] > value


@pytest.mark.parametrize("planted", ["factor", "sum", "middles"])
def test_planted_faults_are_found(planted, cases, monkeypatch):
    """A factor that is too small, half of the price, and bends whose mean is left out."""
    if planted == "factor":
        true = _Lift.factor
        monkeypatch.setattr(_Lift, "factor", lambda *args: true(*args) / 2)
    elif planted == "sum":
        true = products.rounded_down
        monkeypatch.setattr(
            products, "rounded_down", lambda *terms: true(*terms[:3], terms[3] / 2, *terms[4:])
        )
    else:
        monkeypatch.setattr(_Lift, "away", property(lambda lift: lift.e.offsets))
    assert any(is_above(*case) for case in cases)


def test_what_is_no_number_proves_nothing():
    e, _ = expansion(0)
    _, proof = by_saddle_point(e, 0)
    for number in (math.nan, math.inf, 0.0, 1e-170):
        e.source.layers[1].bends.rows.fill_(number)
        assert by_products(e, 0, proof)[0] == -math.inf
