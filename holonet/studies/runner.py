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
from holonet._files import folder_lock, write_atomically
from holonet._page import Report
from holonet._progress import progress_bar
from holonet._provenance import provenance
from holonet.errors import (
    CheckpointError,
    ConfigError,
    DataError,
    HolonetError,
    NumericalError,
    RunExistsError,
)
from holonet.studies.claims import Finding, Verdict
from holonet.studies.report import study_report
from holonet.studies.study import Cell, Result, Study

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
    results: Mapping[str, Result]
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
    """Do the cells that are not done, conclude, write results.json and report.html.

    Every finished cell is one file, cells/<key>.json, written atomically, with its digest beside
    it. Called again after a crash, finished cells are read back and a broken-off one goes on from
    what its folder cells/<key>/ holds; a cell whose settings changed is done anew, as is one whose
    file is damaged, and one that failed is tried again. A cell that fails with an error of ours is
    recorded, and the rest goes on. The seconds of a cell are those of the call that finished it.

    Args:
        study: what to do.
        folder: where it goes.
        quick: the short one.
        progress: draw a progress bar on stderr.
        command: how the report says that it can be made again.

    Law: called again, a finished study does no cell and finds the same.

    Raises:
        ConfigError: two cells with one key, a key that is no file name, settings that are not
            JSON, findings that do not answer the claims one by one.
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
    findings = _conclude(study, results, failed)
    record = _finite(
        {
            "study": study.name,
            "title": study.title,
            "quick": quick,
            "command": command or f"holonet reproduce {study.name}{' --quick' if quick else ''}",
            "claims": [asdict(claim) for claim in study.claims],
            "findings": [asdict(finding) for finding in findings],
            "notes": list(study.notes),
            "seeds": sorted({c.settings["seed"] for c in cells if "seed" in c.settings}),
            "cells": saved,
            "failed": failed,
            "seconds": sum(entry["seconds"] for entry in saved.values()),
            "provenance": provenance(),
        }
    )
    write_atomically(folder / "results.json", json.dumps(record, indent=1) + "\n")
    figures = study.figures(results)
    done = StudyResult(study.name, findings, results, failed, record, folder)
    return done, study_report(study.claims, findings, figures, record)


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
        kept = read_kept(path, identity)
        entry = {name: kept[name] for name in ("identity", "key", "seconds", "result")}
        whole = entry["key"] == cell.key and isinstance(entry["result"], dict)
        if not whole or not math.isfinite(entry["seconds"]):
            raise CheckpointError(f"{path} is not what a finished cell keeps")
        return entry

    earlier = recall(file, read)
    if earlier is not None:
        return earlier
    started = own / "identity.json"
    if started.exists() and recall(started, lambda path: read_kept(path, identity)) is None:
        shutil.rmtree(own)  # of other settings: its checkpoints must not be gone on with
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
    identity = {"study": study.name, "revision": study.revision, "settings": dict(cell.settings)}
    try:
        return json.loads(json.dumps(identity))
    except TypeError as error:
        raise ConfigError(f"the settings of cell {cell.key} are not JSON: {error}") from None


def _conclude(
    study: Study, results: Mapping[str, Result], failed: Mapping[str, str]
) -> tuple[Finding, ...]:
    """The findings; each says which cells failed."""
    try:
        findings = tuple(study.conclude(results))
    except DataError as error:
        findings = tuple(
            Finding(claim.key, Verdict.NOT_TESTABLE, {}, f"too little is left: {error}")
            for claim in study.claims
        )
    answered, claimed = [f.claim for f in findings], [c.key for c in study.claims]
    if answered != claimed:
        raise ConfigError(
            f"{type(study).__name__}.conclude answers {answered}, and its claims are {claimed}: "
            "give one finding for each, in their order"
        )
    if not failed:
        return findings
    lost = f"{len(failed)} of {len(failed) + len(results)} cells failed and are left out: "
    return tuple(replace(f, text=f"{f.text} {lost}{', '.join(failed)}.") for f in findings)


def _finite(value: Any) -> Any:
    """The same in strict JSON: numbers that are not finite become None."""
    match value:
        case float() if not math.isfinite(value):
            return None
        case dict():
            return {str(k): _finite(v) for k, v in value.items()}
        case list() | tuple():
            return [_finite(v) for v in value]
        case _:
            return value
