"""First-order robust optimization against the robust loss of linear models."""

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from holonet.attacks import ThreatModel
from holonet.calculus import directional_derivative
from holonet.errors import ConfigError, InputTypeError
from holonet.nn import holomorphic_mlp
from holonet.training import (
    EmpiricalRisk,
    LinearizedRobustOptimization,
    LinearRamp,
    first_order_loss,
)
from holonet.training.rules.linearized import dual_norm

seeds = st.integers(0, 2**32)
radii = st.floats(1e-3, 0.5)


def linear_net(seed, classes=3):
    torch.manual_seed(seed)
    return nn.Linear(4, classes).double()


def batch(seed=0, classes=3, n=5):
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(n, 4, generator=generator, dtype=torch.float64)
    return x, torch.randint(classes, (n,), generator=generator)


def corners(norm, eps):
    """Where convex functions on the ball are largest."""
    if norm == "Linf":
        return torch.tensor(list(itertools.product((-eps, eps), repeat=4)), dtype=torch.float64)
    return eps * torch.cat([torch.eye(4), -torch.eye(4)]).double()


@pytest.mark.parametrize("norm", ["Linf", "L1"])
@given(seed=seeds, eps=radii, classes=st.integers(2, 4))
def test_on_linear_models_it_bounds_the_robust_loss(norm, seed, eps, classes):
    model, (x, y) = linear_net(seed, classes), batch(seed, classes)
    points = x[:, None] + corners(norm, eps)
    losses = nn.functional.cross_entropy(
        model(points.flatten(0, 1)), y.repeat_interleave(points.shape[1]), reduction="none"
    )
    worst = losses.view(len(x), -1).amax(1).mean()
    found = LinearizedRobustOptimization(ThreatModel(norm, eps, None), classes=None)(model, x, y)
    assert found >= worst - 1e-9
    if classes == 2:
        torch.testing.assert_close(found, worst)


@given(seed=seeds, eps=radii, norm=st.sampled_from(["Linf", "L2", "L1"]))
def test_it_rises_with_the_radius_and_the_classes(seed, eps, norm):
    model, (x, y) = linear_net(seed, 5), batch(seed, 5)

    def loss(eps, classes):
        rule = LinearizedRobustOptimization(ThreatModel(norm, eps, None), classes=classes)
        return float(rule(model, x, y).detach())

    by_classes = [loss(eps, classes) for classes in (1, 2, 3, 4)]
    assert by_classes == sorted(by_classes)
    assert by_classes[0] < by_classes[-1]
    assert loss(eps, None) == loss(eps, 9) == by_classes[-1]
    assert loss(eps / 2, 2) < loss(eps, 2)
    assert loss(0.0, 2) == float(EmpiricalRisk()(model, x, y).detach())


@given(seed=seeds, eps=radii)
def test_the_raised_logits_by_hand(seed, eps):
    model, (x, y) = linear_net(seed, 4), batch(seed, 4)
    rows = model.weight.detach()
    logits = model(x).detach()
    expected = []
    for z, label in zip(logits, y.tolist(), strict=True):
        wrong = sorted((k for k in range(4) if k != label), key=lambda k: -z[k])
        raised = z.clone()
        for k in wrong[:2]:
            raised[k] += eps * (rows[k] - rows[label]).norm()
        expected.append(raised.exp().sum().log() - raised[label])
    rule = LinearizedRobustOptimization(ThreatModel("L2", eps, None), classes=2)
    torch.testing.assert_close(rule(model, x, y), torch.stack(expected).mean())


def test_parameters_learn_from_both_the_logits_and_their_gradients():
    model = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3)).double()
    x, y = batch()
    rule = LinearizedRobustOptimization(ThreatModel("Linf", 0.1, None))
    weight = model[0].weight
    (gradient,) = torch.autograd.grad(rule(model, x, y), weight)
    direction, h, values = torch.randn_like(weight), 1e-6, []
    for sign in (1, -1):
        weight.data += sign * h * direction
        values.append(float(rule(model, x, y).detach()))
        weight.data -= sign * h * direction
    slope = (values[0] - values[1]) / (2 * h)
    assert slope == pytest.approx(float((gradient * direction).sum()), rel=1e-5)


