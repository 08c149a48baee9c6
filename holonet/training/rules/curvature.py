"""What margins of layers of squares can lose beyond their linear part, by sums of moduli."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from holonet import nn as hnn
from holonet._arguments import checked
from holonet._types import Logits, Numbers, Points
from holonet.calculus import Probes, pullback
from holonet.certify.differentiable import Interval, is_affine, moduli_image, propagated
from holonet.certify.unrolled import label, unrolled
from holonet.errors import InputTypeError
from holonet.functions import get_function
from holonet.training.rules.random_starts import uniform_like

__all__ = ["Entries", "SquareForm", "sampled_entries"]

Layers = list[tuple[str, nn.Module]]


@dataclass(frozen=True, eq=False)
class Entries:
    """Entries of examples, each of which stands for several.

    Args:
        places: of each chosen one among the flat entries of its example.
        counts: how many it stands for, itself included; 0 for none.
    """

    places: Int64[Tensor, "batch chosen"]
    counts: Float[Tensor, "batch chosen"]


@dataclass(frozen=True, eq=False)
class SquareForm:
    """Affine layers with squares between them: a polynomial, of degree 4 for two layers of squares.

    Args:
        parts: the affine layers, from square to square; complex numbers and a real part as readout
            may be.
    """

    parts: tuple[Layers, ...]

    @classmethod
    @checked
    def of(cls, model: nn.Module) -> "SquareForm":
        """The layers of a network behind its monotone layers.

        Raises:
            InputTypeError: the network has another form; the message names the layer.
        """
        parts: list[Layers] = [[]]
        for path, layer in unrolled(model):
            if isinstance(layer, hnn.Activation) and layer.function is get_function("square"):
                parts.append([])
            elif is_affine(layer) and type(layer) is not hnn.ImagPart:
                parts[-1].append((path, layer))
            else:
                raise InputTypeError(
                    f"the curvature term is for affine layers, squares and the real part as "
                    f"readout, and {label(path, layer)} is none of these: choose curvature=0, or "
                    "the activation square"
                )
        if len(parts) == 1:
            raise InputTypeError(
                "the curvature term is for layers of squares, and this network has none: choose "
                "curvature=0, or the activation square"
            )
        return cls(tuple(parts))

    def excesses(
        self,
        point: Points,
        radii: Points,
        leads: Sequence[Logits],
        weight: float,
        entries: Entries,
    ) -> list[Numbers]:
        """What each lead can gain at most beyond its linear part, times a weight.

        In front of the squares of layer l the perturbation t, in units of the radii, moves the
        units by u_l, linear in t, and by r_l beyond it, with r_1 = 0. With g_l the derivative of
        the lead by these squares at the point, the gain is the real part of

            sum_l g_l (u_l + r_l)^2 = t^T A t + sum_l g_l (2 u_l r_l + r_l^2).

        The quadratic form A, and the u_l^2 of which r_{l+1} is made, are bounded by weight times
        the sums of moduli of their terms, and what depends on r_l by the bound of r_l. So the
        weight counts once for what is of second order in t, more often for what is of higher. At 1
        it is a bound. Rows of A and the coefficients of u_l are found one by one, for the chosen
        entries, so that no matrix is formed.

        Args:
            point: of the linear part.
            radii: how far each entry may be from it.
            leads: forms z_k - z_y, as rows of 1 and -1.
            weight: at least 0.
            entries: the chosen ones, of `sampled_entries`. Where they are few, sums are estimated:
                without bias for two layers of squares, too high on average for more, as r_3
                is made of squares of sums.
        """
        first, *inner, last = self.parts
        values = [_value(first, point)]
        for layers in inner:
            values.append(_value(layers, values[-1].square()))

        batch, chosen = entries.places.shape
        spread = radii.flatten(1)
        units = torch.zeros(batch, chosen, spread.shape[1], dtype=radii.dtype, device=radii.device)
        units = units.scatter(2, entries.places[..., None], 1.0)
        tangents = [_linear(first, (units * spread[:, None]).unflatten(2, point.shape[1:]))]
        for layers, z in zip(inner, values, strict=False):
            tangents.append(_linear(layers, 2 * z[:, None] * tangents[-1]))
        heights = [moduli_image(first, radii)]
        for u in tangents[1:]:
            heights.append(torch.einsum("bc...,bc->b...", u.abs(), entries.counts))
        reaches = _reaches(inner, values, heights, weight)

        found = []
        for lead in leads:
            slope = _transposed(last, lead[:, None], values[-1])
            back = slope * tangents[-1]
            gain = _gain(slope, heights[-1], reaches[-1])
            for k in range(len(inner) - 1, -1, -1):
                z = values[k]
                slope = _transposed(inner[k], 2 * slope * values[k + 1][:, None], z)
                back = 2 * z[:, None] * _transposed(inner[k], back, z) + slope * tangents[k]
                gain = gain + _gain(slope, heights[k], reaches[k])
            matrix = _transposed(first, back, point).flatten(2) * spread[:, None]  # rows of A
            diagonal = (matrix * units).sum(2)
            pairs = matrix.abs().sum(2) - diagonal.abs() + diagonal.clamp(min=0)
            found.append(weight * (pairs * entries.counts).sum(1) + gain)
        return found


@checked
def sampled_entries(radii: Points, most: int, probes: Probes) -> Entries:
    """Entries whose radius is not 0, up to a number of each example.

    Where there are more than `most` they are drawn, about in proportion to their radii. Sums over
    the chosen ones times their counts then estimate sums over all, unbiased but for drawing without
    replacement.

    Law: with at most `most` of them all are taken, and each counts once.
    """
    flat = radii.detach().flatten(1)
    number = (flat > 0).sum(1, keepdim=True)
    chosen = max(1, min(most, int(number.max()) if len(flat) else 0))
    tiny = torch.finfo(flat.dtype).tiny
    share = chosen * flat / flat.sum(1, keepdim=True).clamp(min=tiny)
    share = torch.where(number > chosen, share.clamp(max=1), (flat > 0).to(flat))
    keys = uniform_like(flat, probes) / share.clamp(min=tiny)
    places = keys.topk(chosen, dim=1, largest=False).indices
    share = share.gather(1, places)
    return Entries(places, torch.where(share > 0, 1 / share.clamp(min=tiny), 0.0))


def _value(layers: Layers, x: Tensor) -> Tensor:
    for _, layer in layers:
        x = layer(x)
    return x


def _linear(layers: Layers, x: Tensor) -> Tensor:
    """W x of several vectors an example."""
    fixed = _value(layers, torch.zeros_like(x[:1, 0]))
    return (_value(layers, x.flatten(0, 1)) - fixed).unflatten(0, x.shape[:2])


def _transposed(layers: Layers, v: Tensor, like: Tensor) -> Tensor:
    """W^T v of several vectors an example, on inputs like those given; real on real ones."""
    zero = torch.zeros(1, dtype=like.dtype, device=like.device)
    inputs = zero.expand(v.shape[0] * v.shape[1], *like.shape[1:])
    _, backward = pullback(lambda x: _value(layers, x), inputs)
    return backward(v.flatten(0, 1).conj()).conj().unflatten(0, v.shape[:2])


def _reaches(
    inner: Sequence[Layers], values: Sequence[Tensor], heights: Sequence[Tensor], weight: float
) -> list[Tensor]:
    """Bounds of |r_l|, with weight times the squares of u_l, for each layer of squares."""
    reaches = [torch.zeros_like(heights[0])]
    for layers, z, height, image in zip(inner, values, heights, values[1:], strict=False):
        crossed = 2 * reaches[-1]
        squares = weight * height.square() + height * crossed + reaches[-1].square()
        reaches.append(_reach(layers, squares, z.abs() * crossed, image))
    return reaches


def _reach(layers: Layers, squares: Tensor, moves: Tensor, image: Tensor) -> Tensor:
    """How far affine layers map squares of moduli up to these, and moves of moduli up to those."""
    if image.is_complex():
        return moduli_image(layers, squares + moves)
    interval = propagated(layers, Interval(squares / 2, squares / 2 + moves))
    center = interval.center - _value(layers, torch.zeros_like(squares[:1]))
    return center.abs() + interval.radius


def _gain(slope: Tensor, height: Tensor, reach: Tensor) -> Float[Tensor, " batch"]:
    """The most of g (2 u r + r^2), in the sum."""
    slope = slope[:, 0]
    upward = slope.abs() if slope.is_complex() else slope.clamp(min=0)
    return (2 * slope.abs() * height * reach + upward * reach.square()).flatten(1).sum(1)
