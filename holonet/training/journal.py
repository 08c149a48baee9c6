"""Metrics as JSON lines that survive a crash and can be wound back to a checkpoint."""

import json
from pathlib import Path
from typing import Any

from holonet._files import write_atomically
from holonet.errors import CheckpointError

__all__ = ["Journal", "read_journal"]


class Journal:
    """Records kept in memory and, given a folder, appended to its metrics.jsonl.

    Args:
        folder: where the file goes; None keeps it in memory alone.
    """

    def __init__(self, folder: Path | None) -> None:
        self.records: list[dict[str, Any]] = []
        self._path = None if folder is None else folder / "metrics.jsonl"

    def write(self, **record: Any) -> None:
        """Append one record; a process that is killed right after has not lost it."""
        self.records.append(record)
        if self._path is not None:
            with self._path.open("a") as file:
                file.write(json.dumps(record) + "\n")

    def clear(self) -> None:
        """Start anew."""
        self.records = []
        if self._path is not None:
            write_atomically(self._path, "")

    def rewind(self, step: int) -> None:
        """Keep only what was recorded up to a step: what came after will be trained again.

        Raises:
            CheckpointError: the file is damaged.
        """
        records = self.records if self._path is None else read_journal(self._path)
        self.records = [r for r in records if r["step"] <= step]
        if self._path is not None:
            write_atomically(self._path, "".join(json.dumps(r) + "\n" for r in self.records))


def read_journal(path: Path) -> list[dict[str, Any]]:
    """The records of a metrics.jsonl, none if there is no file.

    A last line that a crash cut off, hence without a line end, is left out.

    Raises:
        CheckpointError: any other line is not a record.
    """
    if not path.exists():
        return []
    *lines, last = path.read_bytes().split(b"\n")
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
    except ValueError:
        return None
    return record if isinstance(record, dict) and "step" in record else None
