"""A study of a paper: its claims, and the cells of work that test them."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from holonet.data import Dataset
from holonet.errors import ConfigError
from holonet.studies.claims import Claim
from holonet.studies.evidence import Finding
from holonet.studies.results import Result, Results

__all__ = ["Cell", "Study"]


@dataclass(frozen=True)
class Cell:
    """A unit of work whose result is kept.

    Args:
        key: its name, that of its file too: letters, digits, dots, dashes, underscores.
        settings: a frozen dataclass of all that the result depends on, in types that JSON knows.
            A seed is called `seed`.
        needs: keys of earlier cells that are finished before this one begins. Their folders lie
            beside its own.
        enough: of how many needs it makes do if others fail; None for all. `Study.run_cell` gets it
            without the needs that failed.
    """

    key: str
    settings: Any
    needs: tuple[str, ...] = ()
    enough: int | None = None


class Study(ABC):
    """What is claimed and how it is tested: subclass it, and hand it to `reproduce`.

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
    citation: ClassVar[str] = ""
    """The paper, in BibTeX."""
    revision: ClassVar[int] = 1
    """Raise it when `run_cell` changes: older cells are then computed anew."""

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
            folder: its own, for weights and checkpoints. After a crash it holds what was done
                before: train by `training.fit(..., run_dir=folder, resume=True)`. The weights
            of a cell that this one needs are read by `training.load_weights`, which several cells
            may do at once.
            on_progress: to be called with the fraction that is done.
        """

    def findings(self, results: Results) -> tuple[Finding, ...]:
        """One for each claim, in their order."""
        return tuple(claim.finding(results) for claim in self.claims)
