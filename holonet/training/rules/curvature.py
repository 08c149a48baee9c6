"""What margins of two layers of squares can lose beyond their linear part, by sums of moduli."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Inexact, Int64
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
    """Affine layers, squares, affine layers, squares, affine layers: a polynomial of degree 4.

    Args:
        first, second, third: the affine layers; complex numbers and a real part as readout may be.
    """

    first: Layers
    second: Layers
    third: Layers

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
                    f"the curvature term is for affine layers, two layers of squares and the real "
                    f"part as readout, and {label(path, layer)} is none of these: choose "
                    "curvature=0, or the activation square"
                )
        if len(parts) != 3:
            raise InputTypeError(
                f"the curvature term is for two layers of squares, and this network has "
                f"{len(parts) - 1}: choose curvature=0, or two hidden layers"
            )
        return cls(*parts)

    def excesses(
        self,
        point: Points,
        radii: Points,
        leads: Sequence[Logits],
        weight: float,
        entries: Entries,
    ) -> list[Numbers]:
        """What each lead can gain at most beyond its linear part, times a weight.

        With t the perturbation in units of the radii, delta the form of the lead in the second
        layer of squares, u_k and q_k the linear and the quadratic part of its units, the gain is
        the real part of

            t^T A t + 2 sum_k delta_k u_k q_k + sum_k delta_k q_k^2.

        The forms A and q_k are bounded by weight times the sums of moduli of their terms: so the
        weight counts once for A and the second sum, and squared for the third. At 1 it is a bound.
        Rows of A and the coefficients of u_k are found one by one, for the chosen entries, so that
        no matrix is formed.

        Args:
            point: of the linear part.
            radii: how far each entry may be from it.
            leads: forms z_k - z_y, as rows of 1 and -1.
            weight: at least 0.
            entries: the chosen ones, of `sampled_entries`; q_k is of all entries.
        """
        batch, chosen = entries.places.shape
        z = _value(self.first, point)
        middle = _value(self.second, z * z)
        reach = _reach(self.second, moduli_image(self.first, radii).square(), middle)

        spread = radii.flatten(1)
        units = torch.zeros(batch, chosen, spread.shape[1], dtype=z.real.dtype, device=z.device)
        units = units.scatter(2, entries.places[..., None], 1.0)
        moved = (units * spread[:, None]).unflatten(2, point.shape[1:])
        columns = _linear(self.first, moved)  # (batch, chosen, *first units)
        rows = _linear(self.second, 2 * z[:, None] * columns)  # (batch, chosen, *second units)
        heights = (rows.abs().flatten(2) * entries.counts[..., None]).sum(1)

        found = []
        for lead in leads:
            delta = _transposed(self.third, lead[:, None], middle)[:, 0]
            low = _transposed(self.second, (2 * delta * middle)[:, None], z)
            back = _transposed(self.second, delta[:, None] * rows, z)
            back = _transposed(self.first, 2 * z[:, None] * back + low * columns, point)
            matrix = back.flatten(2) * spread[:, None]  # rows of A
            delta = delta.flatten(1)
            cubic = 2 * (delta.abs() * heights * reach).sum(1)
            gain = delta.abs() if delta.is_complex() else delta.clamp(min=0)
            quartic = (gain * reach.square()).sum(1)
            diagonal = (matrix * units).sum(2)
            pairs = matrix.abs().sum(2) - diagonal.abs() + diagonal.clamp(min=0)
            quadratic = (pairs * entries.counts).sum(1)
            found.append(weight * (quadratic + cubic) + weight * weight * quartic)
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


def _reach(
    layers: Layers, squares: Float[Tensor, "batch *event"], middle: Inexact[Tensor, "batch *image"]
) -> Float[Tensor, "batch units"]:
    """|q_k| at most, for squares of the first layer's moves up to these."""
    if middle.is_complex():
        return moduli_image(layers, squares).flatten(1)
    image = propagated(layers, Interval(squares / 2, squares / 2))
    center = image.center - _value(layers, torch.zeros_like(squares[:1]))
    return (center.abs() + image.radius).flatten(1)
