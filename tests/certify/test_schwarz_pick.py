"""Bounds by the lemma of Schwarz and Pick: sound, and exact for one Moebius map."""

import math
from dataclasses import replace

import pytest
import torch
from enclosed import C128, F64, descended, excess, in_complex_set, linf, margins
from hypothesis import given
from hypothesis import strategies as st
from torch import nn as tnn

from cases import each
from holonet import nn
from holonet.certify import EXACT, METHODS, Semantics, certify, schwarz_pick
from holonet.errors import InputTypeError
from holonet.functions import blaschke, polynomial
from holonet.threats import ThreatModel

RECORDS = (
    blaschke([0.5]),
    blaschke([0.6, 0.0, -0.3]),
    blaschke([0.3 - 0.5j, 0.9], 1.0),
    polynomial([0.1, 0.5, 0.0, 0.4]),
)


def self_map(seed, record, depth, dtype=C128, width=5):
    """A classifier with a self-map of the polydisc in front of a linear layer, and examples."""
    torch.manual_seed(seed)
    layers = [part for _ in range(depth) for part in (nn.Linear(width, width, dtype=dtype), record)]
    layers = [part if isinstance(part, nn.Linear) else nn.Activation(part) for part in layers]
    body = tnn.Sequential(*layers)
    with torch.no_grad():
        for p in body.parameters():
            p.copy_(torch.randn_like(p))
    nn.to_self_map_(body)
    backbone = nn.Sequential(nn.Sequential(*body), nn.Linear(width, 3, dtype=dtype))
    return nn.HolomorphicClassifier(backbone), torch.rand(3, width, dtype=F64)


def drawn(seed):
    generator = torch.Generator().manual_seed(seed)
    record = RECORDS[int(torch.randint(len(RECORDS), (), generator=generator))]
    real = record.real_on_real and bool(torch.rand((), generator=generator) < 0.5)
    depth = 1 + int(torch.randint(4, (), generator=generator))
    eps = 10 ** (-3 * float(torch.rand((), generator=generator)) - 0.3)
    model, x = self_map(seed, record, depth, F64 if real else C128)
    return model, x, model(x).argmax(1), eps


@given(seed=st.integers(0, 2**32))
def test_no_attack_finds_a_margin_below_its_bound(seed):
    model, x, y, eps = drawn(seed)
    worst, proofs = excess(model, x, y, linf(eps), ["schwarz_pick"])
    assert worst <= 1e-13
    found = descended(model, x, y, linf(eps), x[None].repeat(2, 1, 1))
    bounds = torch.tensor([p.margins for p in proofs], dtype=F64)
    bounds[bounds == math.inf] = -math.inf
    assert (bounds <= found + 1e-13).all()


@given(seed=st.integers(0, 2**32))
def test_no_complex_margin_is_below_its_bound(seed):
    model, _, _, eps = drawn(seed)
    x = torch.polar(0.6 * torch.rand(3, 5, dtype=F64), 6 * torch.rand(3, 5, dtype=F64))
    y = model(x).argmax(1)
    threat = ThreatModel("polydisc", min(eps, 0.3), None)
    points = in_complex_set(x, threat, 100)
    worst, proofs = excess(model, x, y, threat, ["schwarz_pick"], points=points)
    assert worst <= 1e-13
    assert all(math.isfinite(p.margin) for p in proofs)


def one_moebius_map(zero, center):
    """A bound on the disc of radius 0.4 about a center, and the least margin on its circle."""
    body = nn.Sequential(nn.Activation(blaschke([zero])), nn.Linear(1, 2, dtype=C128))
    with torch.no_grad():
        body[1].weight.copy_(torch.tensor([[-1.0], [1.0]]))
        body[1].bias.copy_(torch.tensor([2.5, 0.0]))
    model, x = nn.HolomorphicClassifier(body), torch.full((1, 1), center, dtype=C128)
    y, threat = torch.tensor([0]), ThreatModel("polydisc", 0.4, None)
    (proof,) = certify(model, x, y, threat, ["schwarz_pick"])
    angles = torch.linspace(0, 2 * math.pi, 100_001, dtype=F64).view(-1, 1, 1)
    circle = center + torch.polar(torch.full_like(angles, 0.4), angles)
    return proof.margin, margins(model, circle, y)[..., 1].min().item()


