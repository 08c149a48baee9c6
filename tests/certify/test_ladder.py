"""Certificates of whole networks: sound on samples, exact where exact, clear on bad input."""

import math
from dataclasses import replace

import pytest
import torch
from enclosed import (
    F64,
    excess,
    l2,
    linf,
    margins,
    networks,
    on_sphere,
    quartics,
    worst_in_fractions,
)
from torch import nn as tnn

from cases import each, some_of
from holonet import nn
from holonet.attacks import pgd
from holonet.certify import METHODS as ALL_METHODS
from holonet.certify import Semantics, certify, methods_for, threat_set
from holonet.errors import (
    ConfigError,
    DomainError,
    InputTypeError,
    NumericalError,
    ShapeError,
    UnknownNameError,
)
from holonet.functions import CATALOGUE
from holonet.threats import ThreatModel

METHODS = ("intervals", "tangents")
RADII = (0.0, 1e-12, 1e-6, 1e-3, 0.05, 0.3, 10.0)
FEW = ("torch's convolution", "threshold", "relu", "norm and residual", "real exp")
FEW += ("complex tanh", "convolution")
each_share = pytest.mark.parametrize(
    "others", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["share", "others"]
)


def some(radii, name, others):
    """One radius for each of those networks, which one depends on the network, or the others."""
    k = FEW.index(name) if name in FEW else None
    return [eps for i, eps in enumerate(radii) if (k is None or (i + k) % len(radii) > 0) is others]


@each("name", sorted(networks()))
@pytest.mark.parametrize("method", METHODS)
@each_share
def test_no_sampled_margin_is_below_its_bound_in_double_precision(name, method, others):
    model, shape = networks()[name]
    x, y = torch.rand(5, *shape, dtype=F64), torch.tensor([0, 1, 2, 0, 1])
    for eps in some(RADII, name, others):
        threat = linf(eps, None) if eps > 1 else linf(eps)
        worst, proofs = excess(model, x, y, threat, [method], Semantics(F64))
        assert worst <= 0, eps
        assert all(math.isfinite(min(p.margins)) for p in proofs) or eps > 0.01


@each("name", sorted(networks()))
@pytest.mark.parametrize("method", METHODS)
@each_share
def test_no_executed_float32_margin_is_below_its_bound(name, method, others):
    model, shape = networks(single=True)[name]
    x, y = torch.rand(5, *shape), torch.tensor([0, 1, 2, 0, 1])
    for eps in some((1e-6, 1e-3, 0.05, 0.0), name, others):
        threat = linf(eps)
        signs = torch.randint(3, (100, *x.shape)) - 1
        points = (x + signs * eps).clamp(0, 1)
        worst, _ = excess(model, x, y, threat, [method], Semantics(torch.float32), points=points)
        assert worst <= 0, eps


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seeds", [2, pytest.param(12, marks=pytest.mark.slow)])
def test_bounds_at_points_and_corners_are_below_exact_fractions(method, seeds):
    assert -1e-9 < worst_in_fractions(method, seeds=seeds) <= 0


def test_affine_margins_are_exact_up_to_rounding():
    model = nn.HolomorphicClassifier(nn.Linear(4, 3, dtype=torch.complex128))
    x, y = torch.rand(4, 4, dtype=F64), torch.tensor([0, 1, 2, 0])
    threat = linf(0.2)
    for proof, point, label in zip(certify(model, x, y, threat), x, y, strict=True):
        weight = model.backbone.weight.detach().real
        for k in range(3):
            if k == label:
                continue
            row = weight[label] - weight[k]
            corner = threat.maximizer(-row[None], point[None])
            exact = margins(model, corner[None], label[None])[0, 0, k].item()
            assert exact - 1e-13 <= proof.margins[k] <= exact


