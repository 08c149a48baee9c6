"""Data sets by name: each entry loads, and a wrong request says how to do better."""

import gzip
import struct
import sys

import numpy as np
import pytest

from holonet.data import (
    DATASETS,
    load_dataset,
    load_digits,
    load_photographs,
    load_reflections,
    two_rings,
)
from holonet.data.catalogue import canonical_name
from holonet.errors import ConfigError, DataError, UnknownNameError
from offering_package import offer


def test_digits_follow_the_seed():
    assert load_dataset("digits", seed=3).fingerprint() == load_digits(3).fingerprint()
    assert load_dataset("digits").fingerprint() == load_digits(0).fingerprint()


def test_photographs_follow_the_seed():
    assert load_dataset("photographs", seed=3).fingerprint() == load_photographs(3).fingerprint()


def test_reflections_follow_the_seed():
    assert load_dataset("reflections", seed=3).fingerprint() == load_reflections(3).fingerprint()


def test_rings_follow_the_seed():
    assert load_dataset("rings", seed=3).fingerprint() == two_rings(seed=3).fingerprint()


def test_mnist_comes_from_the_data_root(tmp_path):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part, count in [("train", 3), ("t10k", 2)]:
        images = struct.pack(">4I", 0x803, count, 28, 28) + bytes(count * 784)
        labels = struct.pack(">2I", 0x801, count) + bytes(range(count))
        (raw / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(images))
        (raw / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels))
    data = load_dataset("mnist", tmp_path)
    assert data.x_train.shape == (3, 1, 28, 28)
    assert data.y_test.tolist() == [0, 1]
    assert data.name == "mnist"


def test_mnist_without_a_data_root_says_what_to_give():
    with pytest.raises(DataError, match=r"no data root is given: set the data root .*https://"):
        load_dataset("mnist")


def test_a_path_is_a_name(tmp_path):
    path = tmp_path / "waves.npz"
    x = np.exp(1j * np.arange(40.0)).reshape(20, 2)
    np.savez(path, x=x, y=np.arange(20) % 2)
    data = load_dataset(str(path), seed=1)
    assert (data.name, data.is_complex) == ("waves", True)
    assert data.fingerprint() != load_dataset(str(path), seed=2).fingerprint()


def test_names_are_known_in_letters_of_any_case_and_from_anywhere(tmp_path, monkeypatch):
    np.savez(tmp_path / "d", x=np.eye(4, dtype="f4"), y=np.arange(4) % 2)
    (tmp_path / "d.npz").rename(tmp_path / "d.NPZ")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    expected = load_dataset(str(tmp_path / "d.NPZ")).fingerprint()
    for name in ("~/d.NPZ", "d.NPZ", "./d.NPZ", f"../{tmp_path.name}/d.NPZ"):
        assert canonical_name(name) == str(tmp_path / "d.NPZ")
        assert load_dataset(name).fingerprint() == expected
    assert load_dataset("Digits").fingerprint() == load_dataset("digits").fingerprint()
    with pytest.raises(DataError, match=r"no data root is given"):
        load_dataset("MNIST")
    with pytest.raises(DataError, match=f"data root '{tmp_path}/mnist'"):
        load_dataset("mnist", "~/mnist")


@pytest.mark.parametrize(("name", "near"), [("digit", "digits"), ("mnits", "mnist")])
def test_unknown_names_get_near_misses(name, near):
    with pytest.raises(UnknownNameError, match=f"unknown data set '{name}'.*mean '{near}'") as hit:
        load_dataset(name)
    assert hit.value.near_misses[0] == near
    known = ["<folder>/", "<module>:<NAME>", "<path>.npz", *sorted(DATASETS)]
    assert f"Known: {', '.join(known)}" in str(hit.value)


def test_every_entry_describes_itself():
    assert set(DATASETS) == {"digits", "mnist", "photographs", "reflections", "rings"}
    for name, entry in DATASETS.items():
        assert entry.description
        assert entry.needs_root == entry.source.startswith("https://"), name
    assert DATASETS["mnist"].needs_root
    with pytest.raises(TypeError):
        DATASETS["new"] = DATASETS["mnist"]  # type: ignore[index]


OWN = """
import torch
from holonet.data import Dataset, DatasetEntry

def load(root, seed):
    x = torch.full((4, 2), float(seed)) / 10
    return Dataset(x, torch.arange(4) % 2, x, torch.arange(4) % 2, 2, f"own {root}")

SEEDS = DatasetEntry("own", "", load)
WRONG = DatasetEntry("own", "", lambda root, seed: [root, seed])
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A module in the working folder, and the metadata of a package that offers its data sets."""
    offers = {"Seeds": "own_sets:SEEDS", "wrong": "own_sets:WRONG", "function": "own_sets:load"}
    offer(tmp_path, monkeypatch, {"holonet.datasets": offers}, own_sets=OWN)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.modules.pop("own_sets", None)


@pytest.mark.parametrize("name", ["own_sets:SEEDS", "Seeds"])
def test_data_sets_of_modules_and_packages_have_root_and_seed(name, own):
    data = load_dataset(name, own, seed=3)
    assert data.name == f"own {own}"
    assert float(data.x_train[0, 0]) == pytest.approx(0.3)
    assert load_dataset(name).name == "own None"
    assert canonical_name(name) == name


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("own_sets:WRONG", ConfigError, "its load gives a list, and must give a holonet"),
        ("own_sets:load", ConfigError, "is a function: make it a holonet.data.DatasetEntry"),
        ("function", ConfigError, "is a function: make it a holonet.data.DatasetEntry"),
        ("own_sets:NOTHING", ConfigError, "own_sets has no NOTHING"),
        ("own_sets.py:SEEDS", ConfigError, "give the module and not its file.*: own_sets:SEEDS"),
        ("./own_sets.py:SEEDS", ConfigError, "give the module and not its file.*: own_sets:SEEDS"),
        ("seeds", UnknownNameError, "did you mean 'Seeds'"),
    ],
)
def test_what_is_no_data_set_of_others_is_said(name, error, words):
    with pytest.raises(error, match=words):
        load_dataset(name)
