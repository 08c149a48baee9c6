"""IDX files are read exactly or refused; digits and MNIST come in the promised shape and range."""

import gzip
import os
import struct
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from holonet.data import load_digits, load_idx, load_mnist, read_idx
from holonet.errors import DataError, MissingDependencyError

CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def to_idx(array):
    code = CODES[array.dtype.str[1:]]
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def arrays(max_dims=4, min_side=0, max_side=4):
    shapes = hnp.array_shapes(min_dims=0, max_dims=max_dims, min_side=min_side, max_side=max_side)
    return st.sampled_from(sorted(CODES)).flatmap(lambda code: hnp.arrays(code, shapes))


def read_content(content, name="file"):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        return read_idx(path)


@given(array=arrays(), compressed=st.booleans())
def test_idx_round_trip(array, compressed):
    content = gzip.compress(to_idx(array)) if compressed else to_idx(array)
    tensor = read_content(content)
    assert tensor.numpy().dtype == array.dtype
    assert tuple(tensor.shape) == array.shape
    np.testing.assert_array_equal(tensor.numpy(), array)


@settings(max_examples=15)
@given(array=arrays(max_dims=3, max_side=3), compressed=st.booleans())
def test_an_idx_file_cut_at_any_byte_is_refused(array, compressed):
    content = gzip.compress(to_idx(array)) if compressed else to_idx(array)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        for length in range(len(content)):
            path.write_bytes(content[:length])
            with pytest.raises(DataError, match=r"is cut short|damaged gzip"):
                read_idx(path)


def test_a_short_or_long_idx_file_names_both_lengths():
    content = to_idx(np.arange(6, dtype="u1").reshape(2, 3))
    with pytest.raises(DataError, match=r"is cut short: expected 18 bytes .*, found 17"):
        read_content(content[:-1])
    with pytest.raises(DataError, match=r"extra trailing bytes: expected 18 bytes .*, found 20"):
        read_content(content + b"\0\0")


@given(array=arrays(min_side=1), byte=st.integers(0, 1), value=st.integers(1, 255))
def test_idx_files_begin_with_two_zeros(array, byte, value):
    content = bytearray(to_idx(array))
    content[byte] = value
    if bytes(content[:2]) != b"\x1f\x8b":
        with pytest.raises(DataError, match=f"begins with the bytes {content[:4].hex(' ')}"):
            read_content(bytes(content))


@given(array=arrays(), code=st.integers(0, 255).filter(lambda code: code not in CODES.values()))
def test_unknown_idx_dtypes_are_refused(array, code):
    content = bytearray(to_idx(array))
    content[2] = code
    with pytest.raises(DataError, match=f"begins with the bytes 00 00 {code:02x}"):
        read_content(bytes(content))


def test_an_impossible_idx_shape_is_refused():
    header = struct.pack(">BBBB4I", 0, 0, 8, 4, 0, *[2**32 - 1] * 3)
    with pytest.raises(DataError, match=r"impossible shape"):
        read_content(header)


@given(data=st.data())
def test_a_gzip_file_with_any_damaged_byte_is_refused_or_reads_the_same(data):
    array = np.arange(30, dtype="i2").reshape(5, 6)
    content = bytearray(gzip.compress(to_idx(array)))
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        tensor = read_content(bytes(content))
    except DataError:
        return
    assert torch.equal(tensor, torch.from_numpy(array))  # time stamps and the like


def test_a_corrupt_gzip_file_says_so():
    content = bytearray(gzip.compress(to_idx(np.zeros(100, "u1"))))
    content[-5] ^= 1  # in the checksum
    with pytest.raises(DataError, match=r"damaged gzip file .*: fetch it again"):
        read_content(bytes(content))
    with pytest.raises(DataError, match=r"damaged gzip file"):
        read_content(gzip.compress(to_idx(np.zeros(100, "u1"))) + b"trailing")


def test_a_missing_idx_file_says_so(tmp_path):
    with pytest.raises(DataError, match=r"nothing does not exist"):
        read_idx(tmp_path / "nothing")


SEED_IMAGES = {"train": 5, "t10k": 3}
FILES = [(part, kind) for part in SEED_IMAGES for kind in ("images", "labels")]


def name_of(part, kind, dot=False):
    return f"{part}-{kind}{'.' if dot else '-'}idx{3 if kind == 'images' else 1}-ubyte"


def mnist_arrays():
    rng = np.random.default_rng(0)
    found = {}
    for part, count in SEED_IMAGES.items():
        found[part, "images"] = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        found[part, "labels"] = rng.integers(0, 10, count, dtype=np.uint8)
    return found


def write_mnist(folder, dot=False, compressed=True, replace=()):
    folder.mkdir(parents=True, exist_ok=True)
    for key, array in (mnist_arrays() | dict(replace)).items():
        content = to_idx(array)
        name = name_of(key[0], key[1], dot) + (".gz" if compressed else "")
        (folder / name).write_bytes(gzip.compress(content) if compressed else content)