@each(("zero", "center"), [(0.5, 0.0), (0.2 - 0.7j, 0.0), (0.0, 0.0), (0.5, 0.3), (-0.9, 0.55)])
def test_one_moebius_map_is_exact(zero, center):
    """Moebius maps keep distances. The largest one of a disc is that of its point furthest out."""
    bound, least = one_moebius_map(zero, center)
    assert bound <= least <= bound + 1e-8


PLANTS = {
    "Euclidean distance": ("_away", lambda true, m, r, c: (m - c)[0].abs() + r),
    "distance without the disc": ("_away", lambda true, m, r, c: true(m, r / 2, c)),
    "a reach too small": ("_reach", lambda true, *a: 0.99 * true(*a)),
    "a disc about the value": ("_discs", lambda true, v, *a: replace(true(v, *a), center=v.center)),
}


@each("name", PLANTS)
def test_planted_faults_are_found(name):
    target, fault = PLANTS[name]
    true = getattr(schwarz_pick, target)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schwarz_pick, target, lambda *a: fault(true, *a))
        bound, least = one_moebius_map(0.5, 0.3)
    assert bound > least + 1e-6


def test_deep_complex_networks_are_bounded_better_than_by_rectangles():
    won = 0
    for seed in range(6):
        model, x = self_map(seed, blaschke([0.5]), 5, width=16)
        y = model(x).argmax(1)
        proofs = [certify(model, x, y, linf(0.02), [m]) for m in ("intervals", "schwarz_pick")]
        won += sum(b.margin > a.margin for a, b in zip(*proofs, strict=True))
    assert won >= 15


def test_what_is_in_front_of_the_self_map_may_be_anything():
    torch.manual_seed(0)
    front = nn.Threshold(6.0, 0.5, dtype=F64), nn.Linear(4, 4, dtype=F64), nn.Softplus()
    body = tnn.Sequential(nn.Linear(4, 5, dtype=F64), nn.Activation(blaschke([0.5])))
    nn.to_self_map_(body)
    body[0].weight.data.mul_(0.2)
    model = nn.HolomorphicClassifier(nn.Sequential(*front, *body, nn.Linear(5, 3, dtype=F64)))
    x = torch.rand(4, 4, dtype=F64)
    worst, proofs = excess(model, x, model(x).argmax(1), linf(0.05), ["schwarz_pick"])
    assert worst <= 0
    assert all(math.isfinite(p.margin) for p in proofs)


def test_convolutions_means_and_normalizers_are_bounded_too():
    torch.manual_seed(0)
    body = tnn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1, dtype=C128),
        nn.Activation(blaschke([0.5j])),
        nn.AvgPool2d(2),
        nn.Conv2d(3, 4, 2, dtype=C128),
        nn.Square(),
        nn.Flatten(),
    )
    nn.to_self_map_(body)
    model = nn.HolomorphicClassifier(nn.Sequential(*body, nn.Linear(4, 3, dtype=C128)))
    x = torch.rand(3, 1, 4, 4, dtype=F64)
    worst, proofs = excess(model, x, model(x).argmax(1), linf(0.05), ["schwarz_pick"])
    assert worst <= 1e-13
    assert all(math.isfinite(p.margin) for p in proofs)


def test_a_set_that_leaves_the_polydisc_has_no_bound_and_says_so():
    model, x = self_map(0, blaschke([0.5]), 2)
    (proof,) = certify(model, x[:1], torch.tensor([0]), linf(3.0, None), ["schwarz_pick"])
    assert not proof.holds
    assert "inside of the unit disc" in proof.notes[-1]


@each(
    ("layers", "semantics", "hint"),
    [
        ((tnn.Linear(2, 2), tnn.ReLU(), tnn.Linear(2, 2)), EXACT, r"1 \(ReLU\) is not known"),
        ((tnn.Linear(2, 2), nn.Activation("log")), EXACT, r"1 \(Activation"),
        ((tnn.Linear(2, 2), nn.Square()), Semantics(torch.float32), "'executed float32'"),
    ],
    ids=str,
)
def test_other_networks_and_executed_semantics_are_refused(layers, semantics, hint):
    model = tnn.Sequential(*layers).double() if semantics is EXACT else tnn.Sequential(*layers)
    x = torch.rand(1, 2)
    with pytest.raises(InputTypeError, match=hint):
        certify(model, x, torch.tensor([0]), linf(0.1), ["schwarz_pick"], semantics)


def test_it_has_its_place_among_the_methods():
    assert [*METHODS][:3] == ["intervals", "schwarz_pick", "tangents"]
