"""Certificates of complex examples: polydiscs and Euclidean balls, and readouts by the modulus."""

import math
import random
from dataclasses import replace

import pytest
import torch
from enclosed import C128, F64, complex_networks, excess, in_complex_set, margins
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn as tnn

from holonet import nn
from holonet.attacks import pgd
from holonet.certify import METHODS, Semantics, certified_radius, certify, methods_for
from holonet.errors import ConfigError, InputTypeError
from holonet.threats import ThreatModel

NORMS = ("polydisc", "complex_ball")


def threat_of(norm, eps):
    return ThreatModel(norm, eps, None)


def fitting(model, x, y, threat):
    names = {"intervals", "tangents", *methods_for(model, x, y, threat)}
    return [replace(METHODS[n], nodes=4) if n == "splits" else n for n in sorted(names)]


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", sorted(complex_networks()))
def test_no_margin_in_the_set_is_below_its_bound(name, norm):
    model, shape = complex_networks()[name]
    x, y = torch.randn(2, *shape, dtype=C128), torch.tensor([0, 2])
    finite = 0
    for eps in (0.0, 1e-9, 0.03, 0.2, 5.0):
        threat = threat_of(norm, eps)
        points = in_complex_set(x, threat, 100)
        for method in fitting(model, x, y, threat):
            worst, proofs = excess(model, x, y, threat, [method], Semantics(F64), points=points)
            assert worst <= 0, (eps, method)
            finite += all(math.isfinite(min(p.margins)) for p in proofs)
    assert finite >= 5


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", sorted(complex_networks()))
def test_no_executed_margin_is_below_its_bound_in_single_precision(name, norm):
    model, shape = complex_networks(single=True)[name]
    x, y = torch.randn(4, *shape, dtype=torch.complex64), torch.tensor([0, 1, 2, 0])
    for eps in (0.0, 1e-6, 0.03):
        threat = threat_of(norm, eps)
        points = in_complex_set(x, threat, 100)
        for method in fitting(model, x, y, threat):
            executed = Semantics(torch.float32)
            assert excess(model, x, y, threat, [method], executed, points=points)[0] <= 0


def random_network(chance, dtype):
    """1 to 3 affine layers with records between them, and any readout."""
    width, layers = chance.randint(1, 5), []
    shape = (width,)
    for _ in range(chance.randint(0, 2)):
        inner = chance.randint(1, 6)
        kind = chance.choice((dtype, dtype.to_real()))
        layers += [nn.Linear(width, inner, dtype=kind)]
        layers += [nn.Activation(chance.choice(("square", "cube", "sin", "exp", "tanh", "gelu")))]
        width = inner
    backbone = nn.Sequential(*layers, nn.Linear(width, 3, dtype=dtype))
    with torch.no_grad():
        for p in backbone.parameters():
            p.mul_(10 ** chance.uniform(-1, 0.5))
    readouts = nn.RealPart(), nn.ImagPart(), nn.Modulus(), nn.LogModulus(), nn.LogModulus(0.3)
    return nn.HolomorphicClassifier(backbone, chance.choice(readouts)), shape


