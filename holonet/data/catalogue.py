"""The data sets that can be asked for by name."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from holonet._arguments import checked
from holonet._named_object import (
    installed_object,
    installed_objects,
    is_object_name,
    named_object,
)
from holonet.data.dataset import Dataset
from holonet.data.image_folder import load_image_folder
from holonet.data.images import MNIST_SOURCE, load_digits, load_mnist
from holonet.data.photographs import load_photographs
from holonet.data.reflections import load_reflections
from holonet.data.synthetic import two_rings
from holonet.data.tabular import load_npz
from holonet.errors import ConfigError, DataError, UnknownNameError

__all__ = [
    "DATASETS",
    "GROUP",
    "DatasetEntry",
    "absolute",
    "canonical_name",
    "dataset_entry",
    "is_path",
    "load_dataset",
]

NPZ = ".npz"
GROUP = "holonet.datasets"
"""The entry points by which packages offer data sets."""


@dataclass(frozen=True)
class DatasetEntry:
    """A data set by name: what it is, where its files come from, how to load it.

    Args:
        description: one line for listings.
        source: where the files that belong into the data root come from; empty where none are
            needed.
        load: from the data root (None where none is needed) and the seed of the split.
    """

    description: str
    source: str
    load: Callable[[str | Path | None, int], Dataset]

    @property
    def needs_root(self) -> bool:
        """Whether a data root must be given."""
        return bool(self.source)


def _mnist(root: str | Path | None, seed: int) -> Dataset:
    if root is None:
        raise DataError(
            "data set 'mnist' needs its files and no data root is given: set the data root "
            "(root=...) to a folder that holds MNIST/raw/train-images-idx3-ubyte.gz and its three "
            f"companions, which come from {MNIST_SOURCE}"
        )
    return load_mnist(root)


DATASETS: Mapping[str, DatasetEntry] = MappingProxyType(
    {
        "digits": DatasetEntry(
            "1797 handwritten digits, 8x8, bundled with scikit-learn; split by seed",
            "",
            lambda _, seed: load_digits(seed),
        ),
        "mnist": DatasetEntry(
            "70000 handwritten digits, 28x28, from IDX files; split as published",
            MNIST_SOURCE,
            _mnist,
        ),
        "photographs": DatasetEntry(
            "6832 colour patches, 3x16x16, of two photographs bundled with scikit-learn; training "
            "patches drawn by seed",
            "",
            lambda _, seed: load_photographs(seed),
        ),
        "reflections": DatasetEntry(
            "3300 complex sweeps of six measured microwave devices, 16 frequencies, bundled with "
            "scikit-rf; phases and noise drawn by seed",
            "",
            lambda _, seed: load_reflections(seed),
        ),
        "rings": DatasetEntry(
            "800 points on two circles of the plane, one for each class; drawn by seed",
            "",
            lambda _, seed: two_rings(seed=seed),
        ),
    }
)
"""Every named data set, read-only."""


@checked
def load_dataset(name: str, root: str | Path | None = None, *, seed: int = 0) -> Dataset:
    """The data set of that name, or that of a path: an .npz file, a folder of images by class.

    Args:
        name: a key of `DATASETS` in letters of any case; the name of an entry point of an installed
            package, or `module:ATTRIBUTE`, of a `DatasetEntry`, whose code runs; a path that ends
            in .npz, or the path of a folder, with a / in it.
        root: the folder with the files of a data set that needs some; unused by the others.
        seed: of the split, where the data set does not come with one.

    Raises:
        UnknownNameError: there is no such data set.
        DataError: its files are missing or damaged.
        ConfigError: it is another's, and cannot be imported or is no `DatasetEntry`.

    Example:
        >>> load_dataset("digits").subset(train=1000)
        Dataset('digits': 1000 train, 359 test, features (1, 8, 8) float32, 10 classes)
    """
    name = canonical_name(name)
    entry = dataset_entry(name)
    if entry is not None:
        data = entry.load(None if root is None else absolute(root), seed)
        if not isinstance(data, Dataset):
            raise ConfigError(
                f"data set {name!r}: its load gives a {type(data).__name__}, and must give a "
                "holonet.data.Dataset"
            )
        return data
    if name.lower().endswith(NPZ):
        return load_npz(name, seed=seed)
    if is_path(name):
        return load_image_folder(name, seed=seed)
    known = [*DATASETS, *installed_objects(GROUP), "<path>.npz", "<folder>/", "<module>:<NAME>"]
    raise UnknownNameError("data set", name, known)


def dataset_entry(name: str) -> DatasetEntry | None:
    """The entry of holonet, of an installed package or of a module of that name; None for paths.

    Args:
        name: as `canonical_name` gives it.

    Raises:
        ConfigError: it cannot be imported, or is no `DatasetEntry`.
    """
    if name in DATASETS:
        return DATASETS[name]
    if name.rpartition(":")[0].endswith(".py"):
        raise ConfigError(
            f"data set {name!r}: give the module and not its file, from the folder of the module: "
            f"{Path(name).name.replace('.py:', ':')}"
        )
    if is_path(name):
        return None
    if name in installed_objects(GROUP):
        entry = installed_object(GROUP, name)
    elif is_object_name(name):
        entry = named_object(name)
    else:
        return None
    if not isinstance(entry, DatasetEntry):
        raise ConfigError(
            f"data set {name!r} is a {type(entry).__name__}: make it a "
            "holonet.data.DatasetEntry(description, source, load)"
        )
    return entry


def canonical_name(name: str) -> str:
    """The name of a data set in small letters; a path absolute, with ~ resolved.

    The name of an entry point, and `module:ATTRIBUTE`, stay as they are.

    Example:
        >>> canonical_name("MNIST"), canonical_name("own:WAVES")
        ('mnist', 'own:WAVES')
    """
    if is_path(name):
        return absolute(name)
    small = name.lower()
    if small in DATASETS:
        return small
    return name if ":" in name or name in installed_objects(GROUP) else small


def absolute(path: str | Path) -> str:
    """The path from the root of the file system, links and ~ resolved.

    Raises:
        DataError: it is relative, and the working folder is gone; no system has such a path.
    """
    try:
        return os.path.realpath(os.path.expanduser(path))
    except FileNotFoundError:
        raise DataError(
            f"{path} is relative, and the working folder does not exist any more: change to one "
            "that does, or give the path from the root"
        ) from None
    except ValueError as error:
        raise DataError(f"{str(path)!r} is no path: {error}") from None


def is_path(name: str) -> bool:
    """Whether this is the path of a file or folder and no name."""
    return name.lower().endswith(NPZ) or "/" in name or os.sep in name
