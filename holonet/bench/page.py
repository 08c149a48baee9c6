"""Benchmark results as a page of tables."""

from collections.abc import Sequence
from pathlib import Path

from holonet.bench.results import Row, read_rows

__all__ = ["performance_page"]

INTRODUCTION = """# Performance

Made by `holonet bench --page` from the files named below; do not edit. A case times its contenders
in turn, in a new order each round, after rounds of warm-up. The tables give medians, and quartiles
of ratios taken within rounds. A ratio above 1 means more than the unit of its table. Lower bounds,
in italics, do less work: a copy of the input, a real network of equal MACs (multiply-adds), the
products alone. The last two count the first layer as complex products of complex images. Real
images need half of that.

Entrywise functions work on one buffer repeatedly. It stays in the processor's caches, and so does
its copy. In the cases "from memory" the inputs come in turn from buffers of four times the last
cache, and as many outputs are kept. A copy there is bounded by the memory's bandwidth.

Peaks of memory are peak tensor memory of one step, in bytes; they are deterministic. "whole" counts
parameters, gradients, the state of Adam and temporaries of its update. "activations" counts what
the loss and its backward pass allocate and free.
"""
ROOFLINE = """### roofline

The least work of a case, in bytes moved or in operations, over the time that it took; and its share
of the rate of the lower bound in the same rounds. That rate is the device's: the bandwidth of a
copy, or the rate of the products alone.
"""
STANDARD = "a standard step of the same network"
UNITS = {"rules": STANDARD, "penalties": STANDARD, "memory": STANDARD}


def performance_page(files: Sequence[Path]) -> str:
    """Markdown: for each file its provenance, and a table for each suite."""
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
            name = f"*{row.contender}*" if row.role == "lower bound" else row.contender
            numbers = (
                f"{row.median:.3g} | {row.ratio:.2f} | {row.ratio_low:.2f} to {row.ratio_high:.2f}"
                if row.rounds
                else f"{row.role} | |"
            )
            lines.append(f"| {case if k == 0 else ''} | {name} | {numbers} |")
    return "\n".join(lines) + "\n"


def _roofline(rows: Sequence[Row]) -> str:
    lines = [
        "| case | least work | contender | rate | of the bound's |",
        "|---|---|---|---|---|",
    ]
    for case in dict.fromkeys(row.case for row in rows):
        of_case = sorted((r for r in rows if r.case == case), key=lambda r: r.role == "lower bound")
        bound = of_case[-1]
        if bound.role != "lower bound":  # of a file that was cut off
            continue
        for k, row in enumerate(of_case):
            first = f"{case} | {_with_prefix(row.least, row.least_unit)}" if k == 0 else " | "
            name = f"*{row.contender}*" if row is bound else row.contender
            rate = _rate(row)
            share = f"{rate / _rate(bound):.0%}"
            lines.append(f"| {first} | {name} | {_with_prefix(rate, row.least_unit)}/s | {share} |")
    return "\n".join(lines) + "\n"


def _rate(row: Row) -> float:
    return 1000 * row.least / row.median


def _with_prefix(number: float, unit: str) -> str:
    """Three digits of a number, with the letter of a power of 1000."""
    power = next(p for p in range(5) if number < 1000 ** (p + 1) or p == 4)
    return f"{number / 1000**power:.3g} {' kMGT'[power].strip()}{unit}"