@some_of("name", ["complex tanh", "relu", "real square", "threshold", "convolution"], slice(2))
@pytest.mark.parametrize("method", METHODS)
def test_margins_do_not_grow_with_eps(name, method):
    model, shape = networks()[name]
    x, y = torch.rand(3, *shape, dtype=F64), torch.tensor([0, 1, 2])
    last = torch.full((3,), math.inf, dtype=F64)
    for eps in (0.0, 1e-9, 1e-4, 0.01, 0.02, 0.1):
        least = torch.tensor([p.margin for p in certify(model, x, y, linf(eps), [method])])
        assert (least <= last + 1e-12 * (1 + last.abs())).all()
        last = least


def test_tangents_are_sharper_than_intervals_behind_two_layers():
    better = 0
    for name in ("real square", "real tanh", "complex square", "relu", "real softplus"):
        model, shape = networks()[name]
        x, y = torch.rand(6, *shape, dtype=F64), torch.tensor([0, 1, 2] * 2)
        low, high = (
            sum(p.margin for p in certify(model, x, y, linf(0.01), [method])) for method in METHODS
        )
        better += high > low
    assert better == 5


def test_methods_are_tried_in_turn_and_stop_at_the_first_success():
    torch.manual_seed(3)
    model, _ = networks()["real tanh"]
    x = torch.rand(9, 4, dtype=F64)
    y = model(x).argmax(1)
    threat = linf(0.04)
    both = certify(model, x, y, threat, METHODS, batch_size=4)
    first = certify(model, x, y, threat, ["intervals"])
    assert {p.method for p in both} == set(METHODS)
    for one, cheap in zip(both, first, strict=True):
        assert one.holds or one.margin >= cheap.margin
        assert (one.method == "intervals") or not cheap.holds
        assert not cheap.holds or one == cheap
    assert len({p.weights for p in both}) == 1
    assert len({p.example for p in both}) == 9


@each(
    ("change", "error", "match"),
    [
        ({"threat": ThreatModel("L1", 0.1)}, ConfigError, "'Linf' and 'L2'"),
        (
            {"threat": l2(0.1), "methods": ["intervals", "splits"]},
            ConfigError,
            "splits .* 'L2': choose from intervals, schwarz_pick, tangents, second_order",
        ),
        ({"methods": []}, ConfigError, "intervals"),
        ({"methods": ["magic"]}, UnknownNameError, "magic"),
        ({"batch_size": 0}, ConfigError, "batch_size"),
        ({"x": torch.tensor([[0.1, 0.2, 0.3, 1.5]])}, DomainError, "outside"),
        ({"x": torch.tensor([[0.1, 0.2, 0.3, math.nan]])}, DomainError, "NaN"),
        ({"x": torch.ones(1, 4, dtype=torch.complex64)}, InputTypeError, "real"),
        ({"y": torch.tensor([3])}, DomainError, "classes"),
        ({"y": torch.tensor([0, 1])}, ShapeError, "labels"),
        (
            {"model": tnn.Sequential(tnn.Linear(4, 3), tnn.LayerNorm(3))},
            InputTypeError,
            "1 .LayerN",
        ),
        ({"model": nn.Linear(4, 3)}, ShapeError, "RealPart"),
        ({"model": tnn.Linear(4, 3).bfloat16()}, InputTypeError, "bfloat16"),
        ({"semantics": Semantics(F64)}, InputTypeError, "one precision"),
        (
            {"model": tnn.Sequential(tnn.Linear(4, 3), tnn.Linear(3, 3, dtype=F64))},
            InputTypeError,
            "float32, torch.float64: .* one precision",
        ),
        ({"model": tnn.Linear(4, 1)}, ShapeError, "one logit"),
        ({"y": torch.tensor([0.7])}, InputTypeError, "y.long"),
        (
            {"x": torch.full((1, 5), 0.5)},
            ShapeError,
            r"the model \(Linear\) does not take .* \(1, 5\)",
        ),
        (
            {"model": tnn.Sequential(tnn.Linear(4, 3), nn.Residual(nn.Linear(3, 2)))},
            ShapeError,
            r"1 \(Residual\) does not take",
        ),
        ({"y": torch.tensor([-1])}, DomainError, "labels from -1"),
    ],
    ids=str,
)
def test_bad_input_is_refused_in_words(change, error, match):
    given = {
        "model": tnn.Linear(4, 3),
        "x": torch.full((1, 4), 0.5),
        "y": torch.tensor([0]),
        "threat": linf(0.1),
    }
    with pytest.raises(error, match=match):
        certify(**(given | change))


