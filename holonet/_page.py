"""What a page of a report holds: plain records, without the libraries that draw and render it."""

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

from holonet.errors import ShapeError

__all__ = ["CITATION", "Cell", "Report", "Section", "Table", "numbers_csv", "strict_json"]

CITATION = (
    "@software{holonet, author={{The holonet authors}}, "
    "title={holonet: Holomorphic neural networks in PyTorch}, "
    f"version={{{version('holonet')}}}, year={{2026}}}}"
)
"""The software, in BibTeX; CITATION.cff says the same."""

Cell = str | int | float | bool | None
"""What a table holds: text as it stands, a float to four significant digits, None as a dash."""


@dataclass(frozen=True)
class Table:
    """Rows under headers; a column of numbers is set to the right.

    Raises:
        ShapeError: a row that is not as long as the headers.
    """

    headers: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""

    def __post_init__(self) -> None:
        for number, row in enumerate(self.rows):
            if len(row) != len(self.headers):
                raise ShapeError(
                    f"row {number} of the table {self.caption!r} has {len(row)} cells under "
                    f"{len(self.headers)} headers: give one cell for each header"
                )


@dataclass(frozen=True)
class Section:
    """A heading with text and, if wanted, a table, a figure and a note of caution.

    Args:
        title: the heading.
        text: plain text; blank lines separate paragraphs.
        table: stands below the text.
        figure: one of matplotlib's; stands below the table.
        caption: what the figure shows; also read to those who cannot see it.
        note: what a reader must know before quoting the section.
    """

    title: str
    text: str = ""
    table: Table | None = None
    figure: Any | None = None
    caption: str = ""
    note: str | None = None


@dataclass(frozen=True)
class Report:
    """One page: a verdict, a headline table, sections, notes, raw numbers and provenance.

    Args:
        title: what was done.
        summary: the verdict in one paragraph.
        sections: the evidence.
        facts: command, seed and `provenance`; "date" and "commit" also stand below the title.
        headline: the most important table.
        notes: what was not done, not measured or not certain.
        numbers: what results.json beside the page holds; the numbers below its "cells" are also
            in results.csv.
        citations: BibTeX entries besides that of holonet.
    """

    title: str
    summary: str
    sections: Sequence[Section] = ()
    facts: Mapping[str, Cell] = field(default_factory=dict)
    headline: Table | None = None
    notes: Sequence[str] = ()
    numbers: Mapping[str, Any] | None = None
    citations: Sequence[str] = ()


def strict_json(value: Any) -> Any:
    """The same in strict JSON: numbers that are not finite become None.

    Example:
        >>> strict_json({"a": (1.0, float("inf"))})
        {'a': [1.0, None]}
    """
    match value:
        case float() if not math.isfinite(value):
            return None
        case dict():
            return {str(k): strict_json(v) for k, v in value.items()}
        case list() | tuple():
            return [strict_json(v) for v in value]
        case _:
            return value


def numbers_csv(cells: Mapping[str, Any]) -> str:
    """All numbers and texts below each cell, one a line, under cell, quantity, value.

    Example:
        >>> print(numbers_csv({"net": {"clean": 0.9, "curve": [{"eps": 0.1}]}}), end="")
        cell,quantity,value
        net,clean,0.9
        net,curve.0.eps,0.1
    """
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(["cell", "quantity", "value"])
    for cell, content in cells.items():
        writer.writerows([cell, name, value] for name, value in _leaves(content))
    return lines.getvalue()


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    match value:
        case dict():
            inner = value.items()
        case list():
            inner = enumerate(value)
        case _:
            yield name, value
            return
    for key, part in inner:
        yield from _leaves(part, f"{name}.{key}".removeprefix("."))
