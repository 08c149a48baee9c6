"""The interval rule against points of the set, the standard loss, and its schedules."""

import pytest
import torch
from enclosed import F64, networks
from hypothesis import given, settings
from hypothesis import strategies as st

from holonet.attacks import ThreatModel
from holonet.errors import ConfigError, InputTypeError
from holonet.nn import Linear, holomorphic_mlp
from holonet.training import EmpiricalRisk, IntervalRule, LinearRamp

NAMES = ["relu", "real square", "complex square", "real softplus", "threshold", "convolution"]
seeds = st.integers(0, 2**32)


def batch(shape, seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(5, *shape, generator=generator, dtype=F64)
    return x, torch.randint(3, (5,), generator=generator)


@settings(max_examples=18)
@given(seed=seeds, eps=st.floats(1e-3, 0.4), name=st.sampled_from(NAMES))
def test_the_loss_is_at_least_that_of_every_point(seed, eps, name):
    model, shape = networks()[name]
    x, y = batch(shape, seed)
    bound = float(IntervalRule(ThreatModel("Linf", eps))(model, x, y).detach())
    for share in torch.rand(8, *x.shape, dtype=F64).mul(1.5).sub(0.25).clamp(0, 1):
        points = (x + eps * (2 * share - 1)).clamp(0, 1)
        assert float(EmpiricalRisk()(model, points, y).detach()) <= bound + 1e-9


@settings(max_examples=12)
@given(seed=seeds, name=st.sampled_from(NAMES))
def test_without_a_radius_or_an_interval_it_is_the_standard_loss(seed, name):
    model, shape = networks()[name]
    x, y = batch(shape, seed)
    standard = EmpiricalRisk()(model, x, y)
    threat = ThreatModel("Linf", 0.2)
    assert IntervalRule(ThreatModel("Linf", 0.0))(model, x, y) == standard
    assert IntervalRule(threat, radius=0.0)(model, x, y) == standard
    assert IntervalRule(threat, clean_share=1.0)(model, x, y) == standard
    tiny = IntervalRule(ThreatModel("Linf", 1e-13))(model, x, y)
    torch.testing.assert_close(tiny, standard)


@settings(max_examples=12)
@given(seed=seeds, name=st.sampled_from(NAMES))
def test_it_rises_with_the_radius_and_mixes_by_the_share(seed, name):
    model, shape = networks()[name]
    x, y = batch(shape, seed)

    def loss(eps, share=0.0):
        rule = IntervalRule(ThreatModel("Linf", eps), clean_share=share)
        return float(rule(model, x, y).detach())

    assert loss(0.05) <= loss(0.1) <= loss(0.3)
    assert loss(0.1, 0.25) == pytest.approx(0.25 * loss(0.0) + 0.75 * loss(0.1))
    terms = IntervalRule(ThreatModel("Linf", 0.1), clean_share=0.25).terms(model, x, y)
    assert float(terms["risk"].detach()) == pytest.approx(0.25 * loss(0.0))
    assert float(terms["interval"].detach()) == pytest.approx(0.75 * loss(0.1))


def test_schedules_are_settled():
    rule = IntervalRule(
        ThreatModel("Linf", 0.2), radius=LinearRamp(1.0), clean_share=LinearRamp(0.5, initial=1.0)
    )
    now = rule.at(0.5)
    assert (now.radius, now.clean_share) == (0.5, 0.75)
    assert "clean_share=0.75" in repr(now)
    model, shape = networks()["relu"]
    x, y = batch(shape, 0)
    by_hand = IntervalRule(ThreatModel("Linf", 0.1), clean_share=0.75)
    torch.testing.assert_close(now(model, x, y), by_hand(model, x, y))


def test_single_precision_classifiers_take_double_data():
    model = holomorphic_mlp(4, [5], 3, coefficients="real", activation="softplus")
    x, y = batch((4,), 0)
    rule = IntervalRule(ThreatModel("Linf", 0.1))
    assert rule(model, x.float(), y).dtype == rule(model, x, y).dtype == torch.float32


def test_what_has_no_intervals_is_refused():
    with pytest.raises(ConfigError, match="'L2'"):
        IntervalRule(ThreatModel("L2", 0.1))
    with pytest.raises(ConfigError, match="at most 1"):
        IntervalRule(ThreatModel("Linf", 0.1), clean_share=LinearRamp(0.5, initial=2.0))
    x, y = batch((4,), 0)
    rule = IntervalRule(ThreatModel("Linf", 0.1))
    with pytest.raises(InputTypeError, match="is none"):
        rule(lambda x: x, x, y)
    with pytest.raises(InputTypeError, match="complex logits"):
        IntervalRule(ThreatModel("Linf", 0.1), clean_share=0.5)(Linear(4, 3), x.float(), y)
