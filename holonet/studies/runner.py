"""Run a study: cells that survive a crash, verdicts that are computed, one page."""

import json
import math
import re
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from rich.progress import MofNCompleteColumn, TimeElapsedColumn

from holonet._cache import keep, read_kept, recall
from holonet._files import folder_lock
from holonet._page import Report, strict_json
from holonet._progress import progress_bar
from holonet._provenance import provenance
from holonet.errors import (
    CheckpointError,
    ConfigError,
    HolonetError,
    NumericalError,
    RunExistsError,
)
from holonet.studies.evidence import Finding
from holonet.studies.processes import Entry, work_off
from holonet.studies.report import study_report
from holonet.studies.results import Results
from holonet.studies.study import Cell, Study

__all__ = ["StudyResult", "reproduce"]

Identity = dict[str, Any]


@dataclass(frozen=True)
class StudyResult:
    """A finished study.

    Args:
        study: its name.
        findings: one for each claim.
        results: of the finished cells by key.
        failed: the error of each cell that failed.
        record: what results.json holds.
        folder: with results.json, report.html and cells/.
    """

    study: str
    findings: tuple[Finding, ...]
    results: Results
    failed: Mapping[str, str]
    record: Mapping[str, Any]
    folder: Path

    @property
    def report(self) -> Path:
        """The page with claims, verdicts and figures."""
        return self.folder / "report.html"


def reproduce(
    study: Study,
    folder: Path,
    *,
    quick: bool = False,
    processes: int = 1,
    progress: bool = False,
    command: str | None = None,
) -> StudyResult:
    """Run the cells that are not done, judge the claims, write the page and its numbers.

    A finished cell is one file, cells/<key>.json, written atomically, with its digest beside it.
    Called again after a crash, finished cells are read back, and an interrupted one resumes from
    its folder cells/<key>/. A cell is computed anew where its settings changed, its file is
    damaged, it failed, or one that it needs has other settings. A cell that fails with a
    HolonetError is recorded, and the others run. The seconds of a cell are those of the call that
    finished it.

    Args:
        study: the claims and cells.
        folder: of results.json, results.csv, report.html and cells/.
        quick: the short run.
        processes: cells at work at once. A script that asks for more than one calls this under
            `if __name__ == "__main__":`.
        progress: draw a progress bar on stderr.
        command: what makes the report again.

    Law: called again, a finished study runs no cell and has the same findings. The results do not
        depend on the number of processes.

    Raises:
        ConfigError: two cells with one key, a key that is no file name, settings that are not
            JSON, a cell that needs one that is not before it; processes below 1; a study that
            cannot be handed to other processes.
        RunExistsError: another process is at work in the folder.
        MissingDependencyError: there is nothing to draw with; before any work.
        HolonetError: every cell failed; the first one's error. Or a process was killed.
    """
    from holonet.plots import write_report  # before the work: it may be missing

    if processes < 1:
        raise ConfigError(f"reproduce(processes={processes}): at least 1")
    cells = _checked(study.cells(quick))
    with folder_lock(folder, RunExistsError):
        saved, errors = _saved(study, cells, folder / "cells", processes, progress)
        if errors and not saved:
            raise next(iter(errors.values()))
        done, page = _judged(study, cells, saved, errors, folder, quick, command)
        write_report(page, done.report)
    return done


def _saved(
    study: Study, cells: Sequence[Cell], folder: Path, processes: int, progress: bool
) -> tuple[dict[str, Entry], dict[str, HolonetError]]:
    """The entries of finished cells and the errors of the others, in the order of the cells."""
    identities = _identities(study, cells)
    kept = {c.key: _finished(c, identities[c.key], folder) for c in cells}
    rest = [cell for cell in cells if kept[cell.key] is None]
    begun: dict[str, float] = {}
    answers: dict[str, Entry | HolonetError] = {k: e for k, e in kept.items() if e is not None}
    with progress_bar(progress, MofNCompleteColumn(), TimeElapsedColumn()) as bar:
        task = bar.add_task(study.name, total=len(cells), completed=len(answers))

        def advance(key: str, fraction: float) -> None:
            begun[key] = fraction
            completed = len(answers) + sum(begun.values())
            bar.update(task, description=key, completed=completed)

        work = partial(_compute, study, identities, folder)
        for cell, answer in work_off(work, rest, processes, advance):
            begun.pop(cell.key, None)
            answers[cell.key] = answer
            bar.update(task, completed=len(answers) + sum(begun.values()))
        bar.update(task, description=study.name, completed=len(cells))
    saved, errors = {}, {}
    for cell in cells:
        answer = answers[cell.key]
        (errors if isinstance(answer, HolonetError) else saved)[cell.key] = answer
    return saved, errors


