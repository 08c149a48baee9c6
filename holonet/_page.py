"""What a page of a report holds: plain records, without the libraries that draw and render it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from holonet.errors import ShapeError

__all__ = ["Cell", "Report", "Section", "Table"]

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
    """One page: a verdict, a headline table, sections, notes and provenance.

    Args:
        title: what was done.
        summary: the verdict in one paragraph.
        sections: the evidence.
        facts: where the numbers come from: seed, versions, hardware, command.
        headline: the one table to look at if there is time for one.
        notes: what was not done, not measured or not certain.
    """

    title: str
    summary: str
    sections: Sequence[Section] = ()
    facts: Mapping[str, Cell] = field(default_factory=dict)
    headline: Table | None = None
    notes: Sequence[str] = ()
