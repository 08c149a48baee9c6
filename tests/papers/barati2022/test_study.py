"""The study from cells to verdicts."""

import itertools

import pytest

from few_classes import first_classes
from holonet.data import load_digits, two_rings
from holonet.errors import CheckpointError
from holonet.papers.barati2022 import CLAIMS, Barati2022, planar_measures, study
from holonet.papers.barati2022.settings import Attack, PlanarTraining, Training
from holonet.studies.evidence import Verdict
from holonet.studies.runner import reproduce

TINY = study.Size(
    problems=("disc-2", "ring"),
    planar=PlanarTraining(epochs=1, width=4, points=256),
    planar_seeds=2,
    weights=(0.0, 0.1),
    transfer_seeds=1,
    training=Training(hidden=(8,), epochs=3, batch_size=16, lr=4e-2),
    attack=Attack(examples=60, eps=0.1, steps=2),
    train=160,
)


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setattr(study, "QUICK", TINY)
    monkeypatch.setattr(study, "SEEDS", 2)
    defect = planar_measures.harmonic_defect
    monkeypatch.setattr(planar_measures, "harmonic_defect", lambda u, x: defect(u, x[:200]))
    return Barati2022(first_classes(load_digits(), 3))


def test_both_sizes_have_what_the_claims_need() -> None:
    for quick, small in itertools.product((True, False), (None, load_digits().subset(train=60))):
        cells = Barati2022(small).cells(quick)
        keys = [cell.key for cell in cells]
        assert len(keys) == len(set(keys))
        assert {cell.settings.part for cell in cells} == {"planar", "energy", "transfer"}
        (transfer,) = (c for c in cells if c.key == "transfer")
        networks = transfer.settings.networks.values()
        assert len(networks) >= 12
        assert len({n.seed for n in networks}) == len(networks)
        assert {n.half for n in networks} == {0, 1}


def test_options_change_the_cells() -> None:
    cells = Barati2022(load_digits(), seeds=7, epochs=3).cells(True)
    assert {c.settings.seed for c in cells if hasattr(c.settings, "seed")} == set(range(7))
    assert all(c.settings.training.epochs == 3 for c in cells)
    other = Barati2022(load_digits(1)).cells(True)[-1].settings.data.fingerprint
    assert other != cells[-1].settings.data.fingerprint
    assert not any(hasattr(c.settings, "data") for c in cells if c.settings.part == "planar")


def test_theorems_refute_two_claims_at_any_size(tiny, tmp_path) -> None:
    results = {
        cell.key: tiny.run_cell(cell, tmp_path / cell.key, lambda fraction: None)
        for cell in tiny.cells(True)
        if cell.settings.part == "planar"
        and (cell.settings.condition == "two-variables" or cell.settings.problem == "ring")
        and cell.settings.condition not in ("risk", "energy")
    }
    claims = {claim.key: claim for claim in CLAIMS}
    for key in ("ring-real-part", "data-coordinates"):
        assert claims[key].finding(results).verdict is Verdict.REFUTED


@pytest.mark.slow
def test_from_cells_to_a_report_and_on_from_where_it_stopped(tiny, tmp_path, monkeypatch) -> None:
    class Stop(BaseException):
        pass

    done = []
    original = Barati2022.run_cell

    def run(self, cell, folder, on_progress):
        if len(done) == 5:
            raise Stop
        done.append(cell.key)
        return original(self, cell, folder, on_progress)

    monkeypatch.setattr(Barati2022, "run_cell", run)
    with pytest.raises(Stop):
        reproduce(tiny, tmp_path, quick=True)
    first = list(done)
    monkeypatch.setattr(Barati2022, "run_cell", lambda *a: done.append(a[1].key) or original(*a))
    result = reproduce(tiny, tmp_path, quick=True)
    assert done[:5] == first
    assert done == [cell.key for cell in tiny.cells(True)]  # none was done again
    assert not result.failed
    assert [f.claim for f in result.findings] == [c.key for c in CLAIMS]
    verdicts = {f.claim: f.verdict for f in result.findings}
    assert verdicts["theorems"] is Verdict.NOT_TESTABLE
    assert verdicts["ring-real-part"] is Verdict.REFUTED  # at any size: a theorem forbids it
    assert verdicts["data-coordinates"] is Verdict.REFUTED
    assert "Spearman" in result.report.read_text()
    assert all(f.numbers for f in result.findings if f.claim != "theorems")


def test_lost_parts_cost_their_own_claims_only(plane) -> None:
    small = Barati2022(two_rings())
    results = plane(risk={"distance_hard": 0.9})
    findings = {claim.key: claim.finding(results) for claim in small.claims}
    assert findings["dirichlet-principle"].verdict is Verdict.CONFIRMED
    assert findings["transfer-distance"].verdict is Verdict.NOT_TESTABLE
    assert "Too little is left" in findings["energy-helps"].text
    shown = {claim.key for claim in small.claims if claim.section(results).figure}
    assert "dirichlet-principle" in shown
    assert "energy-helps" not in shown


def test_weights_of_another_family_are_not_resumed(tiny, tmp_path) -> None:
    """Same data, rule, sizes and seed: the activation alone is another."""
    relu, softplus = (
        next(c for c in tiny.cells(True) if c.key == f"{family}-weight0-seed0")
        for family in ("relu", "softplus")
    )
    tiny.run_cell(relu, tmp_path, lambda fraction: None)
    with pytest.raises(CheckpointError, match="network: "):
        tiny.run_cell(softplus, tmp_path, lambda fraction: None)
