"""Image data sets: scikit-learn's digits, and MNIST and its relatives from IDX files."""

import gzip
import importlib.util
import logging
import math
import os
import re
import zlib
from collections.abc import Mapping
from io import BufferedIOBase
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Shaped
from torch import Tensor

from holonet._arguments import checked
from holonet._files import MIB, open_regular
from holonet._optional import require
from holonet.data.dataset import Dataset, count_classes, stratified_split
from holonet.data.sizes import require_reasonable
from holonet.errors import DataError

__all__ = ["MNIST_SOURCE", "load_digits", "load_idx", "load_mnist", "read_idx"]

logger = logging.getLogger(__name__)

MNIST_SOURCE = "https://ossci-datasets.s3.amazonaws.com/mnist/"
"""Where the four files of MNIST can be had."""

_IDX_DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_GZIP_MAGIC = b"\x1f\x8b"


@checked
def load_digits(seed: int = 0, test_fraction: float = 0.2) -> Dataset:
    """The 1797 handwritten 8x8 digits that scikit-learn carries, as (N, 1, 8, 8) in [0, 1].

    Law: the stratified split is a function of `seed` and `test_fraction` alone.

    Raises:
        MissingDependencyError: scikit-learn is not installed.
        DomainError: `test_fraction` is not strictly between 0 and 1.
    """
    numbers = _digits()
    x = torch.from_numpy(numbers[:, :-1].astype(np.float32)).reshape(-1, 1, 8, 8) / 16
    y = torch.from_numpy(numbers[:, -1].astype(np.int64))
    train, test = stratified_split(y, test_fraction=test_fraction, seed=seed)
    return Dataset(x[train], y[train], x[test], y[test], num_classes=10, name="digits")


def _digits() -> np.ndarray:
    """64 pixels and the label of each digit, without the import of scikit-learn where that goes.

    The import takes most of a second, which is a tenth of the demo.
    """
    require("sklearn", "scikit-learn", "datasets", "the digits data set")
    package = importlib.util.find_spec("sklearn")
    if package is not None and package.submodule_search_locations:
        file = Path(package.submodule_search_locations[0]) / "datasets" / "data" / "digits.csv.gz"
        if file.is_file():
            return np.loadtxt(file, delimiter=",")
    from sklearn import datasets

    pixels, labels = datasets.load_digits(return_X_y=True)
    return np.column_stack([pixels, labels])


@checked
def load_mnist(
    root: str | Path, *, name: str | None = None, num_classes: int | None = None
) -> Dataset:
    """MNIST, or any data set in four files that are named alike, as (N, 1, H, W) in [0, 1].

    The files are IDX files, gzipped or plain: images and labels of the training part (train) and
    of the test part (t10k or test). They are looked for in root/MNIST/raw, root/raw and root, in
    this order. Names may begin with that of the data set, as in
    emnist-letters-train-images-idx3-ubyte.gz; where a folder holds several, `root` is the folder
    and that beginning, such as ~/data/emnist-letters.

    Args:
        root: where the files are.
        name: what to call the data; the beginning of the files' names, else "mnist".
        num_classes: as in `load_idx`; at least ten unless given.

    Raises:
        DataError: a file is missing, damaged, or does not hold what its name says.
    """
    files, prefix = _four_files(Path(root))
    at_least = 10 if num_classes is None else 1
    return _from_idx(files, prefix.strip("-_.") or "mnist", name, num_classes, at_least)


@checked
def load_idx(
    train_images: str | Path,
    train_labels: str | Path,
    test_images: str | Path,
    test_labels: str | Path,
    *,
    name: str | None = None,
    num_classes: int | None = None,
) -> Dataset:
    """The data set in four IDX files of any names, gzipped or plain.

    Args:
        train_images, test_images: bytes, in three axes (N, H, W), which become (N, 1, H, W) in
            [0, 1].
        train_labels, test_labels: a byte for each image.
        name: what to call the data; the stem of the training images unless given.
        num_classes: the number of classes. Unless given, the largest label plus one. Labels that
            count from 1, so that none is 0, each one to the last occurs and (where it is given)
            the last is `num_classes`, are counted from 0 instead, with a logged warning: the 26
            letters of EMNIST.

    Raises:
        DataError: a file is missing, damaged, or does not hold images or labels.
    """
    paths = {
        ("train", "images"): Path(train_images),
        ("train", "labels"): Path(train_labels),
        ("t10k", "images"): Path(test_images),
        ("t10k", "labels"): Path(test_labels),
    }
    return _from_idx(paths, Path(train_images).name.split(".")[0], name, num_classes, 1)


