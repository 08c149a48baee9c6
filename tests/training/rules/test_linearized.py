"""First-order robust optimization against the robust loss of linear models."""

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from holonet.attacks import ThreatModel
from holonet.calculus import Probes, directional_derivative
from holonet.errors import ConfigError, InputTypeError
from holonet.nn import HolomorphicClassifier, Sequential, Square, Threshold, holomorphic_mlp
from holonet.nn import Linear as ComplexLinear
from holonet.training import (
    EmpiricalRisk,
    LinearizedRobustOptimization,
    LinearRamp,
    Mixture,
    first_order_loss,
)
from holonet.training.rules.linearized import dual_norm
from holonet.training.rules.random_starts import uniform_like

seeds = st.integers(0, 2**32)
radii = st.floats(1e-3, 0.5)
PLACES = ["data", "center", "random", "two-radii", "frank-wolfe"]


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
    ("arguments", "match"),
    [
        ({"classes": 0}, "classes=0"),
        ({"radius": -1.0}, "radius=-1.0"),
        ({"at": "corner"}, "at='corner'.*'two-radii'"),
    ],
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
        *(LinearizedRobustOptimization(threat, at=place) for place in PLACES),
        LinearizedRobustOptimization(ThreatModel("Linf", 0.2)),
        LinearizedRobustOptimization(threat, classes=None),
        LinearizedRobustOptimization(threat, radius=LinearRamp(1.0)),
        LinearizedRobustOptimization(threat, label_smoothing=0.1),
    ]
    assert len(set(map(repr, rules))) == len(rules)


# ---- on the exact image of the box under monotone layers


def thresholds(seed, count=1):
    """Monotone layers in front of four features, each with its own slope and center."""
    generator = torch.Generator().manual_seed(seed)
    layers = [Threshold(channels=4, dtype=torch.float64) for _ in range(count)]
    for layer in layers:
        layer.log_slope.data = torch.randn(4, generator=generator).double()
        layer.center.data = torch.rand(4, generator=generator).double()
    return layers


def at_the_walls(seed, classes, n=5):
    """Examples of which half of the entries are 0 or 1, so that boxes are cut."""
    x, y = batch(seed, classes, n)
    return torch.where(x > 0.5, x.round(), x), y


@pytest.mark.parametrize("place", [place for place in PLACES if place != "two-radii"])
@given(seed=seeds, eps=radii, classes=st.integers(2, 4), bounded=st.booleans())
def test_behind_monotone_layers_it_bounds_the_robust_loss_of_linear_models(
    place, seed, eps, classes, bounded
):
    """The worst corner is sought among the images of the input's corners, without any box."""
    model = nn.Sequential(*thresholds(seed, 2), linear_net(seed, classes))
    x, y = at_the_walls(seed, classes)
    threat = ThreatModel("Linf", eps, (0.0, 1.0) if bounded else None)
    points = x[:, None] + corners("Linf", eps)
    points = points.clamp(0, 1) if bounded else points
    losses = nn.functional.cross_entropy(
        model(points.flatten(0, 1)), y.repeat_interleave(points.shape[1]), reduction="none"
    )
    worst = losses.view(len(x), -1).amax(1).mean()
    found = LinearizedRobustOptimization(threat, at=place, classes=None)(model, x, y)
    if classes == 2:
        torch.testing.assert_close(found, worst)
    else:  # where classes rise at different corners the bound is not attained
        assert found >= worst - 1e-9


@pytest.mark.parametrize("place", PLACES[1:])
@given(seed=seeds, eps=radii)
def test_without_monotone_layers_the_box_is_the_ball_in_the_bounds(place, seed, eps):
    model, (x, y) = linear_net(seed, 2), at_the_walls(seed, 2)
    points = (x[:, None] + corners("Linf", eps)).clamp(0, 1)
    losses = nn.functional.cross_entropy(
        model(points.flatten(0, 1)), y.repeat_interleave(points.shape[1]), reduction="none"
    )
    worst = losses.view(len(x), -1).amax(1).mean()
    found = LinearizedRobustOptimization(ThreatModel("Linf", eps), at=place)(model, x, y)
    if place == "two-radii":
        assert found < worst
    else:
        torch.testing.assert_close(found, worst)


