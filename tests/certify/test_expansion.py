"""The polynomial of a margin: exact at every point, whatever entries are free."""

import pytest
import torch
from enclosed import F64, margins, quartics
from torch import nn as tnn

from cases import each, some_of
from holonet import nn
from holonet.certify import EXACT, expansion, read
from holonet.certify.expansion import SquareNetwork
from holonet.errors import InputTypeError


def expanded(name, radius, seed=0, tail=None):
    """The model behind its threshold, the box, and its expansion for the label 0."""
    torch.manual_seed(seed)
    model, shape = quartics()[name]
    network = read(model)
    body = nn.HolomorphicClassifier(tnn.Sequential(*list(model.backbone)[network.front :]))
    center = torch.rand(shape, dtype=F64)
    radii = radius * torch.rand(shape, dtype=F64)
    radii.flatten()[::3] *= 0.01
    squares = SquareNetwork(network, torch.Size(shape))
    found = squares.expand(center.flatten(), radii.flatten(), 0, [1, 2], EXACT)
    return body, center, radii, found, squares


def taken(squares, points):
    """What the layers of squares behind the first take at points (count, entries)."""
    found, value = [], points
    for chain in squares.chains[:-1]:
        found.append(chain.linear(value) + chain.bias)
        value = found[-1].square()
    return torch.cat([found[0][:, :0], *found[1:]], 1)


def polynomial(e, t, rest):
    """The polynomial at points (count, n), with these h(t) of the layers behind the first."""
    linear = t @ e.slope.T + torch.einsum("pi,mij,pj->pm", t, e.lower, t)
    return linear + (t @ e.rows.T + rest).square() @ e.weights.T


@some_of("name", sorted(quartics()), slice(1, 3))
def test_the_polynomial_is_the_margin(name):
    body, center, radii, e, squares = expanded(name, 0.3)
    t = torch.rand(200, len(e.free), dtype=F64) * 2 - 1
    shift = torch.zeros(200, center.numel(), dtype=F64)
    shift[:, e.free] = t * radii.flatten()[e.free]
    points = center.flatten() + shift
    rest = taken(squares, points) - taken(squares, center.view(1, -1)) - t @ e.rows.T
    values = margins(body, points.view(200, *center.shape)[:, None], torch.tensor([0]))
    gap = values[:, 0, 1:] - e.constant - polynomial(e, t, rest)
    small = radii.flatten().clone()
    small[e.free] = 0
    assert (gap >= 0).all()
    if not small.any():
        assert (gap < 1e-9).all()
    assert (rest.abs() <= e.reach + 1e-12).all()


@some_of("name", sorted(quartics()), slice(1, 3))
@pytest.mark.parametrize("tail", [0.0, 0.2, 0.9])
def test_entries_that_are_not_free_are_paid_for(name, tail, monkeypatch):
    monkeypatch.setattr(expansion, "_TAIL", tail)
    for seed in range(1):
        body, center, radii, e, squares = expanded(name, 0.1, seed)
        assert 0 < len(e.free) <= radii.numel()
        share = torch.rand(300, radii.numel(), dtype=F64) * 2 - 1
        share[::2] = share[::2].sign()
        t = share[:, e.free]
        points = center.flatten() + share * radii.flatten()
        rest = taken(squares, points) - taken(squares, center.view(1, -1)) - t @ e.rows.T
        assert (rest.abs() <= e.reach + 1e-13).all()
        points = points.view(300, *center.shape)
        values = margins(body, points[:, None], torch.tensor([0]))[:, 0, 1:]
        assert (values >= e.constant + polynomial(e, t, rest) - 1e-13).all()


@each("name", ["dense", "complex"])
def test_weights_of_all_boxes_bound_units_of_the_second_layer(name, monkeypatch):
    *_, radii, each_box, squares = expanded(name, 0.3)
    monkeypatch.setattr(expansion, "_MOST_FREE", 0)
    *_, all_boxes, squares = expanded(name, 0.3)
    t = (torch.rand(500, len(all_boxes.free), dtype=F64) * 2 - 1).sign()
    alone = torch.zeros(500, radii.numel(), dtype=F64)
    alone[:, all_boxes.free] = t * radii.flatten()[all_boxes.free]
    rest = squares.chains[1].linear(squares.chains[0].linear(alone).square())
    assert (rest.abs() <= all_boxes.reach).all()
    first = squares.chains[0].linear(alone.abs()[:1], moduli=True)[0].square()
    moduli = squares.weights[0].abs() @ first
    assert (each_box.reach <= all_boxes.reach * (1 + 1e-6)).all()
    assert (all_boxes.reach < 0.9 * moduli).any()


def test_one_entry_is_free_at_least():
    ones = torch.ones(4, dtype=F64)
    assert expansion._free(ones, 0 * ones).tolist() == [3]
    assert expansion._free(ones, torch.tensor([1.0, 0.0, 2.0, 1e-6], dtype=F64)).tolist() == [0, 2]


def test_entries_that_move_by_rounding_alone_are_not_free():
    """Or at radius 0 the forms of all entries would be bounded, which takes minutes."""
    ones = torch.ones(400, dtype=F64)
    assert len(expansion._free(ones, 1e-15 * ones)) == 1
    assert len(expansion._free(1e-15 * ones, 1e-15 * ones)) == 400  # the unit is the caller's
    assert len(expansion._free(ones, 1e-9 * ones)) == 400


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
        ([nn.Linear(2, 2, dtype=torch.float32)], "has none: certify"),
    ],
    ids=str,
)
def test_other_networks_are_refused_by_name(layers, match):
    with pytest.raises(InputTypeError, match=match):
        SquareNetwork(read(tnn.Sequential(*layers)), torch.Size((2,)))