@each("number", [math.nan, math.inf])
def test_a_weight_that_is_not_finite_is_refused_with_its_layer(number):
    model = tnn.Sequential(tnn.Flatten(), tnn.Linear(4, 3))
    model[1].weight.data[0, 0] = number
    with pytest.raises(NumericalError, match=r"1 \(Linear\)"):
        certify(model, torch.full((1, 4), 0.5), torch.tensor([0]), linf(0.1))


def test_a_scale_of_0_is_refused_with_its_layer():
    norm = nn.FrozenNorm(3, dtype=torch.float32)
    norm.scale[1] = 0.0
    model = nn.HolomorphicClassifier(nn.Sequential(nn.Linear(4, 3), norm))
    with pytest.raises(NumericalError, match=r"backbone.1 \(FrozenNorm\)"):
        certify(model, torch.full((1, 4), 0.5), torch.tensor([0]), linf(0.1))


@each(
    ("record", "eps", "note"),
    [
        (replace(CATALOGUE["exp"], name="another"), 0.01, "nothing is known of the values"),
        ("square", 1e200, "too large for a bound"),
    ],
    ids=str,
)
def test_notes_say_why_there_is_no_bound(record, eps, note):
    layers = nn.Linear(2, 2), nn.Activation(record), nn.Linear(2, 2)
    model = nn.HolomorphicClassifier(nn.Sequential(*layers))
    for method in METHODS:
        x, y = torch.full((1, 2), 0.5), torch.tensor([0])
        (proof,) = certify(model, x, y, linf(eps, None), [method])
        assert not proof.holds
        assert note in proof.notes[0]


@each("method", METHODS)
def test_radii_of_0_and_huge_ones(method):
    model, x, y = tnn.Linear(4, 3), torch.full((1, 4), 0.5), torch.tensor([0])
    y = model(x).argmax(1)
    (proof,) = certify(model, x, y, linf(0.0), [method], Semantics(torch.float32))
    margin = margins(model, x[None], y)[0, 0]
    assert proof.holds
    assert proof.margin <= margin[margin > 0].min() <= proof.margin + 1e-5
    for eps in (1e30, 1e308):
        assert not certify(model, x, y, linf(eps, None), [method])[0].holds
    with pytest.raises(ConfigError, match="exceeds the range"):
        certify(model, x, y, linf(10.0), [method])


def test_a_set_that_meets_a_singularity_is_not_certified_and_says_where():
    model = nn.HolomorphicClassifier(
        nn.Sequential(nn.Linear(2, 2, dtype=F64), nn.Activation("log"), nn.Linear(2, 2, dtype=F64))
    )
    with torch.no_grad():
        model.backbone[0].weight.copy_(torch.eye(2))
        model.backbone[2].weight.copy_(torch.eye(2))
    x, y = torch.tensor([[0.05, 0.9], [0.5, 0.9]], dtype=F64), torch.tensor([1, 1])
    for method in METHODS:
        near, far = certify(model, x, y, linf(0.1), [method])
        assert not near.holds
        assert "backbone.1 (Activation)" in near.notes[0]
        assert "within 0 of a singularity" in near.notes[0]
        assert far.holds
        assert not far.notes


