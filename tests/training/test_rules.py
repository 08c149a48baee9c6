"""Rules: their values by hand, on any model, in any loop."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from holonet.calculus import Probes
from holonet.errors import ConfigError, InputTypeError
from holonet.nn import HolomorphicClassifier, holomorphic_mlp
from holonet.regularizers import DirichletEnergy, Regularizer
from holonet.training import AnalyticRule, EmpiricalRisk, Penalty, Rule

TARGETS = ["logits", "probabilities", "loss"]


def real_net() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3))


def holomorphic_net() -> nn.Module:
    return holomorphic_mlp(6, [5, 4], 3)


def batch(n: int = 7) -> tuple[Tensor, Tensor]:
    return torch.rand(n, 1, 2, 3), torch.randint(3, (n,))


def target(on: str, model: nn.Module, y: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
    """The penalized function of one example and its label, by definition."""

    def f(x: Tensor, label: Tensor) -> Tensor:
        logits = model(x[None])[0]
        if on == "probabilities":
            return logits.exp() / logits.exp().sum()
        return logits.exp().sum().log() - logits[label] if on == "loss" else logits

    return f


def risk_by_hand(logits: Tensor, y: Tensor) -> Tensor:
    return (logits.exp().sum(1).log() - logits[torch.arange(len(y)), y]).mean()


def energy_by_hand(on: str, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    f = target(on, model, y)
    jacobians = [
        torch.autograd.functional.jacobian(lambda a, k=k: f(a, y[k]), x[k]) for k in range(len(x))
    ]
    return torch.stack([j.square().sum() / 2 for j in jacobians]).mean()


@pytest.mark.parametrize("net", [real_net, holomorphic_net])
@pytest.mark.parametrize("on", TARGETS)
def test_exact_value_is_the_one_by_hand(net: Callable[[], nn.Module], on: str) -> None:
    model, (x, y) = net(), batch()
    terms = AnalyticRule(0.7, on, None).terms(model, x, y)
    assert terms.keys() == {"risk", f"DirichletEnergy({on})"}
    risk, energy = terms.values()
    torch.testing.assert_close(risk, risk_by_hand(model(x), y))
    torch.testing.assert_close(energy, 0.7 * energy_by_hand(on, model, x, y))
    assert torch.equal(AnalyticRule(0.7, on, None)(model, x, y), risk + energy)


@pytest.mark.parametrize("on", TARGETS)
@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_probes_give_the_exact_value_in_the_mean(on: str, mode: Any) -> None:
    model, (x, y) = real_net(), batch(3)
    exact = AnalyticRule(1.0, on, None).terms(model, x, y)
    many = x.repeat(2000, 1, 1, 1), y.repeat(2000)
    drawn = AnalyticRule(1.0, on, 2, mode).terms(model, *many, Probes(0))
    torch.testing.assert_close(drawn["risk"], exact["risk"])
    name = f"DirichletEnergy({on})"
    torch.testing.assert_close(drawn[name], exact[name], rtol=0.03, atol=0)


@pytest.mark.parametrize("net", [real_net, holomorphic_net])
@pytest.mark.parametrize("on", TARGETS)
@pytest.mark.parametrize("mode", ["forward", "reverse"])
@pytest.mark.parametrize("count", [1, 2, None])
def test_a_plain_loop_lowers_the_loss_and_reaches_every_parameter(
    net: Callable[[], nn.Module], on: str, mode: Any, count: int | None
) -> None:
    model, (x, y) = net(), batch()
    rule = AnalyticRule(0.1, on, count, mode)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(15):
        optimizer.zero_grad()
        loss = rule(model, x, y, Probes(1))
        loss.backward()
        assert all(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in model.parameters())
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_the_gradient_is_that_of_the_value(mode: Any) -> None:
    model, (x, y) = real_net().double(), batch()
    rule, x = AnalyticRule(0.5, "logits", 2, mode), x.double()
    weight = model.get_parameter("1.weight")
    (gradient,) = torch.autograd.grad(rule(model, x, y, Probes(3)), weight)
    direction, h = torch.randn_like(weight), 1e-6
    values = []
    for sign in (1, -1):
        weight.data += sign * h * direction
        values.append(float(rule(model, x, y, Probes(3)).detach()))
        weight.data -= sign * h * direction
    slope = (values[0] - values[1]) / (2 * h)
    assert slope == pytest.approx(float((gradient * direction).sum()), rel=1e-6)


@given(seed=st.integers(0, 2**62), on=st.sampled_from(TARGETS), count=st.integers(1, 3))
def test_probes_are_reproducible(seed, on, count):
    torch.manual_seed(0)
    model, (x, y) = real_net(), batch()
    rule = AnalyticRule(1.0, on, count, "forward")
    values = [rule(model, x, y, Probes(s)) for s in (seed, seed, seed + 1)]
    assert torch.equal(values[0], values[1])
    assert not torch.equal(values[0], values[2])


@pytest.mark.parametrize("on", TARGETS)
@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_weight_zero_is_the_plain_risk(on: str, mode: Any) -> None:
    model, (x, y) = holomorphic_net(), batch()
    zero, plain = AnalyticRule(0.0, on, 1, mode)(model, x, y), EmpiricalRisk()(model, x, y)
    torch.testing.assert_close(zero, plain)
    torch.testing.assert_close(plain, risk_by_hand(model(x), y))
    gradients = [torch.autograd.grad(v, list(model.parameters())) for v in (zero, plain)]
    torch.testing.assert_close(*gradients)


class Counting(nn.Module):
    """The identity, counting its calls."""

    calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return x


@pytest.mark.parametrize(("on", "calls"), [("logits", 1), ("loss", 1), ("probabilities", 2)])
@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_the_forward_pass_is_shared(on: str, calls: int, mode: Any) -> None:
    counting = Counting()
    model = nn.Sequential(counting, nn.Flatten(), nn.Linear(6, 3))
    AnalyticRule(1.0, on, 1, mode)(model, *batch())
    assert counting.calls == calls


def test_every_penalty_counts_also_those_of_one_name() -> None:
    model, (x, y) = real_net(), batch()
    exact = DirichletEnergy(None)
    both = EmpiricalRisk([Penalty(exact, 0.25), Penalty(exact, 0.5), Penalty(exact, 1.0, "loss")])
    terms = both.terms(model, x, y)
    assert list(terms) == ["risk", "DirichletEnergy(logits)", "DirichletEnergy(loss)"]
    one = AnalyticRule(0.75, "logits", None).terms(model, x, y)
    torch.testing.assert_close(terms["DirichletEnergy(logits)"], one["DirichletEnergy(logits)"])


def test_label_smoothing_by_hand() -> None:
    model, (x, y) = real_net(), batch()
    logits = model(x)
    rule = EmpiricalRisk([Penalty(DirichletEnergy(None), 1.0, "loss")], label_smoothing=0.3)
    uniform = torch.stack([risk_by_hand(logits, torch.full_like(y, k)) for k in range(3)]).mean()
    expected = 0.7 * risk_by_hand(logits, y) + 0.3 * uniform
    torch.testing.assert_close(rule.terms(model, x, y)["risk"], expected)


@pytest.mark.parametrize("weight", [-1.0, math.inf, math.nan])
def test_weights_out_of_range(weight: float) -> None:
    with pytest.raises(ConfigError, match=f"weight={weight}"):
        Penalty(DirichletEnergy(), weight)
    with pytest.raises(ConfigError):
        AnalyticRule(weight)


def test_unknown_target_and_smoothing() -> None:
    with pytest.raises(ConfigError, match=r"on='logit'.*'logits', 'probabilities' or 'loss'"):
        AnalyticRule(1.0, "logit")
    for smoothing in (-0.1, 1.1, math.nan):
        with pytest.raises(ConfigError, match=f"label_smoothing={smoothing}"):
            EmpiricalRisk(label_smoothing=smoothing)


@pytest.mark.parametrize("rule", [EmpiricalRisk(), AnalyticRule(1.0, "loss")])
def test_complex_logits_are_refused_with_the_way_out(rule: Rule) -> None:
    net = holomorphic_net()
    assert isinstance(net, HolomorphicClassifier)
    x, y = batch()
    with pytest.raises(InputTypeError, match="readout"):
        rule(net.backbone, x.to(torch.complex64), y)


class Scaled(Regularizer):
    def __init__(self, scale: float) -> None:
        self.scale = scale
        self.function = torch.sin

    def value_and_penalty(self, f: Any, z: Any, probes: Any = None) -> tuple[Tensor, Tensor]:
        value = f(z)
        return value, self.scale * value.square().mean()


def test_any_regularizer_serves() -> None:
    model, (x, y) = real_net(), batch()
    terms = EmpiricalRisk([Penalty(Scaled(2.0), 3.0)]).terms(model, x, y)
    torch.testing.assert_close(terms["Scaled(logits)"], 6 * model(x).square().mean())


def test_repr_tells_rules_apart_and_the_same_rule_from_none() -> None:
    def rules() -> list[Rule]:
        return [
            EmpiricalRisk(),
            EmpiricalRisk(label_smoothing=0.1),
            AnalyticRule(),
            AnalyticRule(0.1),
            AnalyticRule(on="loss"),
            AnalyticRule(count=None),
            AnalyticRule(mode="forward"),
            EmpiricalRisk([Penalty(Scaled(1.0), 1.0)]),
            EmpiricalRisk([Penalty(Scaled(2.0), 1.0)]),
        ]

    assert len(set(map(repr, rules()))) == len(rules())
    assert list(map(repr, rules())) == list(map(repr, rules()))
