"""A study of a paper: its claims first, then the cells of work, then verdicts."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from holonet._page import Section
from holonet.data import Dataset
from holonet.errors import ConfigError
from holonet.studies.claims import Claim, Finding

__all__ = ["Cell", "Result", "Study"]

Result = dict[str, Any]
"""What a cell comes to, in types that JSON knows."""


@dataclass(frozen=True)
class Cell:
    """The unit of work that is done once and kept.

    Args:
        key: its name, that of its file too: letters, digits, dots, dashes, underscores.
        settings: all that its result depends on, in types that JSON knows; a seed is called
            "seed".
    """

    key: str
    settings: Mapping[str, Any]


class Study(ABC):
    """What a paper claims and how it is tested: subclass it, and hand it to `reproduce`.

    Args:
        data: what to run on; None for the study's own, the bundled digits.
        seeds: how many, from 0; None for the study's own number.
        epochs: of each training; None for the study's own number.

    Raises:
        ConfigError: seeds or epochs below 1.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    claims: ClassVar[tuple[Claim, ...]]
    notes: ClassVar[tuple[str, ...]] = ()
    """What was not done, not measured or not certain."""
    revision: ClassVar[int] = 1
    """To be raised when `run_cell` changes, so that older cells are done anew."""

    def __init__(
        self, data: Dataset | None = None, *, seeds: int | None = None, epochs: int | None = None
    ) -> None:
        for option, value in (("seeds", seeds), ("epochs", epochs)):
            if value is not None and value < 1:
                raise ConfigError(f"{type(self).__name__}({option}={value}): at least 1")
        self.data = data
        self.seeds = seeds
        self.epochs = epochs

    @abstractmethod
    def cells(self, quick: bool) -> Sequence[Cell]:
        """The work; `quick` asks for a size that ends within minutes on two cores."""

    @abstractmethod
    def run_cell(self, cell: Cell, folder: Path, on_progress: Callable[[float], None]) -> Result:
        """The result of one cell: a function of its settings alone, with finite numbers.

        Args:
            cell: one of `cells`.
            folder: its own, for weights and checkpoints. After a crash it still holds what was
                done, so train by `training.fit(..., run_dir=folder, resume=True)`.
            on_progress: to be called with the fraction that is done, now and then.
        """

    @abstractmethod
    def conclude(self, results: Mapping[str, Result]) -> Sequence[Finding]:
        """One finding for each claim, in their order, from the finished cells' results by key.

        Cells that failed are missing. A DataError, as `statistics` raises it where no value is
        left, makes every claim not testable.
        """

    @abstractmethod
    def figures(self, results: Mapping[str, Result]) -> Mapping[str, Section]:
        """The evidence by claim key: a title, a figure with its caption, a table, a note.

        The report puts the claim and its verdict in front of each section's text.
        """
