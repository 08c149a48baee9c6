"""Timings as rows of a file, with what they were measured on."""

import csv
import io
import platform
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from importlib import metadata
from pathlib import Path

import torch

from holonet._files import write_atomically
from holonet.errors import DataError
from holonet.experiments.bench.suites import Case
from holonet.experiments.bench.timing import Timing, interleave, ratio

__all__ = ["Row", "environment", "measure", "read_rows", "write_rows"]


@dataclass(frozen=True)
class Row:
    """One contender in one case: its time, and its time over that of holonet in the same rounds."""

    suite: str
    case: str
    contender: str
    role: str
    median_ms: float
    low_ms: float
    high_ms: float
    ratio: float
    ratio_low: float
    ratio_high: float
    rounds: int


def measure(
    suite: str, cases: Iterator[Case], *, rounds: int, on_case: Callable[[str], None] | None = None
) -> Iterator[Row]:
    """Time every case; the unit of the ratios is its contender "holonet", or its only floor."""
    for case in cases:
        if on_case is not None:
            on_case(case.name)
        everyone = {**case.contenders, **case.floors}
        timings = interleave(everyone, rounds=rounds)
        unit = timings["holonet" if "holonet" in everyone else next(iter(case.floors))]
        for name, timing in timings.items():
            role = "floor" if name in case.floors else "contender"
            yield _row(suite, case.name, name, role, timing, ratio(timing, unit))


def _row(suite: str, case: str, contender: str, role: str, timing: Timing, relative: Timing) -> Row:
    low, middle, high = (1000 * q for q in timing.quartiles)
    bottom, between, top = relative.quartiles
    return Row(
        suite, case, contender, role, middle, low, high, between, bottom, top, len(timing.samples)
    )


def environment() -> dict[str, str]:
    """Processor, threads, versions, commit."""
    return {
        "processor": _processor(),
        "threads": str(torch.get_num_threads()),
        "vectors": torch.backends.cpu.get_cpu_capability(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "complextorch": metadata.version("complextorch"),
        "commit": _commit(),
    }


def write_rows(path: Path, rows: Sequence[Row], about: dict[str, str]) -> Path:
    """A CSV file whose first lines, which start with #, say what it was measured on."""
    text = io.StringIO()
    for name, value in about.items():
        text.write(f"# {name}: {value}\n")
    writer = csv.DictWriter(text, [f.name for f in fields(Row)], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        found = asdict(row)
        writer.writerow({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in found.items()})
    return write_atomically(path, text.getvalue())


def read_rows(path: Path) -> tuple[list[Row], dict[str, str]]:
    """The rows of a file, and what it was measured on.

    Raises:
        DataError: the file is not one of `write_rows`.
    """
    lines = path.read_text().splitlines()
    about = dict(line[2:].split(": ", 1) for line in lines if line.startswith("# "))
    try:
        rows = [
            Row(**{f.name: f.type(found[f.name]) for f in fields(Row)})  # pyright: ignore[reportCallIssue]
            for found in csv.DictReader(line for line in lines if not line.startswith("#"))
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path} holds no timings of holonet bench: {error}") from error
    return rows, about


def _processor() -> str:
    """The model's name, where the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((x.split(": ", 1)[1] for x in lines if x.startswith("model name")), "unknown")


def _commit() -> str:
    """The commit of the checkout that this file stands in, with + if something was changed."""
    here = Path(__file__).parent

    def git(*args: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(here), *args], capture_output=True, text=True, check=False
        )
        return done.stdout.strip() if done.returncode == 0 else ""

    found = git("rev-parse", "--short", "HEAD")
    return (found + ("+" if git("status", "--porcelain", "--", ".") else "")) or "not a checkout"
