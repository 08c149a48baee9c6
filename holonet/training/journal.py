"""Metrics as JSON lines that survive a crash and can be wound back to a checkpoint."""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from holonet._arguments import checked
from holonet._files import naming, read_bounded, write_atomically
from holonet.errors import CheckpointError

__all__ = ["Journal", "read_journal"]

LARGEST = 1 << 32  # bytes of a metrics.jsonl


class Journal:
    """Records kept in memory and, given a folder, appended to its metrics.jsonl.

    Args:
        folder: where the file goes; None keeps it in memory alone.
    """

    def __init__(self, folder: str | Path | None) -> None:
        self.records: list[dict[str, Any]] = []
        self.listener: Callable[[list[dict[str, Any]]], None] | None = None
        """Is given each record that is written, behind the file."""
        self.folder = None if folder is None else Path(folder)
        self._path = None if self.folder is None else self.folder / "metrics.jsonl"

    def write(self, **record: Any) -> None:
        """Append one record; a process that is killed right after has not lost it."""
        self.records.append(record)
        if self._path is not None:
            with naming(self._path), self._path.open("a") as file:
                file.write(json.dumps(record) + "\n")
        if self.listener is not None:
            self.listener([record])

    def flush_to_disk(self) -> None:
        """Have everything on the disk: what is kept next relies on these records."""
        if self._path is not None:
            with naming(self._path), self._path.open("a") as file:
                os.fsync(file.fileno())

    def digest(self) -> str:
        """The SHA-256 of all records but their times, which no two runs have in common."""
        timeless = [{k: v for k, v in r.items() if k != "seconds"} for r in self.records]
        return hashlib.sha256(json.dumps(timeless).encode()).hexdigest()

    def forget_epochs_from(self, step: int) -> None:
        """Drop the records of epochs that ended at this step or later."""
        self.records = [r for r in self.records if r.get("kind") != "epoch" or r["step"] < step]
        self._rewrite()

    def clear(self) -> None:
        """Start anew."""
        self.records = []
        self._rewrite()

    def on_disk(self) -> list[dict[str, Any]]:
        """What an earlier process wrote; without a folder, what this one did.

        Raises:
            CheckpointError: the file is damaged.
        """
        return self.records if self._path is None else read_journal(self._path)

    def rewind(self, step: int) -> None:
        """Keep only what was recorded up to a step: what came after will be trained again.

        Raises:
            CheckpointError: the file is damaged.
        """
        self.records = [r for r in self.on_disk() if r["step"] <= step]
        self._rewrite()

    def _rewrite(self) -> None:
        if self._path is not None:
            write_atomically(self._path, "".join(json.dumps(r) + "\n" for r in self.records))


@checked
def read_journal(path: str | Path) -> list[dict[str, Any]]:
    """The records of a metrics.jsonl, none if there is no file.

    A last line that a crash cut off, hence without a line end, is left out.

    Raises:
        CheckpointError: any other line is not a record, or the file cannot be read.
    """
    path = Path(path)
    if not os.path.lexists(path):
        return []
    *lines, last = read_bounded(path, CheckpointError, limit=LARGEST).split(b"\n")
    records = [_parse(line) for line in lines]
    if None in records:
        raise CheckpointError(
            f"line {records.index(None) + 1} of {path} is damaged: remove the line, or start the "
            "run again with overwrite"
        )
    return [record for record in [*records, _parse(last)] if record is not None]


def _parse(line: bytes) -> dict[str, Any] | None:
    """The record in a line, None if it holds none."""
    try:
        record = json.loads(line.decode())
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) and type(record.get("step")) is int else None
