"""The demo's networks differ in one thing at a time."""

from itertools import pairwise

from holonet.experiments import DEMO
from holonet.nn import real_parameter_count


def test_contenders_have_equal_real_parameter_count() -> None:
    counts = [real_parameter_count(c.model.build(64, 10)) for c in DEMO]
    assert max(counts) - min(counts) < 0.01 * counts[0]


def test_each_network_differs_from_the_one_before_in_one_thing() -> None:
    settings = [{**c.model.model_dump(), **c.rule.model_dump()} for c in DEMO]
    changes = [
        {key for key in after if before[key] != after[key]} for before, after in pairwise(settings)
    ]
    assert changes == [{"name"}, {"activation"}, {"coefficients", "match"}]
    assert "match" in DEMO[-1].model.ignored()["coefficients = 'complex'"]