@pytest.mark.parametrize("place", PLACES)
def test_with_radius_0_it_is_the_empirical_risk(place):
    model, (x, y) = curved_net(), at_the_walls(0, 3)
    expected = EmpiricalRisk()(model, x, y)
    for rule in (
        LinearizedRobustOptimization(ThreatModel("Linf", 0.0), at=place),
        LinearizedRobustOptimization(ThreatModel("Linf", 0.2), at=place, radius=0),
        LinearizedRobustOptimization(ThreatModel("Linf", 0.2), at=place, radius=LinearRamp(1)).at(
            0.0
        ),
    ):
        torch.testing.assert_close(rule(model, x, y), expected)
    tiny = LinearizedRobustOptimization(ThreatModel("Linf", 1e-7), at=place)
    torch.testing.assert_close(tiny(model, x, y), expected, rtol=1e-4, atol=1e-4)


def curved_net(seed=3):
    torch.manual_seed(seed)
    body = [nn.Flatten(), nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3)]
    return nn.Sequential(*thresholds(seed), *body).double()


COIN = 4
"""Seed of the coin that chooses between center and corner."""
HEADS = uniform_like(torch.empty(5).double(), Probes(COIN)) < 0.5


def by_hand(model, x, y, eps, point_of):
    """The loss with the runner-up raised over the box, written out; the body is model[1:]."""
    t, body = model[0], model[1:]
    low, high = t((x - eps).clamp(0, 1)), t((x + eps).clamp(0, 1))
    losses = []
    for i in range(len(x)):
        p = point_of(body, low[i], high[i], t(x)[i], int(y[i]), bool(HEADS[i]))
        z = body(p[None])[0]
        others = z.detach().clone()
        others[y[i]] = -torch.inf
        k = int(others.argmax())
        (g,) = torch.autograd.grad(z[k] - z[y[i]], p, create_graph=True)
        rise = sum(
            torch.maximum(g[j] * (high[i, j] - p[j]), g[j] * (low[i, j] - p[j])) for j in range(4)
        )
        raised = z + rise * nn.functional.one_hot(torch.tensor(k), 3)
        losses.append(nn.functional.cross_entropy(raised[None], y[i : i + 1]))
    return torch.stack(losses).mean()


def corner_or_center(body, low, high, image, label, heads):
    """The corner that the linear part at the image of the example points to, by a coin."""
    if not heads:
        return (low + high) / 2
    p = image.detach().requires_grad_()
    z = body(p[None])[0]
    others = z.detach().clone()
    others[label] = -torch.inf
    (g,) = torch.autograd.grad(z[int(others.argmax())] - z[label], p)
    return torch.where(g > 0, high, low)


@pytest.mark.parametrize(
    ("place", "point_of"),
    [
        ("data", lambda body, low, high, image, label, heads: image),
        ("center", lambda body, low, high, image, label, heads: (low + high) / 2),
        ("frank-wolfe", corner_or_center),
    ],
)
def test_the_value_and_the_gradient_are_those_written_out(place, point_of):
    model, (x, y) = curved_net(), at_the_walls(1, 3)
    rule = LinearizedRobustOptimization(ThreatModel("Linf", 0.2), at=place)
    assert 0 < HEADS.sum() < len(x)
    expected, found = by_hand(model, x, y, 0.2, point_of), rule(model, x, y, Probes(COIN))
    torch.testing.assert_close(found, expected)
    parameters = list(model.parameters())
    torch.testing.assert_close(
        torch.autograd.grad(found, parameters), torch.autograd.grad(expected, parameters)
    )
    assert all(p.any() for p in torch.autograd.grad(rule(model, x, y), parameters[:2]))


def test_two_radii_are_the_mean_of_two_centers():
    model, (x, y) = curved_net(), at_the_walls(2, 3)
    halves = [
        LinearizedRobustOptimization(ThreatModel("Linf", eps), at="center")(model, x, y)
        for eps in (0.1, 0.2)
    ]
    found = LinearizedRobustOptimization(ThreatModel("Linf", 0.2), at="two-radii")(model, x, y)
    torch.testing.assert_close(found, sum(halves) / 2)


