"""Times and peaks of memory as rows of a file, with what they were measured on."""

import csv
import io
import logging
import math
import platform
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import torch

from holonet._files import read_with_digest, write_with_digest
from holonet.bench.cache import last_level_cache
from holonet.bench.case import Case, Contender, MemoryCase
from holonet.bench.memory import peak
from holonet.bench.timing import interleave, ratio
from holonet.errors import DataError

__all__ = ["Row", "environment", "files_beside", "measure", "read_rows", "write_rows"]

MIB = 2**20
FAILS = "does not run"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Row:
    """One contender in one case: what it takes, and that over what the unit of the case takes.

    The role is "contender", "floor" or, of a rival that raises an error, "does not run", with NaN
    for what it would take. Times are in ms, with the quartiles over rounds and those of ratios
    within rounds. Peaks of memory are in MiB; they are the same in every round, and there is one.
    Where the case has a roofline, `least` is what the work takes at the least, in bytes or flops.
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
    """Measure every case; the unit of the ratios is its contender "holonet", or its only floor."""
    for case in cases:
        if on_case is not None:
            on_case(case.name)
        if isinstance(case, MemoryCase):
            yield from _peaks(suite, case)
        else:
            yield from _times(suite, case, rounds)


def _times(suite: str, case: Case, rounds: int) -> Iterator[Row]:
    everyone = {**case.contenders, **case.floors}
    for name in [name for name in case.contenders if name != "holonet"]:
        if not _runs(everyone[name]):
            del everyone[name]
            own = (suite, case.name, name, FAILS, "ms", math.nan, math.nan, math.nan)
            yield Row(*own, math.nan, math.nan, math.nan, 0)
    timings = interleave(everyone, rounds=rounds)
    unit = timings["holonet" if "holonet" in everyone else next(iter(case.floors))]
    for name, timing in timings.items():
        low, middle, high = (1000 * q for q in timing.quartiles)
        bottom, between, top = ratio(timing, unit).quartiles
        own = (suite, case.name, name, _role(case, name), "ms", middle, low, high)
        least = _least(case, name)
        yield Row(*own, between, bottom, top, len(timing.samples), *least)


def _least(case: Case, name: str) -> tuple[float, str]:
    if case.least is None or (name in case.floors and name != case.least.floor):
        return 0.0, ""
    of_floor = name == case.least.floor
    return float(case.least.of_floor if of_floor else case.least.work), case.least.unit


def _runs(rival: Contender) -> bool:
    """Whether a rival does the work at all: torch.compile refuses some complex functions."""
    try:
        rival()
    except Exception:
        log.info("a rival does not run", exc_info=True)
        return False
    return True


def _peaks(suite: str, case: MemoryCase) -> Iterator[Row]:
    """The rows of what a step holds in all, then those of its activations."""
    found = {name: peak(build) for name, build in {**case.contenders, **case.floors}.items()}
    unit = found[next(iter(case.floors))]
    for part in ("whole", "activations"):
        for name, of_step in found.items():
            size = getattr(of_step, part)
            mib, share = size / MIB, size / getattr(unit, part)
            own = (suite, f"{case.name}, {part}", name, _role(case, name), "MiB", mib, mib, mib)
            yield Row(*own, share, share, share, 1)


def _role(case: Case | MemoryCase, name: str) -> str:
    return "floor" if name in case.floors else "contender"


def environment() -> dict[str, str]:
    """Processor, its last cache, threads, the card if there is one, versions, commit."""
    return {
        "processor": _processor(),
        "cache": f"{last_level_cache() / MIB:g} MiB",
        "threads": str(torch.get_num_threads()),
        "vectors": torch.backends.cpu.get_cpu_capability(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "complextorch": metadata.version("complextorch"),
        "commit": _commit(),
    } | _card()


def _card() -> dict[str, str]:
    """The GPU and what compiles for it, where there is one."""
    if not torch.cuda.is_available():
        return {}
    triton = {"triton": metadata.version("triton")} if find_spec("triton") else {}
    return {"card": torch.cuda.get_device_name(), "cuda": str(torch.version.cuda)} | triton


def write_rows(path: Path, rows: Sequence[Row], about: dict[str, str]) -> Path:
    """A CSV file whose first lines, which start with #, say what it was measured on.

    Its digest lies beside it.
    """
    text = io.StringIO()
    for name, value in about.items():
        text.write(f"# {name}: {value}\n")
    writer = csv.DictWriter(text, [f.name for f in fields(Row)], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        found = asdict(row)
        writer.writerow({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in found.items()})
    return write_with_digest(path, text.getvalue())


def read_rows(path: Path) -> tuple[list[Row], dict[str, str]]:
    """The rows of a file, and what it was measured on.

    Raises:
        DataError: the file or its digest is missing or damaged, or it is not one of `write_rows`.
    """
    content = read_with_digest(path, DataError)
    try:
        lines = content.decode().splitlines()
        about = dict(line[2:].split(": ", 1) for line in lines if line.startswith("# "))
        rows = [
            Row(**{f.name: f.type(found[f.name]) for f in fields(Row)})  # pyright: ignore[reportCallIssue]
            for found in csv.DictReader(line for line in lines if not line.startswith("#"))
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
    return [file for file in sorted(path.parent.glob("*.csv")) if _readable(file)]


def _readable(file: Path) -> bool:
    try:
        read_rows(file)
    except DataError as error:
        log.warning("%s; it is left out", error)
        return False
    return True


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
