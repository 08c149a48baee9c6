"""Robust optimization: closed forms, what the inner steps may touch, and what they may not."""

import copy
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from cases import each
from holonet.attacks import ThreatModel
from holonet.calculus import Probes
from holonet.errors import ConfigError, DomainError, InputTypeError
from holonet.nn import holomorphic_mlp
from holonet.regularizers import DirichletEnergy
from holonet.training import (
    EmpiricalRisk,
    Penalty,
    RobustOptimization,
    TrainConfig,
    fgsm_rs,
    fit,
    shaham,
)

seeds = st.integers(0, 2**32)
radii = st.floats(1e-3, 0.5)
FREE = ThreatModel("Linf", 0.1, None)


def linear_net(seed=0):
    torch.manual_seed(seed)
    return nn.Linear(4, 3).double()


def batch(seed=0, n=6):
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(n, 4, generator=generator, dtype=torch.float64)
    return x, torch.randint(3, (n,), generator=generator)


def curved_net():
    return nn.Sequential(nn.Linear(4, 7), nn.Tanh(), nn.Linear(7, 3)).double()


def input_gradient(model, x, y):
    x = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(nn.functional.cross_entropy(model(x), y), x)
    return gradient * len(y)


@given(seed=seeds, eps=radii)
def test_one_step_on_a_linear_model_is_the_closed_form(seed, eps):
    model, (x, y) = linear_net(seed), batch(seed)
    gradient = input_gradient(model, x, y)
    moves = {
        "Linf": gradient.sign(),
        "L2": gradient / gradient.norm(dim=1, keepdim=True),
        "L1": gradient.sign() * (gradient.abs() == gradient.abs().amax(1, keepdim=True)),
    }
    for norm, move in moves.items():
        found = shaham(ThreatModel(norm, eps, None))(model, x, y)
        expected = nn.functional.cross_entropy(model(x + eps * move), y)
        torch.testing.assert_close(found, expected)
    boxed = shaham(ThreatModel("Linf", eps))(model, x, y)
    inside = (x + eps * gradient.sign()).clamp(0, 1)
    torch.testing.assert_close(boxed, nn.functional.cross_entropy(model(inside), y))


@given(seed=seeds, eps=radii)
def test_with_two_classes_one_step_is_the_robust_loss(seed, eps):
    torch.manual_seed(seed)
    model, (x, y) = nn.Linear(4, 2).double(), batch(seed)
    y = y.clamp(max=1)
    margin = (model.weight[0] - model.weight[1]).abs().sum() * eps
    logits = model(x)
    wrong = logits.gather(1, 1 - y[:, None]) - logits.gather(1, y[:, None]) + margin
    threat = ThreatModel("Linf", eps, None)
    for rule in (shaham(threat), RobustOptimization(threat, steps=7)):
        torch.testing.assert_close(rule(model, x, y), nn.functional.softplus(wrong).mean())


RULES = {
    "shaham": shaham,
    "fgsm-rs": fgsm_rs,
    "seven steps": lambda threat: RobustOptimization(threat, steps=7),
    "margin": lambda threat: RobustOptimization(threat, steps=3, loss="margin"),
    "no start": lambda threat: RobustOptimization(threat, steps=3, random_start=False),
}


@each("name", RULES)
@each("norm", ["Linf", "L2", "L1"])
def test_radius_zero_is_the_empirical_risk(name, norm):
    model, (x, y) = curved_net(), batch()
    penalties = [Penalty(DirichletEnergy(), 0.3)]
    rule = RobustOptimization(ThreatModel(norm, 0.0), penalties=penalties)
    assert torch.equal(
        rule(model, x, y, Probes(1)), EmpiricalRisk(penalties)(model, x, y, Probes(1))
    )
    assert torch.equal(
        RULES[name](ThreatModel(norm, 0.0))(model, x, y), EmpiricalRisk()(model, x, y)
    )


@pytest.mark.parametrize("name", RULES)
@given(seed=seeds, eps=radii, norm=st.sampled_from(["Linf", "L2", "L1"]))
def test_perturbed_points_are_in_the_set_and_at_least_as_bad_as_one_small_step(
    name, seed, eps, norm
):
    model, (x, y), threat = linear_net(seed), batch(seed), ThreatModel(norm, eps)
    perturbed = RULES[name](threat).perturb(model, x, y, Probes(seed))
    assert threat.contains(perturbed, x).all()
    assert not perturbed.requires_grad
    assert not torch.equal(perturbed, x)


def test_presets_are_what_they_are_named_after():
    threat = ThreatModel("Linf", 0.08)
    assert repr(shaham(threat)) == repr(RobustOptimization(threat, steps=1, random_start=False))
    assert repr(fgsm_rs(threat)) == repr(RobustOptimization(threat, steps=1, random_start=True))
    model, (x, y) = curved_net(), batch()
    for steps, alpha in ((1, 0.1), (7, 0.2 / 7)):
        usual = RobustOptimization(threat, steps=steps)
        explicit = RobustOptimization(threat, steps=steps, alpha=alpha)
        pair = [r.perturb(model, x, y, Probes(2)) for r in (usual, explicit)]
        torch.testing.assert_close(*pair)


