"""Examples to ask a trained network about: a data set's, an .npz file's, or images in a folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from holonet._arguments import checked
from holonet._types import Labels, Points
from holonet.data.catalogue import load_dataset
from holonet.data.dataset import check_examples
from holonet.data.image_folder import SUFFIXES, read_images
from holonet.data.tabular import features, labels, read_arrays
from holonet.errors import DataError

__all__ = ["Inputs", "load_inputs"]

LAYOUTS = (("x_test", "y_test"), ("x_test",), ("x", "y"), ("x",))
"""Keys of an .npz file, the first ones that it has."""


@dataclass(frozen=True, eq=False)
class Inputs:
    """Examples, their labels where they are known, and their names where they have some."""

    x: Points
    y: Labels | None
    names: tuple[str, ...] | None = None


@checked
def load_inputs(
    place: str, shape: Sequence[int], *, root: str | Path | None = None, seed: int = 0
) -> Inputs:
    """The examples of a place, for a network that takes this shape.

    Args:
        place: a data set by name, of which the test examples are taken; an .npz file with x_test,
            or with x, of which all are, and with y_test or y where labels are known; a folder, of
            which all images are, its subfolders' too, in the order of their paths, in [0, 1].
        shape: of one example.
        root: the folder with the files of a data set that needs some.
        seed: of the split of a data set without one.

    Raises:
        DataError: there is no such place; the examples have another shape, or are not finite.
        MissingDependencyError: images, and pillow is not installed.
        UnknownNameError: there is no such data set.
    """
    path = Path(place).expanduser()
    if path.is_dir():
        inputs = _images(path, tuple(shape))
    elif path.suffix.lower() == ".npz":
        inputs = _arrays(path)
    else:
        data = load_dataset(place, root, seed=seed)
        inputs = Inputs(data.x_test, data.y_test)
    if tuple(inputs.x.shape[1:]) != tuple(shape):
        raise DataError(
            f"{place} has examples of shape {tuple(inputs.x.shape[1:])}, and the network takes "
            f"{tuple(shape)}: give examples like those that it was trained on"
        )
    return inputs


def _arrays(path: Path) -> Inputs:
    arrays = read_arrays(path, LAYOUTS)
    x, *rest = (
        (features if key.startswith("x") else labels)(array, key, path)
        for key, array in arrays.items()
    )
    y = rest[0] if rest else None
    known = torch.zeros(len(x) if x.ndim else 0, dtype=torch.int64) if y is None else y
    largest = int(known.max()) if known.numel() else 0
    check_examples(x, known, max(largest, 0) + 1, *arrays)
    return Inputs(x, y)


def _images(folder: Path, shape: tuple[int, ...]) -> Inputs:
    if len(shape) != 3 or shape[0] not in (1, 3):
        raise DataError(
            f"{folder} is a folder of images, which have the shape (channels, height, width) with "
            f"1 or 3 channels, and the network takes {shape}: give an .npz file with x"
        )
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    if not paths:
        raise DataError(f"{folder} has no images: they end in {', '.join(SUFFIXES)}")
    x = read_images(paths, shape)
    return Inputs(x, None, tuple(path.relative_to(folder).as_posix() for path in paths))
