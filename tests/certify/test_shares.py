"""Squares of numbers that are known up to an interval: never less than what their shares leave."""

import torch
from enclosed import F64
from hypothesis import given
from hypothesis import strategies as st

from holonet.certify import shares
from holonet.certify.shares import shares_for, split

SIZES = st.floats(-100, 100, width=32)


def excess(seed, spread):
    """What is proved of sums of w (u + h)^2 minus the sums, with random shares, over their size."""
    torch.manual_seed(seed)
    weights, u = torch.randn(4, 7, dtype=F64), spread * torch.randn(200, 7, dtype=F64)
    reach = torch.rand(7, dtype=F64)
    h = reach * (2 * torch.rand(200, 7, dtype=F64) - 1).sign()
    energies = (u[:1] * torch.randn(7, dtype=F64)).square()[0]
    kept, taken = split(weights, reach, shares_for(weights, reach, energies))
    proved = u.square() @ kept.T - taken
    true = (u + h).square() @ weights.T
    size = (u.abs() + reach).square() @ weights.abs().T + taken
    return ((proved - true) / size).amax().item()


@given(st.integers(0, 2**20), st.sampled_from([1e-3, 0.1, 1.0, 30.0]))
def test_no_sum_is_below_what_is_proved(seed, spread):
    assert excess(seed, spread) <= 1e-14


def test_planted_share_of_the_other_sign_is_found(monkeypatch):
    true = torch.where
    assert excess(0, 1.0) <= 1e-14
    monkeypatch.setattr(shares.torch, "where", lambda c, a, b: true(~c, a, b))
    assert excess(0, 1.0) > 1e-3


@given(SIZES, st.floats(0, 10), st.floats(-3, 3))
def test_the_best_share_of_one_square_loses_nothing(weight, reach, u):
    """At that u: the least of w (u + h)^2 itself is proved."""
    w, e = torch.tensor([[weight]], dtype=F64), torch.tensor([reach], dtype=F64)
    kept, taken = split(w, e, shares_for(w, e, torch.tensor([u * u], dtype=F64)))
    away = -min(abs(u), reach) if weight > 0 else reach
    least = weight * (abs(u) + away) ** 2
    proved = (kept * u * u).item() - taken.item()
    assert proved <= least + 1e-9 * abs(least) + 1e-12
    assert proved >= least - 1e-3 * abs(weight) * (reach + abs(u)) ** 2 - 1e-12
