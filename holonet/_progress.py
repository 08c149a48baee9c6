"""Progress on stderr: a bar in a terminal, and in a file a line now and then."""

import time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn

__all__ = ["progress_bar"]

PAUSE = 10.0
"""Seconds between two lines in a file."""


class _Bar(Progress):
    """A bar that is gone from a terminal when its work ends, and writes lines to a file."""

    def __init__(self, *columns: ProgressColumn, shown: bool) -> None:
        console = Console(stderr=True)
        super().__init__(*columns, console=console, disable=not shown, transient=True)
        self._written = -PAUSE

    def stop(self) -> None:
        self.live.stop()
        if self._written >= 0:  # what never moved leaves nothing in a file
            self._written = -PAUSE
            self._write()

    def update(self, *args: Any, **fields: Any) -> None:
        super().update(*args, **fields)
        self._write()

    def advance(self, *args: Any, **fields: Any) -> None:
        super().advance(*args, **fields)
        self._write()

    def _write(self) -> None:
        now = time.monotonic()
        if not (self.disable or self.console.is_terminal) and now - self._written >= PAUSE:
            self._written = now
            self.console.print(self.get_renderable())


def progress_bar(shown: bool, *columns: ProgressColumn) -> Progress:
    """A bar with the description of its task, and these columns behind it.

    Args:
        shown: whether anything is written.
        columns: of rich.
    """
    return _Bar(TextColumn("{task.description}"), BarColumn(), *columns, shown=shown)
