"""Any labelled arrays, real or complex, from a NumPy .npz file."""

import logging
import math
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int
from numpy.lib import format as npy
from numpy.typing import DTypeLike
from torch import Tensor

from holonet._arguments import checked
from holonet._files import open_regular
from holonet._types import InexactEntries
from holonet.data.dataset import Dataset, check_examples, count_classes, stratified_split
from holonet.data.sizes import require_reasonable
from holonet.errors import DataError, HolonetError

__all__ = ["features", "labels", "load_npz", "read_arrays"]

logger = logging.getLogger(__name__)

COARSE = 1e-3
"""The share of a feature's range that rounding may move an entry by without a word."""

_SPLIT_KEYS = ("x_train", "y_train", "x_test", "y_test")
_WHOLE_KEYS = ("x", "y")
_SINGLE = {"f": np.float32, "c": np.complex64}
_DOUBLE = {"f": np.float64, "c": np.complex128}
_NPY_MAGIC = b"\x93NUMPY"


@checked
def load_npz(
    path: str | Path,
    *,
    num_classes: int | None = None,
    seed: int = 0,
    test_fraction: float = 0.2,
    keep_precision: bool = False,
    name: str | None = None,
) -> Dataset:
    """The data set in a .npz file with keys x_train, y_train, x_test, y_test, or x and y.

    Pickled objects are never loaded, so that a file cannot run code.

    Args:
        path: the file, as numpy.savez writes it: features floating or complex (N, ...), in any
            range; labels integers (N,).
        num_classes: the largest label plus one if not given, which may not be more than there
            are examples.
        seed, test_fraction: the stratified split of x and y; unused where the file has its own.
        keep_precision: keep float64 and complex128 instead of rounding them to single precision.
        name: what to call the data set; the file's stem if not given.

    Raises:
        DataError: the file is missing, damaged, pickled, lacks keys, or its arrays are no data set.
        DomainError: `test_fraction` is not strictly between 0 and 1.
    """
    path = Path(path)
    arrays = read_arrays(path)
    tensors = {
        key: features(array, key, path, keep_precision=keep_precision)
        if key.startswith("x")
        else labels(array, key, path)
        for key, array in arrays.items()
    }
    if num_classes is None:
        num_classes = count_classes([tensors[k] for k in tensors if k.startswith("y")], str(path))
    if "x" in tensors:
        tensors = _split(tensors["x"], tensors["y"], path, num_classes, test_fraction, seed)
    return Dataset(**tensors, num_classes=num_classes, name=path.stem if name is None else name)


def read_arrays(
    path: Path, layouts: Sequence[tuple[str, ...]] = (_SPLIT_KEYS, _WHOLE_KEYS)
) -> dict[str, np.ndarray]:
    """The arrays under the keys of the first of these layouts that the file has.

    Raises:
        DataError: the file is missing, damaged or pickled, or has the keys of none.
    """
    with open_regular(path, DataError) as file:
        start = file.read(len(_NPY_MAGIC))
        try:
            found = "no keys but a single unnamed array"
            if start != _NPY_MAGIC:
                with zipfile.ZipFile(file) as archive:
                    names = [n.removesuffix(".npy") for n in archive.namelist()]
                    for keys in layouts:
                        if set(keys) <= set(names):
                            return {key: _read_member(archive, key, path) for key in keys}
                    found = f"the keys {', '.join(sorted(names)) or 'none'}"
        except HolonetError:
            raise
        except Exception as error:  # of any kind: numpy and zipfile read damaged bytes
            raise DataError(
                f"{path} cannot be read as .npz ({error}): it is damaged, or holds pickled "
                "objects, which are never loaded because they can run code; save plain arrays with "
                "numpy.savez"
            ) from error
    raise DataError(
        f"{path} has {found}: it needs {', or '.join(map(_listed, layouts))} (numpy.savez names "
        "them)"
    )


def _listed(keys: tuple[str, ...]) -> str:
    return ", ".join(keys) if len(keys) > 2 else " and ".join(keys)


