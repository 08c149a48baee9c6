"""What a radius and a point say in words and in JSON."""

import math

from holonet.diagnostics import RadiusSummary, WorstPoint
from holonet.diagnostics.harmonicity_summary import measured, number
from holonet.statistics import Interval

EXTREMES = Interval(0.0, 0.0, 0.2, 16, "Wilson")
OVER_EXAMPLES = Interval(0.4, 0.3, 0.5, 16, "bootstrap")


def summary(share: float, found: bool, interval: Interval | None = None) -> RadiusSummary:
    return RadiusSummary(0.1, share, 0.003, found, interval, 0.0, EXTREMES)


def test_a_share_has_its_error_and_interval() -> None:
    assert summary(0.4, True).text() == "0.4 (standard error 0.003)"
    words = summary(0.4, True, OVER_EXAMPLES).text()
    assert words == "0.4 (standard error 0.003), 95% interval over examples 0.3 to 0.5"


def test_a_share_within_its_error_is_none_also_if_it_is_negative() -> None:
    assert summary(-0.001, False).text() == "none found, at most 0.006"
    assert summary(0.001, False).text() == "none found, at most 0.007"
    exact = RadiusSummary(0.1, 1e-30, 1e-31, False, None, 0.0, EXTREMES)
    assert exact.text() == "0 to rounding (below 1e-12)"
    assert summary(math.nan, False).text() == "affine to rounding"


def test_json_has_none_for_what_is_not_defined() -> None:
    content = summary(math.nan, False).to_json()
    assert content["share"] is None
    assert content["interval"] is None
    assert content["extremes_interval"] == [0.0, 0.2]
    assert number(math.inf) is None
    assert number(2.0) == 2.0


def test_a_point_in_words() -> None:
    point = WorstPoint(3, 1, 0.25, 0.5, 0.01)
    assert str(point) == f"example 3, output 1, radius 0.25: {measured(0.5, 0.01)}"