@pytest.mark.parametrize("below", ["MNIST/raw", "raw", "."])
@pytest.mark.parametrize("dot", [False, True])
@pytest.mark.parametrize("compressed", [False, True])
def test_mnist_is_found_in_the_usual_places(tmp_path, below, dot, compressed):
    write_mnist(tmp_path / below, dot, compressed)
    data = load_mnist(tmp_path, name="mine")
    arrays = mnist_arrays()
    assert (data.name, data.num_classes, data.bounds) == ("mine", 10, (0.0, 1.0))
    for part, x, y in [
        ("train", data.x_train, data.y_train),
        ("t10k", data.x_test, data.y_test),
    ]:
        assert x.dtype == torch.float32
        assert x.shape == (SEED_IMAGES[part], 1, 28, 28)
        np.testing.assert_array_equal((x[:, 0] * 255).round().numpy(), arrays[part, "images"])
        np.testing.assert_array_equal(y.numpy(), arrays[part, "labels"])


def test_mnist_is_called_mnist_unless_told(tmp_path):
    write_mnist(tmp_path)
    assert load_mnist(str(tmp_path)).name == "mnist"


@pytest.mark.parametrize("exists", [True, False])
def test_a_data_root_without_mnist_says_where_it_looked(tmp_path, exists):
    root = tmp_path if exists else tmp_path / "absent"
    with pytest.raises(DataError) as caught:
        load_mnist(root)
    message = str(caught.value)
    assert ("holds no MNIST files" if exists else "is not a folder") in message
    for folder in (root / "MNIST" / "raw", root / "raw", root):
        assert f"{folder}" in message
    assert "Put the four files from https://" in message


@pytest.mark.parametrize(("part", "kind"), FILES)
def test_one_missing_file_of_mnist_is_named(tmp_path, part, kind):
    write_mnist(tmp_path / "raw")
    (tmp_path / "raw" / (name_of(part, kind) + ".gz")).unlink()
    with pytest.raises(DataError, match=f"raw lacks the {part} {kind}: looked for {part}-{kind}-i"):
        load_mnist(tmp_path)


@pytest.mark.parametrize(("part", "kind"), FILES)
def test_any_change_of_the_magic_bytes_of_mnist_is_refused(tmp_path, part, kind):
    write_mnist(tmp_path, compressed=False)
    path = tmp_path / name_of(part, kind)
    original = path.read_bytes()
    for position in range(4):
        for bit in range(8):
            content = bytearray(original)
            content[position] ^= 1 << bit
            path.write_bytes(content)
            with pytest.raises(DataError, match=r"is no IDX|is cut short|trailing|magic bytes"):
                load_mnist(tmp_path)


@pytest.mark.parametrize(("part", "kind"), FILES)
def test_swapped_files_and_dtypes_are_refused(tmp_path, part, kind):
    other = "labels" if kind == "images" else "images"
    for wrong in (mnist_arrays()[part, other], mnist_arrays()[part, kind].astype("i1")):
        write_mnist(tmp_path, replace={(part, kind): wrong})
        axes = 3 if kind == "images" else 1
        with pytest.raises(DataError, match=f"{part}-{kind}.*magic bytes 00 00 08 0{axes}"):
            load_mnist(tmp_path)


@pytest.mark.parametrize("part", sorted(SEED_IMAGES))
def test_images_and_labels_must_be_as_many(tmp_path, part):
    write_mnist(tmp_path, replace={(part, "labels"): np.zeros(4, "u1")})
    with pytest.raises(DataError, match=f"has {SEED_IMAGES[part]} images and .* 4 labels"):
        load_mnist(tmp_path)


def test_labels_beyond_nine_are_refused(tmp_path):
    labels = np.array([0, 1, 2, 200, 4], "u1")
    write_mnist(tmp_path, replace={("train", "labels"): labels})
    with pytest.raises(
        DataError, match=r"the largest label in .*train-labels.* is 200, which makes 201 classes"
    ):
        load_mnist(tmp_path)