def _read_member(archive: zipfile.ZipFile, key: str, path: Path) -> np.ndarray:
    """One array, once its header and the archive agree on its size and that is reasonable.

    Raises:
        DataError: they do not.
    """
    name = key if key in archive.namelist() else f"{key}.npy"
    info = archive.getinfo(name)
    with archive.open(info) as member:
        version = npy.read_magic(member)
        read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, _, dtype = read_header(member)
        announced = member.tell() + dtype.itemsize * math.prod(shape)
    if not dtype.hasobject and announced != info.file_size:
        raise DataError(
            f"{key} in {path} announces {announced} bytes, shape {shape}, and {info.file_size} are "
            "stored: the file is damaged"
        )
    require_reasonable(f"{key} in {path}", announced, info.compress_size)
    with archive.open(info) as member:
        return npy.read_array(member, allow_pickle=False)


def features(
    array: np.ndarray, key: str, path: Path, *, keep_precision: bool = False
) -> InexactEntries:
    """Numbers of a file as a tensor, in single precision unless told.

    Raises:
        DataError: they are no floating or complex numbers, or too large for single precision.
    """
    if array.dtype.kind not in _SINGLE:
        raise DataError(
            f"{key} in {path} has dtype {array.dtype}, and features are floating or complex: "
            f"save {key}.astype(numpy.float32){_scale(array.dtype)}"
        )
    single = _SINGLE[array.dtype.kind]
    double = keep_precision and array.dtype.itemsize > np.dtype(single).itemsize
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):  # looked at next
        kept = _native(array, _DOUBLE[array.dtype.kind] if double else single)
    overflown = int((np.isfinite(array) & ~np.isfinite(kept)).sum())
    if overflown:
        way = "rescale them" if double else "rescale them, or load with keep_precision=True"
        raise DataError(
            f"{key} in {path} has {overflown} values beyond {'double' if double else 'single'} "
            f"precision: {way}"
        )
    _warn_of_rounding(array, kept, key, path)
    return torch.from_numpy(kept)


def _scale(dtype: np.dtype) -> str:
    """How integers become numbers in [0, 1], as far as their dtype tells."""
    return f" / {np.iinfo(dtype).max}, in [0, 1]" if dtype.kind == "u" else ""


def _warn_of_rounding(array: np.ndarray, kept: np.ndarray, key: str, path: Path) -> None:
    """Say so where rounding moves a feature by a share of its range: tiny or close numbers."""
    if array.ndim < 2 or not array.size or array.dtype.itemsize <= kept.dtype.itemsize:
        return
    with np.errstate(all="ignore"):  # infinities are refused later
        moved = np.abs(array - kept).max(0)
        ranges = np.abs(array - array[:1]).max(0)
        coarse = int((moved > COARSE * ranges)[ranges > 0].sum())
    if coarse:
        logger.warning(
            "%s in %s: %d of %d features lose their digits in %s: take away their mean, scale "
            "them, or load with keep_precision=True",
            key,
            path,
            coarse,
            ranges.size,
            kept.dtype,
        )


def labels(array: np.ndarray, key: str, path: Path) -> Int[Tensor, "*shape"]:
    """Class labels of a file as a tensor.

    Raises:
        DataError: they are no integers.
    """
    if array.dtype.kind not in "iub":
        raise DataError(
            f"{key} in {path} has dtype {array.dtype}, and labels are integers: "
            f"save {key}.astype(numpy.int64)"
        )
    if array.dtype.kind == "u" and array.size and array.max() > np.iinfo(np.int64).max:
        raise DataError(f"{key} in {path} has label {array.max()}: number the classes from 0")
    return torch.from_numpy(_native(array, np.int64))


def _native(array: np.ndarray, dtype: DTypeLike) -> np.ndarray:
    """A copy in the byte order of this machine, as torch wants it."""
    return np.array(array, np.dtype(dtype).newbyteorder("="), order="C")


def _split(
    x: Tensor, y: Tensor, path: Path, num_classes: int, test_fraction: float, seed: int
) -> dict[str, Tensor]:
    check_examples(x, y, num_classes)  # here, so that the message has indices of the file
    train, test = stratified_split(y, test_fraction=test_fraction, seed=seed)
    if not len(test):
        raise DataError(
            f"{path} has {len(y)} examples, each the only one of its class, and none is left to "
            "test on: are the labels classes? Or save x_train, y_train, x_test, y_test"
        )
    return {"x_train": x[train], "y_train": y[train], "x_test": x[test], "y_test": y[test]}
