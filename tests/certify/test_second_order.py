"""Second order: sound on samples, corners and attacks, exact at points, sharper than tangents."""

import itertools
import math
from dataclasses import replace
from fractions import Fraction

import pytest
import torch
from enclosed import (
    F64,
    descended,
    exact_margins,
    excess,
    l2,
    linf,
    margins,
    on_sphere,
    quartics,
    sampled,
    square_network,
    worst_in_fractions,
)

from cases import some_of
from holonet import nn
from holonet.certify import EXACT, METHODS, Semantics, certify, read, threat_set
from holonet.errors import InputTypeError

RADII = (0.0, 1e-12, 1e-6, 1e-3, 0.05, 0.3, 10.0)
BOTH = [METHODS["second_order"], replace(METHODS["splits"], nodes=12)]
each_method = pytest.mark.parametrize("method", BOTH, ids=[m.name for m in BOTH])
NAMES = ("dense", "threshold", "convolution", "1 layers", "4 layers", "complex")
NAMES += ("complex convolution",)
FOUR = ("convolution", "1 layers", "4 layers", "complex")
each_count = pytest.mark.parametrize("seeds", [1, pytest.param(4, marks=pytest.mark.slow)])


def each_of(few):
    """A few networks in part, and where slow tests run all of them in whole too."""
    cases = [(name, False) for name in few] + [(name, True) for name in NAMES]
    return some_of(("name", "whole"), cases, slice(len(few)))


def some(radii, name, whole):
    """All radii, or one, which one depends on the network."""
    k = NAMES.index(name)
    return [eps for i, eps in enumerate(radii) if whole or (i + k) % len(radii) == 0]


def examples(shape, labels, whole, dtype=F64):
    """Random examples with these labels, or the first of them alone."""
    count = len(labels) if whole else 1
    return torch.rand(len(labels), *shape, dtype=dtype)[:count], torch.tensor(labels[:count])


def test_shares_are_of_all_networks_and_every_radius_is_in_one():
    assert set(NAMES) == set(quartics())
    for radii in (RADII, RADII[:4], RADII[:2]):
        assert {eps for name in NAMES for eps in some(radii, name, False)} == set(radii)
        assert all(len(some(radii, name, False)) == 1 for name in NAMES)
        assert all(some(radii, name, True) == list(radii) for name in NAMES)
    assert {eps for name in FOUR for eps in some(RADII[:4], name, False)} == set(RADII[:4])


@each_of(NAMES)
@each_method
def test_no_sampled_margin_is_below_its_bound_in_double_precision(name, method, whole):
    model, shape = quartics()[name]
    x, y = examples(shape, [0, 2], whole)
    for eps in some(RADII, name, whole):
        threat = linf(eps, None) if eps > 1 else linf(eps)
        worst, proofs = excess(model, x, y, threat, [method], Semantics(F64))
        assert worst <= 0, eps
        assert all(math.isfinite(min(p.margins)) for p in proofs)


@each_of(FOUR)
@each_method
def test_no_executed_float32_margin_is_below_its_bound(name, method, whole):
    model, shape = quartics(single=True)[name]
    x, y = examples(shape, [0, 1], whole, torch.float32)
    for eps in some((0.0, 1e-6, 1e-3, 0.05), name, whole):
        threat = linf(eps)
        signs = torch.randint(3, (100, *x.shape)) - 1
        points = (x + signs * eps).clamp(0, 1)
        worst, _ = excess(model, x, y, threat, [method], Semantics(torch.float32), points=points)
        assert worst <= 0, eps


@each_method
@each_count
def test_bounds_at_points_and_corners_are_below_exact_fractions(method, seeds):
    assert -1e-8 < worst_in_fractions(method, layers=2, seeds=seeds) <= 0