def test_tf32_and_autocast_are_not_execution_in_float32():
    model, x, y = tnn.Linear(4, 3), torch.full((1, 4), 0.5), torch.tensor([0])
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        with pytest.raises(InputTypeError, match="TF32"):
            certify(model, x, y, linf(0.1), semantics=Semantics(torch.float32))
    finally:
        torch.set_float32_matmul_precision(before)
    with (
        torch.autocast("cpu", dtype=torch.bfloat16),
        pytest.raises(InputTypeError, match="autocast"),
    ):
        certify(model, x, y, linf(0.1), semantics=Semantics(torch.float32))


def test_the_set_is_cut_with_the_bounds_and_its_center_moves():
    x = torch.tensor([[0.0, 0.5, 0.95]])
    box = threat_set(x, linf(0.1))
    expected = torch.tensor([[[0.05, 0.5, 0.925]]], dtype=F64)
    assert torch.allclose(box.center, expected, atol=1e-6)
    threat = linf(0.1)
    for sign in (-1, 1):
        corner = threat.maximizer(torch.full_like(x, sign), x).double()[None]
        assert (box.contains(corner) >= 0).all()


def test_a_bound_that_execution_rounds_is_in_the_set_with_the_example_at_it():
    threat = ThreatModel("Linf", 0.1, (-0.7, 0.1))
    rounded = torch.tensor([-0.7, 0.1])
    assert float(rounded[0]) > -0.7
    assert float(rounded[1]) > 0.1
    for x in (rounded[None], torch.tensor([[-0.7, 0.1]], dtype=F64)):
        for semantics in (Semantics(), Semantics(torch.float32)):
            box = threat_set(x, threat, semantics)
            assert (box.contains(x.double()[None]) >= 0).all()
            if semantics.dtype is not None:
                assert (box.contains(rounded.double()[None, None]) >= 0).all()


def test_what_may_overflow_in_float32_is_not_certified():
    model = tnn.Sequential(tnn.Linear(2, 2), nn.Activation("square"), tnn.Linear(2, 2))
    for layer in (model[0], model[2]):
        layer.weight.data.copy_(1e8 * torch.eye(2))
        layer.bias.data.zero_()
    x, y = torch.tensor([[1.0, 0.5]]), torch.tensor([0])
    single = torch.nn.Sequential(*model)
    for method in METHODS:
        exact = certify(single, x, y, linf(0.1), [method])[0]
        assert exact.holds
        model[2].weight.data.copy_(1e24 * torch.eye(2))
        executed = certify(single, x, y, linf(0.1), [method], Semantics(torch.float32))[0]
        assert not executed.holds
        assert single(x).isinf().any()
        model[2].weight.data.copy_(1e8 * torch.eye(2))


ATTACKED = ["complex square", "relu", "real square", "real tanh", "affine", "convolution"]


@some_of("name", ATTACKED, slice(2))
def test_attacks_find_no_margin_below_its_bound(name):
    model, shape = networks()[name]
    x, y = torch.rand(8, *shape, dtype=F64), torch.arange(8) % 3
    for eps in (0.01, 0.1):
        points = pgd(model, x, y, linf(eps), steps=10).x_adv[None]
        for method in METHODS:
            worst, _ = excess(model, x, y, linf(eps), [method], Semantics(F64), points=points)
            assert worst <= 0


ROUND = ("real square", "complex square", "relu", "threshold", "affine", "norm and residual")
ROUND += ("torch's convolution",)


@each("name", ROUND)
@each_share
def test_no_margin_on_an_l2_sphere_is_below_its_bound_in_double_precision(name, others):
    model, shape = networks()[name]
    x, y = torch.rand(5, *shape, dtype=F64), torch.tensor([0, 1, 2, 0, 1])
    for eps in some((1e-12, 1e-3, 0.3, 10.0), name, others):
        threat = l2(eps, None) if eps > 1 else l2(eps)
        points = on_sphere(x, threat, 40)
        for method in METHODS:
            worst, proofs = excess(model, x, y, threat, [method], Semantics(F64), points=points)
            assert worst <= 0, (eps, method)
            assert all(math.isfinite(p.margin) for p in proofs) or eps > 1


