"""Patches of photographs: parts without a common pixel, true labels, the same ones for a seed."""

import sys

import pytest
import torch
from torch import Tensor

from holonet.data import Dataset, load_photographs, photographs
from holonet.errors import MissingDependencyError

ROWS, COLUMNS = 427, 640


@pytest.fixture
def numbered(monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """Of two images whose three bytes at each pixel are the number of that pixel."""
    numbers = torch.arange(2 * ROWS * COLUMNS).view(2, 1, ROWS, COLUMNS)
    images = torch.cat([(numbers >> shift) & 255 for shift in (0, 8, 16)], dim=1).to(torch.uint8)
    monkeypatch.setattr(photographs, "_photographs", lambda: list(images))
    return load_photographs(seed=2)


def pixels(x: Tensor) -> Tensor:
    """The numbers of the pixels of each patch, (N, 16, 16)."""
    return ((255 * x).round().long() * torch.tensor([1, 1 << 8, 1 << 16])[:, None, None]).sum(1)


def test_the_parts_have_the_promised_shapes_and_classes_of_equal_size() -> None:
    data = load_photographs()
    assert (data.x_train.shape, data.x_test.shape) == ((6000, 3, 16, 16), (832, 3, 16, 16))
    assert data.y_train.bincount().tolist() == [1500] * 4
    assert data.y_test.bincount().tolist() == [208] * 4
    assert (data.name, data.num_classes, data.bounds) == ("photographs", 4, (0.0, 1.0))


def test_no_pixel_is_in_a_training_and_a_test_patch(numbered: Dataset) -> None:
    train, test = pixels(numbered.x_train).unique(), pixels(numbered.x_test).unique()
    assert not torch.isin(train, test).any()
    columns = [torch.unique(part % COLUMNS) for part in (train, test)]
    assert (columns[0][:, None] - columns[1]).abs().min() > 8


def test_no_two_test_patches_share_a_pixel(numbered: Dataset) -> None:
    numbers = pixels(numbered.x_test)
    assert len(numbers.unique()) == numbers.numel()


def test_training_patches_are_different_and_cover_each_pixel_seven_times_in_the_mean(
    numbered: Dataset,
) -> None:
    numbers = pixels(numbered.x_train)
    assert len(numbers[:, 0, 0].unique()) == len(numbers)
    assert 6.5 < numbers.numel() / (2 * 426 * 8 * 32) < 7.5


@pytest.mark.parametrize("part", ["train", "test"])
def test_a_patch_is_a_square_of_its_class(numbered: Dataset, part: str) -> None:
    numbers, labels = pixels(getattr(numbered, f"x_{part}")), getattr(numbered, f"y_{part}")
    corner = numbers[:, :1, :1]
    square = torch.arange(16)[:, None] * COLUMNS + torch.arange(16)
    assert torch.equal(numbers, corner + square)
    photograph, row = numbers // (ROWS * COLUMNS), numbers // COLUMNS % ROWS
    assert torch.equal(2 * photograph + (row >= 213), labels[:, None, None].expand_as(numbers))
    assert int(row.max()) < 426


def test_the_seed_draws_training_patches_and_orders_test_patches() -> None:
    first, same, other = load_photographs(4), load_photographs(4), load_photographs(5)
    assert first.fingerprint() == same.fingerprint() != other.fingerprint()
    tests = [data.x_test.flatten(1).numpy().tobytes() for data in (first, other)]
    assert tests[0] != tests[1]
    rows = [{row.tobytes() for row in data.x_test.flatten(1).numpy()} for data in (first, other)]
    assert rows[0] == rows[1]


def test_the_decoded_photographs_are_those_of_the_documented_numbers() -> None:
    """It fails where another JPEG decoder gives other gray levels, as numbers then differ too."""
    assert load_photographs().fingerprint() == "f646217ea5b30cea"


@pytest.mark.parametrize(
    ("package", "distribution"), [("sklearn", "scikit-learn"), ("PIL", "pillow")]
)
def test_a_missing_package_is_named(
    package: str, distribution: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingDependencyError, match=rf"{distribution}.*holonet\[datasets\]"):
        load_photographs()