def test_the_random_start_and_step_of_fgsm_rs_by_hand():
    model, (x, y), eps = curved_net(), batch(), 0.1
    seen = []
    rule = RobustOptimization(
        ThreatModel("Linf", eps), solver=lambda objective, start, x, threat: seen.append(start) or x
    )
    rule.perturb(model, x, y, Probes(7))
    (start,) = seen
    assert (start - x).abs().max() <= eps
    assert (start - x).abs().max() > 0.5 * eps
    step = start + 1.25 * eps * input_gradient(model, start, y).sign()
    expected = step.clamp(x - eps, x + eps).clamp(0, 1)
    found = fgsm_rs(ThreatModel("Linf", eps)).perturb(model, x, y, Probes(7))
    torch.testing.assert_close(found, expected)


def test_more_steps_find_worse_points():
    model, (x, y) = curved_net(), batch(n=200)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)
    threat = ThreatModel("Linf", 0.5)
    one, many = (
        RobustOptimization(threat, steps=k, random_start=False, alpha=0.1)(model, x, y)
        for k in (1, 20)
    )
    assert many > one > EmpiricalRisk()(model, x, y)


@pytest.mark.parametrize("name", RULES)
def test_parameter_gradients_are_those_of_two_separate_passes(name):
    model, (x, y) = curved_net(), batch()
    rule = RULES[name](FREE)
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, 0.5)
    rule(model, x, y, Probes(3)).backward()
    found = [p.grad - 0.5 for p in model.parameters()]
    perturbed = rule.perturb(copy.deepcopy(model), x, y, Probes(3))
    loss = nn.functional.cross_entropy(model(perturbed), y)
    expected = torch.autograd.grad(loss, list(model.parameters()))
    torch.testing.assert_close(found, list(expected))


class Recorder(nn.Module):
    """The identity, noting the mode it is called in."""

    def __init__(self):
        super().__init__()
        self.modes = []

    def forward(self, x: Tensor) -> Tensor:
        self.modes.append(self.training)
        return x


@pytest.mark.parametrize("name", RULES)
def test_inner_passes_are_in_eval_mode_and_leave_no_trace(name):
    recorder, frozen = Recorder(), nn.Dropout(0.9).eval()
    model = nn.Sequential(recorder, nn.Linear(4, 5), nn.BatchNorm1d(5), frozen, nn.Linear(5, 3))
    model = model.double()
    x, y = batch()
    rule = RULES[name](FREE)
    before = copy.deepcopy(model.state_dict())
    needs = [p.requires_grad for p in model.parameters()]
    rule.perturb(model, x, y, Probes(0))
    assert not any(recorder.modes)
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key]), key
    assert all(p.grad is None for p in model.parameters())
    assert [p.requires_grad for p in model.parameters()] == needs
    recorder.modes.clear()
    rule(model, x, y, Probes(0))
    assert recorder.modes[-1]
    assert not any(recorder.modes[:-1])
    assert (model.training, frozen.training) == (True, False)
    assert model[2].num_batches_tracked == 1  # the pass that is learned from, in train mode


@given(seed=seeds, cut=st.integers(1, 5), steps=st.integers(1, 3))
def test_points_do_not_depend_on_the_split(seed, cut, steps):
    model, (x, y) = curved_net(), batch(seed)
    rule = RobustOptimization(FREE, steps=steps)
    whole = rule.perturb(model, x, y, Probes(seed, total=6))
    parts = [
        rule.perturb(model, x[:cut], y[:cut], Probes(seed, total=6)),
        rule.perturb(model, x[cut:], y[cut:], Probes(seed, first=cut, total=6)),
    ]
    torch.testing.assert_close(torch.cat(parts), whole)


def test_penalties_at_clean_and_at_perturbed_points():
    model, (x, y) = curved_net(), batch()
    penalty = Penalty(DirichletEnergy(None), 0.5)
    perturbed = shaham(FREE).perturb(model, x, y)
    for place, points in (("clean", x), ("perturbed", perturbed)):
        rule = RobustOptimization(FREE, random_start=False, penalties=[penalty], penalties_at=place)
        found = rule.terms(model, x, y)
        risk = nn.functional.cross_entropy(model(perturbed), y)
        torch.testing.assert_close(found["risk"], risk)
        energy = 0.5 * DirichletEnergy(None)(model, points)
        torch.testing.assert_close(found["DirichletEnergy(logits)"], energy)


def test_complex_data_are_perturbed_in_the_polydisc():
    threat = ThreatModel("polydisc", 0.1, None)
    model = holomorphic_mlp(4, [5], 3, dtype=torch.complex128)
    x, y = batch()
    z = torch.complex(x, x.flip(1))
    rule = RobustOptimization(threat, steps=7)
    perturbed = rule.perturb(model, z, y, Probes(0))
    assert threat.contains(perturbed, z).all()
    assert rule(model, z, y, Probes(0)) > EmpiricalRisk()(model, z, y)


