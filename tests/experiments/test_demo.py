"""The demo's two networks."""

from holonet.experiments import DEMO
from holonet.nn import real_parameter_count


def test_contenders_have_equal_real_parameter_count() -> None:
    counts = [real_parameter_count(c.model.build(64, 10)) for c in DEMO]
    assert abs(counts[0] - counts[1]) < 0.01 * counts[0]
