"""Studies that processes can import: their cells say which process ran them, and can be killed."""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from threadpoolctl import threadpool_info

from holonet.errors import NumericalError, UnknownNameError
from holonet.statistics import mean_interval
from holonet.studies.claims import Claim
from holonet.studies.evidence import Criterion, Evidence
from holonet.studies.results import Results
from holonet.studies.study import Cell, Study


@dataclass(frozen=True)
class Settings:
    """Of a cell."""

    seed: int
    what: str = "work"
    scale: int = 1


def positive(results: Results) -> Evidence:
    sums = [float(r["sum"]) for r in results.values() if "sum" in r]
    return Evidence([Criterion({"sums": mean_interval(sums)}, "above", -1e9)])


class Sums(Study):
    """Sums of random numbers, and a cell that adds those of the cells that it needs."""

    name = "sums"
    title = "Sums"
    claims = (Claim("finite", "Sums are finite.", "School.", "Summed.", positive),)

    def __init__(self, faults: dict[int, str] | None = None, scale: int = 1, **options: Any):
        super().__init__(**options)
        self.faults = faults or {}
        self.scale = scale

    def cells(self, quick: bool) -> list[Cell]:
        count = self.seeds or 6
        members = [
            Cell(f"member{n}", Settings(n, self.faults.get(n, "work"), self.scale))
            for n in range(count)
        ]
        keys = tuple(cell.key for cell in members[: count // 2])
        return [*members, Cell("total", Settings(count, "total", self.scale), keys)]

    def run_cell(
        self, cell: Cell, folder: Path, on_progress: Callable[[float], None]
    ) -> dict[str, Any]:
        settings = cell.settings
        with (folder.parent / "journal.txt").open("a") as file:
            file.write(f"{cell.key} {os.getpid()}\n")
        match settings.what:
            case "total":
                values = [float((folder.parent / n / "sum").read_text()) for n in cell.needs]
                return {"sum": sum(values), "pid": os.getpid()}
            case "kill":
                if not (folder / "half").exists():
                    (folder / "half").write_text("half a member")
                    time.sleep(0.3)  # others finish
                    os.kill(os.getpid(), signal.SIGKILL)
            case "slow":
                time.sleep(0.5)
            case "fail":
                raise NumericalError("no number")
            case "unpicklable":
                raise UnknownNameError("number", "seven", ["six"])
            case "defect":
                raise ZeroDivisionError("a defect")
        on_progress(0.5)
        generator = torch.Generator().manual_seed(settings.seed)
        matrix = torch.randn(300, 300, generator=generator)
        value = float((matrix @ matrix @ matrix).double().sum()) * settings.scale
        (folder / "sum").write_text(repr(value))
        pools = {pool["filepath"]: pool["num_threads"] for pool in threadpool_info()}
        blas = [count for path, count in pools.items() if "openblas" in path]
        threads = [torch.get_num_threads(), *blas]
        return {"sum": value, "seed": settings.seed, "threads": threads}


class NoStudy:
    """Of another kind."""


class Half(Study):
    """Without run_cell, and without a title."""

    name = "half"
    claims = Sums.claims

    def cells(self, quick: bool) -> list[Cell]:
        return []
