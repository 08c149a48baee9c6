"""The study of Dube: its cells, and a tiny run."""

from dataclasses import replace
from pathlib import Path

import pytest

import holonet.papers.dube2018.study as module
from holonet.data import load_dataset, load_digits
from holonet.errors import DataError
from holonet.papers.dube2018 import CLAIMS, Dube2018
from holonet.studies.runner import reproduce

SMALL = load_digits().subset(400, 40)
TINY = replace(
    module.QUICK,
    dimensions=(16, 32),
    factors=(1, 1.5),
    sides=(8, 12),
    hidden=(8,),
    epochs=2,
    field_epochs=1,
    field_train=300,
    examples=8,
    draws=500,
    starts=2,
)


def test_every_part_has_its_seeds() -> None:
    counts: dict[str, int] = {}
    for cell in Dube2018(SMALL).cells(True):
        counts[cell.settings.part] = counts.get(cell.settings.part, 0) + 1
    assert counts == {
        "random": 20,
        "best-linear": 5,
        "matrices": 5,
        "trained": 45,
        "inputs": 15,
        "weights": 15,
    }
    assert {c.settings.seed for c in Dube2018(SMALL, seeds=3).cells(True)} == {0, 1, 2}


def test_epochs_are_those_of_each_training() -> None:
    size = Dube2018(SMALL, epochs=7).cells(True)[0].settings.size
    assert (size.epochs, size.field_epochs) == (7, 7)


def test_data_that_fit_no_part_are_refused_before_any_work() -> None:
    with pytest.raises(DataError, match="square images"):
        Dube2018(load_dataset("rings")).cells(True)
    zeros = SMALL.y_train == 0
    one = replace(SMALL, x_train=SMALL.x_train[zeros], y_train=SMALL.y_train[zeros])
    with pytest.raises(DataError, match="1 classes"):
        Dube2018(one).cells(True)


@pytest.mark.slow
def test_a_tiny_run_answers_every_claim_and_is_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "QUICK", TINY)
    monkeypatch.setattr(module, "NETWORKS", ("real-square",))
    monkeypatch.setattr(module, "INPUT_FAMILIES", ("complex-square",))
    monkeypatch.setattr(module, "WEIGHT_FAMILIES", ("real-tanh",))
    done = reproduce(Dube2018(SMALL, seeds=2), tmp_path, quick=True)
    assert not done.failed
    assert [f.claim for f in done.findings] == [claim.key for claim in CLAIMS]
    assert {r["part"] for r in done.results.values()} == {
        "random",
        "best-linear",
        "matrices",
        "trained",
        "inputs",
        "weights",
    }
    assert done.report.read_text().count("<img") >= 8
    monkeypatch.setattr(Dube2018, "run_cell", lambda *_: pytest.fail("a cell ran again"))
    assert reproduce(Dube2018(SMALL, seeds=2), tmp_path, quick=True).findings == done.findings
