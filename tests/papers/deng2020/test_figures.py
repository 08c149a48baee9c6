"""Every claim has a figure, and the tables say what was cut off at the cap."""

from typing import Any

import pytest

from cases import each
from holonet._page import Section
from holonet.papers.deng2020.claims import CLAIMS
from holonet.papers.deng2020.figures import _median, iterations, regularity
from holonet.papers.deng2020.measure import PAPER, SCALES, Settings, Size, measure
from holonet.papers.deng2020.networks import NETS
from holonet.studies.results import Results
from holonet.studies.runner import StudyResult


@pytest.fixture(scope="module")
def ascents() -> Results:
    """Measured at tiny networks."""
    size = Size(starts=3, cap=15, inputs=4, units=12)
    return {net: measure(Settings("ascent", net, 0, size)) for net in PAPER}


@pytest.fixture(scope="module")
def landscape() -> Section:
    """Drawn from made-up results, but for the slices."""
    results = {}
    for net in NETS:
        smooth = net != "real-relu"
        place = {
            "verified": 3 if smooth else 0,
            "distinct": [3, 2, 1] if smooth else [0, 0, 0],
            "lipschitz": 1.0,
            "bound": 2.0 if smooth else None,
            "relative": 0.5,
        }
        results[net] = {"part": "landscape", "net": net, "seed": 0, "places": [place] * len(SCALES)}
    return regularity(results)


@pytest.mark.slow
def test_every_claim_is_drawn(tiny: StudyResult) -> None:
    for claim in CLAIMS:
        section = claim.section(tiny.results)
        assert section.figure is not None, claim.key
        assert section.caption


def test_without_results_there_is_no_figure() -> None:
    assert all(claim.section({}).figure is None for claim in CLAIMS)


def test_curves_lie_where_the_results_are(ascents: Results) -> None:
    figure: Any = iterations("raw", PAPER, "two")(ascents).figure
    (ax,) = figure.axes
    lines = {line.get_label(): line for line in ax.get_lines()}
    assert list(lines["real-tanh"].get_xdata()) == list(SCALES)
    cap = [line for line in ax.get_lines() if list(line.get_ydata()) == [15, 15]]
    assert len(cap) == 1
    assert ax.get_yscale() == "log"


def test_medians_beyond_the_cap_are_marked() -> None:
    assert _median([3, 4, 5], 10) == "4"
    assert _median([3, 4, 10], 10) == "4 (33%)"
    assert _median([3, 10, 10], 10) == ">10 (67%)"
    assert _median([10, 10, 10], 10) == ">10"


def test_the_tables_have_a_row_for_every_step_and_scale(
    ascents: Results, landscape: Section
) -> None:
    table = iterations("normalised", PAPER, "two")(ascents).table
    assert table is not None
    assert len(table.rows) == 2 * 4 * 2
    assert {row[2] for row in table.rows} == {"sine", "movement"}
    assert landscape.table is not None
    assert len(landscape.table.rows) == 7 * len(SCALES)
    relu = [row for row in landscape.table.rows if row[0] == "real-relu"]
    assert all(row[-1] is None and row[2] == 0 for row in relu)
    for row in landscape.table.rows:
        if row[0] != "real-relu":
            assert float(str(row[-2])) <= float(str(row[-1]))


@each("scale", [0, 1, 2])
def test_slices_hold_the_ends_of_the_ascents_within_the_sphere(
    landscape: Section, scale: int
) -> None:
    figure: Any = landscape.figure
    ax = figure.axes[3 + scale]
    radius = 0.5 * (0.2, 1.0, 5.0)[scale]
    dots = [line for line in ax.get_lines() if line.get_marker() == "o"]
    assert len(dots) == 8
    lengths = [
        (float(line.get_xdata()[0]) ** 2 + float(line.get_ydata()[0]) ** 2) ** 0.5 for line in dots
    ]
    assert max(lengths) == pytest.approx(radius, rel=1e-6)  # the first maximum is in the plane
