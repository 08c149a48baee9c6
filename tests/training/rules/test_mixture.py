"""Sums of rules: linear in the weights."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from holonet.attacks import ThreatModel
from holonet.calculus import Probes
from holonet.errors import ConfigError
from holonet.training import AnalyticRule, EmpiricalRisk, LinearRamp, Mixture, shaham

weights = st.floats(0, 3)


def example():
    torch.manual_seed(0)
    return nn.Linear(4, 3).double(), torch.rand(6, 4).double(), torch.randint(3, (6,))


@given(a=weights, b=weights)
def test_it_is_linear_in_the_weights(a, b):
    model, x, y = example()
    parts = [shaham(ThreatModel("Linf", 0.1)), AnalyticRule(count=None)]
    values = [rule(model, x, y) for rule in parts]
    found = Mixture(list(zip((a, b), parts, strict=True)))(model, x, y)
    torch.testing.assert_close(found, a * values[0] + b * values[1])


def test_terms_of_one_name_are_added():
    model, x, y = example()
    terms = Mixture([(0.5, EmpiricalRisk()), (2.0, AnalyticRule(count=None))]).terms(model, x, y)
    assert list(terms) == ["risk", "DirichletEnergy(logits)"]
    torch.testing.assert_close(terms["risk"], 2.5 * EmpiricalRisk()(model, x, y))


def test_parts_draw_from_one_stream_one_after_another():
    model, x, y = example()
    rule = AnalyticRule()
    stream = Probes(3)
    expected = rule(model, x, y, stream) + rule(model, x, y, stream)
    torch.testing.assert_close(Mixture([(1, rule), (1, rule)])(model, x, y, Probes(3)), expected)


def test_weights_and_parts_follow_their_schedules():
    rule = Mixture([(LinearRamp(2.0), AnalyticRule(LinearRamp(1.0)))]).at(0.25)
    assert repr(rule) == repr(Mixture([(0.5, AnalyticRule(0.25))]))


def test_nothing_and_negative_weights_are_refused():
    with pytest.raises(ConfigError, match="no rules"):
        Mixture([])
    with pytest.raises(ConfigError, match=r"weight=-1.0"):
        Mixture([(-1.0, EmpiricalRisk())])
