"""The study of Gao et al.: its cells, and a tiny run."""

import re
from pathlib import Path

import pytest

from holonet.papers.gao2019.claims import CLAIMS
from holonet.papers.gao2019.study import Gao2019
from holonet.studies.runner import StudyResult


def test_cells_have_keys_of_their_own_and_all_parts() -> None:
    for quick in (True, False):
        cells = Gao2019(seeds=2).cells(quick)
        keys = [cell.key for cell in cells]
        assert len(set(keys)) == len(keys)
        assert {key.split("-")[0] for key in keys} == {
            "balls",
            "kernel",
            "training",
            "wide",
            "capacity",
        }
        assert all(re.fullmatch(r"[\w.-]+", key) for key in keys)
    assert {cell.settings.seed for cell in cells} == {0, 1}


def test_epochs_are_steps_of_the_training() -> None:
    cells = Gao2019(seeds=1, epochs=7).cells(True)
    assert {c.settings.steps for c in cells if c.key.startswith("training")} == {7}


def test_radii_and_the_attack_are_the_same_for_all_networks() -> None:
    training = [c.settings for c in Gao2019().cells(True) if c.key.startswith("training")]
    assert {s.radii for s in training if s.attack == 10} == {(5.0, 15.0, 30.0, 60.0)}
    assert len({(s.problem, s.rate, s.steps, s.starts) for s in training}) == 1


def test_the_result_of_a_cell_says_which_it_is(tmp_path: Path) -> None:
    study = Gao2019(seeds=1, epochs=1)
    cell = next(c for c in study.cells(True) if c.key == "training-sin-x-width16-attack10-seed0")
    result = study.run_cell(cell, tmp_path, lambda fraction: None)
    told = {"part": "training", "network": "sin x", "width": 16, "attack": 10, "seed": 0}
    assert told.items() <= result.items()
    assert result["robust"].keys() == {"5", "15", "30", "60"}


@pytest.mark.slow
def test_tiny_run_answers_every_claim_with_a_figure_or_a_table(done: StudyResult) -> None:
    assert not done.failed
    assert [f.claim for f in done.findings] == [claim.key for claim in CLAIMS]
    page = done.report.read_text()
    assert page.count("<img") >= 10
    for claim in CLAIMS[:-1]:
        assert done.record["findings"], claim.key
    assert "cannot be tested by a run" in page
