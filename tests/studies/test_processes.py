"""Cells in processes: results as with one, an order that respects needs, deaths in words."""

import json
import logging
import os
from pathlib import Path

import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from holonet.errors import ConfigError, HolonetError, NumericalError
from holonet.studies.processes import work_off
from holonet.studies.runner import reproduce
from holonet.studies.study import Cell
from own_studies import Settings, Sums


def journal(folder: Path) -> list[list[str]]:
    return [line.split() for line in (folder / "cells" / "journal.txt").read_text().splitlines()]


@pytest.mark.usefixtures("forked_processes")
def test_results_do_not_depend_on_the_number_of_processes(tmp_path: Path) -> None:
    one = reproduce(Sums(), tmp_path / "one")
    three = reproduce(Sums(), tmp_path / "three", processes=3, progress=True)
    assert list(one.results) == list(three.results)
    for key, result in one.results.items():
        assert {**result, "pid": 0} == {**three.results[key], "pid": 0}
    assert one.findings == three.findings
    pids = {pid for _, pid in journal(tmp_path / "three")}
    assert len(pids) > 1
    assert str(os.getpid()) not in pids
    before = journal(tmp_path / "three")
    reproduce(Sums(), tmp_path / "three", processes=3)
    assert journal(tmp_path / "three") == before  # nothing is done twice


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_cell_has_one_thread_whatever_the_environment_says(
    processes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(variable, "3")
    with threadpool_limits(2):
        done = reproduce(Sums(), tmp_path, processes=processes)
        outside = [pool["num_threads"] for pool in threadpool_info()]
    assert 2 in outside
    threads = [done.results[f"member{n}"]["threads"] for n in range(6)]
    assert all({*counts} == {1} for counts in threads)
    assert len(threads[0]) > 2  # torch, and the libraries of numpy and scipy


@pytest.mark.usefixtures("forked_processes")
def test_a_cell_waits_for_what_it_needs_while_a_process_is_idle(tmp_path: Path) -> None:
    done = reproduce(Sums({0: "slow"}, seeds=2), tmp_path, processes=2)
    assert done.results["total"]["sum"] == done.results["member0"]["sum"]


@pytest.mark.usefixtures("forked_processes")
def test_a_process_that_is_killed_is_told_and_its_half_written_cell_done_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(
        HolonetError, match=r"ended without an answer, at member2.*finished is kept"
    ):
        reproduce(Sums({2: "kill"}), tmp_path, processes=2)
    finished = {path.stem for path in (tmp_path / "cells").glob("*.json")}
    assert "member2" not in finished
    assert {"member0", "member1"} <= finished
    (tmp_path / "cells" / "member2.json").write_text('{"identity": {"stu')
    already = len(journal(tmp_path))
    with caplog.at_level(logging.WARNING):
        done = reproduce(Sums({2: "kill"}), tmp_path, processes=2)
    assert "member2.json" in caplog.text
    again = {key for key, _ in journal(tmp_path)[already:]}
    assert again == {cell.key for cell in Sums().cells(False)} - finished
    expected = reproduce(Sums(), tmp_path / "other").results
    assert done.results["total"]["sum"] == expected["total"]["sum"]


@pytest.mark.usefixtures("forked_processes")
def test_what_needs_a_failed_cell_fails_and_the_rest_is_done(tmp_path: Path) -> None:
    for processes in (1, 2):
        done = reproduce(
            Sums({1: "fail", 5: "unpicklable"}), tmp_path / str(processes), processes=processes
        )
        assert list(done.failed) == ["member1", "member5", "total"]
        assert done.failed["member1"] == "NumericalError: no number"
        assert "seven" in done.failed["member5"]
        assert "it needs member1, which failed" in done.failed["total"]
        assert len(done.results) == 4


@pytest.mark.parametrize(("enough", "given"), [(2, ["a", "c"]), (3, None)])
def test_a_cell_may_make_do_with_fewer_than_it_needs(enough: int, given: list[str] | None) -> None:
    members = [Cell(key, Settings(0)) for key in "abc"]
    whole = Cell("whole", Settings(0), ("a", "b", "c"), enough=enough)

    def work(cell: Cell, on_progress: object) -> dict[str, list[str]]:
        if cell.key == "b":
            raise NumericalError("no number")
        return {"given": [*cell.needs]}

    done = {cell.key: answer for cell, answer in work_off(work, [*members, whole], 1, print)}
    if given is None:
        assert "it needs b, which failed" in str(done["whole"])
    else:
        assert done["whole"] == {"given": given}


@pytest.mark.usefixtures("forked_processes")
def test_a_defect_in_a_process_is_raised_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError, match="a defect") as error:
        reproduce(Sums({0: "defect"}), tmp_path, processes=2)
    assert "run_cell" in error.value.__notes__[0]


@pytest.mark.usefixtures("forked_processes")
def test_the_first_error_is_raised_where_all_fail(tmp_path: Path) -> None:
    with pytest.raises(NumericalError):
        reproduce(Sums(dict.fromkeys(range(6), "fail")), tmp_path, processes=2)


def test_other_settings_of_a_need_make_the_cell_anew(tmp_path: Path) -> None:
    first = reproduce(Sums(), tmp_path)

    class Changed(Sums):
        def cells(self, quick: bool) -> list[Cell]:
            *members, total = super().cells(quick)
            return [*members[:0], Cell("member0", Settings(0, scale=2)), *members[1:], total]

    other = reproduce(Changed(), tmp_path)
    change = first.results["member0"]["sum"]
    assert other.results["total"]["sum"] == pytest.approx(first.results["total"]["sum"] + change)
    assert [key for key, _ in journal(tmp_path)[7:]] == ["member0", "total"]
    kept = json.loads((tmp_path / "cells" / "total.json").read_text())
    assert kept["identity"]["needs"]["member0"]["settings"]["scale"] == 2


def test_a_study_that_no_process_can_import_is_refused_in_words(tmp_path: Path) -> None:
    class Local(Sums):
        pass

    with pytest.raises(ConfigError, match="top of a module, or run it with processes=1"):
        reproduce(Local(), tmp_path, processes=2)
    with pytest.raises(ConfigError, match="processes=0"):
        reproduce(Sums(), tmp_path, processes=0)


def test_a_cell_comes_after_what_it_needs(tmp_path: Path) -> None:
    class Late(Sums):
        def cells(self, quick: bool) -> list[Cell]:
            return list(reversed(super().cells(quick)))

    with pytest.raises(ConfigError, match="'total' needs member0, member1, member2"):
        reproduce(Late(), tmp_path)


def test_here_the_number_of_threads_is_restored() -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    counts = []

    def work(cell, on_progress):
        counts.append(torch.get_num_threads())
        on_progress(1.0)
        return {}

    shown = []
    done = list(work_off(work, [Cell("a", Settings(0))], 1, lambda *what: shown.append(what)))
    assert (counts, torch.get_num_threads(), shown) == ([1], 2, [("a", 1.0)])
    assert [cell.key for cell, _ in done] == ["a"]
    torch.set_num_threads(threads)