@checked
def read_idx(path: str | Path) -> Shaped[Tensor, "*shape"]:
    """The tensor in an IDX file, gzipped or plain, in the dtype the file declares.

    Law: what an IDX writer wrote is read back exactly; a file cut short anywhere is refused. No
        more is read, nor memory taken, than the header announces.

    Raises:
        DataError: the file is missing, is no regular file, is no IDX file, is a damaged gzip file,
            has fewer or more bytes than its header announces, or announces too many.

    References:
        The format is on Y. LeCun's page of MNIST: two zero bytes, the dtype, the number of axes,
        the axes as big-endian 32-bit integers, then the entries, big-endian, last axis fastest.
    """
    path = Path(path)
    with open_regular(path, DataError) as file:
        stored = os.fstat(file.fileno()).st_size
        packed = file.read(2) == _GZIP_MAGIC
        file.seek(0)
        try:
            return _read_stream(gzip.GzipFile(fileobj=file) if packed else file, path, stored)
        except (EOFError, OSError, zlib.error) as error:
            fault = f"is a damaged gzip file ({error})" if packed else f"cannot be read ({error})"
            raise DataError(f"{path} {fault}; it has {stored} bytes: fetch it again") from error


def _read_stream(stream: BufferedIOBase, path: Path, stored: int) -> Tensor:
    head = _take(stream, 4, path, 0)
    if head[:2] != b"\0\0" or head[2] not in _IDX_DTYPES:
        raise DataError(
            f"{path} is no IDX file: it begins with the bytes {head.hex(' ')}, and an IDX "
            "file with 00 00, a dtype (08, 09, 0b, 0c, 0d or 0e) and the number of axes"
        )
    dtype = np.dtype(_IDX_DTYPES[head[2]])
    start = 4 + 4 * head[3]
    shape = np.frombuffer(_take(stream, start - 4, path, 4), ">u4").tolist()
    length = dtype.itemsize * math.prod(shape)
    if isinstance(stream, gzip.GzipFile):
        require_reasonable(path, start + length, stored)
    elif start + length != stored:
        raise _wrong_length(path, start + length, str(stored), start + length > stored)
    content = _take(stream, length, path, start)
    extra = len(stream.read(MIB))
    if extra:
        found = f"{start + length + extra}{' or more' if extra == MIB else ''}"
        raise _wrong_length(path, start + length, found, short=False)
    entries = np.frombuffer(content, dtype).astype(dtype.newbyteorder("="), copy=False)
    try:
        return torch.from_numpy(entries).reshape(shape)
    except RuntimeError as error:  # no entries, and an axis product beyond 64 bits
        raise DataError(f"{path} declares the impossible shape {tuple(shape)}") from error


def _take(stream: BufferedIOBase, count: int, path: Path, start: int) -> bytearray:
    """The next `count` bytes, piece by piece: no memory is taken for what does not come."""
    content = bytearray()
    while len(content) < count and (piece := stream.read(min(MIB, count - len(content)))):
        content += piece
    if len(content) < count:
        raise _wrong_length(path, start + count, str(start + len(content)), short=True)
    return content


def _wrong_length(path: Path, expected: int, found: str, short: bool) -> DataError:
    state = "is cut short" if short else "has extra trailing bytes"
    return DataError(
        f"{path} {state}: expected {expected} bytes (after decompression, if any), found {found}: "
        "fetch it again"
    )


_NAME = re.compile(
    r"(?P<prefix>.*?)(?P<part>train|t10k|test)[-_](?P<kind>images|labels)[-_.]idx\d[-_.]ubyte"
    r"(?P<packed>\.gz)?",
    re.IGNORECASE | re.DOTALL,
)
Files = Mapping[tuple[str, str], Path]
"""The path of each part ("train", "t10k") and kind ("images", "labels")."""


def _four_files(root: Path) -> tuple[Files, str]:
    """The files in the first of the usual folders that holds any, and how their names begin."""
    named = None if root.is_dir() else root.name
    base = root if named is None else root.parent
    folders = (base / "MNIST" / "raw", base / "raw", base)
    for folder in folders:
        sets = _named_files(folder)
        if named is not None:
            sets = {p: files for p, files in sets.items() if p.strip("-_.") == named}
        if sets:
            prefix = _chosen_prefix(sets, folder)
            return _complete(sets[prefix], folder, prefix), prefix
    folders = (root / "MNIST" / "raw", root / "raw", root)
    state = "holds no MNIST files" if root.is_dir() else "is not a folder"
    raise DataError(
        f"data root {str(root)!r} {state}: looked in {', '.join(map(str, folders))} for "
        f"{_usual_name('', 'train', 'images')}.gz and its three companions. Put the four files "
        f"from {MNIST_SOURCE} into {folders[0]}"
    )