def _judged(
    study: Study,
    cells: Sequence[Cell],
    saved: dict[str, Entry],
    errors: dict[str, HolonetError],
    folder: Path,
    quick: bool,
    command: str | None,
) -> tuple[StudyResult, Report]:
    results = {key: entry["result"] for key, entry in saved.items()}
    failed = {key: f"{type(error).__name__}: {error}" for key, error in errors.items()}
    findings = _findings(study, results, failed)
    record = strict_json(
        {
            "study": study.name,
            "title": study.title,
            "quick": quick,
            "command": command or f"holonet reproduce {study.name}{' --quick' if quick else ''}",
            "claims": [claim.to_json() for claim in study.claims],
            "findings": [asdict(finding) for finding in findings],
            "notes": list(study.notes),
            "seeds": sorted({c.settings.seed for c in cells if hasattr(c.settings, "seed")}),
            "cells": saved,
            "failed": failed,
            "seconds": sum(entry["seconds"] for entry in saved.values()),
            "provenance": provenance(),
        }
    )
    done = StudyResult(study.name, findings, results, failed, record, folder)
    return done, study_report(study, findings, record)


def _checked(cells: Sequence[Cell]) -> Sequence[Cell]:
    keys = [cell.key for cell in cells]
    for key in keys:
        if not re.fullmatch(r"[\w.-]*\w[\w.-]*", key, re.ASCII):
            raise ConfigError(
                f"cell {key!r}: a key is a file name of letters, digits, dots, dashes and "
                "underscores"
            )
        if keys.count(key) > 1:
            raise ConfigError(f"there are {keys.count(key)} cells {key!r}: give each its own key")
    for number, cell in enumerate(cells):
        late = [need for need in cell.needs if need not in keys[:number]]
        if late:
            raise ConfigError(
                f"cell {cell.key!r} needs {', '.join(late)}: cells come after those that they need"
            )
    return cells


def _finished(cell: Cell, identity: Identity, folder: Path) -> Entry | None:
    """What the file of a cell holds, if it is whole and of these settings."""

    def read(path: Path) -> Entry:
        content = read_kept(path, identity)
        entry = {name: content[name] for name in ("identity", "key", "seconds", "result")}
        whole = entry["key"] == cell.key and isinstance(entry["result"], dict)
        if not whole or not math.isfinite(entry["seconds"]):
            raise CheckpointError(f"{path} is not what a finished cell keeps")
        return entry

    return recall(folder / f"{cell.key}.json", read)


def _compute(
    study: Study,
    identities: Mapping[str, Identity],
    folder: Path,
    cell: Cell,
    on_progress: Callable[[float], None],
) -> Entry:
    """Run a cell and keep its result."""
    identity, own = identities[cell.key], folder / cell.key
    started = own / "identity.json"
    if started.exists() and recall(started, lambda path: read_kept(path, identity)) is None:
        shutil.rmtree(own)  # of other settings: its checkpoints must not be resumed
    keep(started, identity)
    began = time.perf_counter()
    result = study.run_cell(cell, own, on_progress)
    seconds = round(time.perf_counter() - began, 3)
    try:
        json.dumps(result, allow_nan=False)
    except ValueError:
        raise NumericalError(
            f"cell {cell.key} came to a number that is not finite: {result}"
        ) from None
    file = folder / f"{cell.key}.json"
    return keep(file, identity, key=cell.key, seconds=seconds, result=result)


def _identities(study: Study, cells: Sequence[Cell]) -> dict[str, Identity]:
    """All that the result of each cell depends on, as JSON gives it back, by key."""
    identities: dict[str, Identity] = {}
    for cell in cells:
        identity = {
            "study": study.name,
            "revision": study.revision,
            "settings": asdict(cell.settings),
        }
        if cell.needs:
            identity["needs"] = {need: identities[need] for need in cell.needs}
        try:
            identities[cell.key] = json.loads(json.dumps(identity))
        except TypeError as error:
            raise ConfigError(f"the settings of cell {cell.key} are not JSON: {error}") from None
    return identities


def _findings(study: Study, results: Results, failed: Mapping[str, str]) -> tuple[Finding, ...]:
    """One for each claim; each says which cells failed."""
    findings = study.findings(results)
    if not failed:
        return findings
    lost = f"{len(failed)} of {len(failed) + len(results)} cells failed and are left out: "
    return tuple(replace(f, text=f"{f.text} {lost}{', '.join(failed)}.") for f in findings)