def test_one_example_may_have_the_center_or_the_corner():
    model, (x, y) = curved_net(), at_the_walls(1, 3, n=1)
    rule, center = (
        LinearizedRobustOptimization(ThreatModel("Linf", 0.2), at=place)
        for place in ("frank-wolfe", "center")
    )
    losses = {rule(model, x, y, Probes(seed)).item() for seed in range(8)}
    assert len(losses) == 2
    assert center(model, x, y).item() in losses


def test_corners_are_the_share_of_examples_at_a_corner():
    model, (x, y) = curved_net(), at_the_walls(1, 3)
    threat = ThreatModel("Linf", 0.2)
    center = LinearizedRobustOptimization(threat, at="center")(model, x, y)
    for share, expected in (
        (0.0, center),
        (1.0, by_hand(model, x, y, 0.2, lambda *given: corner_or_center(*given[:-1], True))),
    ):
        rule = LinearizedRobustOptimization(threat, at="frank-wolfe", corners=share)
        torch.testing.assert_close(rule(model, x, y, Probes(COIN)), expected)
    rising = LinearizedRobustOptimization(threat, at="frank-wolfe", corners=LinearRamp(1.0))
    now = LinearizedRobustOptimization(threat, at="frank-wolfe", corners=0.25)
    assert repr(rising.at(0.25)) == repr(now)
    assert rising.at(0.25)(model, x, y, Probes(COIN)) == now(model, x, y, Probes(COIN))


@pytest.mark.parametrize("corners", [-0.1, 1.5, LinearRamp(2.0), LinearRamp(0.5, initial=1.5)])
def test_a_share_of_corners_is_a_probability(corners):
    with pytest.raises(ConfigError, match="corners"):
        LinearizedRobustOptimization(ThreatModel("Linf", 0.2), at="frank-wolfe", corners=corners)


@pytest.mark.parametrize("place", ["random", "frank-wolfe"])
def test_chance_comes_from_the_probes_whatever_the_split(place):
    model, (x, y) = curved_net(), at_the_walls(3, 3, n=6)
    rule = LinearizedRobustOptimization(ThreatModel("Linf", 0.2), at=place)
    whole = rule(model, x, y, Probes(1))
    assert rule(model, x, y, Probes(2)) != whole
    parts = [
        rule(model, x[rows], y[rows], Probes(1, first=rows.start, total=6))
        for rows in (slice(0, 2), slice(2, 6))
    ]
    torch.testing.assert_close((2 * parts[0] + 4 * parts[1]) / 6, whole)


def test_complex_networks_are_those_behind_their_threshold():
    layers = [Threshold(), ComplexLinear(4, 5), Square(), ComplexLinear(5, 3)]
    model, body = (
        HolomorphicClassifier(Sequential(*layers)),
        HolomorphicClassifier(Sequential(*layers[1:])),
    )
    x, y = batch(4)
    x = x.float()
    rule = LinearizedRobustOptimization(ThreatModel("Linf", 0.3), at="center")
    found = rule(model, x, y)
    box = ThreatModel("Linf", 0.3).image(layers[:1], x)
    p = box.center.detach().requires_grad_()
    z = body(p)
    label = nn.functional.one_hot(y, 3)
    runner_up = nn.functional.one_hot((z - 1e9 * label).argmax(1), 3)
    (g,) = torch.autograd.grad((z * (runner_up - label)).sum(), p)
    raised = z + (g.abs() * box.radii).sum(1, keepdim=True) * runner_up
    torch.testing.assert_close(found, nn.functional.cross_entropy(raised, y))


def test_batch_norm_behind_a_threshold_follows_the_pass_at_the_center():
    norm = nn.BatchNorm1d(4)
    model = nn.Sequential(*thresholds(0), norm, nn.Linear(4, 3)).double()
    x, y = batch()
    LinearizedRobustOptimization(ThreatModel("Linf", 0.1), at="center")(model, x, y)
    center = ThreatModel("Linf", 0.1).image([model[0]], x).center
    assert norm.num_batches_tracked == 1
    torch.testing.assert_close(norm.running_mean, 0.1 * center.mean(0))