def test_the_published_mnist():
    root = os.environ.get("HOLONET_DATA_ROOT")
    if not root:
        pytest.skip("set HOLONET_DATA_ROOT to a folder with MNIST/raw to check the real files")
    data = load_mnist(root)
    assert data.x_train.shape == (60_000, 1, 28, 28)
    assert data.x_test.shape == (10_000, 1, 28, 28)
    assert data.y_train.bincount().tolist() == [
        *[5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    ]
    assert data.y_test[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert abs(data.x_train.mean().item() - 0.1307) < 1e-4
    assert data.bounds == (0.0, 1.0)


def test_digits_are_the_published_ones():
    data = load_digits()
    pixels = torch.cat([data.x_train, data.x_test])
    labels = torch.cat([data.y_train, data.y_test])
    assert pixels.shape == (1797, 1, 8, 8)
    assert pixels.dtype == torch.float32
    assert torch.equal((pixels * 16).round(), pixels * 16)
    assert (pixels.min(), pixels.max()) == (0, 1)
    assert labels.bincount().tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert (data.name, data.num_classes) == ("digits", 10)


def test_digits_keep_each_image_with_its_label():
    from sklearn.datasets import load_digits as published

    pixels, labels = map(np.asarray, published(return_X_y=True))
    known = {x.astype("f4").tobytes(): y for x, y in zip(pixels, labels, strict=True)}
    data = load_digits(seed=5)
    for image, label in zip(data.x_test * 16, data.y_test, strict=True):
        assert known[image.numpy().tobytes()] == label


def test_the_digits_split_follows_the_seed_and_the_fraction():
    prints = [load_digits(seed, f).fingerprint() for seed, f in [(0, 0.2), (1, 0.2), (0, 0.3)]]
    assert len(set(prints)) == 3
    assert load_digits(1).fingerprint() == prints[1]
    counts = load_digits(0, 0.3).y_test.bincount() / load_digits(0, 0.3).y_train.bincount()
    assert (counts - 3 / 7).abs().max() < 0.02


def test_digits_without_scikit_learn_name_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(MissingDependencyError, match=r"scikit-learn.*holonet\[datasets\]"):
        load_digits()


def test_digits_are_the_same_where_scikit_learn_keeps_them_elsewhere(monkeypatch):
    expected = load_digits().fingerprint()
    monkeypatch.setattr(Path, "is_file", lambda self: False)
    assert load_digits().fingerprint() == expected


@settings(max_examples=40)
@given(
    classes=st.integers(11, 40),
    first=st.integers(0, 1),
    given_count=st.booleans(),
    prefix=st.sampled_from(["", "emnist-letters-", "any.name_"]),
    test_part=st.sampled_from(["t10k", "test"]),
)
def test_any_classes_and_names(classes, first, given_count, prefix, test_part):
    labels = np.arange(first, classes + first, dtype="u1")
    images = np.zeros((classes, 2, 3), "u1")
    with tempfile.TemporaryDirectory() as name:
        paths = {}
        for part in ("train", test_part):
            for kind, array in (("images", images), ("labels", labels)):
                paths[part, kind] = Path(name) / f"{prefix}{name_of(part, kind)}.gz"
                paths[part, kind].write_bytes(gzip.compress(to_idx(array)))
        count = classes if given_count else None
        found = [load_mnist(name, num_classes=count), load_idx(*paths.values(), num_classes=count)]
    for data in found:
        assert data.num_classes == classes
        assert data.y_train.tolist() == data.y_test.tolist() == list(range(classes))
        assert data.feature_shape == (1, 2, 3)
    assert found[0].name == (prefix.strip("-_.") or "mnist")


def test_labels_that_count_from_one_are_said(tmp_path, caplog):
    letters = {(part, "labels"): np.arange(1, 27, dtype="u1") for part in SEED_IMAGES}
    images = {(part, "images"): np.zeros((26, 28, 28), "u1") for part in SEED_IMAGES}
    write_mnist(tmp_path, replace=letters | images)
    assert load_mnist(tmp_path).num_classes == 26
    assert "count from 1 to 26: here they count from 0" in caplog.text
    assert load_mnist(tmp_path, num_classes=27).y_train.tolist() == list(range(1, 27))
    few = {("train", "labels"): np.array([1, 2, 3, 1, 2], "u1")}
    write_mnist(tmp_path / "raw", replace=few)  # of digits, by chance without a 0
    assert load_mnist(tmp_path).y_train.tolist() == [1, 2, 3, 1, 2]


def test_several_data_sets_in_one_folder_are_told_apart(tmp_path):
    for prefix in ("emnist-letters-", "emnist-mnist-"):
        write_mnist(tmp_path / prefix)
        for path in (tmp_path / prefix).iterdir():
            path.rename(tmp_path / (prefix + path.name))
        (tmp_path / prefix).rmdir()
    with pytest.raises(DataError, match=r"of 2 data sets, emnist-letters, emnist-mnist: give the"):
        load_mnist(tmp_path)
    data = load_mnist(tmp_path / "emnist-letters")
    assert (data.name, len(data.x_train)) == ("emnist-letters", 5)
    with pytest.raises(DataError, match="is not a folder"):
        load_mnist(tmp_path / "emnist-digits")


def test_pipes_folders_and_devices_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, Path("/dev/zero")):
        with pytest.raises(DataError, match="is not a regular file"):
            read_idx(path)


def test_a_bomb_is_refused_before_it_goes_off(tmp_path):
    header = struct.pack(">BBBB1I", 0, 0, 8, 1, 2**31)
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(header + bytes(2**22)))
    with pytest.raises(DataError, match=r"announces 2147483656 bytes in \d+ compressed ones"):
        read_idx(tmp_path / "bomb.gz")
    with (tmp_path / "more.gz").open("wb") as file:
        file.write(gzip.compress(struct.pack(">BBBB1I", 0, 0, 8, 1, 4) + bytes(2**23)))
    with pytest.raises(DataError, match=r"trailing bytes: expected 12 bytes .* 1048588 or more"):
        read_idx(tmp_path / "more.gz")
    (tmp_path / "vast.gz").write_bytes(gzip.compress(struct.pack(">BBBB2I", 0, 0, 14, 2, 2**30, 9)))
    with pytest.raises(DataError, match="at most 8589934592 are read"):
        read_idx(tmp_path / "vast.gz")