def test_a_solver_of_ones_own():
    def away(objective, start, x, threat):
        return threat.project(x + 10, x)

    model, (x, y) = curved_net(), batch()
    rule = RobustOptimization(ThreatModel("Linf", 0.1, None), solver=away)
    torch.testing.assert_close(rule(model, x, y), nn.functional.cross_entropy(model(x + 0.1), y))
    assert "away" in repr(rule)
    assert "0x" not in repr(rule)


class Weighted(ThreatModel):
    """|delta_j| <= eps / (j + 1): a box of other proportions, with a norm of its own."""

    def radii(self, x):
        return self.eps / torch.arange(1, x.shape[1] + 1, dtype=x.dtype)

    def project(self, perturbed, x):
        return x + (perturbed - x).clamp(-self.radii(x), self.radii(x))

    def steepest(self, gradient):
        return gradient.sign() * self.radii(gradient) / self.eps

    def maximizer(self, gradient, x):
        return x + self.eps * self.steepest(gradient)


@pytest.mark.parametrize("name", RULES)
def test_any_set(name):
    model, (x, y) = linear_net(), batch()
    threat = Weighted("Linf", 0.1, None)
    perturbed = RULES[name](threat).perturb(model, x, y, Probes(0))
    assert ((perturbed - x).abs() <= threat.radii(x) + 1e-12).all()
    assert ((perturbed - x).abs() > threat.radii(x) / 10).any(0).all()
    if name == "shaham":
        moved = input_gradient(model, x, y).sign() * threat.radii(x)
        torch.testing.assert_close(perturbed, x + moved)


def test_it_works_where_gradients_are_off():
    model, (x, y) = curved_net(), batch()
    with torch.no_grad():
        off = shaham(FREE)(model, x, y)
    assert not off.requires_grad
    torch.testing.assert_close(off, shaham(FREE)(model, x, y).detach())


@each(
    ("arguments", "match"),
    [
        ({"steps": 0}, r"steps=0.*at least 1"),
        ({"alpha": -0.1}, r"alpha=-0.1"),
        ({"alpha": math.nan}, r"alpha=nan"),
        ({"loss": "mse"}, r"loss='mse'.*'margin', 'cross_entropy' or 'dlr'"),
        ({"penalties_at": "both"}, r"penalties_at='both'.*'clean' or 'perturbed'"),
        ({"label_smoothing": 2.0}, r"label_smoothing=2.0"),
    ],
)
def test_bad_arguments_are_refused(arguments, match):
    with pytest.raises(ConfigError, match=match):
        RobustOptimization(FREE, **arguments)


def test_examples_outside_the_box_are_refused():
    model, (x, y) = curved_net(), batch()
    with pytest.raises(DomainError, match=r"1 of 6 examples .*bounds=None"):
        fgsm_rs(ThreatModel("Linf", 0.1))(model, x.index_fill(0, torch.tensor([2]), 1.5), y)


def test_complex_logits_are_refused():
    x, y = batch()
    net = holomorphic_mlp(4, [5], 3, dtype=torch.complex128)
    with pytest.raises(InputTypeError, match="readout"):
        fgsm_rs(FREE)(lambda x: net.backbone(x.to(torch.complex128)), x, y)


def test_repr_tells_rules_apart():
    rules = [
        RobustOptimization(FREE),
        RobustOptimization(ThreatModel("Linf", 0.2, None)),
        RobustOptimization(ThreatModel("L2", 0.1, None)),
        RobustOptimization(ThreatModel("Linf", 0.1)),
        RobustOptimization(FREE, steps=2),
        RobustOptimization(FREE, alpha=0.1),
        RobustOptimization(FREE, random_start=False),
        RobustOptimization(FREE, loss="margin"),
        RobustOptimization(FREE, penalties=[Penalty(DirichletEnergy(), 1.0)]),
        RobustOptimization(FREE, penalties_at="clean"),
        RobustOptimization(FREE, label_smoothing=0.1),
    ]
    assert len(set(map(repr, rules))) == len(rules)


def test_training_by_one_step_withstands_what_standard_training_does_not():
    from holonet.attacks import pgd
    from holonet.data import load_digits

    data = load_digits().subset(train=600, test=150)
    config = TrainConfig(epochs=8, batch_size=50, lr=0.01, accelerator="cpu")
    threat = ThreatModel("Linf", 0.1)
    robust = []
    for rule in (EmpiricalRisk(), fgsm_rs(threat)):
        model = holomorphic_mlp(64, [24], 10, generator=torch.Generator().manual_seed(0))
        fit(model, data, rule, config)
        robust.append(pgd(model, data.x_test, data.y_test, threat, steps=10).accuracy)
    assert robust[1] > robust[0] + 0.1
