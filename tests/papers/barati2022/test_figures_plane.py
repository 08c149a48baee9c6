"""Every claim on the plane has its figure."""

import pytest

from holonet.errors import DataError
from holonet.papers.barati2022.claims import CLAIMS

CLAIM = {claim.key: claim for claim in CLAIMS[:5]}


@pytest.mark.parametrize("key", sorted(CLAIM))
def test_panels_follow_the_problems_that_are_left(plane, key) -> None:
    for problems in (("disc-2", "ring"), ("disc-2", "disc-4", "ring")):
        section = CLAIM[key].figure(plane(problems=problems))
        panels = len(section.figure.axes)
        discs = len(problems) - 1
        assert panels == {"dirichlet-principle": len(problems), "ring-real-part": 1}.get(key, discs)
        assert section.title
        assert section.caption
        assert all(ax.get_xlabel() == "radius" for ax in section.figure.axes)


def test_the_mean_profile_and_the_closed_form_are_drawn(plane) -> None:
    results = plane(energy={"profile": lambda seed: [float(seed)] * 33})
    panel = CLAIM["dirichlet-principle"].figure(results).figure.axes[0]
    lines = {line.get_label(): line.get_ydata() for line in panel.lines}
    assert set(lines["risk + energy"]) == {1.0}
    assert lines["harmonic extension"][-1] == pytest.approx(1)
    assert lines["minimizer, closed form"][-1] == pytest.approx(1 / 1.1)


def test_the_table_has_a_row_for_every_condition_and_problem(plane) -> None:
    table = CLAIM["dirichlet-principle"].figure(plane()).table
    assert len(table.rows) == 10
    assert ["risk", "disc-2", 0.03, 0.03, 0.5, 1.0, 1e-6] in [
        [*r[:2], *(round(v, 9) for v in r[2:])] for r in table.rows
    ]


def test_nothing_left_is_an_error() -> None:
    for claim in CLAIM.values():
        with pytest.raises(DataError):
            claim.figure({})
