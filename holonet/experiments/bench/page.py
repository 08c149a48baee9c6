"""The timings of a machine as a page of tables."""

from collections.abc import Sequence
from pathlib import Path

from holonet.experiments.bench.results import Row, read_rows

__all__ = ["performance_page"]

INTRODUCTION = """# Performance

Made by `holonet bench --page` from the files named below; do not edit. Every case times all its
contenders in turn, in a new order each round, after rounds of warm-up; given are medians, and the
quartiles of ratios taken within rounds. A ratio above 1 means slower than the unit of its table.
Floors are no rivals: a copy of the input, a real network of equal flops, the products alone. The
last two count the first layer as complex products of complex images; for real ones half is done.
"""
UNITS = {"rules": "a standard step of the same network"}


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
    return "\n".join(parts)


def _table(rows: Sequence[Row]) -> str:
    lines = ["| case | contender | ms | ratio | quartiles |", "|---|---|---|---|---|"]
    for case in dict.fromkeys(row.case for row in rows):
        for k, row in enumerate(r for r in rows if r.case == case):
            name = f"*{row.contender}*" if row.role == "floor" else row.contender
            lines.append(
                f"| {case if k == 0 else ''} | {name} | {row.median_ms:.3g} | {row.ratio:.2f} | "
                f"{row.ratio_low:.2f} to {row.ratio_high:.2f} |"
            )
    return "\n".join(lines) + "\n"
