"""Time and memory of operations and training steps, beside baselines and lower bounds."""

from holonet.bench.case import Case, Least, MemoryCase
from holonet.bench.check import require_green
from holonet.bench.memory import Peak, Work, peak
from holonet.bench.page import performance_page
from holonet.bench.results import (
    Row,
    files_beside,
    measure,
    read_rows,
    write_rows,
)
from holonet.bench.suites import SUITES
from holonet.bench.timing import Timing, interleave, ratio

__all__ = [
    "SUITES",
    "Case",
    "Least",
    "MemoryCase",
    "Peak",
    "Row",
    "Timing",
    "Work",
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
