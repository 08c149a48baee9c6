"""Times and peaks of memory as rows of a file, with their provenance."""

import csv
import io
import logging
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from holonet._files import MIB, read_with_digest, write_with_digest
from holonet.bench.case import Case, Contender, MemoryCase
from holonet.bench.memory import peak
from holonet.bench.timing import interleave, ratio
from holonet.errors import DataError

__all__ = ["Row", "files_beside", "measure", "read_rows", "write_rows"]

FAILS = "does not run"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Row:
    """One contender in one case: its time or memory, and its ratio to the unit of the case.

    The role is "contender", "lower bound" or, of a baseline that raises an error, "does not run",
    with NaN for its numbers. Times are in ms, with the quartiles over rounds and those of ratios
    within rounds. Peaks of memory are in MiB; they are the same in every round, and there is one.
    Where the case has a roofline, `least` is its least work, in bytes or flops.
    """

    suite: str
    case: str
    contender: str
    role: str
    unit: str
    median: float
    low: float
    high: float
    ratio: float
    ratio_low: float
    ratio_high: float
    rounds: int
    least: float = 0.0
    least_unit: str = ""


def measure(
    suite: str,
    cases: Iterator[Case | MemoryCase],
    *,
    rounds: int,
    on_case: Callable[[str], None] | None = None,
) -> Iterator[Row]:
    """Measure every case, in units of its contender "holonet", or of its only lower bound."""
    for case in cases:
        if on_case is not None:
            on_case(case.name)
        if isinstance(case, MemoryCase):
            yield from _peaks(suite, case)
        else:
            yield from _times(suite, case, rounds)


def _times(suite: str, case: Case, rounds: int) -> Iterator[Row]:
    everyone = {**case.contenders, **case.lower_bounds}
    for name in [name for name in case.contenders if name != "holonet"]:
        if not _runs(everyone[name]):
            del everyone[name]
            own = (suite, case.name, name, FAILS, "ms", math.nan, math.nan, math.nan)
            yield Row(*own, math.nan, math.nan, math.nan, 0)
    timings = interleave(everyone, rounds=rounds)
    unit = timings["holonet" if "holonet" in everyone else next(iter(case.lower_bounds))]
    for name, timing in timings.items():
        low, middle, high = (1000 * q for q in timing.quartiles)
        bottom, between, top = ratio(timing, unit).quartiles
        own = (suite, case.name, name, _role(case, name), "ms", middle, low, high)
        least = _least(case, name)
        yield Row(*own, between, bottom, top, len(timing.samples), *least)


def _least(case: Case, name: str) -> tuple[float, str]:
    if case.least is None or (name in case.lower_bounds and name != case.least.bound):
        return 0.0, ""
    of_bound = name == case.least.bound
    return float(case.least.of_bound if of_bound else case.least.work), case.least.unit


def _runs(baseline: Contender) -> bool:
    """Whether a baseline does the work at all: torch.compile refuses some complex functions."""
    try:
        baseline()
    except Exception:
        log.info("a baseline does not run", exc_info=True)
        return False
    return True


def _peaks(suite: str, case: MemoryCase) -> Iterator[Row]:
    """The rows of what a step holds in all, then those of its activations."""
    peaks = {name: peak(build) for name, build in {**case.contenders, **case.lower_bounds}.items()}
    unit = peaks[next(iter(case.lower_bounds))]
    for part in ("whole", "activations"):
        for name, of_step in peaks.items():
            size = getattr(of_step, part)
            mib, share = size / MIB, size / getattr(unit, part)
            own = (suite, f"{case.name}, {part}", name, _role(case, name), "MiB", mib, mib, mib)
            yield Row(*own, share, share, share, 1)


def _role(case: Case | MemoryCase, name: str) -> str:
    return "lower bound" if name in case.lower_bounds else "contender"


def write_rows(path: Path, rows: Sequence[Row], about: dict[str, str]) -> Path:
    """A CSV file with its digest beside it; lines that start with # give the provenance."""
    text = io.StringIO()
    for name, value in about.items():
        text.write(f"# {name}: {value}\n")
    writer = csv.DictWriter(text, [f.name for f in fields(Row)], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        values = asdict(row)
        writer.writerow({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in values.items()})
    return write_with_digest(path, text.getvalue())


def read_rows(path: Path) -> tuple[list[Row], dict[str, str]]:
    """The rows of a file, and their provenance.

    Raises:
        DataError: the file or its digest is missing or damaged, or it is not one of `write_rows`.
    """
    content = read_with_digest(path, DataError)
    try:
        lines = content.decode().splitlines()
        about = dict(line[2:].split(": ", 1) for line in lines if line.startswith("# "))
        rows = [
            Row(**{f.name: f.type(record[f.name]) for f in fields(Row)})  # pyright: ignore[reportCallIssue]
            for record in csv.DictReader(line for line in lines if not line.startswith("#"))
        ]
        if any(row.median <= 0 for row in rows):
            raise ValueError("a median that is not positive")
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise DataError(f"{path} holds no rows of holonet bench: {error}") from error
    return rows, about


def files_beside(path: Path) -> list[Path]:
    """The files of `write_rows` in the folder of one of them, by name.

    What is not one of them, or is damaged, is left out with a warning.
    """
    files = []
    for file in sorted(path.parent.glob("*.csv")):
        try:
            read_rows(file)
            files.append(file)
        except DataError as error:
            log.warning("%s; it is left out", error)
    return files