@pytest.mark.filterwarnings("ignore::holonet.errors.AttackWarning")
@some_of("name", ROUND, slice(1, 4, 2))
def test_no_executed_float32_margin_on_an_l2_sphere_is_below_its_bound(name):
    model, shape = networks(single=True)[name]
    x, y = torch.rand(5, *shape), torch.tensor([0, 1, 2, 0, 1])
    for eps in (1e-7, 0.1):
        threat = l2(eps)
        attacked = pgd(model, x, y, threat, steps=5, alpha=eps).x_adv[None]
        points = torch.cat([on_sphere(x, threat, 40), attacked])
        for method in METHODS:
            single = Semantics(torch.float32)
            worst, _ = excess(model, x, y, threat, [method], single, points=points)
            assert worst <= 0, (eps, method)


@pytest.mark.parametrize("method", METHODS)
def test_affine_margins_on_l2_balls_are_exact_up_to_rounding(method):
    model = nn.HolomorphicClassifier(
        nn.Sequential(nn.Flatten(), nn.Linear(4, 3, dtype=torch.complex128))
    )
    x, y = torch.rand(4, 2, 2, dtype=F64), torch.tensor([0, 1, 2, 0])
    weight = model.backbone[1].weight.detach().real
    for eps in (1e-9, 0.2, 10.0):
        proofs = certify(model, x, y, l2(eps, None), [method])
        clean = margins(model, x[None], y)[0]
        for proof, label, margin in zip(proofs, y, clean, strict=True):
            for k in {0, 1, 2} - {int(label)}:
                exact = margin[k] - eps * (weight[label] - weight[k]).norm()
                assert exact - 1e-13 * (1 + eps) <= proof.margins[k] <= exact


@some_of("name", ROUND, slice(1, 4))
def test_bounds_on_l2_balls_are_not_below_those_on_their_boxes(name):
    model, shape = networks()[name]
    x, y = torch.rand(4, *shape, dtype=F64), torch.tensor([0, 1, 2, 0])
    for method in METHODS:
        ball, box = (certify(model, x, y, make(0.01), [method]) for make in (l2, linf))
        for one, other in zip(ball, box, strict=True):
            assert one.margin >= other.margin - 1e-9 * (1 + abs(other.margin))
        if name != "threshold":  # behind which the box alone is known
            assert sum(p.margin for p in ball) > sum(p.margin for p in box) + 1e-3


def test_points_that_float32_moves_out_of_an_l2_ball_are_in_the_set():
    for size, eps in ((784, 1.0), (784, 1e-5), (20000, 0.1), (3, 1e-3)):
        x = torch.rand(4, size)
        for bounds in ((0.0, 1.0), None):
            threat = l2(eps, bounds)
            ball = threat_set(x, threat).ball
            points = on_sphere(x, threat, 6).double()
            far = (points - ball.middle[0]).norm(dim=2)
            assert (far <= ball.length).all()
            assert (far.amax(0) > 0.99 * eps).all()
            assert (ball.length < eps + 1e-6 * (eps + size**0.5)).all()


def test_methods_for_l2_balls_have_no_splits():
    x, y = torch.rand(1, 6, dtype=F64), torch.tensor([0])
    model = quartics()["dense"][0]
    assert methods_for(model, x, y, l2(0.1)) == ["intervals", "second_order"]
    assert methods_for(model, x, y, linf(0.1)) == ["intervals", "second_order", "splits"]


def test_no_examples_have_no_certificates():
    model = quartics()["dense"][0]
    x, y = torch.rand(0, 6, dtype=F64), torch.tensor([], dtype=torch.long)
    for name, method in ALL_METHODS.items():
        for threat in (linf(0.1), l2(0.1)):
            if threat.norm in method.norms:
                assert certify(model, x, y, threat, [name]) == []
