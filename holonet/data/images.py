"""Image data sets: scikit-learn's digits, and MNIST and its relatives from IDX files."""

import gzip
import importlib.util
import math
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from holonet._optional import require
from holonet.data.dataset import Dataset, stratified_split
from holonet.errors import DataError

__all__ = ["MNIST_SOURCE", "load_digits", "load_mnist", "read_idx"]

MNIST_SOURCE = "https://ossci-datasets.s3.amazonaws.com/mnist/"
"""Where the four files of MNIST can be had."""

_IDX_DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_GZIP_MAGIC = b"\x1f\x8b"


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


def load_mnist(root: str | Path, *, name: str = "mnist") -> Dataset:
    """MNIST as (N, 1, 28, 28) in [0, 1], from its four IDX files, gzipped or plain.

    The files are looked for in root/MNIST/raw, root/raw and root, in this order. A data set
    in the same files, such as Fashion-MNIST, is read by pointing `root` to its own folder and
    giving it a `name`.

    Raises:
        DataError: a file is missing, damaged, or does not hold what its name says.
    """
    folder = _mnist_folder(Path(root))
    x_train, y_train = _read_examples(folder, "train")
    x_test, y_test = _read_examples(folder, "t10k")
    return Dataset(x_train, y_train, x_test, y_test, num_classes=10, name=name)


def read_idx(path: str | Path) -> Tensor:
    """The tensor in an IDX file, gzipped or plain, in the dtype the file declares.

    Law: what an IDX writer wrote is read back exactly; a file cut short anywhere is refused.

    Raises:
        DataError: the file is missing, is no IDX file, is a damaged gzip file, or has fewer or
            more bytes than its header announces.

    References:
        The format is on Y. LeCun's page of MNIST: two zero bytes, the dtype, the number of axes,
        the axes as big-endian 32-bit integers, then the entries, big-endian, last axis fastest.
    """
    path = Path(path)
    content = _read_bytes(path)
    if len(content) < 4:
        raise _wrong_length(path, 4, len(content))
    if content[:2] != b"\0\0" or content[2] not in _IDX_DTYPES:
        raise DataError(
            f"{path} is no IDX file: it begins with the bytes {content[:4].hex(' ')}, and an IDX "
            "file with 00 00, a dtype (08, 09, 0b, 0c, 0d or 0e) and the number of axes"
        )
    dtype = np.dtype(_IDX_DTYPES[content[2]])
    start = 4 + 4 * content[3]
    if len(content) < start:
        raise _wrong_length(path, start, len(content))
    shape = np.frombuffer(content[4:start], ">u4").tolist()
    expected = start + dtype.itemsize * math.prod(shape)
    if len(content) != expected:
        raise _wrong_length(path, expected, len(content))
    entries = np.frombuffer(content[start:], dtype).astype(dtype.newbyteorder("="))
    try:
        return torch.from_numpy(entries).reshape(shape)
    except RuntimeError as error:  # no entries, and an axis product beyond 64 bits
        raise DataError(f"{path} declares the impossible shape {tuple(shape)}") from error


def _read_bytes(path: Path) -> bytes:
    """The content of a file, decompressed if it is gzip (which its first bytes tell)."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    if not content.startswith(_GZIP_MAGIC):
        return content
    try:
        return gzip.decompress(content)
    except (EOFError, OSError, zlib.error) as error:
        raise DataError(
            f"{path} is a damaged gzip file ({error}); it has {len(content)} bytes: fetch it again"
        ) from error


def _wrong_length(path: Path, expected: int, found: int) -> DataError:
    state = "is cut short" if found < expected else "has extra trailing bytes"
    return DataError(
        f"{path} {state}: expected {expected} bytes (after decompression, if any), found {found}: "
        "fetch it again"
    )


def _file_names(part: str, kind: str) -> tuple[str, ...]:
    """The names under which a file of MNIST circulates."""
    axes = 3 if kind == "images" else 1
    stems = (f"{part}-{kind}-idx{axes}-ubyte", f"{part}-{kind}.idx{axes}-ubyte")
    return tuple(stem + suffix for stem in stems for suffix in ("", ".gz"))


def _find(folder: Path, part: str, kind: str) -> Path | None:
    paths = (folder / name for name in _file_names(part, kind))
    return next((path for path in paths if path.is_file()), None)


def _mnist_folder(root: Path) -> Path:
    """The first of the usual folders under root that holds any of the four files."""
    folders = (root / "MNIST" / "raw", root / "raw", root)
    for folder in folders:
        if any(_find(folder, p, k) for p in ("train", "t10k") for k in ("images", "labels")):
            return folder
    state = "holds no MNIST files" if root.is_dir() else "is not a folder"
    raise DataError(
        f"data root {str(root)!r} {state}: looked in {', '.join(map(str, folders))} for "
        f"{_file_names('train', 'images')[1]} and its three companions. Put the four files from "
        f"{MNIST_SOURCE} into {folders[0]}"
    )


def _read_examples(folder: Path, part: str) -> tuple[Tensor, Tensor]:
    """Images (N, 1, H, W) in [0, 1] and labels (N,) of one part."""
    image_path, images = _read_bytes_tensor(folder, part, "images", axes=3)
    label_path, labels = _read_bytes_tensor(folder, part, "labels", axes=1)
    if len(images) != len(labels):
        raise DataError(
            f"{image_path} has {len(images)} images and {label_path} {len(labels)} labels: "
            "the files do not belong together, fetch both again"
        )
    return images[:, None].float() / 255, labels.long()


def _read_bytes_tensor(folder: Path, part: str, kind: str, *, axes: int) -> tuple[Path, Tensor]:
    """One of the four files, which must hold unsigned bytes in the right number of axes."""
    path = _find(folder, part, kind)
    if path is None:
        raise DataError(
            f"{folder} lacks the {part} {kind}: looked for {', '.join(_file_names(part, kind))}. "
            f"Fetch {_file_names(part, kind)[1]} from {MNIST_SOURCE}"
        )
    tensor = read_idx(path)
    if tensor.dtype != torch.uint8 or tensor.ndim != axes:
        raise DataError(
            f"{path} holds {tensor.dtype} with {tensor.ndim} axes, and {kind} are torch.uint8 with "
            f"{axes}: magic bytes 00 00 08 {axes:02x}"
        )
    return path, tensor
