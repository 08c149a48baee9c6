"""The demo's networks differ in one thing at a time."""

from dataclasses import replace
from itertools import pairwise

from holonet.data import load_digits
from holonet.experiments import DEMO, Protocol
from holonet.experiments.demo import _certified
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


def test_certified_is_at_most_attacked_and_squares_have_second_order() -> None:
    data = load_digits().subset(train=10, test=4)
    for contender in DEMO[1:3]:
        model = contender.model.build(data.x_train.shape[1:], 10, examples=data.x_train)
        labels = model(data.x_test).argmax(1)
        given = replace(data, y_test=labels)
        found = _certified(contender.label, model, given, Protocol(steps=3, restarts=1))
        counts = [point.correct for point in (found.proved, found.attacked, found.clean)]
        assert counts == sorted(counts)
        assert counts[2] == found.proved.examples == 4
        assert ("second_order" in found.methods) == (contender is DEMO[2])
