"""Contracts of every rule: a training step on any network, any split, any moment."""

import functools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from cases import each
from holonet import nn as holonet_nn
from holonet.attacks import ThreatModel
from holonet.calculus import Probes
from holonet.data import load_digits
from holonet.errors import ConfigError, InputTypeError
from holonet.nn import holomorphic_mlp
from holonet.nn.modes import running_statistics
from holonet.regularizers import DirichletEnergy, PluriharmonicPenalty
from holonet.training import (
    AnalyticRule,
    CosineRamp,
    EmpiricalRisk,
    IntervalRule,
    LinearizedRobustOptimization,
    LinearRamp,
    Mixture,
    Penalty,
    RobustOptimization,
    Rule,
    Trades,
    TrainConfig,
    fgsm_rs,
    first_order_loss,
    fit,
    shaham,
)
from holonet.training.rules.rule import lifted

THREAT = ThreatModel("Linf", 0.1)
RULES: dict[str, Rule] = {
    "standard": EmpiricalRisk(),
    "analytic": AnalyticRule(0.1),
    "analytic, forward": AnalyticRule(0.1, mode="forward"),
    "analytic, L1": AnalyticRule(0.1, gradient_norm="L1"),
    "analytic, loss": AnalyticRule(0.1, "loss", gradient_norm="L1", mode="forward"),
    "shaham": shaham(THREAT),
    "shaham, L2": shaham(ThreatModel("L2", 0.3)),
    "fgsm-rs": fgsm_rs(THREAT),
    "seven steps": RobustOptimization(THREAT, steps=7),
    "trades": Trades(THREAT, beta=3.0, steps=3),
    "linearized": LinearizedRobustOptimization(THREAT),
    "first order": first_order_loss(THREAT),
    "analytic + one step": fgsm_rs(THREAT, penalties=AnalyticRule(0.1).penalties),
    "half and half": Mixture([(0.5, EmpiricalRisk()), (0.5, shaham(THREAT))]),
}
COMPLEX_RULES: dict[str, Rule] = {
    "analytic, complex": AnalyticRule(0.1, directions="complex", cauchy_riemann=0.1, harmonic=0.01),
    "analytic, map": AnalyticRule(0.1, "map", gradient_norm="L2"),
}
BOUNDING_RULES: dict[str, Rule] = {
    "interval": IntervalRule(THREAT, clean_share=0.25),
    "curvature": LinearizedRobustOptimization(THREAT, at="center", curvature=0.5),
    "mixture": Mixture([(0.5, LinearizedRobustOptimization(THREAT)), (0.5, IntervalRule(THREAT))]),
}
SCHEDULED: dict[str, Callable[[Any], Rule]] = {
    "analytic": lambda w: AnalyticRule(w),
    "trades": lambda w: Trades(THREAT, beta=w, steps=2),
    "trades, radius": lambda w: Trades(THREAT, radius=w, steps=2),
    "shaham, radius": lambda w: shaham(THREAT, radius=w),
    "fgsm-rs, radius": lambda w: fgsm_rs(THREAT, radius=w),
    "seven steps, radius": lambda w: RobustOptimization(THREAT, radius=w, steps=7),
    "linearized": lambda w: LinearizedRobustOptimization(THREAT, radius=w),
    "robust": lambda w: RobustOptimization(THREAT, penalties=[Penalty(DirichletEnergy(), w)]),
    "mixture": lambda w: Mixture([(1.0, EmpiricalRisk()), (w, AnalyticRule(w))]),
}


def real_net() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3))


