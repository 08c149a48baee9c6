"""Colour patches of the two photographs that scikit-learn carries."""

from collections.abc import Iterable

import torch
from jaxtyping import UInt8
from torch import Tensor

from holonet._arguments import checked
from holonet._optional import require
from holonet.data.dataset import Dataset

__all__ = ["load_photographs"]

SIDE = 16
"""Of a patch, in pixels."""

PERIOD = 80
"""Columns from one training strip to the next."""

TRAIN_CORNERS = range(32 - SIDE + 1)
TEST_CORNERS = (40, 56)
"""Columns where patches begin, in each period."""

DRAWN = 1500
"""Training patches of each class."""

Image = UInt8[Tensor, "colours rows columns"]
Patches = UInt8[Tensor, "patches colours side side"]


@checked
def load_photographs(seed: int = 0) -> Dataset:
    """6000 and 832 patches of two photographs, (N, 3, 16, 16) in [0, 1], in four classes.

    The class of a patch is its photograph and the half it lies in: 0 and 1 for the upper and the
    lower half of the temple ("china.jpg"), 2 and 3 for those of the flower. The colours are smooth
    gradations, so that no threshold separates them. Some patches, such as those of the flower's
    dark background, look alike in both halves, and no network tells these apart.

    Columns are split into strips: of every 80 the first 32 are for training, 8 are unused, 32 are
    for testing, 8 are unused. The test patches tile their strips. The training patches are drawn
    by seed from all positions in theirs and overlap: a pixel is in 7 of them in the mean. A part
    held out of the training patches at random therefore shares pixels with the rest, and accuracy
    on it is optimistic.

    Law: no pixel is in a training and a test patch, nor in two test patches. The classes are of
        equal size in both parts. The test patches are the same for every seed, in another order.

    Pillow decodes the JPEG files. All its wheels do so alike; another decoder may differ by a gray
    level, which `Dataset.fingerprint` shows.

    Raises:
        MissingDependencyError: scikit-learn or pillow is not installed.
    """
    generator = torch.Generator().manual_seed(seed)
    halves = [half for photograph in _photographs() for half in photograph[:, :426].chunk(2, dim=1)]
    parts = []
    drawn = [_drawn(half, generator) for half in halves]
    tiles = [_patches(half, TEST_CORNERS, SIDE) for half in halves]
    for patches in (drawn, tiles):
        x = torch.cat(patches)
        y = torch.arange(len(halves)).repeat_interleave(len(x) // len(halves))
        order = torch.randperm(len(x), generator=generator)
        parts += [x[order].float() / 255, y[order]]
    return Dataset(*parts, num_classes=len(halves), name="photographs")


def _photographs() -> list[Image]:
    """Both, (3, 427, 640)."""
    purpose = "the photographs data set"
    require("sklearn", "scikit-learn", "datasets", purpose)
    require("PIL", "pillow", "datasets", purpose)
    from sklearn.datasets import load_sample_images

    return [torch.tensor(image).movedim(2, 0) for image in load_sample_images()["images"]]


def _drawn(half: Image, generator: torch.Generator) -> Patches:
    """Training patches at different random positions."""
    patches = _patches(half, TRAIN_CORNERS, 1)
    return patches[torch.randperm(len(patches), generator=generator)[:DRAWN]]


def _patches(half: Image, corners: Iterable[int], row_step: int) -> Patches:
    """All patches that begin in these columns of a period."""
    columns = [start + k for start in range(0, half.shape[2], PERIOD) for k in corners]
    windows = half.unfold(1, SIDE, row_step).unfold(2, SIDE, 1)[:, :, columns]
    return windows.permute(1, 2, 0, 3, 4).flatten(0, 1)
