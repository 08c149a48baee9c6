"""The study of Deng et al.: its cells, and a tiny run."""

from dataclasses import replace

import pytest

from holonet.papers.deng2020 import CLAIMS, Deng2020
from holonet.papers.deng2020.networks import NETS
from holonet.studies.runner import StudyResult


def test_cells_differ_in_part_network_and_seed_alone() -> None:
    cells = Deng2020(seeds=3).cells(True)
    assert len({cell.key for cell in cells}) == 3 * 3 * len(NETS)
    common = {replace(cell.settings, part="ball", net="", seed=0) for cell in cells}
    assert len(common) == 1


def test_the_full_run_is_larger() -> None:
    quick, full = (Deng2020().cells(q) for q in (True, False))
    assert len(full) == 4 * len(quick)
    assert full[0].settings.size.starts == 32
    assert (quick[0].settings.size.starts, quick[0].settings.size.cap) == (16, 500)
    assert (quick[0].settings.size.inputs, quick[0].settings.size.units) == (100, 400)


@pytest.mark.slow
def test_a_tiny_run_answers_every_claim(tiny: StudyResult) -> None:
    assert [f.claim for f in tiny.findings] == [claim.key for claim in CLAIMS]
    assert not tiny.failed
    html = tiny.report.read_text()
    for claim in CLAIMS:
        assert claim.statement.split(",")[0].replace("'", "&#39;") in html