@given(seed=seeds, share=st.floats(0.05, 0.7))
def test_the_remainder_obeys_cauchys_estimate(seed, share):
    """What the linear part leaves out is at most M t^2 / (1 - t), M a bound on the polydisc."""
    torch.manual_seed(seed)
    f = holomorphic_mlp(4, [5, 5], 3, dtype=torch.complex128).holomorphic_map
    x = torch.rand(1, 4, dtype=torch.complex128)
    d = torch.randn(1, 4, dtype=torch.float64).sign().to(x)  # norm 1, in l_inf
    value, slope = directional_derivative(f, x, d)
    left_out = (f(x + share * d) - value - share * slope).abs().amax()
    turns = torch.polar(torch.ones(256), torch.linspace(0, 2 * math.pi, 257)[:-1])
    bound = (f(x + turns.to(x)[:, None] * d) - value).abs().amax()  # on that line's circle
    assert left_out <= 1.02 * bound * share**2 / (1 - share)
    assert left_out > 0


def test_complex_data_have_the_polydisc():
    model = holomorphic_mlp(4, [], 2, dtype=torch.complex128)
    x, y = batch(classes=2)
    z, eps = torch.complex(x, x.flip(1)), 0.1
    row = model.backbone[-1].weight.detach()
    raised = eps * (row[0] - row[1]).abs().sum()
    logits = model(z)
    label = logits.gather(1, y[:, None])
    expected = nn.functional.softplus(logits.sum(1, keepdim=True) - 2 * label + raised).mean()
    rule = LinearizedRobustOptimization(ThreatModel("polydisc", eps, None))
    torch.testing.assert_close(rule(model, z, y), expected)


@given(seed=seeds, eps=radii)
def test_the_first_order_loss_of_a_linear_model_by_hand(seed, eps):
    model, (x, y) = linear_net(seed), batch(seed)
    p = model(x).softmax(1)
    onehot = nn.functional.one_hot(y, 3)
    gradients = (p - onehot) @ model.weight
    lengths = {
        "Linf": gradients.abs().sum(1),
        "L2": gradients.norm(dim=1),
        "L1": gradients.abs().amax(1),
    }
    for norm, length in lengths.items():
        found = first_order_loss(ThreatModel(norm, eps, None))(model, x, y)
        expected = nn.functional.cross_entropy(model(x), y) + eps * length.mean()
        torch.testing.assert_close(found, expected)


def test_dual_norms_agree_with_those_of_the_threat_model():
    from holonet.calculus.examples import lengths

    for norm in ("Linf", "L2", "L1", "polydisc", "complex_ball"):
        threat = ThreatModel(norm, 0.1, None)
        dtype = torch.complex128 if norm in ("polydisc", "complex_ball") else torch.float64
        gradient = torch.randn(3, 2, 2, dtype=dtype)
        found = lengths(gradient, dual_norm(threat))
        torch.testing.assert_close(found, threat.dual_norm(gradient))


def test_batch_norm_shows_its_running_statistics():
    norm = nn.BatchNorm1d(5)
    model = nn.Sequential(nn.Linear(4, 5), norm, nn.Linear(5, 3)).double()
    x, y = batch()
    LinearizedRobustOptimization(ThreatModel("Linf", 0.1))(model, x, y)
    assert norm.num_batches_tracked == 1
    assert norm.training


@pytest.mark.parametrize(
    ("arguments", "match"), [({"classes": 0}, "classes=0"), ({"radius": -1.0}, "radius=-1.0")]
)
def test_bad_arguments_are_refused(arguments, match):
    with pytest.raises(ConfigError, match=match):
        LinearizedRobustOptimization(ThreatModel("Linf", 0.1), **arguments)


def test_a_threat_of_a_norm_of_its_own_is_refused():
    class Ellipsoid(ThreatModel):
        def __post_init__(self):
            pass

    with pytest.raises(ConfigError, match=r"'Mahalanobis' has no known dual norm: choose one of"):
        first_order_loss(Ellipsoid("Mahalanobis", 0.1))


def test_complex_logits_are_refused():
    x, y = batch()
    net = holomorphic_mlp(4, [5], 3, dtype=torch.complex128)
    with pytest.raises(InputTypeError, match="readout"):
        LinearizedRobustOptimization(ThreatModel("polydisc", 0.1, None))(
            net.backbone, x.to(torch.complex128), y
        )


def test_repr_tells_rules_apart():
    threat = ThreatModel("Linf", 0.1)
    rules = [
        LinearizedRobustOptimization(threat),
        LinearizedRobustOptimization(ThreatModel("Linf", 0.2)),
        LinearizedRobustOptimization(threat, classes=None),
        LinearizedRobustOptimization(threat, radius=LinearRamp(1.0)),
        LinearizedRobustOptimization(threat, label_smoothing=0.1),
    ]
    assert len(set(map(repr, rules))) == len(rules)
