"""A study survives crashes, does nothing twice, and reports what failed."""

import json
import logging
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holonet._files import folder_lock, write_with_digest
from holonet.errors import ConfigError, DataError, NumericalError, RunExistsError
from holonet.plots import Section
from holonet.statistics import mean_interval
from holonet.studies.claims import Claim, Standing
from holonet.studies.evidence import Criterion, Evidence, Verdict
from holonet.studies.results import Results
from holonet.studies.runner import reproduce
from holonet.studies.study import Cell, Study


@dataclass(frozen=True)
class Settings:
    """Of a seed."""

    seed: int
    scale: Any


def small(results: Results) -> Evidence:
    squares = [r["square"] for r in results.values() if r["square"] < 1e6]
    mean = mean_interval(squares)
    return Evidence([Criterion({"mean": mean}, "above", -1e9)], remark="So it is.")


class Toy(Study):
    """Squares of seeds, with switches for everything that can go wrong."""

    name = "toy"
    title = "Squares <of> seeds"
    claims = (
        Claim(
            "positive",
            "Squares are positive.",
            "School.",
            "Squared.",
            small,
            lambda results: Section("A figure & more", note="a note"),
        ),
        Claim("small", "Squares are small.", "Nobody.", "Looked at.", small, None, Standing.ADDED),
    )
    notes = ("A toy.",)
    citation = "@misc{toy}"

    def __init__(self, **options: Any) -> None:
        super().__init__(seeds=options.pop("seeds", None), epochs=options.pop("epochs", None))
        self.scale = options.pop("scale", 1)
        self.keys = options.pop("keys", None)
        self.errors: dict[str, Exception] = options.pop("errors", {})
        self.results: dict[str, Any] = options.pop("results", {})
        self.done: list[str] = []
        self.found_on_arrival: list[list[str]] = []

    def cells(self, quick: bool) -> list[Cell]:
        keys = self.keys or [f"seed{n}" for n in range(self.seeds or (2 if quick else 4))]
        return [Cell(k, Settings(n, self.scale)) for n, k in enumerate(keys)]

    def run_cell(self, cell: Cell, folder: Path, on_progress: Any) -> dict[str, Any]:
        self.done.append(cell.key)
        self.found_on_arrival.append(sorted(p.name for p in folder.iterdir()))
        (folder / "half").write_text("done")
        on_progress(0.5)
        if cell.key in self.errors:
            raise self.errors[cell.key]
        seed = cell.settings.seed
        return self.results.get(cell.key, {"square": self.scale * seed**2, "pair": (1, seed)})


class Crash(BaseException):
    """A process that is killed."""


def files(folder: Path) -> dict[Path, int]:
    return {p: p.stat().st_mtime_ns for p in (folder / "cells").rglob("*") if p.is_file()}


def test_results_are_of_json_and_all_is_written(tmp_path: Path) -> None:
    done = reproduce(Toy(), tmp_path, command="make it")
    assert done.results["seed3"] == {"square": 9, "pair": [1, 3]}
    assert [f.claim for f in done.findings] == ["positive", "small"]
    record = json.loads((tmp_path / "results.json").read_text())
    assert record == json.loads(json.dumps(done.record))
    assert record["seeds"] == [0, 1, 2, 3]
    assert record["command"] == "make it"
    assert record["quick"] is False
    assert {"commit", "date", "processor", "threads", "torch"} <= set(record["provenance"])
    assert record["cells"]["seed2"]["identity"]["settings"] == {"seed": 2, "scale": 1}
    assert record["seconds"] == pytest.approx(sum(c["seconds"] for c in record["cells"].values()))
    html = done.report.read_text()
    for text in ("Squares &lt;of&gt; seeds", "A figure &amp; more", "confirmed", "make it"):
        assert text in html


def test_a_finished_study_is_read_back(tmp_path: Path) -> None:
    first = reproduce(Toy(), tmp_path)
    before = files(tmp_path)
    again = Toy()
    second = reproduce(again, tmp_path)
    assert not again.done
    assert files(tmp_path) == before
    assert (second.findings, second.results) == (first.findings, first.results)
    of_page = {"provenance": None}  # its date is that of the page
    assert {**second.record, **of_page} == {**first.record, **of_page}


