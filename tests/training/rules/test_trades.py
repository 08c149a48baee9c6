"""TRADES: the divergence by hand, its inner points, and where it is the plain risk."""

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from holonet.attacks import ThreatModel
from holonet.calculus import Probes
from holonet.errors import ConfigError, DomainError
from holonet.regularizers import DirichletEnergy
from holonet.training import EmpiricalRisk, LinearRamp, Penalty, Trades

seeds = st.integers(0, 2**32)
FREE = ThreatModel("Linf", 0.2, None)


def net(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 7), nn.Tanh(), nn.Linear(7, 3)).double()


def batch(seed=0, n=6):
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(n, 4, generator=generator, dtype=torch.float64)
    return x, torch.randint(3, (n,), generator=generator)


def divergence(clean, other):
    """KL(p || q) in the mean, by definition."""
    p, q = clean.softmax(1), other.softmax(1)
    return (p * (p / q).log()).sum(1).mean()


@given(seed=seeds, beta=st.floats(0.1, 10.0), eps=st.floats(1e-2, 0.5))
def test_the_terms_by_hand(seed, beta, eps):
    model, (x, y) = net(seed), batch(seed)
    rule = Trades(ThreatModel("Linf", eps), beta=beta, steps=3)
    found = rule.terms(model, x, y, Probes(seed))
    other = rule.perturb(model, x, y, Probes(seed))
    torch.testing.assert_close(found["risk"], nn.functional.cross_entropy(model(x), y))
    expected = beta * divergence(model(x), model(other))
    torch.testing.assert_close(found["divergence"], expected, rtol=1e-6, atol=1e-12)
    assert found["divergence"] > 0
    assert rule.threat.contains(other, x).all()


def test_gradients_go_through_both_probabilities():
    model, (x, y) = net(), batch()
    rule = Trades(FREE, beta=2.0)
    other = rule.perturb(copy.deepcopy(model), x, y, Probes(1))
    expected = nn.functional.cross_entropy(model(x), y) + 2 * divergence(model(x), model(other))
    parameters = list(model.parameters())
    by_hand = torch.autograd.grad(expected, parameters)
    for parameter in parameters:
        parameter.grad = torch.zeros_like(parameter)
    rule(model, x, y, Probes(1)).backward()
    torch.testing.assert_close([p.grad for p in parameters], list(by_hand))


@pytest.mark.parametrize("rule", [Trades(FREE, beta=0.0), Trades(ThreatModel("L2", 0.0))])
def test_beta_or_radius_zero_is_the_empirical_risk(rule):
    model, (x, y) = net(), batch()
    assert torch.equal(rule(model, x, y), EmpiricalRisk()(model, x, y))
    assert list(rule.terms(model, x, y)) == ["risk", "divergence"]


def test_beta_zero_draws_no_numbers_and_runs_no_attack():
    calls = []
    model, (x, y) = net(), batch()
    Trades(FREE, beta=LinearRamp(1.0)).at(0.0)(lambda x: calls.append(1) or model(x), x, y)
    assert len(calls) == 1


def test_the_inner_steps_find_larger_divergence():
    model, (x, y) = net(), batch(n=100)
    clean = model(x)
    found = [
        divergence(clean, model(Trades(FREE, steps=k, alpha=a).perturb(model, x, y, Probes(0))))
        for k, a in ((1, 0.0), (1, 0.05), (10, 0.05))
    ]
    assert found[0] < found[1] / 100
    assert found[1] < found[2] / 2
    corner = (2 * torch.randint(0, 2, x.shape) - 1) * 0.2
    assert divergence(clean, model(x + corner)) < found[2]


def test_the_start_is_a_thousandth_of_normal_noise():
    model, (x, y) = net(), batch(n=500)
    start = Trades(FREE, steps=1, alpha=0.0).perturb(model, x, y, Probes(0))
    assert (start - x).std() == pytest.approx(1e-3, rel=0.05)


def test_inner_passes_leave_no_trace():
    norm = nn.BatchNorm1d(5)
    model = nn.Sequential(nn.Linear(4, 5), norm, nn.Linear(5, 3)).double()
    x, y = batch()
    before = copy.deepcopy(model.state_dict())
    rule = Trades(FREE)
    rule.perturb(model, x, y, Probes(0))
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
    assert norm.training
    rule(model, x, y, Probes(0))
    assert norm.num_batches_tracked == 2  # at the clean points and at the others


@given(seed=seeds, cut=st.integers(1, 5))
def test_points_do_not_depend_on_the_split(seed, cut):
    model, (x, y) = net(), batch(seed)
    rule = Trades(FREE, steps=2)
    whole = rule.perturb(model, x, y, Probes(seed, total=6))
    parts = [
        rule.perturb(model, x[:cut], y[:cut], Probes(seed, total=6)),
        rule.perturb(model, x[cut:], y[cut:], Probes(seed, first=cut, total=6)),
    ]
    torch.testing.assert_close(torch.cat(parts), whole)


def test_penalties_are_at_the_clean_points():
    model, (x, y) = net(), batch()
    rule = Trades(FREE, penalties=[Penalty(DirichletEnergy(None), 0.5)])
    found = rule.terms(model, x, y)["DirichletEnergy(logits)"]
    torch.testing.assert_close(found, 0.5 * DirichletEnergy(None)(model, x))


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"steps": 0}, r"Trades\(steps=0"),
        ({"alpha": -1.0}, r"alpha=-1.0"),
        ({"beta": -1.0}, r"beta=-1.0"),
    ],
)
def test_bad_arguments_are_refused(arguments, match):
    with pytest.raises(ConfigError, match=match):
        Trades(FREE, **arguments)


def test_examples_outside_the_box_are_refused():
    model, (x, y) = net(), batch()
    with pytest.raises(DomainError, match=r"6 of 6 examples"):
        Trades(ThreatModel("Linf", 0.1))(model, x + 2, y)


def test_repr_tells_rules_apart():
    rules = [
        Trades(FREE),
        Trades(ThreatModel("Linf", 0.1)),
        Trades(FREE, beta=6.0),
        Trades(FREE, beta=LinearRamp(6.0)),
        Trades(FREE, steps=3),
        Trades(FREE, alpha=0.1),
        Trades(FREE, penalties=[Penalty(DirichletEnergy(), 1.0)]),
        Trades(FREE, label_smoothing=0.1),
    ]
    assert len(set(map(repr, rules))) == len(rules)