@pytest.mark.parametrize("norm", ["L2", "L1"])
def test_points_of_a_box_need_the_norm_linf(norm):
    for place in PLACES[1:]:
        with pytest.raises(ConfigError, match=f"{place}.*{norm}.*'Linf'"):
            LinearizedRobustOptimization(ThreatModel(norm, 0.1), at=place)
    model, (x, y) = curved_net(), batch()
    assert LinearizedRobustOptimization(ThreatModel(norm, 0.1))(model, x, y) > 0


# ---- the indicator of failure


@pytest.mark.parametrize("place", PLACES)
@given(seed=seeds, eps=radii)
def test_linear_models_have_no_gap(place, seed, eps):
    model = nn.Sequential(*thresholds(seed), linear_net(seed, 4))
    x, y = at_the_walls(seed, 4)
    rule = LinearizedRobustOptimization(ThreatModel("Linf", eps), at=place)
    for net in (model, model[1:]):
        assert abs(rule.diagnose(net, x, y)["prediction_gap"]) < 1e-12


def test_linear_models_have_no_gap_in_other_norms():
    model, (x, y) = linear_net(0, 4), batch(0, 4)
    for norm in ("L2", "L1"):
        rule = LinearizedRobustOptimization(ThreatModel(norm, 0.3))
        assert abs(rule.diagnose(model, x, y)["prediction_gap"]) < 1e-12
    net = holomorphic_mlp(4, [], 3, dtype=torch.complex128)
    rule = LinearizedRobustOptimization(ThreatModel("polydisc", 0.3, None))
    gap = rule.diagnose(net, torch.complex(x, x.flip(1)), y % 3)["prediction_gap"]
    assert abs(gap) < 1e-12


class FlatAtTheData(nn.Module):
    """A lead of the wrong class that is -1 and flat at 1/2 in every entry, and large beside it."""

    def __init__(self, height):
        super().__init__()
        self.height = nn.Parameter(torch.tensor(float(height)))

    def forward(self, x):
        beside = (self.height * (x - 0.5).square() + 1e-3 * (x - 0.5)).sum(1)
        return torch.stack([torch.zeros_like(beside), beside - 1], dim=1)


@pytest.mark.parametrize("place", ["data", "center"])
def test_a_network_that_is_flat_at_the_data_and_curved_beside_has_a_large_gap(place):
    x, y = torch.full((5, 4), 0.5), torch.zeros(5, dtype=torch.int64)
    rule = LinearizedRobustOptimization(ThreatModel("Linf", 0.3), at=place)
    flat = rule.diagnose(FlatAtTheData(0.0), x, y)["prediction_gap"]
    curved = rule.diagnose(FlatAtTheData(30.0), x, y)["prediction_gap"]
    assert abs(flat) < 1e-6
    lead = 4 * 30 * 0.3**2 - 1
    expected = math.log1p(math.exp(lead)) - math.log1p(math.exp(-1))
    assert curved == pytest.approx(expected, rel=1e-2)
    assert rule(FlatAtTheData(30.0), x, y) < 0.33  # which the loss does not show


def test_the_indicator_changes_nothing():
    model = nn.Sequential(*thresholds(0), nn.BatchNorm1d(4), nn.Dropout(), nn.Linear(4, 3)).double()
    model[2].eval()
    x, y = batch()
    rule = LinearizedRobustOptimization(ThreatModel("Linf", 0.1), at="random")
    before = {k: v.clone() for k, v in model.state_dict().items()}
    state = torch.get_rng_state()
    found = rule.diagnose(model, x, y)
    assert found == rule.diagnose(model, x, y)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(p.grad is None for p in model.parameters())
    assert [m.training for m in model] == [True, True, False, True]
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def test_the_indicator_is_that_of_the_moment_and_of_the_parts():
    model, (x, y) = curved_net(), batch()
    rule = LinearizedRobustOptimization(ThreatModel("Linf", 0.2), radius=LinearRamp(1.0))
    assert rule.at(0.0).diagnose(model, x, y) == {"prediction_gap": 0.0}
    gap = rule.diagnose(model, x, y)
    assert gap != rule.at(0.5).diagnose(model, x, y)
    assert Mixture([(0.5, EmpiricalRisk()), (0.5, rule)]).diagnose(model, x, y) == gap
    assert EmpiricalRisk().diagnose(model, x, y) == {}