@given(crash=st.integers(0, 3))
def test_what_was_finished_before_a_crash_is_kept(tmp_path_factory, crash):
    folder = tmp_path_factory.mktemp("study")
    broken = Toy(errors={f"seed{crash}": Crash()})
    with pytest.raises(Crash):
        reproduce(broken, folder)
    assert not (folder / "results.json").exists()
    again = Toy()
    done = reproduce(again, folder)
    assert again.done == [f"seed{n}" for n in range(crash, 4)]
    assert again.found_on_arrival[0] == ["half", "identity.json", "identity.json.sha256"]
    assert done.results == reproduce(Toy(), folder / "other").results


def test_other_settings_are_done_anew_with_nothing_of_the_old(tmp_path: Path) -> None:
    reproduce(Toy(), tmp_path)
    other = Toy(scale=2)
    assert reproduce(other, tmp_path).results["seed3"]["square"] == 18
    assert other.done == ["seed0", "seed1", "seed2", "seed3"]
    assert all(
        found == ["identity.json", "identity.json.sha256"] for found in other.found_on_arrival
    )


def test_an_interrupted_cell_of_other_settings_is_done_anew(tmp_path: Path) -> None:
    with pytest.raises(Crash):
        reproduce(Toy(errors={"seed0": Crash()}), tmp_path)
    other = Toy(scale=2)
    reproduce(other, tmp_path)
    assert other.found_on_arrival[0] == ["identity.json", "identity.json.sha256"]


def test_a_cell_of_an_earlier_revision_is_done_anew(tmp_path: Path) -> None:
    class Revised(Toy):
        revision = 2

    reproduce(Toy(), tmp_path)
    study = Revised()
    reproduce(study, tmp_path)
    assert len(study.done) == 4


def test_a_damaged_file_is_done_anew_and_more_seeds_keep_the_first(tmp_path: Path) -> None:
    reproduce(Toy(), tmp_path)
    file = tmp_path / "cells" / "seed1.json"
    file.write_text(file.read_text()[:40])
    study = Toy(seeds=5)
    reproduce(study, tmp_path)
    assert study.done == ["seed1", "seed4"]


def _altered(cells: Path) -> None:
    file = cells / "seed1.json"
    file.write_text(file.read_text().replace('"square": 1', '"square": 7'))


def _exchanged(cells: Path) -> None:
    write_with_digest(cells / "seed1.json", (cells / "seed2.json").read_bytes())


def _without_result(cells: Path) -> None:
    entry = json.loads((cells / "seed1.json").read_text())
    write_with_digest(cells / "seed1.json", json.dumps({"identity": entry["identity"]}))


def _deep(cells: Path) -> None:
    write_with_digest(cells / "seed1.json", "[" * 10**6)


