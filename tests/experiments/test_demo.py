"""The demo's networks differ in one thing at a time."""

from holonet.experiments import DEMO
from holonet.nn import real_parameter_count


def test_contenders_have_equal_real_parameter_count() -> None:
    counts = [real_parameter_count(c.model.build(64, 10)) for c in DEMO]
    assert max(counts) - min(counts) < 0.01 * counts[0]


def test_each_step_changes_the_rule_or_the_network_alone() -> None:
    plain, control, holomorphic = DEMO
    assert plain.model == control.model
    assert plain.rule != control.rule
    assert control.rule == holomorphic.rule
    assert control.model != holomorphic.model
