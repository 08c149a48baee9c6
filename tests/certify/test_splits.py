"""Splits: pieces that cover the box, a budget, and more proofs than without."""

import functools
import math
from dataclasses import replace

import torch
from enclosed import F64, linf, quartics

from holonet.certify import EXACT, METHODS, certify, read, splits
from holonet.certify.expansion import SquareNetwork


def budget(nodes):
    return replace(METHODS["splits"], nodes=nodes)


@functools.cache
def open_examples():
    """Examples that second order leaves open and that have the class of the model."""
    return open_at(0.2)


def open_at(eps):
    torch.manual_seed(2)
    model, shape = quartics()["dense"]
    x = torch.rand(40, *shape, dtype=F64)[:10]
    y = model(x).argmax(1)
    proofs = certify(model, x, y, linf(eps), ["second_order"])
    index = torch.tensor([i for i, p in enumerate(proofs) if not p.holds])
    return model, x[index], y[index]


def test_pieces_cover_the_box_and_meet_at_one_number(monkeypatch):
    pieces, true = [], splits._halves

    def recorded(low, high, expansion):
        place, halves = true(low, high, expansion)
        pieces.append((low, high, halves))
        return place, halves

    monkeypatch.setattr(splits, "_halves", recorded)
    model, x, y = open_examples()
    certify(model, x[:5], y[:5], linf(0.2), [budget(40)])
    assert len(pieces) > 20
    for low, high, halves in pieces:
        for (first, top), (bottom, last) in [halves] if halves else []:
            assert torch.equal(first, low)
            assert torch.equal(last, high)
            moved = (top != high).nonzero().flatten()
            assert len(moved) == 1
            assert torch.equal(moved, (bottom != low).nonzero().flatten())
            assert top[moved] == bottom[moved]
            assert low[moved] < top[moved] < high[moved]


def test_a_larger_budget_proves_more_and_never_less():
    model, x, y = open_at(0.22)
    x, y = x[-3:], y[-3:]
    held = []
    for nodes in (1, 10, 20):
        proofs = certify(model, x, y, linf(0.22), [budget(nodes)])
        held.append([p.holds for p in proofs])
        assert all(p.method == "splits" for p in proofs)
    assert not any(held[0])
    assert 0 < sum(held[1]) <= sum(held[2])


def test_no_more_pieces_than_the_budget_are_expanded(monkeypatch):
    model, x, y = open_examples()
    count, true = [0], SquareNetwork.expand

    def counted(self, *args):
        count[0] += 1
        return true(self, *args)

    monkeypatch.setattr(SquareNetwork, "expand", counted)
    certify(model, x[:1], y[:1], linf(0.2), [budget(1)])
    assert count[0] <= 1 + 2  # the whole box, and once for each other class
    count[0] = 0
    certify(model, x[:1], y[:1], linf(0.2), [budget(11)])
    assert count[0] <= 1 + 2 * 11


def test_a_center_of_another_class_ends_the_search(monkeypatch):
    model, x, y = open_examples()
    count, true = [0], SquareNetwork.expand

    def counted(self, *args):
        count[0] += 1
        return true(self, *args)

    monkeypatch.setattr(SquareNetwork, "expand", counted)
    wrong = (y + 1) % 3
    proofs = certify(model, x[:2], wrong[:2], linf(0.0), [budget(1000)])
    assert not any(p.holds for p in proofs)
    assert count[0] <= 2 * 3


def test_a_box_that_is_a_point_has_no_halves():
    torch.manual_seed(0)
    model, shape = quartics()["dense"]
    squares = SquareNetwork(read(model), torch.Size(shape))
    point = torch.full((6,), 0.5, dtype=F64)
    search = splits._Search(squares, 0, 1, EXACT)
    *_, expansion = search._expanded(point, point)
    assert splits._halves(point, point, expansion)[1] == []
    assert math.isfinite(search.least(point, point, 50)[0])
