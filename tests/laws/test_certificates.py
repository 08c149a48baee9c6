"""Unsoundness planted in the certificates: each fault gives a bound above what a check finds."""

import importlib
import math
from dataclasses import replace
from types import SimpleNamespace

import mpmath
import pytest
import torch
from enclosed import (
    F64,
    descended,
    excess,
    l2,
    linf,
    lose_a_piece,
    networks,
    on_sphere,
    quartics,
    sampled,
    worst_in_fractions,
)

from holonet import nn
from holonet.certify import (
    EXACT,
    Enclosure,
    Semantics,
    affine,
    certify,
    enclosure,
    expansion,
    lines,
    pointwise,
    quadratic,
    rows,
    saddle,
    splits,
)
from holonet.functions import CATALOGUE, range_on, real_bounds

ladder = importlib.import_module("holonet.certify.ladder")
disc_bounds = importlib.import_module("holonet.functions.disc_bounds")
METHODS = ["intervals", "tangents"]
POLYNOMIAL = ["second_order", "splits"]


def worst_in_double(name, method, eps=0.1, near_bounds=False):
    """A bound minus a sampled margin, at most."""
    torch.manual_seed(0)
    model, shape = networks()[name]
    x, y = torch.rand(8, *shape, dtype=F64), torch.arange(8) % 3
    x = 0.02 * x + (x > 0.5) * 0.98 if near_bounds else x
    points = sampled(x, linf(eps), 300)
    return excess(model, x, y, linf(eps), [method], Semantics(F64), points=points)[0]


def worst_in_single(method):
    torch.manual_seed(0)
    model, shape = networks(single=True)["real tanh"]
    x, y = torch.rand(60, *shape), torch.arange(60) % 3
    points = x[None]
    return excess(model, x, y, linf(0.0), [method], Semantics(torch.float32), points=points)[0]


def worst_ulp():
    """How many values of mpmath lie outside of the ranges at points."""
    x = torch.linspace(-3, 3, 41, dtype=F64)
    outside = 0
    for name in ("tanh", "exp", "erf", "sigmoid"):
        low, high = range_on(CATALOGUE[name], x, x)
        exact = mpmath.erf if name == "erf" else getattr(mpmath, name, None)
        exact = exact or (lambda t: 1 / (1 + mpmath.exp(-t)))
        with mpmath.workdps(30):
            for point, least, largest in zip(*(v.tolist() for v in (x, low, high)), strict=True):
                outside += not mpmath.mpf(least) <= exact(mpmath.mpf(point)) <= largest
    return outside


def round_to_nearest(monkeypatch):
    """Float64 without error bounds."""
    monkeypatch.setattr(Semantics, "gamma", lambda self, terms: 1e-30)
    for module in (affine, enclosure, lines, pointwise, rows, real_bounds, expansion, saddle):
        monkeypatch.setattr(module, "margin", lambda scale: torch.zeros_like(scale))
    for module in (pointwise, rows, quadratic):
        monkeypatch.setattr(module, "UNIT", 0.0)
    monkeypatch.setattr(torch, "nextafter", lambda x, to: x)


@pytest.mark.parametrize("method", METHODS)
def test_planted_rounding_to_nearest_is_found_by_fractions(method, monkeypatch):
    assert worst_in_fractions(method, seeds=3) <= 0
    round_to_nearest(monkeypatch)
    assert worst_in_fractions(method, seeds=3) > 0


@pytest.mark.parametrize("method", METHODS)
def test_planted_center_of_the_clipped_box_is_found_by_sampling(method, monkeypatch):
    assert worst_in_double("affine", method, near_bounds=True) <= 0
    true = ladder.threat_set

    def unmoved(x, threat, semantics=EXACT):
        return Enclosure(x.double()[None], true(x, threat, semantics).radius)

    monkeypatch.setattr(ladder, "threat_set", unmoved)
    assert worst_in_double("affine", method, near_bounds=True) > 0


@pytest.mark.parametrize("method", METHODS)
def test_planted_image_box_by_slope_is_found_by_sampling(method, monkeypatch):
    assert worst_in_double("threshold", method) <= 0

    def by_slope(self, box, trace):
        v = self.slope * (box.center - self.middle)
        slope = self.slope * torch.exp(-v * v) / math.sqrt(math.pi)
        return Enclosure((1 + torch.erf(v)) / 2, slope * box.radius)

    monkeypatch.setattr(pointwise.ThresholdStep, "image", by_slope)
    assert worst_in_double("threshold", method) > 0


