"""Arrays from .npz files: each layout and dtype arrives, all else is refused with reason."""

import io
import logging
import os
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from holonet.data import load_npz
from holonet.errors import DataError, DomainError

SINGLE = {"f2": "f4", "f4": "f4", "f8": "f4", "c8": "c8", "c16": "c8"}
KEPT = SINGLE | {"f8": "f8", "c16": "c16"}


def examples(n=10, dtype="f8", seed=0, features=(3,)):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, *features)).astype("f8")
    if np.dtype(dtype).kind == "c":
        x = x + 1j * rng.normal(size=x.shape)
    return x.astype(dtype), np.arange(n) % 2


def save(folder, **arrays):
    path = Path(folder) / "table.npz"
    np.savez(path, **arrays)
    return path


@given(
    dtype=st.sampled_from(sorted(SINGLE)),
    order=st.sampled_from("<>"),
    labels=st.sampled_from(["i1", "u1", "<i4", ">i8", "u8", "?"]),
    keep=st.booleans(),
    features=st.lists(st.integers(1, 3), min_size=1, max_size=3).map(tuple),
)
def test_given_splits_arrive_unchanged(dtype, order, labels, keep, features):
    x_train, y_train = examples(8, order + dtype, 0, features)
    x_test, y_test = examples(4, order + dtype, 1, features)
    with tempfile.TemporaryDirectory() as folder:
        path = save(
            folder,
            x_train=x_train,
            y_train=y_train.astype(labels),
            x_test=x_test,
            y_test=y_test.astype(labels),
        )
        data = load_npz(path, keep_precision=keep)
    expected = np.dtype((KEPT if keep else SINGLE)[dtype])
    assert data.x_train.numpy().dtype == data.x_test.numpy().dtype == expected
    np.testing.assert_array_equal(data.x_train.numpy(), x_train.astype(expected))
    np.testing.assert_array_equal(data.x_test.numpy(), x_test.astype(expected))
    np.testing.assert_array_equal(data.y_train.numpy(), y_train)
    np.testing.assert_array_equal(data.y_test.numpy(), y_test)
    assert data.bounds is None
    assert (data.num_classes, data.name) == (2, "table")


@given(seed=st.integers(0, 1000), n=st.integers(4, 40), fraction=st.floats(0.1, 0.9))
def test_one_table_is_split_without_loss(seed, n, fraction):
    x, y = examples(n, "c8")
    with tempfile.TemporaryDirectory() as folder:
        path = save(folder, x=x, y=y)
        data = load_npz(path, seed=seed, test_fraction=fraction)
        again = load_npz(path, seed=seed, test_fraction=fraction)
    assert again.fingerprint() == data.fingerprint()
    label_of = {row.tobytes(): label for row, label in zip(x, y, strict=True)}
    got = {}
    for part, labels in [(data.x_train, data.y_train), (data.x_test, data.y_test)]:
        got |= {r.numpy().tobytes(): int(k) for r, k in zip(part, labels, strict=True)}
    assert got == label_of
    assert abs(len(data.x_test) - fraction * n) <= 2  # two classes, each within one


def test_the_seed_the_class_count_and_the_name_are_heard(tmp_path):
    x, y = examples(40)
    path = save(tmp_path, x=x, y=y)
    assert load_npz(path, seed=1).fingerprint() != load_npz(path, seed=2).fingerprint()
    data = load_npz(str(path), num_classes=7, name="sonar")
    assert (data.num_classes, data.name) == (7, "sonar")


def test_real_data_in_the_unit_interval_has_bounds(tmp_path):
    path = save(tmp_path, x=np.linspace(0, 1, 20).reshape(10, 2), y=np.arange(10) % 2)
    assert load_npz(path).bounds == (0.0, 1.0)


def test_given_splits_come_before_one_table(tmp_path):
    x, y = examples(10)
    path = save(tmp_path, x=x, y=y, x_train=x[:7], y_train=y[:7], x_test=x[7:], y_test=y[7:])
    np.testing.assert_array_equal(load_npz(path).x_test.numpy(), x[7:].astype("f4"))


