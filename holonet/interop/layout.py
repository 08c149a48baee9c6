"""Examples laid out as the single precision images that attack toolkits expect."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from holonet._arguments import checked
from holonet._types import Logits
from holonet.attacks.objectives import Model

__all__ = ["ImageLayout"]

Images = Float[Tensor, "batch channels height width"]
RealPoints = Float[Tensor, "batch *event"]

SMALLEST = 5  # the side that AutoAttack's Square needs for L2


@checked
class ImageLayout(nn.Module):
    """The model on single precision images (batch, channels, height, width), whatever it takes.

    Images that are large enough stay as they are. Anything else becomes a square image of one
    channel, filled up with pixels that the model never sees: they cost an attack nothing in Linf,
    and in the other norms it gains by leaving them alone.

    Args:
        model: takes real examples as they are.
        x: some of them.

    Law: gather(spread(x)) is x in single precision, distances are kept, and the module's logits
        at spread(x) are the model's at x.

    Example:
        >>> layout = ImageLayout(nn.Identity(), torch.zeros(3, 7))
        >>> layout.spread(torch.zeros(3, 7)).shape
        torch.Size([3, 1, 5, 5])
    """

    def __init__(self, model: Model, x: RealPoints) -> None:
        super().__init__()
        self.model = model
        self.shape, self.dtype = x.shape[1:], x.dtype
        self.is_image = len(self.shape) == 3 and min(self.shape[1:]) >= SMALLEST
        self.pixels = math.prod(self.shape)
        self.side = max(SMALLEST, math.isqrt(self.pixels - 1) + 1)

    def spread(self, x: RealPoints) -> Images:
        """Examples as images."""
        if self.is_image:
            return x.float()
        flat = x.flatten(1).float()
        unseen = flat.new_full((len(x), self.side**2 - self.pixels), 0.5)
        return torch.cat([flat, unseen], 1).view(-1, 1, self.side, self.side)

    def gather(self, images: Images) -> RealPoints:
        """Images back as examples, in their precision."""
        flat = images if self.is_image else images.flatten(1)[:, : self.pixels]
        return flat.reshape(-1, *self.shape).to(self.dtype)

    def forward(self, images: Images) -> Logits:
        """Logits in single precision."""
        return self.model(self.gather(images)).float()