@pytest.mark.parametrize("damage", [_altered, _exchanged, _without_result, _deep])
def test_a_damaged_cell_is_computed_anew(
    tmp_path: Path, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    first = reproduce(Toy(), tmp_path)
    damage(tmp_path / "cells")
    study = Toy()
    with caplog.at_level(logging.WARNING):
        assert reproduce(study, tmp_path).results == first.results
    assert study.done == ["seed1"]
    assert "seed1.json" in caplog.text


def test_a_running_study_refuses_a_second_one(tmp_path: Path) -> None:
    with folder_lock(tmp_path, RunExistsError), ThreadPoolExecutor(1) as another:
        second = another.submit(reproduce, Toy(), tmp_path)
        with pytest.raises(RunExistsError, match=f"in use by process {os.getpid()}"):
            second.result()
    assert reproduce(Toy(), tmp_path).results["seed3"]["square"] == 9


def test_a_folder_that_is_not_ours_is_not_removed(tmp_path: Path) -> None:
    precious = tmp_path / "cells" / "seed0" / "precious"
    precious.parent.mkdir(parents=True)
    precious.write_text("kept")
    reproduce(Toy(), tmp_path)
    assert precious.read_text() == "kept"


def test_a_failed_cell_is_reported_and_tried_again(tmp_path: Path) -> None:
    done = reproduce(Toy(errors={"seed1": NumericalError("NaN at step 3")}), tmp_path)
    assert done.failed == {"seed1": "NumericalError: NaN at step 3"}
    assert set(done.results) == {"seed0", "seed2", "seed3"}
    for finding in done.findings:
        assert finding.text.endswith("1 of 4 cells failed and are left out: seed1.")
    assert done.record["failed"] == done.failed
    assert "NaN at step 3" in done.report.read_text()
    again = Toy()
    healed = reproduce(again, tmp_path)
    assert again.done == ["seed1"]
    assert not healed.failed
    assert healed.findings[0].text.endswith("So it is.")


def test_numbers_that_are_not_finite_fail_the_cell(tmp_path: Path) -> None:
    done = reproduce(Toy(results={"seed1": {"square": float("nan")}}), tmp_path)
    assert list(done.failed) == ["seed1"]
    assert not (tmp_path / "cells" / "seed1.json").exists()


def test_numbers_of_findings_that_are_not_finite_are_null(tmp_path: Path) -> None:
    done = reproduce(Toy(seeds=1), tmp_path)
    numbers = done.record["findings"][0]["numbers"]["mean"]
    assert (numbers["estimate"], numbers["low"], numbers["high"]) == (0.0, None, None)
    assert "Infinity" not in (tmp_path / "results.json").read_text()


def test_the_first_error_is_raised_where_nothing_is_left(tmp_path: Path) -> None:
    errors: dict[str, Exception] = {
        f"seed{n}": (NumericalError if n else DataError)(f"seed {n}") for n in range(4)
    }
    with pytest.raises(DataError, match="seed 0"):
        reproduce(Toy(errors=errors), tmp_path)


def test_a_defect_is_not_swallowed(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        reproduce(Toy(errors={"seed1": ZeroDivisionError()}), tmp_path)


def test_too_little_for_any_finding_is_not_testable(tmp_path: Path) -> None:
    results = {f"seed{n}": {"square": 1e7} for n in range(4)}
    done = reproduce(Toy(results=results), tmp_path)
    assert {f.verdict for f in done.findings} == {Verdict.NOT_TESTABLE}
    assert "at least one value" in done.findings[0].text


def test_quick_is_in_the_cells_and_the_report(tmp_path: Path) -> None:
    done = reproduce(Toy(), tmp_path, quick=True)
    assert set(done.results) == {"seed0", "seed1"}
    assert done.record["quick"] is True
    assert done.record["command"] == "holonet reproduce toy --quick"
    assert "short run" in done.report.read_text()


def test_progress_is_drawn_on_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reproduce(Toy(), tmp_path / "a")
    assert capsys.readouterr() == ("", "")
    reproduce(Toy(), tmp_path / "b", progress=True)
    shown = capsys.readouterr()
    assert "4/4" in shown.err
    assert not shown.out


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"keys": ["a", "a"]}, "2 cells 'a'"),
        ({"keys": ["../a"]}, "file name"),
        ({"keys": [".."]}, "file name"),
        ({"keys": [""]}, "file name"),
        ({"keys": ["a b"]}, "file name"),
        ({"scale": object()}, "not JSON"),
    ],
)
def test_bad_keys_and_settings_are_refused(tmp_path, options, match) -> None:
    with pytest.raises(ConfigError, match=match):
        reproduce(Toy(**options), tmp_path)


def test_cells_stand_alone(tmp_path: Path) -> None:
    """A cell's file says what it is of, so that it can be read without the study."""
    reproduce(Toy(), tmp_path)
    kept = json.loads((tmp_path / "cells" / "seed2.json").read_text())
    assert kept["key"] == "seed2"
    assert kept["identity"] == {
        "study": "toy",
        "revision": 1,
        "settings": {"seed": 2, "scale": 1},
    }
    shutil.rmtree(tmp_path / "cells" / "seed2")  # weights may be thrown away
    study = Toy()
    reproduce(study, tmp_path)
    assert not study.done