@pytest.mark.parametrize("method", METHODS)
def test_planted_conjugate_for_the_transpose_is_found_by_sampling(method, monkeypatch):
    assert worst_in_double("complex square", method, 0.02) <= 0
    true = affine.Affine._pulled

    def conjugate(self, v, weight, sign, event, parts):
        if len(weight) == 2 and sign == -1:
            weight = (weight[0], -weight[1])
        return true(self, v, weight, sign, event, parts)

    monkeypatch.setattr(affine.Affine, "_pulled", conjugate)
    assert worst_in_double("complex square", method, 0.02) > 0


@pytest.mark.parametrize("method", METHODS)
def test_planted_lack_of_the_executed_term_is_found_in_float32(method, monkeypatch):
    assert worst_in_single(method) <= 0
    monkeypatch.setattr(Semantics, "unit", 0.0)
    assert worst_in_single(method) > 0


def test_planted_ulp_of_an_activation_is_found_by_mpmath(monkeypatch):
    assert worst_ulp() == 0
    monkeypatch.setattr(real_bounds, "margin", lambda scale: torch.zeros_like(scale))
    assert worst_ulp() > 10


@pytest.mark.parametrize("name", ["real square", "real softplus", "real tanh"])
def test_planted_lack_of_the_remainder_is_found_by_sampling(name, monkeypatch):
    assert worst_in_double(name, "tangents", 0.3) <= 0
    true = lines.range_on

    def flat(record, low, high, order=0):
        if order == 2:
            return torch.zeros_like(low), torch.zeros_like(low)
        return true(record, low, high, order)

    monkeypatch.setattr(lines, "range_on", flat)
    assert worst_in_double(name, "tangents", 0.3) > 0


@pytest.mark.parametrize("name", ["exp", "tanh", "sin", "erf"])
def test_planted_second_derivative_of_another_record_is_found_by_sampling(name, monkeypatch):
    for kind in ("real", "complex"):
        assert worst_in_double(f"{kind} {name}", "tangents") <= 0
    monkeypatch.setitem(disc_bounds._SECOND, name, disc_bounds._SECOND["sigmoid"])
    assert worst_in_double(f"complex {name}", "tangents") > 0
    true = lines.range_on

    def other(record, low, high, order=0):
        return true(CATALOGUE["sigmoid"] if order == 2 else record, low, high, order)

    monkeypatch.setattr(lines, "range_on", other)
    assert worst_in_double(f"real {name}", "tangents") > 0


def beyond_the_third_derivative():
    """How many third derivatives by mpmath are larger than their bound."""
    x, beyond = torch.linspace(-1, 1, 21, dtype=F64), 0
    for name in ("tanh", "exp", "erf", "sin"):
        bound = real_bounds.derivative_bound(CATALOGUE[name], x - 0.01, x + 0.01, 3)
        with mpmath.workdps(40):
            for point, largest in zip(x.tolist(), bound.tolist(), strict=True):
                beyond += abs(mpmath.diff(getattr(mpmath, name), point, 3)) > largest
    return beyond


def test_planted_third_derivative_of_another_record_is_found_by_mpmath(monkeypatch):
    assert beyond_the_third_derivative() == 0
    other = real_bounds._FACTS["sigmoid"]
    for name in ("tanh", "exp", "erf", "sin"):
        monkeypatch.setitem(real_bounds._FACTS, name, other)
    assert beyond_the_third_derivative() > 40


@pytest.mark.parametrize("method", METHODS)
def test_planted_singularities_of_another_record_are_found_by_sampling(method, monkeypatch):
    model = nn.HolomorphicClassifier(
        nn.Sequential(nn.Activation("tan"), nn.Linear(2, 2, dtype=F64))
    )
    x, y = torch.tensor([[1.5, 0.5]], dtype=F64), torch.tensor([0])

    def found():
        points = sampled(x, linf(0.2, None), 200)
        return excess(model, x, y, linf(0.2, None), [method], Semantics(F64), points=points)

    worst, (proof,) = found()
    assert worst <= 0
    assert not proof.holds
    assert "come within 0 of a singularity" in proof.notes[0]
    whole = replace(real_bounds._FACTS["tan"], whole_axis=True)
    monkeypatch.setitem(real_bounds._FACTS, "tan", whole)
    assert found()[0] > 0


def worst_on_sphere(method):
    """A bound on an l_2 ball minus a margin on its sphere, at most, as executed in float32."""
    torch.manual_seed(0)
    model, _ = networks(single=True)["affine"]
    x, y = 0.2 + 0.6 * torch.rand(20, 4), torch.arange(20) % 3
    found = -math.inf
    for eps in (1e-6, 0.1):
        points = on_sphere(x, l2(eps), 300)
        single = Semantics(torch.float32)
        found = max(found, excess(model, x, y, l2(eps), [method], single, points=points)[0])
    return found


