"""Images as they might have been, drawn from torch's global stream."""

from typing import Literal

import torch
from jaxtyping import Num
from torch import Tensor

from holonet.errors import ConfigError

__all__ = ["Augmentation", "augmented"]

Augmentation = Literal["none", "flip", "shift", "flip-shift"]
Images = Num[Tensor, "batch channels height width"]

MOST = 8
"""An image is moved by this part of each side, at most, unless a number of pixels is given."""


def augmented(
    x: Num[Tensor, "batch *example"], kind: Augmentation | str, pixels: int | None = None
) -> Num[Tensor, "batch *example"]:
    """A batch whose images are each mirrored by chance, moved at random, or both.

    Where an image is moved, the pixels of its border are repeated, so that bounds of the data hold.

    Args:
        x: images (batch, channels, height, width); any examples where kind is "none".
        kind: what is done.
        pixels: how far an image is moved at most, along each side; None for an eighth of it.

    Law: each row of pixels of a result is one of its image, moved and mirrored.

    Raises:
        ConfigError: the examples are no images.
    """
    if kind == "none":
        return x
    if x.dim() != 4:
        raise ConfigError(
            f"train.augment={kind!r}: examples of shape {tuple(x.shape[1:])} are no images "
            "(channels, height, width): set it to none"
        )
    if "flip" in kind:
        mirrored = torch.rand(len(x), device=x.device) < 0.5
        x = torch.where(mirrored[:, None, None, None], x.flip(3), x)
    return _moved(_moved(x, 2, pixels), 3, pixels) if "shift" in kind else x


def _moved(x: Images, axis: int, pixels: int | None) -> Images:
    """Each image moved along an axis by a random number of pixels."""
    size = x.shape[axis]
    most = size // MOST if pixels is None else pixels
    by = torch.randint(-most, most + 1, (len(x), 1), device=x.device)
    places = (torch.arange(size, device=x.device) + by).clamp(0, size - 1)
    shape = [len(x), 1, 1, 1]
    shape[axis] = size
    return x.gather(axis, places.reshape(shape).expand(x.shape))
