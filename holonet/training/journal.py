"""Metrics as JSON lines that survive a crash and can be wound back to a checkpoint."""

import json
from pathlib import Path
from typing import Any

from holonet._files import write_atomically

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
        """Append one record, at once on the disk."""
        self.records.append(record)
        if self._path is not None:
            with self._path.open("a") as file:
                file.write(json.dumps(record) + "\n")

    def clear(self) -> None:
        """Start anew."""
        self.rewind(-1)

    def rewind(self, step: int) -> None:
        """Keep only what was recorded up to a step: what came after will be trained again."""
        if self._path is None:
            self.records = [r for r in self.records if r["step"] <= step]
            return
        self.records = [r for r in read_journal(self._path) if r["step"] <= step]
        write_atomically(self._path, "".join(json.dumps(r) + "\n" for r in self.records))


def read_journal(path: Path) -> list[dict[str, Any]]:
    """The records of a metrics.jsonl; a last line that was cut off is left out."""
    records: list[dict[str, Any]] = []
    if not path.exists():
        return records
    for line in path.read_text().splitlines():
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return records
