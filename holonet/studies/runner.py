"""Run a study: cells that survive a crash, verdicts that are computed, one page."""

import json
import math
import re
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
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
from holonet.studies.claims import Results
from holonet.studies.evidence import Finding
from holonet.studies.report import study_report
from holonet.studies.study import Cell, Study

__all__ = ["StudyResult", "reproduce"]


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
    progress: bool = False,
    command: str | None = None,
) -> StudyResult:
    """Run the cells that are not done, judge the claims, write the page and its numbers.

    A finished cell is one file, cells/<key>.json, written atomically, with its digest beside it.
    Called again after a crash, finished cells are read back, and an interrupted one resumes from
    its folder cells/<key>/. A cell is computed anew where its settings changed, its file is
    damaged, or it failed. A cell that fails with a HolonetError is recorded, and the others run.
    The seconds of a cell are those of the call that finished it.

    Args:
        study: the claims and cells.
        folder: of results.json, results.csv, report.html and cells/.
        quick: the short run.
        progress: draw a progress bar on stderr.
        command: what makes the report again.

    Law: called again, a finished study runs no cell and has the same findings.

    Raises:
        ConfigError: two cells with one key, a key that is no file name, settings that are not
            JSON.
        RunExistsError: another process is at work in the folder.
        MissingDependencyError: there is nothing to draw with; before any work.
        HolonetError: every cell failed; the first one's error.
    """
    from holonet.plots import write_report  # before the work: it may be missing

    cells = _checked(study.cells(quick))
    with folder_lock(folder, RunExistsError):
        done, page = _reproduce(study, cells, folder, quick, progress, command)
        write_report(page, done.report)
    return done


def _reproduce(
    study: Study,
    cells: Sequence[Cell],
    folder: Path,
    quick: bool,
    progress: bool,
    command: str | None,
) -> tuple[StudyResult, Report]:
    saved: dict[str, dict[str, Any]] = {}
    errors: dict[str, HolonetError] = {}
    with progress_bar(progress, MofNCompleteColumn(), TimeElapsedColumn()) as bar:
        task = bar.add_task(study.name, total=len(cells))
        for number, cell in enumerate(cells):
            bar.update(task, description=cell.key, completed=number)

            def advance(fraction: float, done: int = number) -> None:
                bar.update(task, completed=done + fraction)

            try:
                saved[cell.key] = _do(study, cell, folder / "cells", advance)
            except HolonetError as error:
                errors[cell.key] = error
        bar.update(task, description=study.name, completed=len(cells))
    if errors and not saved:
        raise next(iter(errors.values()))
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
    return cells


def _do(
    study: Study, cell: Cell, folder: Path, on_progress: Callable[[float], None]
) -> dict[str, Any]:
    """What the file of a cell holds, read back if it is of these settings."""
    identity = _identity(study, cell)
    file, own = folder / f"{cell.key}.json", folder / cell.key

    def read(path: Path) -> dict[str, Any]:
        content = read_kept(path, identity)
        entry = {name: content[name] for name in ("identity", "key", "seconds", "result")}
        whole = entry["key"] == cell.key and isinstance(entry["result"], dict)
        if not whole or not math.isfinite(entry["seconds"]):
            raise CheckpointError(f"{path} is not what a finished cell keeps")
        return entry

    earlier = recall(file, read)
    if earlier is not None:
        return earlier
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
    return keep(file, identity, key=cell.key, seconds=seconds, result=result)


def _identity(study: Study, cell: Cell) -> dict[str, Any]:
    """All that a cell's result depends on, as JSON gives it back."""
    identity = {"study": study.name, "revision": study.revision, "settings": asdict(cell.settings)}
    try:
        return json.loads(json.dumps(identity))
    except TypeError as error:
        raise ConfigError(f"the settings of cell {cell.key} are not JSON: {error}") from None


def _findings(study: Study, results: Results, failed: Mapping[str, str]) -> tuple[Finding, ...]:
    """One for each claim; each says which cells failed."""
    findings = tuple(claim.finding(results) for claim in study.claims)
    if not failed:
        return findings
    lost = f"{len(failed)} of {len(failed) + len(results)} cells failed and are left out: "
    return tuple(replace(f, text=f"{f.text} {lost}{', '.join(failed)}.") for f in findings)
