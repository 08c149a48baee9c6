"""Examples for a trained network: each place gives them, all else is refused with reason."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from cases import each
from holonet.data import load_dataset, load_inputs
from holonet.errors import DataError, UnknownNameError

ROWS = np.arange(12, dtype=np.float32).reshape(4, 3)
LABELS = np.array([0, 2, 1, 5])


def saved(folder: Path, **arrays: Any) -> str:
    np.savez(folder / "new.npz", **arrays)
    return str(folder / "new.npz")


def image(folder: Path, name: str, size: tuple[int, int] = (5, 4), mode: str = "RGB") -> np.ndarray:
    """A random image of that many columns and rows in a file; its pixels."""
    depth = (3,) if mode == "RGB" else (4,) if mode == "RGBA" else ()
    pixels = np.random.default_rng(0).integers(0, 256, (*size[::-1], *depth), np.uint8)
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels, mode if mode != "1" else "L").save(folder / name)
    return pixels


def test_a_data_set_gives_its_test_examples() -> None:
    inputs, data = load_inputs("Digits", (1, 8, 8), seed=3), load_dataset("digits", seed=3)
    assert torch.equal(inputs.x, data.x_test)
    assert inputs.y is not None
    assert torch.equal(inputs.y, data.y_test)
    assert inputs.names is None


@each(
    ("arrays", "labelled"),
    [
        ({"x": ROWS}, False),
        ({"x": ROWS, "y": LABELS}, True),
        ({"x_test": ROWS, "x": ROWS[:1], "y": LABELS[:1]}, False),
        ({"x_train": ROWS[:1], "y_train": LABELS[:1], "x_test": ROWS, "y_test": LABELS}, True),
    ],
)
def test_a_file_gives_all_examples_and_the_labels_that_it_has(
    tmp_path: Path, arrays: dict[str, np.ndarray], labelled: bool
) -> None:
    inputs = load_inputs(saved(tmp_path, **arrays), (3,))
    assert torch.equal(inputs.x, torch.from_numpy(ROWS))
    assert (inputs.y is not None) == labelled
    if inputs.y is not None:
        assert inputs.y.tolist() == LABELS.tolist()


@each(
    ("arrays", "words"),
    [
        ({"z": ROWS}, "it needs x_test and y_test, or x_test, or x and y, or x"),
        ({"x": ROWS.astype(int)}, "features are floating or complex"),
        ({"x": ROWS * np.nan}, "x has 12 NaN"),
        ({"x": ROWS[:0]}, "x is empty"),
        ({"x": np.float32(1)}, "x has shape ()"),
        ({"x": ROWS, "y": LABELS[:2]}, "labels are one class index for each example"),
        ({"x": ROWS, "y": LABELS - 3}, "out of range"),
        ({"x": ROWS[:, :2]}, "examples of shape (2,), and the network takes (3,)"),
    ],
    ids=str,
)
def test_a_file_without_fitting_examples_is_refused(
    tmp_path: Path, arrays: dict[str, np.ndarray], words: str
) -> None:
    with pytest.raises(DataError) as refused:
        load_inputs(saved(tmp_path, **arrays), (3,))
    assert words in str(refused.value)


def test_a_folder_gives_its_images_in_the_order_of_their_paths(tmp_path: Path) -> None:
    first, second = image(tmp_path, "a/2.png"), image(tmp_path, "b.PNG")
    (tmp_path / "notes.txt").write_text("no image")
    inputs = load_inputs(str(tmp_path), (3, 4, 5))
    assert inputs.names == ("a/2.png", "b.PNG")
    expected = np.stack([first, second]).transpose(0, 3, 1, 2) / np.float32(255)
    np.testing.assert_array_equal(inputs.x.numpy(), expected)
    assert inputs.y is None


def test_gray_and_colour_images_fit_both_kinds_of_networks(tmp_path: Path) -> None:
    gray = image(tmp_path / "gray", "a.png", mode="L")
    image(tmp_path / "colour", "a.png")
    assert torch.equal(
        load_inputs(str(tmp_path / "gray"), (3, 4, 5)).x,
        torch.from_numpy(gray).float().expand(1, 3, 4, 5) / 255,
    )
    assert load_inputs(str(tmp_path / "colour"), (1, 4, 5)).x.shape == (1, 1, 4, 5)


def test_images_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    image(tmp_path / "large", "a.png", (6, 4))
    image(tmp_path / "clear", "a.png", mode="RGBA")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/a.png").write_bytes(b"no image")
    (tmp_path / "none").mkdir()
    for folder, shape, words in [
        ("large", (3, 4, 5), r"6 x 4 pixels, and 5 x 4 were expected: resize"),
        ("clear", (3, 4, 5), "of the kind RGBA: save it as 8-bit"),
        ("broken", (3, 4, 5), "cannot be read as an image"),
        ("none", (3, 4, 5), r"has no images: they end in \.bmp"),
        ("large", (20,), r"the network takes \(20,\): give an \.npz file"),
        ("large", (2, 4, 5), "with 1 or 3 channels"),
    ]:
        with pytest.raises(DataError, match=words):
            load_inputs(str(tmp_path / folder), shape)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="digits"):
        load_inputs("digit", (1, 8, 8))
