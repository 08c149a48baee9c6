"""What was measured on a machine as a page of tables."""

from collections.abc import Sequence
from pathlib import Path

from holonet.bench.results import Row, read_rows

__all__ = ["performance_page"]

INTRODUCTION = """# Performance

Made by `holonet bench --page` from the files named below; do not edit. Every case times all its
contenders in turn, in a new order each round, after rounds of warm-up; given are medians, and the
quartiles of ratios taken within rounds. A ratio above 1 means more than the unit of its table.
Floors are no rivals: a copy of the input, a real network of equal flops, the products alone. The
last two count the first layer as complex products of complex images; for real ones half is done.

Entrywise functions work on one buffer again and again, which stays in the processor's caches, so a
copy there is one within the cache. In the cases "from memory" all contenders take their inputs in
turn from buffers that together are four times the last cache, and as many outputs are kept; a copy
there is bounded by the memory's bandwidth.

Peaks of memory are the most bytes of tensors during one step, which is no matter of chance:
"whole" with parameters, gradients, the state of Adam and what its update makes in passing,
"activations" only what the loss and its backward pass make and let go again.
"""
ROOFLINE = """### roofline

What the work takes at the least, in bytes that must be moved or in operations, over the time that
it took; and what that is of the rate of the floor beside it in the same rounds, which is the
device's own: a copy's bandwidth, or the rate of products alone.
"""
STANDARD = "a standard step of the same network"
UNITS = {"rules": STANDARD, "penalties": STANDARD, "memory": STANDARD}


def performance_page(files: Sequence[Path]) -> str:
    """Markdown: for each file what it was measured on, and a table for each suite."""
    parts = [INTRODUCTION]
    for path in files:
        rows, about = read_rows(path)
        facts = ", ".join(f"{name} {value}" for name, value in about.items())
        parts.append(f"## {path.stem}\n\n`{path.name}`: {facts}.\n")
        for suite in dict.fromkeys(row.suite for row in rows):
            unit = UNITS.get(suite, "holonet")
            parts.append(f"### {suite}, in units of {unit}\n")
            parts.append(_table([row for row in rows if row.suite == suite]))
        if any(row.least for row in rows):
            parts += [ROOFLINE, _roofline([row for row in rows if row.least])]
    return "\n".join(parts)


def _table(rows: Sequence[Row]) -> str:
    lines = [f"| case | contender | {rows[0].unit} | ratio | quartiles |", "|---|---|---|---|---|"]
    for case in dict.fromkeys(row.case for row in rows):
        for k, row in enumerate(r for r in rows if r.case == case):
            name = f"*{row.contender}*" if row.role == "floor" else row.contender
            found = (
                f"{row.median:.3g} | {row.ratio:.2f} | {row.ratio_low:.2f} to {row.ratio_high:.2f}"
                if row.rounds
                else f"{row.role} | |"
            )
            lines.append(f"| {case if k == 0 else ''} | {name} | {found} |")
    return "\n".join(lines) + "\n"


def _roofline(rows: Sequence[Row]) -> str:
    lines = [
        "| case | least work | contender | rate | of the floor's |",
        "|---|---|---|---|---|",
    ]
    for case in dict.fromkeys(row.case for row in rows):
        found = sorted((r for r in rows if r.case == case), key=lambda row: row.role == "floor")
        floor = found[-1]
        if floor.role != "floor":  # of a file that was cut off
            continue
        for k, row in enumerate(found):
            first = f"{case} | {_with_prefix(row.least, row.least_unit)}" if k == 0 else " | "
            name = f"*{row.contender}*" if row is floor else row.contender
            rate = _rate(row)
            share = f"{rate / _rate(floor):.0%}"
            lines.append(f"| {first} | {name} | {_with_prefix(rate, row.least_unit)}/s | {share} |")
    return "\n".join(lines) + "\n"


def _rate(row: Row) -> float:
    return 1000 * row.least / row.median


def _with_prefix(number: float, unit: str) -> str:
    """Three digits of a number, with the letter of a power of 1000."""
    power = next(p for p in range(5) if number < 1000 ** (p + 1) or p == 4)
    return f"{number / 1000**power:.3g} {' kMGT'[power].strip()}{unit}"
