"""Images in folders: one folder for each class, or the images alone."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from holonet._arguments import checked
from holonet._optional import require
from holonet.data.dataset import Dataset, stratified_split
from holonet.data.sizes import LARGEST
from holonet.errors import DataError

__all__ = ["SUFFIXES", "load_image_folder", "read_images"]

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
MODES = {1: "L", 3: "RGB"}
"""Channels of an image -> pillow's name for eight bits of each."""
PLAIN = ("1", "L", "P", "RGB")
"""What pillow converts to `MODES` without a choice of its own."""
PARTS = ("train", "test")


@checked
def load_image_folder(folder: str | Path, *, seed: int = 0, test_fraction: float = 0.2) -> Dataset:
    """A data set of images, (N, channels, height, width) in [0, 1]; a subfolder for each class.

    The classes are the subfolders in the order of their names. If there are folders `train` and
    `test`, these have the subfolders; else a fifth of each class is for testing, by seed. All
    images have the size of the first one. They are gray if all of them are, else colours.

    Raises:
        DataError: there is no such folder, it has not two classes, a class has no images, a file
            is no image of eight bits, or of another size.
        MissingDependencyError: pillow is not installed.
    """
    root = Path(folder).expanduser()
    parts = [root / part for part in PARTS]
    split = all(part.is_dir() for part in parts)
    classes = _subfolders(parts[0] if split else root)
    if len(classes) < 2:
        raise DataError(
            f"{root} has {len(classes)} folders with images: give one folder for each class, two "
            "at least"
        )
    if split and _subfolders(parts[1]) != classes:
        raise DataError(
            f"{parts[0]} and {parts[1]} have different classes: {', '.join(classes)} and "
            f"{', '.join(_subfolders(parts[1]))}"
        )
    places = parts if split else [root]
    labelled = [
        [(path, label) for label, name in enumerate(classes) for path in _paths(place / name)]
        for place in places
    ]
    shape = _common_shape([path for part in labelled for path, _ in part])
    examples = [
        (read_images([path for path, _ in part], shape), torch.tensor([y for _, y in part]))
        for part in labelled
    ]
    if not split:
        (x, y), *_ = examples
        train, test = stratified_split(y, test_fraction=test_fraction, seed=seed)
        examples = [(x[train], y[train]), (x[test], y[test])]
    (x_train, y_train), (x_test, y_test) = examples
    return Dataset(x_train, y_train, x_test, y_test, num_classes=len(classes), name=root.name)


def read_images(
    paths: Sequence[Path], shape: Sequence[int]
) -> Float[Tensor, "images channels height width"]:
    """Images of eight bits as numbers in [0, 1].

    Raises:
        DataError: they are too many, one of them is no image of eight bits, or of another size.
        MissingDependencyError: pillow is not installed.
    """
    require("PIL", "pillow", "datasets", "Reading images")
    if len(paths) * np.prod(shape, dtype=float) * 4 > LARGEST:
        raise DataError(f"{len(paths)} images are too many at once: give a part of them")
    return torch.stack([_image(path, tuple(shape)) for path in paths])


def _subfolders(root: Path) -> list[str]:
    if not root.is_dir():
        raise DataError(f"there is no folder {root}")
    return sorted(
        p.name for p in root.iterdir() if p.is_dir() and not p.name.startswith(".") and _paths(p)
    )


def _paths(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())


def _common_shape(paths: list[Path]) -> tuple[int, int, int]:
    """Channels, height and width of the first image; three channels if one of them has colours."""
    require("PIL", "pillow", "datasets", "Reading images")
    from PIL import Image

    modes, sizes = set(), []
    for path in paths:
        try:
            with Image.open(path) as image:
                modes.add(image.mode)
                sizes.append(image.size)
        except (OSError, ValueError, Image.DecompressionBombError) as error:
            raise DataError(f"{path} cannot be read as an image: {error}") from None
    width, height = sizes[0]
    return 3 if modes - {"1", "L"} else 1, height, width


def _image(path: Path, shape: tuple[int, ...]) -> Tensor:
    from PIL import Image

    channels, height, width = shape
    try:
        with Image.open(path) as image:
            size, mode = image.size, image.mode
            pixels: Any = None
            if size == (width, height) and mode in PLAIN:
                pixels = np.asarray(image.convert(MODES[channels]))
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{path} cannot be read as an image: {error}") from None
    if pixels is None and mode not in PLAIN:
        raise DataError(f"{path} is an image of the kind {mode}: save it as 8-bit gray or RGB")
    if pixels is None:
        raise DataError(
            f"{path} has {size[0]} x {size[1]} pixels, and {width} x {height} were expected: "
            "resize all images alike"
        )
    return torch.tensor(pixels).reshape(height, width, channels).movedim(2, 0).float() / 255