def _named_files(folder: Path) -> dict[str, dict[tuple[str, str], Path]]:
    """Files that are named as those of MNIST, by the beginning of their names; plain before gz."""
    try:
        names = sorted(os.listdir(folder), reverse=True)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise DataError(f"{folder} cannot be looked into: {error.strerror}") from None
    matches = [match for name in names if (match := _NAME.fullmatch(name))]
    sets: dict[str, dict[tuple[str, str], Path]] = {}
    for match in sorted(matches, key=lambda m: (not m["packed"], m["part"].lower() == "t10k")):
        part = "train" if match["part"].lower() == "train" else "t10k"
        path = folder / match.string
        if path.is_file():
            sets.setdefault(match["prefix"], {})[part, match["kind"].lower()] = path
    return sets


def _chosen_prefix(sets: Mapping[str, Files], folder: Path) -> str:
    if "" in sets or len(sets) == 1:
        return "" if "" in sets else next(iter(sets))
    names = sorted(prefix.strip("-_.") for prefix in sets)
    raise DataError(
        f"{folder} holds the files of {len(sets)} data sets, {', '.join(names)}: give the folder "
        f"and one of these, such as {folder / names[0]}"
    )


def _complete(files: Files, folder: Path, prefix: str) -> Files:
    for part in ("train", "t10k"):
        for kind in ("images", "labels"):
            if (part, kind) not in files:
                name = _usual_name(prefix, part, kind)
                raise DataError(
                    f"{folder} lacks the {part} {kind}: looked for {name} and {name}.gz. "
                    f"MNIST's are at {MNIST_SOURCE}"
                )
    return files


def _usual_name(prefix: str, part: str, kind: str) -> str:
    return f"{prefix}{part}-{kind}-idx{3 if kind == 'images' else 1}-ubyte"


def _from_idx(
    files: Files, usual: str, name: str | None, num_classes: int | None, at_least: int
) -> Dataset:
    x_train, y_train = _read_examples(files, "train")
    x_test, y_test = _read_examples(files, "t10k")
    source = str(files["train", "labels"])
    labels = (y_train, y_test)
    if _count_from_one(labels, num_classes, at_least):
        logger.warning(
            "the labels in %s count from 1 to %d: here they count from 0, one less each",
            source,
            max(int(y.max()) for y in labels),
        )
        labels = (y_train - 1, y_test - 1)
    if num_classes is None:
        num_classes = count_classes(labels, source, at_least)
    return Dataset(x_train, labels[0], x_test, labels[1], num_classes, name or usual)


def _count_from_one(labels: tuple[Tensor, Tensor], num_classes: int | None, at_least: int) -> bool:
    """Whether no label is 0, and 1 to the last all occur, the last being the number of classes."""
    present = torch.cat(labels).unique()
    if not len(present) or int(present[0]) < 1:
        return False
    last = int(present[-1])
    return len(present) == last >= at_least if num_classes is None else last == num_classes


def _read_examples(files: Files, part: str) -> tuple[Tensor, Tensor]:
    """Images (N, 1, H, W) in [0, 1] and labels (N,) of one part."""
    images = _read_bytes_tensor(files[part, "images"], "images", axes=3)
    labels = _read_bytes_tensor(files[part, "labels"], "labels", axes=1)
    if len(images) != len(labels):
        raise DataError(
            f"{files[part, 'images']} has {len(images)} images and {files[part, 'labels']} "
            f"{len(labels)} labels: the files do not belong together, fetch both again"
        )
    return images[:, None].float() / 255, labels.long()


def _read_bytes_tensor(path: Path, kind: str, *, axes: int) -> Tensor:
    """One of the four files, which must hold unsigned bytes in the right number of axes."""
    tensor = read_idx(path)
    if tensor.dtype != torch.uint8 or tensor.ndim != axes:
        raise DataError(
            f"{path} holds {tensor.dtype} with {tensor.ndim} axes, and {kind} are torch.uint8 with "
            f"{axes}: magic bytes 00 00 08 {axes:02x}"
        )
    return tensor