class Trap:
    """Unpickling this would create a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (self.path, "w"))


def test_pickled_objects_are_refused_and_never_run(tmp_path):
    sprung = tmp_path / "sprung"
    x = np.empty(1, dtype=object)
    x[0] = Trap(str(sprung))
    path = save(tmp_path, x=x, y=np.zeros(1, int))
    with pytest.raises(DataError, match=r"holds pickled objects, which are never loaded"):
        load_npz(path)
    assert not sprung.exists()


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.ones((4, 2), "u1")}, "x in .* has dtype uint8, and features are floating"),
        ({"x": np.array([["a"], ["b"]])}, "x in .* has dtype <U1"),
        ({"y": np.zeros(10)}, "y in .* has dtype float64, and labels are integers"),
        ({"y": np.zeros(9, int)}, r"y has shape \(9,\) and x \(10, 3\)"),
        ({"y": np.arange(10) - 1}, "y has label -1 at index 0"),
        ({"x": np.full((10, 3), np.nan)}, r"x has 30 NaN and 0 infinite values, .*\(0, 0\)"),
        ({"x": np.full((10, 3), 1e300)}, "x in .* has 30 values beyond single precision"),
        ({"x": np.full((10, 3), 1e300j)}, "x in .* has 30 values beyond single precision"),
        ({"x": np.zeros((0, 3)), "y": np.zeros(0, int)}, "x is empty"),
        ({"y": np.arange(10)}, "each the only one of its class"),  # ten classes of one example
    ],
)
def test_arrays_that_are_no_data_set_are_refused(tmp_path, arrays, message):
    x, y = examples()
    with pytest.raises(DataError, match=message):
        load_npz(save(tmp_path, **({"x": x, "y": y} | arrays)))


def test_large_values_are_kept_in_double_precision(tmp_path):
    path = save(tmp_path, x=np.full((10, 3), 1e300), y=np.arange(10) % 2)
    assert load_npz(path, keep_precision=True).x_train.dtype == torch.float64


def test_missing_keys_are_listed(tmp_path):
    x, y = examples()
    with pytest.raises(DataError, match=r"has the keys X, y: it needs x_train, .* or x and y"):
        load_npz(save(tmp_path, X=x, y=y))
    with pytest.raises(DataError, match=r"has the keys none: it needs"):
        load_npz(save(tmp_path))


def test_a_missing_or_single_array_file_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"absent.npz does not exist"):
        load_npz(tmp_path / "absent.npz")
    np.save(tmp_path / "one.npy", np.zeros(3))
    with pytest.raises(DataError, match=r"a single unnamed array"):
        load_npz(tmp_path / "one.npy")


def test_the_test_fraction_is_checked(tmp_path):
    x, y = examples()
    with pytest.raises(DomainError, match=r"test_fraction=1.0"):
        load_npz(save(tmp_path, x=x, y=y), test_fraction=1.0)


@settings(max_examples=3)
@given(compressed=st.booleans(), step=st.integers(9, 19))
def test_a_file_cut_short_is_refused(compressed, step):
    x, y = examples()
    buffer = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(buffer, x=x, y=y)
    content = buffer.getvalue()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cut.npz"
        for length in range(0, len(content), step):
            path.write_bytes(content[:length])
            with pytest.raises(DataError, match=r"cannot be read as .npz"):
                load_npz(path)


MASKS = [1, 2, 4, 8, 16, 32, 64, 128, 255]


@pytest.mark.parametrize(
    "shifts", [[0], pytest.param(range(1, 9), marks=pytest.mark.slow)], ids=repr
)
def test_a_file_with_any_damaged_byte_is_refused_or_reads_the_same(shifts):
    for shift in shifts:  # each byte with one mask, and with the others
        damage_every_byte([MASKS[(k + shift) % len(MASKS)] for k in range(2000)])


def damage_every_byte(masks):
    x, y = examples()
    buffer = io.BytesIO()
    np.savez_compressed(buffer, x=x, y=y)
    label_of = {row.tobytes(): label for row, label in zip(x, y, strict=True)}
    refused = 0
    with tempfile.NamedTemporaryFile(suffix=".npz", buffering=0) as file:
        file.write(buffer.getvalue())
        for position, byte in enumerate(buffer.getvalue()):
            overwrite(file, position, byte ^ masks[position])
            try:
                data = load_npz(file.name, keep_precision=True)
            except DataError:
                refused += 1
                continue
            finally:
                overwrite(file, position, byte)
            for row, label in zip(data.x_train, data.y_train, strict=True):  # a time stamp and such
                assert label_of[row.numpy().tobytes()] == label
    assert refused > len(buffer.getvalue()) / 3


def overwrite(file, position, byte):
    file.seek(position)
    file.write(bytes([byte]))


def archive(path, compression=zipfile.ZIP_STORED, **members):
    with zipfile.ZipFile(path, "w", compression) as file:
        for key, content in members.items():
            file.writestr(f"{key}.npy", content)
    return path


def npy_bytes(array=None, header=b""):
    if array is not None:
        buffer = io.BytesIO()
        np.save(buffer, array)
        return buffer.getvalue()
    text = header.ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


LABELS = npy_bytes(np.arange(3))
GIANT = b"{'descr': '<f4', 'fortran_order': False, 'shape': (3, 1099511627776), }"


@pytest.mark.parametrize(
    "header",
    [
        GIANT,
        GIANT.replace(b"1099511627776", b"9" * 40),
        GIANT.replace(b"(3, 1099511627776)", b"(-3, 4)"),
        GIANT.replace(b"(3, 1099511627776)", b"((3,), 4)"),
        GIANT.replace(b"'<f4'", b"[('a', '<f4'), 3]"),
        GIANT.replace(b"'<f4'", b"'<f99'"),
        b"(" * 60,
        b"{}",
    ],
    ids=lambda header: header[:40].decode(),
)
def test_a_hostile_header_is_refused_before_memory_is_taken(tmp_path, header):
    path = archive(tmp_path / "b.npz", x=npy_bytes(header=header), y=LABELS)
    with pytest.raises(DataError, match=r"b\.npz"):
        load_npz(path)


def test_an_archive_that_unpacks_too_far_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("holonet.data.sizes.FREE", 1 << 16)
    x = npy_bytes(np.zeros((3, 2**20), np.float32))
    path = archive(tmp_path / "b.npz", zipfile.ZIP_DEFLATED, x=x, y=LABELS)
    with pytest.raises(DataError, match=r"x in .* announces 12583040 bytes in \d+ compressed"):
        load_npz(path)


def test_a_label_that_makes_more_classes_than_examples_is_refused(tmp_path):
    x, y = examples(12)
    y[5] = 10**9
    path = save(tmp_path, x=x, y=y)
    with pytest.raises(DataError, match=r"largest label in .* is 1000000000, which makes"):
        load_npz(path)
    y = y.astype("u8")
    y[5] = 2**63 + 5
    with pytest.raises(DataError, match=f"has label {2**63 + 5}: number the classes from 0"):
        load_npz(save(tmp_path, x=x, y=y))
    x, y = examples(12)
    assert load_npz(save(tmp_path, x=x, y=y), num_classes=500).num_classes == 500


def test_pipes_folders_and_names_beyond_bounds_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.npz")
    for name in ("pipe.npz", "", "a" * 300 + ".npz", "a\0.npz", "/dev/zero"):
        with pytest.raises(DataError, match=r"not a regular file|cannot be read"):
            load_npz(tmp_path / name)


@given(
    center=st.floats(-1e12, 1e12),
    size=st.floats(1e-12, 1.0),
    dtype=st.sampled_from([np.float64, np.longdouble, np.complex128]),
)
def test_features_that_rounding_blurs_are_told(center, size, dtype):
    """Law: a range that single precision has fewer than a thousand steps in is said, no other."""
    x = (center + size * np.linspace(0, 1, 8)[:, None]).astype(dtype)
    y = np.arange(8) % 2
    single = np.complex64 if np.iscomplexobj(x) else np.float32
    moved, span = abs(x - x.astype(single)).max(), abs(x - x[0]).max()
    coarse = span > 0 and moved > 1e-3 * span
    with tempfile.TemporaryDirectory() as folder, logged("holonet.data.tabular") as records:
        np.savez(Path(folder) / "close.npz", x=x, y=y)
        load_npz(Path(folder) / "close.npz")
        assert any("lose their digits" in record for record in records) == coarse
        records.clear()
        if dtype is not np.longdouble:
            load_npz(Path(folder) / "close.npz", keep_precision=True)
            assert not records


def test_wide_numbers_are_kept_as_double(tmp_path):
    x = np.linspace(0, 1e300, 8).reshape(8, 1)
    for dtype, kept in ((np.longdouble, torch.float64), (np.clongdouble, torch.complex128)):
        np.savez(tmp_path / "wide.npz", x=x.astype(dtype), y=np.arange(8) % 2)
        assert load_npz(tmp_path / "wide.npz", keep_precision=True).x_train.dtype == kept


@contextmanager
def logged(name: str) -> Iterator[list[str]]:
    records: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: records.append(record.getMessage())
    logging.getLogger(name).addHandler(handler)
    try:
        yield records
    finally:
        logging.getLogger(name).removeHandler(handler)