def batch_norm_net() -> nn.Module:
    layers = [nn.Linear(6, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Dropout(0.2), nn.Linear(5, 3)]
    return nn.Sequential(nn.Flatten(), *layers)


def holomorphic_net() -> nn.Module:
    return holomorphic_mlp(6, [5], 3, dtype=torch.complex64)


def real_coefficients_net() -> nn.Module:
    return holomorphic_mlp(6, [5], 3, coefficients="real")


def mixed_coefficients_net() -> nn.Module:
    layers = holonet_nn.Linear(6, 5, dtype=torch.float32), holonet_nn.Tanh()
    backbone = nn.Sequential(nn.Flatten(), *layers, holonet_nn.Linear(5, 3))
    return holonet_nn.HolomorphicClassifier(backbone)


def squares_net(coefficients: str) -> nn.Module:
    return holomorphic_mlp(6, [5, 4], 3, coefficients=coefficients)


def batch(n: int = 8) -> tuple[Tensor, Tensor]:
    return torch.rand(n, 1, 2, 3), torch.randint(3, (n,))


CASES = [
    *(
        (net, name, rule)
        for net in (real_net, batch_norm_net, holomorphic_net, real_coefficients_net)
        for name, rule in RULES.items()
    ),
    *(
        (net, name, rule)
        for net in (holomorphic_net, real_coefficients_net, mixed_coefficients_net)
        for name, rule in COMPLEX_RULES.items()
    ),
    *(
        (functools.partial(squares_net, coefficients), name, rule)
        for coefficients in ("real", "complex")
        for name, rule in BOUNDING_RULES.items()
    ),
    (mixed_coefficients_net, "linearized", RULES["linearized"]),
]


# each rule with one real and one holomorphic network, and the others
HALF = [case for k, case in enumerate(CASES) if (k + k // len(RULES)) % 2 == 0]
OTHERS = [case for case in CASES if case not in HALF]


@each(("net", "name", "rule"), HALF)
def test_a_plain_loop_lowers_the_loss_and_reaches_every_parameter(
    net: Callable[[], nn.Module], name: str, rule: Rule
) -> None:
    lowers_the_loss_and_reaches_every_parameter(net, rule)


@pytest.mark.slow
@each(("net", "name", "rule"), OTHERS)
def test_a_plain_loop_does_so_on_other_networks(
    net: Callable[[], nn.Module], name: str, rule: Rule
) -> None:
    lowers_the_loss_and_reaches_every_parameter(net, rule)


def lowers_the_loss_and_reaches_every_parameter(net: Callable[[], nn.Module], rule: Rule) -> None:
    model, (x, y) = net(), batch(16)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(6):
        optimizer.zero_grad()
        loss = rule(model, x, y, Probes(1))
        loss.backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
        if net is not batch_norm_net:  # a bias in front of a batch norm does nothing
            assert all(bool(p.grad.abs().sum() > 0) for p in model.parameters())
        optimizer.step()
        losses.append(float(loss.detach()))
    assert sum(losses[-3:]) < sum(losses[:3])
    assert all(m.training for m in model.modules())


@each(("net", "name", "rule"), CASES)
def test_terms_are_scalars_that_add_up_and_global_numbers_are_left_alone(
    net: Callable[[], nn.Module], name: str, rule: Rule
) -> None:
    model, (x, y) = net().eval(), batch()
    before = torch.get_rng_state()
    terms = rule.terms(model, x, y, Probes(2))
    assert torch.equal(torch.get_rng_state(), before)
    assert "risk" in terms
    assert all(t.shape == () and t.isfinite() for t in terms.values())
    total = torch.stack(list(terms.values())).sum()
    torch.testing.assert_close(rule(model, x, y, Probes(2)), total)


@each(("net", "name", "rule"), [c for c in HALF if c[0] is not batch_norm_net])
def test_a_batch_in_parts_is_the_batch(net: Callable[[], nn.Module], name: str, rule: Rule) -> None:
    """Each process sees the random numbers of its own examples, so the sums agree."""
    model, (x, y) = net(), batch(64)
    whole = rule(model, x, y, Probes(5, total=64))
    parts = [
        rule(model, x[rows], y[rows], Probes(5, first=int(rows[0]), total=64)) / 2
        for rows in torch.arange(64).split(32)  # a multiple of every thinned penalty's group
    ]
    torch.testing.assert_close(parts[0] + parts[1], whole, rtol=1e-4, atol=1e-5)


@each("name", SCHEDULED)
@settings(max_examples=3)
@given(progress=st.floats(0, 1), final=st.floats(0.1, 2.0))
def test_a_moment_of_a_schedule_is_the_rule_of_that_weight(name, progress, final):
    torch.manual_seed(0)
    model, (x, y) = real_net(), batch()
    make, ramp = SCHEDULED[name], CosineRamp(final)
    scheduled = make(ramp)
    shown = repr(scheduled)
    found = scheduled.at(progress)
    assert repr(found) == repr(make(ramp(progress)))
    torch.testing.assert_close(
        found(model, x, y, Probes(0)), make(ramp(progress))(model, x, y, Probes(0))
    )
    assert repr(scheduled) == shown
    assert "CosineRamp" in shown
    torch.testing.assert_close(
        scheduled(model, x, y, Probes(0)), make(final)(model, x, y, Probes(0))
    )


@each("name", SCHEDULED)
def test_losses_rise_with_a_ramp(name: str) -> None:
    model, (x, y) = real_net(), batch()
    rule = SCHEDULED[name](LinearRamp(2.0))
    losses = [float(rule.at(k / 8)(model, x, y, Probes(0)).detach()) for k in range(9)]
    assert losses == sorted(losses)
    assert losses[-1] > losses[0]


@each("name", SCHEDULED)
@each("progress", [-0.1, 1.5])
def test_progress_out_of_range_is_refused(name: str, progress: float) -> None:
    with pytest.raises(ConfigError, match="fraction of training"):
        SCHEDULED[name](LinearRamp(2.0)).at(progress)


@each("name", SCHEDULED)
def test_bad_weights_are_refused(name: str) -> None:
    for weight in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ConfigError, match=f"{weight}"):
            SCHEDULED[name](weight)


def test_the_repr_of_every_rule_is_its_own() -> None:
    shown = [repr(rule) for rule in (RULES | COMPLEX_RULES | BOUNDING_RULES).values()]
    assert len(set(shown)) == len(shown)
    assert not any("0x" in text for text in shown)


class Moments(Rule):
    """The empirical risk, noting the moments it was asked for."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    def terms(self, model: Any, x: Any, y: Any, probes: Any = None) -> dict[str, Tensor]:
        return EmpiricalRisk().terms(model, x, y)

    def at(self, progress: float) -> Rule:
        self.seen.append(progress)
        return self


def test_the_loop_asks_for_every_moment_once() -> None:
    data = load_digits().subset(train=50, test=20)
    config = TrainConfig(epochs=2, batch_size=20, accelerator="cpu")
    rule = Moments()
    fit(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), data, rule, config)
    assert rule.seen == pytest.approx([k / 6 for k in range(6)])


def test_a_ramp_is_followed_by_the_loop() -> None:
    data = load_digits().subset(train=50, test=20)
    config = TrainConfig(epochs=2, batch_size=20, log_every=1, lr=1e-12, accelerator="cpu")
    rule = AnalyticRule(LinearRamp(1.0), count=None)
    records = fit(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), data, rule, config)
    found = [r["DirichletEnergy(logits)"] for r in records if r["kind"] == "step"]
    assert found == pytest.approx([found[-1] * k / 5 for k in range(6)])  # linear: one energy


def test_a_rule_without_schedules_is_itself_at_any_moment() -> None:
    class Plain(Rule):
        def terms(self, model: Any, x: Any, y: Any, probes: Any = None) -> dict[str, Tensor]:
            return {}

    rule = Plain()
    assert rule.at(0.5) is rule


def test_unknown_targets_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"target='logit'.*'logits', 'probabilities' or 'loss'"):
        Penalty(DirichletEnergy(), 1.0, "logit")
    for weight in (-1.0, float("nan")):
        with pytest.raises(ConfigError, match=f"weight={weight}"):
            Penalty(DirichletEnergy(), weight)


def test_lifted_penalties_see_all_complex_directions() -> None:
    """The logits of a holomorphic network are pluriharmonic, which real points cannot tell."""
    (x, y), rule = batch(), EmpiricalRisk([Penalty(PluriharmonicPenalty(), 1.0, lift=True)])
    real = holomorphic_mlp(x[0].numel(), [4], 3, activation="sin", coefficients="real")
    for model in (real, holomorphic_net()):
        assert rule.terms(model, x, y)["PluriharmonicPenalty(logits, lifted)"] < 1e-9
    with pytest.raises(InputTypeError):
        EmpiricalRisk([Penalty(PluriharmonicPenalty(), 1.0)])(model, x, y)


def test_lifting() -> None:
    x, z = torch.rand(2, 3), torch.rand(2, 3, dtype=torch.complex64)
    assert lifted(holomorphic_mlp(3, [2], 2, dtype=torch.complex128), x).dtype == torch.complex128
    real = holomorphic_mlp(3, [2], 2, dtype=torch.complex128, coefficients="real")
    assert lifted(real, x).dtype == torch.complex128
    assert lifted(torch.sin, x).dtype == torch.complex64
    assert lifted(torch.sin, x.double()).dtype == torch.complex128
    assert lifted(nn.Linear(3, 2), z) is z
    with pytest.raises(InputTypeError, match="real parameters alone"):
        lifted(nn.Linear(3, 2), x)


def test_running_statistics_are_put_to_use_and_modes_back() -> None:
    moving, still = nn.BatchNorm1d(2), nn.BatchNorm1d(2).eval()
    own = nn.BatchNorm1d(2, track_running_stats=False)
    model = nn.Sequential(moving, still, own, nn.Dropout())

    def stop() -> None:
        with running_statistics(model) as found:
            assert found
            assert [m.training for m in model] == [False, False, True, True]
            raise RuntimeError("on the way")

    with pytest.raises(RuntimeError, match="on the way"):
        stop()
    assert [m.training for m in model] == [True, False, True, True]
    for other in (nn.Linear(2, 2), torch.sin):
        with running_statistics(other) as found:
            assert not found


def test_batch_norm_counts_the_passes_that_a_rule_learns_from() -> None:
    def network() -> nn.Sequential:
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 3))

    x, y = torch.rand(6, 4, generator=torch.Generator().manual_seed(1)), torch.tensor([0, 1, 2] * 2)
    robust, trades = RobustOptimization(THREAT, steps=2), Trades(THREAT, steps=2)
    penalized = EmpiricalRisk([Penalty(DirichletEnergy(), 0.1)])
    passes: list[tuple[Rule, Callable[[nn.Module], list[Tensor]]]] = [
        (EmpiricalRisk(), lambda _: [x]),
        (penalized, lambda _: [x]),
        (LinearizedRobustOptimization(THREAT), lambda _: [x]),
        (robust, lambda model: [robust.perturb(model, x, y, Probes(2))]),
        (trades, lambda model: [x, trades.perturb(model, x, y, Probes(2))]),
    ]
    for rule, points in passes:
        model, by_hand = network(), network()
        rule(model, x, y, Probes(2))
        for at in points(by_hand):
            by_hand(at)
        torch.testing.assert_close(dict(model.named_buffers()), dict(by_hand.named_buffers()))
        assert model.training


@each("name", RULES | BOUNDING_RULES)
def test_class_weights_scale_what_is_averaged_over_losses(name: str) -> None:
    rule, x = (RULES | BOUNDING_RULES)[name], torch.rand(5, 1, 2, 3)
    model = squares_net("real") if name in BOUNDING_RULES else real_net()

    def terms(rule: Rule, y: Tensor) -> dict[str, Tensor]:
        torch.manual_seed(0)
        return rule.terms(model, x, y, Probes(3))

    mixed, alone = torch.tensor([0, 2, 1, 2, 0]), torch.full((5,), 2)
    plain, ones = (terms(one, mixed) for one in (rule, rule.weighted([1, 1, 1])))
    assert plain.keys() == ones.keys()
    assert all(torch.equal(plain[k], ones[k]) for k in plain)
    plain, heavy = terms(rule, alone), terms(rule.weighted([0.0, 1.0, 2.5]), alone)
    for key, value in plain.items():
        of_losses = key in ("risk", "divergence", "interval") or "(loss)" in key
        torch.testing.assert_close(heavy[key], (2.5 if of_losses else 1.0) * value)
    assert repr(rule) != repr(rule.weighted([1, 1, 1]))


def test_a_rule_of_its_own_has_no_class_weights() -> None:
    class Own(Rule):
        def terms(self, *_: Any, **__: Any) -> dict[str, Tensor]:
            return {}

    with pytest.raises(ConfigError, match=r"Own has no class weights: give it a method weighted"):
        Own().weighted([1.0, 2.0])
