"""Boxes: the exact images of l_inf balls under layers that are monotone entry by entry."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from holonet._arguments import checked
from holonet._types import Entries, Mask, Numbers, TensorFunction
from holonet.calculus.examples import inner_products
from holonet.errors import InputTypeError, ShapeError
from holonet.nn import Flatten, HolomorphicClassifier, Sequential
from holonet.nn.coefficients import real_dtype
from holonet.nn.declare import layers_in_order

__all__ = ["Box", "leading_monotone", "require_monotone"]

RealPoints = Float[Tensor, "batch *event"]


class InPrecision(nn.Module):
    """Points rounded to a dtype, as a classifier rounds them to that of its parameters."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def forward(self, input: Entries) -> Entries:
        """The rounded points."""
        return input.to(self.dtype)

    def extra_repr(self) -> str:
        """The dtype."""
        return str(self.dtype)


RESHAPES = (Flatten, nn.Flatten, nn.Identity, InPrecision)
"""Layers that give every entry back as it is, up to rounding."""


@checked
@dataclass(frozen=True, eq=False)
class Box:
    """The points w with low <= w <= high in every entry, for each example of a batch.

    Args:
        low, high: the corners; both may carry a gradient.

    Law: `project` gives the nearest point of the box and fixes the box; `random_point` lies in it;
        no point of it has a larger inner product with the gradient than `maximizer`, which is a
        corner where no entry of the gradient is 0.

    Raises:
        ShapeError: corners of two shapes.

    Example:
        >>> box = Box(torch.tensor([[0.0, 0.4]]), torch.tensor([[0.2, 1.0]]))
        >>> box.maximizer(torch.tensor([[1.0, -2.0]]))
        tensor([[0.2000, 0.4000]])
        >>> box.center, box.radii
        (tensor([[0.1000, 0.7000]]), tensor([[0.1000, 0.3000]]))
    """

    low: RealPoints
    high: RealPoints

    def __post_init__(self) -> None:
        if self.low.shape != self.high.shape:
            raise ShapeError(
                f"Box(low, high) of shapes {tuple(self.low.shape)} and {tuple(self.high.shape)}: "
                "both corners have the shape of the examples"
            )

    @property
    def center(self) -> RealPoints:
        """The middle of each side."""
        return (self.low + self.high) / 2

    @property
    def radii(self) -> RealPoints:
        """Half of the length of each side."""
        return (self.high - self.low) / 2

    def maximizer(self, gradient: RealPoints) -> RealPoints:
        """The point where <gradient, point> is largest; the center in entries of gradient 0."""
        corner = torch.where(gradient > 0, self.high, self.low)
        return torch.where(gradient == 0, self.center, corner)

    def rise(self, gradient: RealPoints, point: RealPoints) -> Numbers:
        """The largest <gradient, w - point> over the points w of the box."""
        up, down = gradient.clamp(min=0), gradient.clamp(max=0)
        return inner_products(up, self.high - point) + inner_products(down, self.low - point)

    def reach(self, point: RealPoints) -> RealPoints:
        """How far each entry may be from a point of the box."""
        return torch.maximum(self.high - point, point - self.low)

    def project(self, points: RealPoints) -> RealPoints:
        """The nearest points of the box."""
        return torch.minimum(torch.maximum(points, self.low), self.high)

    def random_point(self, generator: torch.Generator | None = None) -> RealPoints:
        """A uniform point for each example; the numbers are drawn on the CPU."""
        share = torch.rand(self.low.shape, generator=generator, dtype=self.low.dtype)
        return self.at(share.to(self.low.device))

    def at(self, share: RealPoints) -> RealPoints:
        """The point at these shares of the sides, 0 for `low` and 1 for `high`."""
        return self.project(self.low + share * (self.high - self.low))

    def contains(self, points: RealPoints) -> Mask:
        """Whether each point is in the box, up to rounding in the size of its entries."""
        slack = 4 * torch.finfo(points.dtype).eps * torch.maximum(self.low.abs(), self.high.abs())
        inside = (points >= self.low - slack) & (points <= self.high + slack)
        return inside.flatten(1).all(1)


@checked
def leading_monotone(model: TensorFunction) -> tuple[list[nn.Module], TensorFunction]:
    """The entrywise monotone layers in front of a network, and the rest of it.

    They are peeled off `torch.nn.Sequential` and `nn.Sequential`, nested ones too, and off the
    backbone of an `nn.HolomorphicClassifier`; layers that only reshape may stand between them.
    The rest shares its parameters with the model. The first layer off a classifier brings points to
    the precision of its parameters.

    Law: model(x) == body(layers(x)).

    Args:
        model: any; one of another type, or with hooks of its own, is left whole.

    Returns:
        The layers, none where the first one is not monotone on real tensors, and the body.

    Example:
        >>> from holonet.nn import Linear, Threshold
        >>> model = HolomorphicClassifier(Sequential(Threshold(), Flatten(), Linear(4, 3)))
        >>> layers, body = leading_monotone(model)
        >>> layers, list(body.backbone)
        ([InPrecision(torch.float32), Threshold()], [Flatten(...), Linear(...)])
    """
    if not isinstance(model, nn.Module):
        return [], model
    classifier = model if type(model) is HolomorphicClassifier and _is_plain(model) else None
    layers = list(_layers(model if classifier is None else classifier.backbone))
    count = 0
    for position, layer in enumerate(layers, start=1):
        if _is_monotone(layer) and getattr(layer, "takes_real", False):
            count = position
        elif type(layer) not in RESHAPES:
            break
    if not count:
        return [], model
    front, rest = layers[:count], layers[count:]
    if classifier is None:
        return front, nn.Sequential(*rest)
    front = [InPrecision(real_dtype(classifier.dtype)), *front]
    return front, HolomorphicClassifier(Sequential(*rest), classifier.readout)


def require_monotone(layers: Sequence[nn.Module]) -> None:
    """Refuse layers that may not map boxes onto boxes.

    Raises:
        InputTypeError: it names the first.
    """
    for layer in layers:
        if not (_is_monotone(layer) or type(layer) in RESHAPES):
            raise InputTypeError(
                f"{type(layer).__name__} is not known to be monotone entry by entry, and the image "
                "of a box under it may be no box: give the layers of attacks.leading_monotone, "
                "nn.Threshold or an nn.Activation of a record that is `monotone`"
            )


def _is_monotone(layer: nn.Module) -> bool:
    """Whether it is declared to be; a class with a `forward` of its own declares that anew."""
    lineage = type(layer).__mro__
    names = next((n for k in lineage if (n := {"forward", "monotone"} & vars(k).keys())), set())
    declared = "monotone" in names and "forward" not in vars(layer)
    return declared and getattr(layer, "monotone", False)


def _layers(model: nn.Module) -> Iterator[nn.Module]:
    """The layers of nested sequences in the order of their application."""
    plain = type(model) in (Sequential, nn.Sequential) and _is_plain(model)
    if isinstance(model, nn.Sequential) and plain:
        for _, layer in layers_in_order(model):
            yield from _layers(layer)
    else:
        yield model


def _is_plain(container: nn.Module) -> bool:
    """Whether it computes what its type does: no hooks, no forward of its own."""
    hooks = container._forward_hooks or container._forward_pre_hooks
    return not hooks and "forward" not in vars(container)
