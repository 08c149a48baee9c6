"""The section data: which data set, and how much of it."""

from pathlib import Path

from pydantic import field_validator

from holonet.data.catalogue import DATASETS, absolute, canonical_name, is_path
from holonet.training.config.section import PositiveInt, Section, Seed

__all__ = ["DataConfig"]


class DataConfig(Section):
    """Which data, and how much of it. Paths are made absolute, so that they hold anywhere."""

    name: str = "digits"
    """One of holonet list datasets (digits, mnist, photographs, reflections, rings, those of
    packages); the path of an .npz file with x_train, y_train, x_test and y_test, or with x and y;
    with a / in it, the path of a folder with images, a subfolder a class; or module:NAME of a
    holonet.data.DatasetEntry."""
    root: Path | None = None
    """Folder with the four IDX files of mnist."""
    train: PositiveInt | None = None
    """Number of training examples, the first ones; none for all."""
    holdout: PositiveInt | None = None
    """Number of training examples, the last ones, that are held out and replace the test set, for
    choosing settings; none for the test set."""
    test: PositiveInt | None = None
    """Number of test examples, the first ones; none for all."""
    seed: Seed = 0
    """Of the split into training and test examples, of drawn patches, and of made data."""

    @field_validator("name")
    @classmethod
    def _name_holds_anywhere(cls, value: str) -> str:
        return _storable(canonical_name(value))

    @field_validator("root")
    @classmethod
    def _root_holds_anywhere(cls, value: Path | None) -> Path | None:
        return None if value is None else Path(_storable(absolute(value)))

    def ignored(self) -> dict[str, tuple[str, ...]]:
        """The root, for data that are no files in it."""
        own = DATASETS.get(self.name)
        needed = own.needs_root if own is not None else not is_path(self.name)
        return {} if needed else {f"name = {self.name!r}": ("root",)}


def _storable(path: str) -> str:
    """The path, if a configuration can hold it.

    Raises:
        ValueError: it is not UTF-8.
    """
    path.encode()
    return path