@settings(max_examples=2 * settings().max_examples // 5)
@given(seed=st.integers(0, 2**32))
def test_no_attack_finds_a_margin_below_its_bound(seed):
    """At points of the set and at those that steps towards each other class find."""
    torch.manual_seed(seed)
    chance = random.Random(seed)
    dtype = chance.choice((torch.complex64, C128))
    model, shape = random_network(chance, dtype)
    x, y = torch.randn(3, *shape, dtype=dtype), torch.tensor([0, 1, 2])
    threat = threat_of(chance.choice(NORMS), 10 ** chance.uniform(-7, 0.3))
    points = in_complex_set(x, threat, 60)
    moved = x.expand(12, *x.shape)
    for _ in range(8):
        moved = moved.detach().requires_grad_()
        found = model(moved.flatten(0, 1)).unflatten(0, moved.shape[:2])
        target = torch.arange(12)[:, None] % 3
        lead = found.gather(2, target[..., None].expand(12, 3, 1)) - found.gather(
            2, y.expand(12, 3)[..., None]
        )
        (slope,) = torch.autograd.grad(lead.nan_to_num(0, 0, 0).sum(), moved)
        step = threat.eps * chance.choice((0.3, 1.0)) * torch.sgn(slope.nan_to_num(0, 0, 0))
        flat = x.repeat(12, *[1] * (x.ndim - 1))
        moved = threat.project((moved + step).detach().flatten(0, 1), flat)
        moved = moved.unflatten(0, (12, 3))
        points = torch.cat([points, moved])
    for method in fitting(model, x, y, threat):
        executed = Semantics(dtype.to_real())
        assert excess(model, x, y, threat, [method], executed, points=points)[0] <= 0, method


@pytest.mark.parametrize("norm", NORMS)
def test_margins_of_affine_networks_are_those_of_the_dual_norm(norm):
    model = complex_networks()["affine"][0]
    weight = model.backbone.weight.detach()
    x, y = torch.randn(5, 4, dtype=C128), torch.tensor([0, 1, 2, 0, 1])
    order, eps = (1 if norm == "polydisc" else 2), 0.3
    clean = margins(model, x[None], y)[0]
    for i, proof in enumerate(certify(model, x, y, threat_of(norm, eps), ["tangents"])):
        for k in {0, 1, 2} - {int(y[i])}:
            steepest = torch.linalg.vector_norm(weight[y[i]] - weight[k], order)
            exact = float(clean[i, k] - eps * steepest)
            assert exact - 1e-12 <= proof.margins[k] <= exact + 1e-15


def test_a_polydisc_is_less_than_the_box_of_both_parts():
    model = complex_networks()["affine"][0]
    x, y = torch.randn(5, 4, dtype=C128), torch.tensor([0, 1, 2, 0, 1])
    twin = tnn.Linear(8, 3, dtype=F64)
    weight, bias = model.backbone.weight.detach(), model.backbone.bias.detach()
    twin.weight.data, twin.bias.data = torch.cat([weight.real, -weight.imag], 1), bias.real
    pairs = torch.cat([x.real, x.imag], 1)
    assert torch.allclose(twin(pairs), model(x))
    discs = certify(model, x, y, threat_of("polydisc", 0.3), ["tangents"])
    boxes = certify(twin, pairs, y, ThreatModel("Linf", 0.3, None), ["tangents"])
    assert all(d.margin > b.margin + 0.01 for d, b in zip(discs, boxes, strict=True))


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", ["modulus", "log-modulus", "twin"])
def test_near_the_boundary_the_radius_is_that_of_the_attack(name, norm):
    """Of an example whose margin is small all margins are linear on the way to the boundary."""
    model, shape = complex_networks()[name]
    x = torch.randn(400, *shape, dtype=C128)
    logits = model(x).detach()
    top = logits.topk(2, 1).values
    chosen = (top[:, 0] - top[:, 1]).argsort()[:2]
    x, y = x[chosen], logits[chosen].argmax(1)
    radii = certified_radius(model, x, y, threat_of(norm, 0.5), ["tangents"], tolerance=1e-3)
    assert (radii > 0).all()
    for i, radius in enumerate(radii.tolist()):
        broken = pgd(model, x[i : i + 1], y[i : i + 1], threat_of(norm, 1.1 * radius), steps=40)
        assert broken.accuracy == 0
        held = pgd(model, x[i : i + 1], y[i : i + 1], threat_of(norm, radius), steps=40)
        assert held.accuracy == 1


def test_a_set_with_a_zero_of_the_logarithm_is_not_certified_and_says_so():
    model = nn.HolomorphicClassifier(nn.Linear(1, 2, dtype=C128), nn.LogModulus())
    with torch.no_grad():
        model.backbone.weight.copy_(torch.tensor([[1.0], [0.1]]))
        model.backbone.bias.copy_(torch.tensor([0.0, -0.1]))
    x, y = torch.tensor([[0.15 + 0j], [5.0 + 0j]], dtype=C128), torch.tensor([0, 0])
    for method in ("intervals", "tangents"):
        near, far = certify(model, x, y, threat_of("polydisc", 0.2), [method])
        assert not near.holds
        assert "readout (LogModulus)" in near.notes[0]
        assert far.holds
        assert not far.notes


@pytest.mark.parametrize(
    ("x", "norm", "match"),
    [
        (torch.ones(1, 4), "polydisc", "norm of complex data.*'Linf' or 'L2'"),
        (torch.ones(1, 4, dtype=C128), "Linf", "norm of real data.*'polydisc'"),
        (torch.ones(1, 4).long(), "Linf", "x.float"),
    ],
    ids=str,
)
def test_a_norm_for_other_numbers_is_refused(x, norm, match):
    model = complex_networks()["affine"][0]
    with pytest.raises(InputTypeError, match=match):
        certify(model, x, torch.tensor([0]), ThreatModel(norm, 0.1, None))


def test_pairs_of_real_numbers_are_refused_and_splits_of_a_ball():
    model, x, y = complex_networks()["twin"][0], torch.ones(1, 4), torch.tensor([0])
    with pytest.raises(InputTypeError, match=r"0 \(RealPairs\)"):
        certify(model, x, y, ThreatModel("Linf", 0.1, None))
    with pytest.raises(ConfigError, match="splits does not know"):
        certify(model, x + 0j, y, threat_of("complex_ball", 0.1), ["splits"])


@pytest.mark.parametrize("semantics", [Semantics(), Semantics(F64)], ids=str)
def test_a_logarithm_that_falls_without_bound_is_the_logit_of_no_class(semantics):
    model = nn.HolomorphicClassifier(nn.Linear(2, 2, dtype=C128), nn.LogModulus())
    with torch.no_grad():
        model.backbone.weight.copy_(torch.eye(2))
        model.backbone.bias.zero_()
    x, y = torch.tensor([[3 + 1j, 0.1j]], dtype=C128), torch.tensor([0])
    threat = threat_of("polydisc", 0.2)
    assert certify(model, x, y, threat, ["tangents"], semantics)[0].holds
    assert not certify(model, x, 1 - y, threat, ["tangents"], semantics)[0].holds
    (proof,) = certify(model, x, y, threat_of("polydisc", 1.7), ["tangents"], semantics)
    assert not proof.holds  # |3 + i| - 1.7 < 0.1 + 1.7