@pytest.mark.parametrize("method", METHODS)
def test_planted_dual_norm_of_an_l1_ball_is_found_on_the_sphere(method, monkeypatch):
    assert worst_on_sphere(method) <= 0
    true = enclosure.Ball.rise

    def largest_entry(self, squares, terms):
        return true(self, squares / 4, 0)  # the networks have four inputs

    monkeypatch.setattr(enclosure.Ball, "rise", largest_entry)
    assert worst_on_sphere(method) > 0


def test_planted_length_without_rounding_is_found_in_float32(monkeypatch):
    x = torch.rand(8, 784)
    far = (on_sphere(x, l2(1e-3), 4).double() - x.double()).norm(dim=2)
    assert (far <= ladder.threat_set(x, l2(1e-3)).ball.length).all()
    monkeypatch.setattr(torch, "finfo", lambda dtype: SimpleNamespace(eps=0.0))
    assert (far > ladder.threat_set(x, l2(1e-3)).ball.length).any()


def worst_of_descent(name, method, eps):
    """A bound of a network with two layers of squares minus the margin that a descent finds."""
    torch.manual_seed(1)
    model, shape = quartics()[name]
    x, y = torch.rand(6, *shape, dtype=F64), torch.arange(6) % 3
    found = descended(model, x, y, linf(eps), sampled(x, linf(eps), 20))
    own = ladder.METHODS[method]
    own = replace(own, nodes=12) if isinstance(own, splits.Splits) else own
    proofs = certify(model, x, y, linf(eps), [own])
    bounds = torch.tensor([p.margins for p in proofs], dtype=F64)
    return torch.where(bounds.isinf(), -math.inf, bounds - found).amax().item()


@pytest.mark.parametrize("method", POLYNOMIAL)
def test_planted_rounding_to_nearest_of_polynomials_is_found_by_fractions(method, monkeypatch):
    assert worst_in_fractions(method, layers=2, seeds=3) <= 0
    round_to_nearest(monkeypatch)
    assert worst_in_fractions(method, layers=2, seeds=3) > 0


@pytest.mark.parametrize("method", POLYNOMIAL)
def test_planted_lack_of_the_third_order_is_found_by_descent(method, monkeypatch):
    assert worst_of_descent("threshold", method, 0.1) <= 0

    def without(weights, reach, shares):
        return weights, (-weights).clamp(min=0) @ reach.square()

    monkeypatch.setattr(saddle, "split", without)
    assert worst_of_descent("threshold", method, 0.1) > 0


def test_planted_reach_of_nothing_is_found_by_descent(monkeypatch):
    assert worst_of_descent("threshold", "second_order", 0.1) <= 0
    true = expansion.SquareNetwork._reach
    monkeypatch.setattr(
        expansion.SquareNetwork, "_reach", lambda self, *args: 0.0 * true(self, *args)
    )
    assert worst_of_descent("threshold", "second_order", 0.1) > 0


def test_planted_entries_left_out_without_payment_are_found_by_descent(monkeypatch):
    monkeypatch.setattr(expansion, "_TAIL", 0.5)
    assert worst_of_descent("dense", "second_order", 0.1) <= 0
    true = expansion.SquareNetwork.expand

    def forgetful(self, center, radius, *args):
        small = torch.ones_like(radius).index_fill(0, expansion._free(center, radius), 0.0)
        return true(self, center, radius * (1 - small), *args)

    monkeypatch.setattr(expansion.SquareNetwork, "expand", forgetful)
    assert worst_of_descent("dense", "second_order", 0.1) > 0


@pytest.mark.parametrize("method", ["splits", "tangent_splits"])
def test_planted_loss_of_a_piece_is_found_by_descent(method, monkeypatch):
    assert worst_of_descent("threshold", method, 0.1) <= 0
    lose_a_piece(monkeypatch)
    assert worst_of_descent("threshold", method, 0.1) > 0


@pytest.mark.parametrize("method", POLYNOMIAL)
def test_planted_lack_of_the_executed_term_of_polynomials_is_found_in_float32(method, monkeypatch):
    def worst():
        torch.manual_seed(0)
        model, shape = quartics(single=True)["dense"]
        x, y = torch.rand(12, *shape), torch.arange(12) % 3
        single = Semantics(torch.float32)
        return excess(model, x, y, linf(0.0), [method], single, points=x[None])[0]

    assert worst() <= 0
    monkeypatch.setattr(Semantics, "unit", 0.0)
    assert worst() > 0
