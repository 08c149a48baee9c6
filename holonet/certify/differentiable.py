"""Intervals that carry a gradient: the arithmetic of `intervals` for training, without rounding."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Inexact
from torch import Tensor, nn
from torch.nn import functional

from holonet import nn as hnn
from holonet._arguments import checked
from holonet._types import Labels, Logits
from holonet.certify.unrolled import label, unrolled
from holonet.errors import InputTypeError, ShapeError
from holonet.functions import extremal_points, get_function
from holonet.nn.coefficients import real_dtype
from holonet.threats import Box

__all__ = ["Interval", "is_affine", "largest_leads", "moduli_image", "propagated"]

Layers = Sequence[tuple[str, nn.Module]]
Values = Inexact[Tensor, "batch *event"]


@dataclass(frozen=True, eq=False)
class Interval:
    """Real numbers within radius of a center; of complex ones each part within its own.

    Args:
        center: of each entry.
        radius: of each entry, in the same dtype. The parts of a complex one are the radii of the
            real and of the imaginary part.
    """

    center: Values
    radius: Values

    @classmethod
    def between(cls, low: Values, high: Values) -> "Interval":
        """The least one that holds [low, high]."""
        return cls((low + high) / 2, (high - low) / 2)


def _convolved(layer: Any, x: Tensor, weight: Tensor) -> Tensor:
    if layer.padding_mode != "zeros" or isinstance(layer.padding, str):
        raise InputTypeError(f"{layer} pads otherwise than with a number of zeros")
    return functional.conv2d(
        x, weight, None, layer.stride, layer.padding, layer.dilation, layer.groups
    )


def _normalized(layer: Any, x: Tensor, weight: Tensor) -> Tensor:
    return x * weight.view((-1,) + (1,) * (-layer.feature_axis - 1))


WEIGHTED: Mapping[type[nn.Module], Callable[[Any, Tensor, Tensor], Tensor]] = {
    nn.Linear: lambda layer, x, weight: functional.linear(x, weight),
    nn.Conv2d: _convolved,
    hnn.Linear: lambda layer, x, weight: functional.linear(x, weight),
    hnn.Conv2d: _convolved,
    hnn.FrozenNorm: _normalized,
}
"""Type of an affine layer -> (layer, real x, real weight) -> its product without bias."""

AVERAGING = (nn.AvgPool2d, nn.Flatten, nn.Identity, hnn.AvgPool2d, hnn.Flatten)
"""Layers that map the radius as they map the center."""

PARTS = (hnn.RealPart, hnn.ImagPart)


def is_affine(layer: nn.Module) -> bool:
    """Whether it is a known layer that is affine over the real numbers."""
    return type(layer) in (*WEIGHTED, *AVERAGING, *PARTS)


@checked
def largest_leads(model: nn.Module, box: Box, y: Labels) -> Logits:
    """Upper bounds of z_k - z_y on a box, by intervals: 0 at the label y.

    Affine layers at the end of the network are one form for each lead, as in the certificate.
    Parameters and the corners of the box get a gradient. Rounding is not bounded.

    Args:
        model: a chain of layers that certificates know, real activations analytic on the real
            axis, complex ones squares.
        box: of inputs, real.
        y: labels.

    Law: up to rounding no point of the box has a larger lead; minus the margins of
        `certify(..., ["intervals"])`.

    Raises:
        InputTypeError: another layer, by name.
        ShapeError: the outputs are no real logits (batch, classes).

    Example:
        >>> model, y = nn.Linear(2, 2, bias=False), torch.tensor([0])
        >>> _ = model.weight.data.copy_(torch.eye(2))
        >>> box = Box(torch.tensor([[0.7, 0.1]]), torch.tensor([[0.9, 0.3]]))
        >>> largest_leads(model, box, y).detach()
        tensor([[ 0.0000, -0.4000]])
    """
    layers = list(unrolled(model))
    tail = len(layers)
    while tail and is_affine(layers[tail - 1][1]):
        tail -= 1
    dtype = next((real_dtype(p.dtype) for p in model.parameters()), box.low.dtype)
    interval = Interval.between(box.low.to(dtype), box.high.to(dtype))
    interval = propagated(layers[:tail], interval)
    radius = _parts(interval.radius)
    logits, form = _form(layers[tail:], interval.center)
    leads = logits - logits.gather(1, y[:, None])
    forms = form - form[y][:, None]  # (batch, classes, entries)
    return leads + (forms.abs() @ radius[..., None])[..., 0]


@checked
def propagated(layers: Layers, interval: Interval) -> Interval:
    """The interval behind layers: exact behind each single one, but for rounding.

    Raises:
        InputTypeError: a layer that is not known, by name; an activation that is not known on
            the real axis, or a complex one that is no square.
    """
    for path, layer in layers:
        interval = _behind(path, layer, interval)
    return interval


@checked
def moduli_image(layers: Layers, x: Values) -> Inexact[Tensor, "batch *image"]:
    """|W_last| ... |W_first| x for affine layers, without their biases; real for real x."""
    for _, layer in layers:
        product = WEIGHTED.get(type(layer))
        x = layer(x) if product is None else product(layer, x, _weight(layer).abs())
    return x


def _form(layers: Layers, center: Tensor) -> tuple[Tensor, Tensor]:
    """The logits of affine layers at the center, and their matrix on the parts of its entries."""
    logits = center
    for _, layer in layers:
        logits = layer(logits)
    if logits.is_complex() or logits.ndim != 2:
        raise ShapeError(
            "intervals need real logits (batch, classes): end the network with a linear layer, "
            "and with nn.RealPart where it is complex"
        )
    if [type(layer) for _, layer in layers] in ([nn.Linear], [hnn.Linear]):
        return logits, layers[0][1].get_parameter("weight")
    shape = center.shape[1:]
    basis = torch.eye(shape.numel(), dtype=center.dtype, device=center.device).unflatten(1, shape)
    turns = (1, 1j) if center.is_complex() else (1,)
    fixed = _image(layers, torch.zeros_like(center[:1]))
    return logits, torch.cat([_image(layers, turn * basis) - fixed for turn in turns]).T


def _image(layers: Layers, x: Tensor) -> Tensor:
    for _, layer in layers:
        x = layer(x)
    return x.flatten(1)


def _parts(values: Tensor) -> Tensor:
    """Flat examples: real parts, then imaginary parts."""
    flat = values.flatten(1)
    return torch.cat([flat.real, flat.imag], 1) if flat.is_complex() else flat


def _behind(path: str, layer: nn.Module, interval: Interval) -> Interval:
    kind = type(layer)
    if kind in PARTS:
        return _part(kind is hnn.ImagPart, interval)
    if kind in AVERAGING:
        return Interval(layer(interval.center), layer(interval.radius))
    if (product := WEIGHTED.get(kind)) is not None:
        return Interval(layer(interval.center), _spread(layer, product, interval.radius))
    if kind is hnn.Residual:
        body = unrolled(layer.get_submodule("body"), f"{path}.body".lstrip("."))
        change = propagated(list(body), interval)
        return Interval(interval.center + change.center, interval.radius + change.radius)
    is_activation = isinstance(layer, hnn.Activation)
    if is_activation and kind.forward is hnn.Activation.forward:
        return _activated(path, layer, interval)
    if kind in (nn.ReLU, hnn.Threshold):
        if interval.center.is_complex():
            raise InputTypeError(f"{label(path, layer)} is for real numbers, and got complex ones")
        ends = (interval.center - interval.radius, interval.center + interval.radius)
        return Interval.between(*(layer(end) for end in ends))
    raise InputTypeError(
        f"{label(path, layer)} is no layer that intervals go through: choose layers that "
        "certificates know, see docs/theory/certificates.md"
    )


def _part(imaginary: bool, interval: Interval) -> Interval:
    sides = [interval.center, interval.radius]
    if not sides[0].is_complex():
        return Interval(*(torch.zeros_like(s) for s in sides)) if imaginary else interval
    return Interval(*(s.imag if imaginary else s.real for s in sides))


def _spread(layer: Any, product: Callable[..., Tensor], radius: Tensor) -> Tensor:
    """|W| r, for complex numbers the real matrix of moduli on pairs."""
    weight = _weight(layer)
    if not weight.is_complex():
        moduli = weight.abs()
        if not radius.is_complex():
            return product(layer, radius, moduli)
        return torch.complex(*(product(layer, r, moduli) for r in (radius.real, radius.imag)))
    a, b = weight.real.abs(), weight.imag.abs()
    if not radius.is_complex():
        return torch.complex(product(layer, radius, a), product(layer, radius, b))
    u, v = radius.real, radius.imag
    return torch.complex(
        product(layer, u, a) + product(layer, v, b), product(layer, u, b) + product(layer, v, a)
    )


def _weight(layer: Any) -> Tensor:
    return layer.weight / layer.scale if type(layer) is hnn.FrozenNorm else layer.weight


def _activated(path: str, layer: hnn.Activation, interval: Interval) -> Interval:
    record, (center, radius) = layer.function, (interval.center, interval.radius)
    if center.is_complex():
        if record is not get_function("square"):
            raise InputTypeError(
                f"{label(path, layer)} of complex numbers: intervals go through squares alone "
                "there; choose coefficients that are real, or the activation square"
            )
        return _squared(center, radius)
    points = extremal_points(record, center - radius, center + radius)
    values = [layer(point) for point in points]
    return Interval.between(
        values[0] if record.monotone else functools.reduce(torch.minimum, values),
        values[1] if record.monotone else functools.reduce(torch.maximum, values),
    )


def _squared(center: Tensor, radius: Tensor) -> Interval:
    """u^2 - v^2 and 2 u v on a rectangle."""
    sides = [(c - r, c + r) for c, r in zip(_pair(center), _pair(radius), strict=True)]
    squares = []
    for low, high in sides:
        least = torch.clamp(torch.maximum(low, -high), min=0)
        squares.append((least.square(), torch.maximum(-low, high).square()))
    (u_least, u_most), (v_least, v_most) = squares
    products = [2 * u * v for u in sides[0] for v in sides[1]]
    low, high = (functools.reduce(f, products) for f in (torch.minimum, torch.maximum))
    return Interval.between(
        torch.complex(u_least - v_most, low), torch.complex(u_most - v_least, high)
    )


def _pair(z: Tensor) -> tuple[Tensor, Tensor]:
    return z.real, z.imag