@each_method
@each_count
def test_bounds_of_one_layer_are_below_every_corner_in_fractions(method, seeds):
    worst = -math.inf
    for seed in range(seeds):
        torch.manual_seed(seed)
        model = square_network(1)
        last = model[-1]
        last.weight.data[0] = -10 * last.weight.data[0].abs()  # its margins are concave
        last.weight.data[1:].abs_()
        x, threat = 0.2 + 0.6 * torch.rand(1, 7, dtype=F64), linf(0.1)
        box = threat_set(x, threat, EXACT)
        ends = torch.stack([box.low[0, 0], box.high[0, 0]]).T.tolist()
        corners = torch.tensor(list(itertools.product(*ends)), dtype=F64)
        lowest = margins(model, corners[:, None], torch.tensor([0]))[:, 0].argsort(0)[:2, 1:]

        near = corners[lowest.flatten().unique()]

        def least(model=model, near=near):
            exact = [exact_margins(model, corner, 0) for corner in near]
            return [min(values[k] for values in exact) for k in (1, 2, 3)]

        last.bias.data[0] -= float(min(least())) - 1e-8
        proof = certify(model, x, torch.tensor([0]), threat, [method])[0]
        bounds = [Fraction(bound) for bound in proof.margins[1:]]
        worst = max(worst, *(float(b - m) for b, m in zip(bounds, least(), strict=True)))
    assert worst <= 0


@each_of(("4 layers", "complex"))
def test_attacks_find_no_margin_below_its_bound(name, whole):
    model, shape = quartics()[name]
    x, y = examples(shape, [1, 2], whole)
    for eps in some((0.02, 0.1), name, whole):
        points = sampled(x, linf(eps), 20)
        found = descended(model, x, y, linf(eps), points, 15 if whole else 8)
        for method in BOTH:
            proofs = certify(model, x, y, linf(eps), [method], Semantics(F64))
            bounds = torch.tensor([p.margins for p in proofs], dtype=F64)
            bounds[bounds == math.inf] = -math.inf
            assert (bounds <= found).all()


@some_of("name", NAMES, slice(1))
def test_bounds_are_near_to_what_an_attack_finds_at_small_radii(name):
    model, shape = quartics()[name]
    x, y = torch.rand(6, *shape, dtype=F64), torch.arange(6) % 3
    eps = 0.01
    center = margins(model, x[None], y)[0]
    found = descended(model, x, y, linf(eps), sampled(x, linf(eps), 20))
    proofs = certify(model, x, y, linf(eps), ["second_order"])
    bounds = torch.tensor([p.margins for p in proofs], dtype=F64)
    other = bounds != math.inf
    loss = ((found - bounds) / (center - found).clamp(min=1e-9))[other]
    assert loss.median() < 0.15


@some_of("name", NAMES, slice(1, 2))
def test_second_order_proves_what_tangents_leave_open(name):
    torch.manual_seed(2)
    model, shape = quartics()[name]
    threat = linf(0.1 if name in ("4 layers", "complex") else 0.2)  # where it proves anything
    x = torch.rand(16, *shape, dtype=F64)
    y = model(x).argmax(1)
    tangents = certify(model, x, y, threat, ["tangents"])
    proofs = certify(model, x, y, threat, ["tangents", "second_order"])
    for first, proof in zip(tangents, proofs, strict=True):
        assert proof == first if first.holds else proof.margin >= first.margin
        assert proof.theorem == METHODS[proof.method].theorem
    assert any(p.holds and p.method == "second_order" for p in proofs)


