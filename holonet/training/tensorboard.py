"""The numbers of a journal as scalars of TensorBoard."""

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from holonet._optional import require
from holonet.training.journal import Journal

__all__ = ["require_tensorboard", "shown_in_tensorboard"]

POSITIONS = ("kind", "step", "epoch")  # of a record, no numbers to draw


def require_tensorboard() -> None:
    """Refuse to begin without the package.

    Raises:
        MissingDependencyError: tensorboard is not installed.
    """
    require("tensorboard", "tensorboard", "tensorboard", "TensorBoard")


@contextmanager
def shown_in_tensorboard(journal: Journal, folder: Path) -> Iterator[None]:
    """Write each record of a journal as scalars too, those that it has already first.

    A scalar is named after the kind of record and the number, as step/loss and epoch/test_accuracy,
    and stands at the step of the record. What earlier processes wrote into the folder is told to be
    void, so that TensorBoard shows what the journal has, after a resume too.

    Args:
        journal: of a run.
        folder: of the event files.

    Raises:
        MissingDependencyError: tensorboard is not installed.
    """
    require_tensorboard()
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(str(folder), purge_step=0)

    def write(records: Iterable[Mapping[str, Any]]) -> None:
        for record in records:
            for name, value in record.items():
                if (
                    name not in POSITIONS
                    and isinstance(value, int | float)
                    and math.isfinite(value)
                ):
                    writer.add_scalar(f"{record['kind']}/{name}", value, record["step"])
        writer.flush()

    write(journal.records)
    journal.listener = write
    try:
        yield
    finally:
        journal.listener = None
        writer.close()
