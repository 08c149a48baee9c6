"""Text for a terminal: names that others chose are shown as they are, whatever is in them."""

import os
import select
import shutil
import sys

import typer
from rich.console import Console, RenderableType
from rich.text import Text

__all__ = ["drop_stdout", "literal", "printable", "reader_is_gone", "say", "show"]


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


def show(renderable: RenderableType, *, least: int = 0) -> None:
    """Print a table, as wide as the terminal and at least `least` columns, on stdout.

    A reader that closes the pipe raises BrokenPipeError here, as for every other line.
    """
    console = Console(width=max(least, shutil.get_terminal_size().columns))
    with console.capture() as captured:
        console.print(renderable)
    typer.echo(captured.get(), nl=False)


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
