"""Empirical risk and weighted penalties: values by hand, on any model, in any loop."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from cases import each
from holonet.attacks import ThreatModel
from holonet.calculus import Probes
from holonet.errors import ConfigError, DomainError, InputTypeError
from holonet.nn import HolomorphicClassifier, holomorphic_mlp
from holonet.regularizers import DirichletEnergy, LaplacianPenalty, Regularizer
from holonet.training import (
    AnalyticRule,
    EmpiricalRisk,
    LinearRamp,
    Penalty,
    Rule,
    fgsm_rs,
)


def real_net() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3))


def holomorphic_net() -> nn.Module:
    return holomorphic_mlp(6, [5, 4], 3)


def batch(n: int = 7) -> tuple[Tensor, Tensor]:
    return torch.rand(n, 1, 2, 3), torch.randint(3, (n,))


def risk_by_hand(logits: Tensor, y: Tensor) -> Tensor:
    return (logits.exp().sum(1).log() - logits[torch.arange(len(y)), y]).mean()


@pytest.mark.parametrize("net", [real_net, holomorphic_net])
def test_the_plain_risk_by_hand(net: Callable[[], nn.Module]) -> None:
    model, (x, y) = net(), batch()
    terms = EmpiricalRisk().terms(model, x, y)
    assert terms.keys() == {"risk"}
    torch.testing.assert_close(terms["risk"], risk_by_hand(model(x), y))


class Counting(nn.Module):
    """The identity, counting its calls."""

    calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return x


@each(("on", "calls"), [("logits", 1), ("loss", 1), ("probabilities", 2)])
@each("mode", ["forward", "reverse"])
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


def test_smoothing_out_of_range() -> None:
    for smoothing in (-0.1, 1.1, float("nan")):
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


def test_a_penalty_of_weight_zero_is_not_evaluated() -> None:
    class Never(Regularizer):
        def value_and_penalty(self, f: Any, z: Any, probes: Any = None) -> tuple[Tensor, Tensor]:
            raise RuntimeError

    model, (x, y) = real_net(), batch()
    terms = EmpiricalRisk([Penalty(Never(), 0.0)]).terms(model, x, y)
    assert terms["Never(logits)"] == 0
    ramp = EmpiricalRisk([Penalty(Never(), LinearRamp(1.0, start=0.5))])
    assert torch.equal(ramp.at(0.3)(model, x, y), EmpiricalRisk()(model, x, y))
    with pytest.raises(RuntimeError):
        ramp.at(0.6)(model, x, y)


def test_schedules_weigh_the_penalties() -> None:
    model, (x, y) = real_net(), batch()
    exact = DirichletEnergy(None)
    rule = EmpiricalRisk([Penalty(exact, LinearRamp(2.0)), Penalty(exact, 0.5, "loss")])
    full = EmpiricalRisk([Penalty(exact, 1.0), Penalty(exact, 1.0, "loss")]).terms(model, x, y)
    for progress in (0.0, 0.25, 1.0):
        found = rule.at(progress).terms(model, x, y)
        torch.testing.assert_close(found["risk"], full["risk"])
        for on, weight in (("logits", 2 * progress), ("loss", 0.5)):
            name = f"DirichletEnergy({on})"
            torch.testing.assert_close(found[name], weight * full[name])
    torch.testing.assert_close(rule(model, x, y), rule.at(1.0)(model, x, y))
    assert isinstance(rule.penalties[0].weight, LinearRamp)  # the rule itself is left as it was


@pytest.mark.parametrize("penalty", [DirichletEnergy(), LaplacianPenalty(every=1)])
def test_penalties_see_running_statistics_and_the_risk_those_of_the_batch(
    penalty: Regularizer,
) -> None:
    norm = nn.BatchNorm1d(5)
    model = nn.Sequential(nn.Flatten(), nn.Linear(6, 5), norm, nn.Tanh(), nn.Linear(5, 3))
    x, y = batch()
    for _ in range(3):
        model(x)  # statistics that are not those of the batch
    model.eval()
    expected = penalty(model, x, Probes(0))
    model.train()
    terms = EmpiricalRisk([Penalty(penalty, 1.0)]).terms(model, x, y, Probes(0))
    torch.testing.assert_close(terms[f"{type(penalty).__name__}(logits)"], expected)
    torch.testing.assert_close(terms["risk"], risk_by_hand(model(x), y))
    assert norm.training
    assert norm.num_batches_tracked == 5  # three, the risk, and the line above


def test_the_forward_pass_of_a_sampled_penalty_is_not_wasted() -> None:
    counting = Counting()
    model = nn.Sequential(counting, nn.Flatten(), nn.Linear(6, 3))
    twice = EmpiricalRisk([Penalty(DirichletEnergy(), 1.0), Penalty(LaplacianPenalty(), 1.0)])
    twice(model, *batch())
    assert counting.calls == 2  # one for risk and energy, one for a second derivative


def test_repr_tells_rules_apart() -> None:
    rules: list[Rule] = [
        EmpiricalRisk(),
        EmpiricalRisk(label_smoothing=0.1),
        EmpiricalRisk([Penalty(Scaled(1.0), 1.0)]),
        EmpiricalRisk([Penalty(Scaled(2.0), 1.0)]),
        EmpiricalRisk([Penalty(Scaled(1.0), LinearRamp(1.0))]),
        EmpiricalRisk([Penalty(Scaled(1.0), 1.0, lift=True)]),
    ]
    assert len(set(map(repr, rules))) == len(rules)


@pytest.mark.parametrize("rule", [EmpiricalRisk(), fgsm_rs(ThreatModel("Linf", 0.1))])
def test_networks_that_recompute_their_activations_have_the_same_gradients(rule):
    network = holomorphic_mlp(6, [5, 5], 3, activation="sin")
    x, y = torch.rand(8, 6), torch.arange(8) % 3

    def gradients(model):
        torch.manual_seed(0)
        return torch.autograd.grad(rule(model, x, y), tuple(network.parameters()))

    def recomputed(x):
        return checkpoint(network, x, use_reentrant=False)

    for found, expected in zip(gradients(recomputed), gradients(network), strict=True):
        assert torch.equal(found, expected)


def test_no_label_is_left_out():
    for label in (-100, -1, 3):  # torch leaves out the first
        with pytest.raises(DomainError, match=f"labels from {label} to {label} for logits of 3"):
            EmpiricalRisk()(nn.Linear(6, 3), torch.rand(2, 6), torch.tensor([label, label]))


@pytest.mark.parametrize("rule", [EmpiricalRisk(), fgsm_rs(ThreatModel("Linf", 0.1, None))])
def test_a_first_layer_may_work_in_place(rule):
    x, y, layer = torch.rand(4, 6) - 0.5, torch.tensor([0, 1, 2, 0]), nn.Linear(6, 3)
    kept = x.clone()
    losses = []
    for first in (nn.ReLU(inplace=True), nn.ReLU()):
        losses.append(rule(nn.Sequential(first, layer), x, y, Probes(seed=1)))
        assert torch.equal(x, kept)
    torch.testing.assert_close(*losses)


@given(data=st.data())
def test_whole_class_weights_repeat_examples(data: st.DataObject) -> None:
    weights = data.draw(st.lists(st.integers(0, 4), min_size=3, max_size=3).filter(any))
    x = torch.rand(6, 1, 2, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y = torch.tensor(data.draw(st.lists(st.integers(0, 2), min_size=6, max_size=6)))
    times = torch.tensor(weights)[y]
    assume(int(times.sum()) > 0)
    model, rule = real_net().double(), EmpiricalRisk(label_smoothing=0.1)
    weighted = 6 * rule.weighted(weights)(model, x, y)
    more = x.repeat_interleave(times, 0), y.repeat_interleave(times)
    repeated = len(more[0]) * rule(model, *more)
    gradients = [
        torch.autograd.grad(loss, list(model.parameters())) for loss in (weighted, repeated)
    ]
    torch.testing.assert_close(weighted, repeated)
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)


@each("weights", [[], [0.0, 0.0, 0.0], [1.0, -1.0, 1.0], [1.0, float("nan"), 1.0]])
def test_class_weights_that_there_are_not(weights: list[float]) -> None:
    with pytest.raises(ConfigError, match="a finite number from 0 for each class"):
        EmpiricalRisk().weighted(weights)


def test_class_weights_are_as_many_as_classes() -> None:
    with pytest.raises(ConfigError, match="2 class weights for logits of 3 classes"):
        EmpiricalRisk().weighted([1.0, 2.0])(real_net(), *batch())
