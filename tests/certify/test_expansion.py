"""The polynomial of a margin: exact at every point, whatever entries are free."""

import pytest
import torch
from enclosed import F64, margins, quartics
from torch import nn as tnn

from cases import each
from holonet import nn
from holonet.certify import EXACT, expansion, read
from holonet.certify.expansion import SquareNetwork
from holonet.errors import InputTypeError


def expanded(name, radius, seed=0, tail=None):
    """The model behind its threshold, the box, and its expansion for the label 0."""
    torch.manual_seed(seed)
    model, shape = quartics()[name]
    network = read(model)
    body = tnn.Sequential(*list(model.backbone)[network.front :])
    center = torch.rand(shape, dtype=F64)
    radii = radius * torch.rand(shape, dtype=F64)
    radii.flatten()[::3] *= 0.01
    squares = SquareNetwork(network, torch.Size(shape))
    found = squares.expand(center.flatten(), radii.flatten(), 0, [1, 2], EXACT)
    return body, center, radii, found, squares


def polynomial(e, t, quadratic):
    """The polynomial at points (count, n), with these forms q(t) of the second layer."""
    linear = t @ e.slope.T + torch.einsum("pi,mij,pj->pm", t, e.lower, t)
    return linear + (t @ e.rows.T + quadratic).square() @ e.weights.T


@each("name", sorted(quartics()))
def test_the_polynomial_is_the_margin(name):
    body, center, radii, e, squares = expanded(name, 0.3)
    t = torch.rand(200, len(e.free), dtype=F64) * 2 - 1
    shift = torch.zeros(200, center.numel(), dtype=F64)
    shift[:, e.free] = t * radii.flatten()[e.free]
    first = squares.first.linear(shift)
    quadratic = squares.second.linear(first.square())
    values = margins(body, (center + shift.view(200, *center.shape))[:, None], torch.tensor([0]))
    found = e.constant + polynomial(e, t, quadratic)
    gap = values[:, 0, 1:] - found
    small = radii.flatten().clone()
    small[e.free] = 0
    assert (gap >= 0).all()
    if not small.any():
        assert (gap < 1e-9).all()
    assert (quadratic.abs() <= e.reach).all()


@each("name", sorted(quartics()))
@pytest.mark.parametrize("tail", [0.0, 0.2, 0.9])
def test_entries_that_are_not_free_are_paid_for(name, tail, monkeypatch):
    monkeypatch.setattr(expansion, "_TAIL", tail)
    for seed in range(3):
        body, center, radii, e, squares = expanded(name, 0.1, seed)
        assert 0 < len(e.free) <= radii.numel()
        share = torch.rand(300, radii.numel(), dtype=F64) * 2 - 1
        share[::2] = share[::2].sign()
        shift = share * radii.flatten()
        alone = torch.zeros_like(shift)
        alone[:, e.free] = shift[:, e.free]
        quadratic = squares.second.linear(squares.first.linear(alone).square())
        points = (center + shift.view(300, *center.shape))[:, None]
        values = margins(body, points, torch.tensor([0]))[:, 0, 1:]
        found = e.constant + polynomial(e, share[:, e.free], quadratic)
        assert (values >= found - 1e-13).all()


def test_one_entry_is_free_at_least():
    assert expansion._free(torch.zeros(4, dtype=F64)).tolist() == [3]
    assert expansion._free(torch.tensor([1.0, 0.0, 2.0, 1e-6], dtype=F64)).tolist() == [0, 2]


def test_weights_that_are_too_large_for_the_error_bounds_prove_nothing():
    torch.manual_seed(0)
    model, _ = quartics()["dense"]
    model.backbone[0].weight.data[0, 0] = 1e60
    squares = SquareNetwork(read(model), torch.Size((6,)))
    point = torch.full((6,), 0.5, dtype=F64)
    e = squares.expand(point, 0 * point + 0.1, 0, [1, 2], EXACT)
    assert (e.constant == -torch.inf).all()


@each(
    ("layers", "match"),
    [
        ([nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 2)], r"1 \(Tanh\) is neither"),
        ([nn.Linear(2, 2), tnn.ReLU(), nn.Linear(2, 2)], r"1 \(ReLU\) is neither"),
        ([nn.Residual(nn.Sequential(nn.Square()))], r"0 \(Residual\) is neither"),
        ([nn.Square(), nn.Linear(2, 2, dtype=torch.float32)], "has 1: certify"),
        ([nn.Square(), nn.Square(), nn.Square()], "has 3: certify"),
        ([nn.Square(), nn.Linear(2, 2), nn.Square()], r"1 \(Linear\) is not affine with real"),
    ],
    ids=str,
)
def test_other_networks_are_refused_by_name(layers, match):
    with pytest.raises(InputTypeError, match=match):
        SquareNetwork(read(tnn.Sequential(*layers)), torch.Size((2,)))