def descended_in_ball(model, x, y, threat, steps=40, starts=6):
    """The least margins (batch, classes) that projected gradient steps of length find."""
    best = torch.full((len(x), 3), math.inf, dtype=F64)
    moved = torch.cat([on_sphere(x, threat, starts) for _ in range(3)]).flatten(0, 1)
    repeated, labels = x.repeat(3 * starts, *[1] * (x.ndim - 1)), y.repeat(3 * starts)
    classes = torch.arange(3).repeat_interleave(starts * len(x))
    for step in range(steps):
        moved = moved.detach().requires_grad_()
        logits = model(moved)
        ours, theirs = (logits.gather(1, k[:, None])[:, 0] for k in (labels, classes))
        margin = ours - theirs
        least = margin.detach().view(3, starts, -1).amin(1).T
        best = torch.minimum(best, least.double())
        (slope,) = torch.autograd.grad(margin.sum(), moved)
        length = slope.flatten(1).norm(dim=1).clamp(min=1e-30).view(-1, *[1] * (x.ndim - 1))
        size = threat.eps * (1.0 if step < steps // 2 else 0.05)
        moved = threat.project(moved.detach() - size * slope / length, repeated)
    return best


@each_of(FOUR)
def test_no_margin_in_an_l2_ball_is_below_its_bound(name, whole):
    model, shape = quartics()[name]
    x, y = examples(shape, [0, 2], whole)
    x = 0.3 + 0.4 * x
    for eps in some((1e-12, 1e-3, 0.1, 0.5), name, whole):
        threat = l2(eps)
        points = on_sphere(x, threat, 60)
        worst, proofs = excess(model, x, y, threat, ["second_order"], Semantics(F64), points=points)
        assert worst <= 0, eps
        bounds = torch.tensor([p.margins for p in proofs], dtype=F64)
        bounds[bounds == math.inf] = -math.inf
        steps = 40 if whole else 12
        assert (bounds <= descended_in_ball(model, x, y, threat, steps)).all(), eps


@pytest.mark.parametrize("count", [1, pytest.param(4, marks=pytest.mark.slow)])
def test_bounds_in_small_l2_balls_are_near_to_what_an_attack_finds(count):
    torch.manual_seed(0)
    for name in ("dense", "4 layers", "complex", "1 layers")[:count]:
        model, shape = quartics()[name]
        x, y = 0.3 + 0.4 * torch.rand(6, *shape, dtype=F64), torch.arange(6) % 3
        center = margins(model, x[None], y)[0]
        found = descended_in_ball(model, x, y, l2(0.02))
        proofs = certify(model, x, y, l2(0.02), ["second_order"])
        bounds = torch.tensor([p.margins for p in proofs], dtype=F64)
        other = bounds != math.inf
        loss = ((found - bounds) / (center - found).clamp(min=1e-9))[other]
        # behind a threshold the ball is its box; moduli are enough for the others, and looser
        limits = {"1 layers": 1.0, "4 layers": 0.25, "complex": 0.16}
        assert loss.median() < limits.get(name, 0.15), name


def test_what_may_overflow_in_float32_is_not_certified():
    model = torch.nn.Sequential(
        nn.Linear(2, 2, dtype=torch.float32),
        nn.Square(),
        nn.Linear(2, 2, dtype=torch.float32),
        nn.Square(),
        nn.Linear(2, 2, dtype=torch.float32),
    )
    for layer in (model[0], model[2], model[4]):
        layer.weight.data.copy_(1e4 * torch.eye(2))
        layer.bias.data.zero_()
    x, y = torch.tensor([[1.0, 0.5]]), torch.tensor([0])
    single = Semantics(torch.float32)
    for method in BOTH:
        assert certify(model, x, y, linf(0.01), [method], single)[0].holds
        model[4].weight.data.copy_(1e28 * torch.eye(2))
        assert certify(model, x, y, linf(0.01), [method])[0].holds
        assert not certify(model, x, y, linf(0.01), [method], single)[0].holds
        model[4].weight.data.copy_(1e4 * torch.eye(2))


@each_method
def test_other_networks_are_refused_with_the_methods_that_fit(method):
    model = nn.HolomorphicClassifier(nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 3)))
    with pytest.raises(InputTypeError, match="tangents and tangent_splits"):
        certify(model, torch.rand(1, 4), torch.tensor([0]), linf(0.1), [method])


def test_boxes_of_which_nothing_is_known_are_left_open():
    model, _ = quartics()["dense"]
    network, x = read(model), torch.rand(2, 6, dtype=F64)
    box = threat_set(x, linf(0.01), EXACT)
    box.radius[0, 0, 3] = math.inf
    bounds, *_ = METHODS["second_order"].margins(network, box, torch.tensor([0, 0]), EXACT)
    assert (bounds[0] == -math.inf).all()
    assert bounds[1, 1:].isfinite().all()
