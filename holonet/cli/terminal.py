"""Text for a terminal: names that others chose are shown as they are, whatever is in them."""

import os
import select
import shutil
import sys

import typer
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

__all__ = ["drop_stdout", "least_width", "literal", "printable", "reader_is_gone", "say", "show"]

WIDEST = 10_000  # columns, more than any table needs


def printable(text: str) -> str:
    r"""The text with everything that a terminal would obey, or could not show, in backslashes.

    Line breaks stay. What is not in the encoding of stdout could not be shown either.

    Example:
        >>> printable("runs/\x1b[31mred")
        'runs/\\x1b[31mred'
    """
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    shown = (c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)
    return "".join(shown).encode(encoding, "backslashreplace").decode(encoding)


def literal(text: object) -> Text:
    """Text for a table or a title in which brackets and colons mean nothing."""
    return Text(printable(str(text)))


def show(table: Table) -> None:
    """Print a table on stdout; row by row, a line a cell, where the terminal would cut a word.

    Columns that are not to be wrapped are, if that suffices. The width is COLUMNS where that is
    set, else the terminal's; in a pipe or file 80, or what the table needs. A reader that closes
    the pipe raises BrokenPipeError here, as for every other line.
    """
    fallback = (max(80, least_width(table)), 24)
    console = Console(width=shutil.get_terminal_size(fallback).columns)
    if least_width(table) > console.width:
        for column in table.columns:
            column.no_wrap = False
    room = console.width - least_width(table)
    with console.capture() as captured:
        if room < 0:
            _print_rows(console, table)
        else:
            _set_widths(table, room)
            console.print(table)
    typer.echo(captured.get(), nl=False)


def least_width(table: Table) -> int:
    """The columns of a terminal that the table needs so that no word is cut."""
    console = Console(width=WIDEST)
    ranges = _ranges(table)
    frame = Measurement.get(console, console.options, table).maximum - sum(r[1] for r in ranges)
    return frame + sum(least for least, _ in ranges)


def _ranges(table: Table) -> list[tuple[int, int]]:
    """The least width of each column at which no word is cut, and that at which nothing wraps."""
    console = Console(width=WIDEST)
    ranges = []
    for column in table.columns:
        sizes = [
            Measurement.get(console, console.options, cell)
            for cell in (column.header, *column.cells)
        ]
        whole = max(column.min_width or 0, *(size.maximum for size in sizes))
        cut = column.overflow == "fold" and column.min_width  # its words may be cut
        word = cut or max(column.min_width or 0, *(size.minimum for size in sizes))
        ranges.append((whole if column.no_wrap else word, whole))
    return ranges


def _set_widths(table: Table, room: int) -> None:
    """Share what the table may be wider than its least; rich alone would cut words."""
    ranges = _ranges(table)
    wanted = sorted((most - least, k) for k, (least, most) in enumerate(ranges))
    for behind, (more, k) in zip(range(len(wanted), 0, -1), wanted, strict=True):
        given = min(more, room // behind)
        room -= given
        table.columns[k].width = ranges[k][0] + given


def _print_rows(console: Console, table: Table) -> None:
    """The title, and for each row its first cell and the others indented, with their headers."""
    if table.title is not None:
        console.print(table.title)
    first, *others = [[*column.cells] for column in table.columns]
    for name, *cells in zip(first, *others, strict=True):
        console.print(name)
        for column, cell in zip(table.columns[1:], cells, strict=True):
            if str(cell):
                line = Table.grid(padding=(0, 1))
                line.add_row("", Text.assemble(str(column.header), ":"), cell)
                console.print(line)


def say(text: str) -> None:
    """Print lines on stdout, with what a terminal would obey in backslashes."""
    typer.echo(printable(text))


def reader_is_gone() -> bool:
    """Whether nobody reads stdout any more, as far as the system can say."""
    if not hasattr(select, "poll"):  # Windows
        return True
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    return bool(poll.poll(0))


def drop_stdout() -> None:
    """Send what is still to be flushed nowhere, so that the end of the program is quiet."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
