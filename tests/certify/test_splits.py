"""Splits: pieces that cover the box, a budget, and more proofs than without."""

import functools
import math
from dataclasses import replace

import pytest
import torch
from enclosed import F64, descended, linf, networks, quartics, sampled

from holonet.certify import EXACT, METHODS, certify, read, splits
from holonet.certify.enclosure import Enclosure

BOTH = pytest.mark.parametrize("name", ["splits", "tangent_splits"])
EPS = {"splits": 0.2, "tangent_splits": 0.12}


def budget(nodes, name="splits"):
    return replace(METHODS[name], nodes=nodes)


@functools.cache
def open_examples(name):
    """Examples of the model's own class that are open without a split."""
    return open_at(EPS[name], name)


def open_at(eps, name="splits"):
    torch.manual_seed(2)
    model, shape = quartics()["dense"]
    x = torch.rand(40, *shape, dtype=F64)[:10]
    y = model(x).argmax(1)
    proofs = certify(model, x, y, linf(eps), [budget(1, name)])
    index = torch.tensor([i for i, p in enumerate(proofs) if not p.holds])
    return model, x[index], y[index]


@pytest.fixture
def boxes(monkeypatch):
    """How many boxes each call of `pieces` was given."""
    counts = []
    for kind in (splits.SquareSplits, splits.TangentSplits):

        def counted(self, read, low, *rest, true=kind.pieces):
            counts.append(low.shape[1])
            return true(self, read, low, *rest)

        monkeypatch.setattr(kind, "pieces", counted)
    return counts


@BOTH
def test_pieces_cover_the_box_and_meet_at_one_number(name, monkeypatch):
    pieces, true = [], splits._halves

    def recorded(piece):
        place, middle, halves = true(piece)
        pieces.append((piece.low, piece.high, middle, halves))
        return place, middle, halves

    monkeypatch.setattr(splits, "_halves", recorded)
    model, x, y = open_examples(name)
    certify(model, x[:5], y[:5], linf(EPS[name]), [budget(40, name)])
    assert len(pieces) > 20
    for low, high, middle, halves in pieces:
        lows, highs = halves or (low, high)
        assert torch.equal(lows[:, :1], low)
        assert torch.equal(highs[:, -1:], high)
        if halves:
            moved = (highs[:, :1] != high).nonzero()
            assert len(moved) == 1
            assert torch.equal(moved, (lows[:, 1:] != low).nonzero())
            assert highs[:, :1][tuple(moved[0])] == lows[:, 1:][tuple(moved[0])] == middle
            assert low[tuple(moved[0])] < middle < high[tuple(moved[0])]


@pytest.mark.parametrize(("name", "eps"), [("splits", 0.22), ("tangent_splits", 0.06)])
def test_a_larger_budget_proves_more_and_never_less(name, eps):
    model, x, y = open_at(eps, name)
    x, y = x[-3:], y[-3:]
    held = []
    for nodes in (1, 10, 20):
        proofs = certify(model, x, y, linf(eps), [budget(nodes, name)])
        held.append([p.holds for p in proofs])
        assert all(p.method == name for p in proofs)
    assert not any(held[0])
    assert 0 < sum(held[1]) <= sum(held[2])


def test_tangent_splits_are_for_all_layers_and_prove_more_than_tangents():
    """Of every network of the tests, with bounds that a descent does not pass."""
    better = 0
    for name, (model, shape) in networks().items():
        torch.manual_seed(3)
        x, threat = torch.rand(2, *shape, dtype=F64), linf(0.1)
        y = model(x).argmax(1)
        tangents, cut = (
            torch.tensor([p.margins for p in certify(model, x, y, threat, [method])], dtype=F64)
            for method in ("tangents", budget(12, "tangent_splits"))
        )
        found = descended(model, x, y, threat, sampled(x, threat, 20))
        assert (cut >= tangents - 1e-12).all(), name
        assert (cut[cut.isfinite()] <= found[cut.isfinite()]).all(), name
        better += bool((cut > tangents + 1e-6).any())
    assert better > 5


@BOTH
def test_no_more_pieces_than_the_budget_are_bounded(name, boxes):
    model, x, y = open_examples(name)
    for nodes in (1, 11):
        boxes.clear()
        certify(model, x[:1], y[:1], linf(EPS[name]), [budget(nodes, name)])
        assert sum(boxes) <= 2 * nodes  # a search for each other class
        assert sum(boxes) >= nodes


@BOTH
def test_a_center_of_another_class_ends_the_search(name, boxes):
    model, x, y = open_examples(name)
    wrong = (y + 1) % 3
    proofs = certify(model, x[:2], wrong[:2], linf(1e-3), [budget(1000, name)])
    assert not any(p.holds for p in proofs)
    assert sum(boxes) <= 2 * 2


@BOTH
def test_a_box_that_is_a_point_has_no_halves(name):
    torch.manual_seed(0)
    model, shape = quartics()["dense"]
    method, point = METHODS[name], torch.full((1, 1, *shape), 0.5, dtype=F64)
    image = Enclosure(point, 0 * point)
    behind = method.read(read(model), image)
    (piece,) = method.pieces(behind, point, point, 0, 1, EXACT)
    assert splits._halves(piece)[2] is None
    assert math.isfinite(method.bounds(behind, image, 0, [1, 2], EXACT)[0][0])
