"""Data sets of images in folders."""

import sys

import numpy as np
import pytest
import torch
from PIL import Image

from cases import each
from holonet.data import load_dataset, load_image_folder
from holonet.errors import DataError, MissingDependencyError


def write(path, value, size=(5, 4), mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((size[1], size[0], 3) if mode == "RGB" else size[::-1], value, np.uint8)
    Image.fromarray(pixels, mode).save(path)


@pytest.fixture
def folder(tmp_path):
    for label, name in enumerate(["cats", "dogs"]):
        for k in range(10):
            write(tmp_path / "pets" / name / f"{k}.png", 100 * label + k)
    return tmp_path / "pets"


def test_a_subfolder_is_a_class(folder):
    data = load_image_folder(folder)
    assert (data.name, data.num_classes, data.feature_shape) == ("pets", 2, (3, 4, 5))
    assert (len(data.x_train), len(data.x_test)) == (16, 4)
    values = (torch.cat([data.x_train, data.x_test]) * 255).round()
    labels = torch.cat([data.y_train, data.y_test])
    assert torch.equal((values[:, 0, 0, 0] >= 100).long(), labels)
    assert sorted(values[:, 2, 3, 4].tolist()) == [*range(10), *range(100, 110)]


def test_the_split_is_drawn_by_seed(folder):
    first, again, other = (load_image_folder(folder, seed=s) for s in (0, 0, 1))
    assert torch.equal(first.x_test, again.x_test)
    assert not torch.equal(first.x_test, other.x_test)


def test_train_and_test_are_taken_as_they_are(tmp_path):
    for part, value in (("train", 10), ("test", 20)):
        for name in ("a", "b"):
            write(tmp_path / part / name / "x.png", value)
    data = load_image_folder(tmp_path)
    assert float(data.x_train.mul(255).mean()) == pytest.approx(10)
    assert float(data.x_test.mul(255).mean()) == pytest.approx(20)


def test_gray_images_have_one_channel_beside_colours_three(folder, tmp_path):
    for name in ("a", "b"):
        for k in range(2):
            write(tmp_path / "gray" / name / f"{k}.png", k, mode="L")
    assert load_image_folder(tmp_path / "gray").feature_shape == (1, 4, 5)
    write(folder / "cats" / "gray.png", 7, mode="L")
    assert load_image_folder(folder).feature_shape == (3, 4, 5)


def test_without_pillow_the_extra_is_named(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingDependencyError, match=r"pillow.*holonet\[datasets\]"):
        load_image_folder(folder)


def test_the_path_of_a_folder_is_a_name(folder):
    assert load_dataset(f"{folder}/").name == "pets"


@each("message", ["other size", "no image", "one class", "nothing", "other classes"])
def test_what_is_wrong_is_named(message, tmp_path):
    for name in ("a", "b"):
        for k in range(2):
            write(tmp_path / name / f"{k}.png", k)
    expected = {
        "other size": r"b/9.png has 3 x 3 pixels, and 5 x 4 were expected",
        "no image": r"b/9.png cannot be read as an image",
        "one class": r"has 1 folders with images",
        "nothing": r"there is no folder",
        "other classes": r"have different classes: a, b and a",
    }
    place = tmp_path
    if message == "other size":
        write(tmp_path / "b" / "0.png", 1)
        write(tmp_path / "b" / "9.png", 1, size=(3, 3))
        write(tmp_path / "b" / "a0.png", 1)
    elif message == "no image":
        (tmp_path / "b" / "9.png").write_bytes(b"none")
    elif message == "one class":
        for path in (tmp_path / "b").iterdir():
            path.unlink()
    elif message == "nothing":
        place = tmp_path / "elsewhere"
    else:
        for part, names in (("train", ("a", "b")), ("test", ("a",))):
            for name in names:
                write(tmp_path / part / name / "x.png", 1)
    with pytest.raises(DataError, match=expected[message]):
        load_image_folder(place)
