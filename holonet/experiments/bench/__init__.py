"""Time and memory of the operations and of training, beside what one would otherwise run."""

from holonet.experiments.bench.case import Case, Least, MemoryCase
from holonet.experiments.bench.check import require_green
from holonet.experiments.bench.memory import Peak, Work, peak
from holonet.experiments.bench.page import performance_page
from holonet.experiments.bench.results import (
    Row,
    environment,
    files_beside,
    measure,
    read_rows,
    write_rows,
)
from holonet.experiments.bench.suites import SUITES
from holonet.experiments.bench.timing import Timing, interleave, ratio

__all__ = [
    "SUITES",
    "Case",
    "Least",
    "MemoryCase",
    "Peak",
    "Row",
    "Timing",
    "Work",
    "environment",
    "files_beside",
    "interleave",
    "measure",
    "peak",
    "performance_page",
    "ratio",
    "read_rows",
    "require_green",
    "write_rows",
]
