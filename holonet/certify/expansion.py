"""Margins of networks with two layers of squares, expanded at the center of a box.

With u = G t + (rest) for the points t of [-1, 1]^n, the box's free entries, a margin is

    constant + l . t + sum_j low_j (g_j . t)^2 + sum_k delta_k (L_k . t + q_k(t))^2

exactly. What float64 or the executed dtype rounds, and what the entries of small radius add, is a
perturbation of each layer's numbers. Its size times the moduli of the derivative goes off the
constant.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from holonet.certify.chain import Chain
from holonet.certify.enclosure import EXACT, Semantics
from holonet.certify.network import Network
from holonet.certify.pointwise import Pointwise
from holonet.certify.quadratic import forms, largest_moduli, loewner
from holonet.errors import InputTypeError
from holonet.functions import get_function, rounding_bound
from holonet.functions.rounding import margin

__all__ = ["Expansion", "SquareNetwork"]

_TAIL = 1e-3
"""The entries that are not free have this share of the sum of all radii, at most."""
_MOST_FREE = 256
"""Free entries up to which second-layer units are bounded by eigenvalues."""
_LARGEST = 1e50


@dataclass(frozen=True, eq=False)
class Expansion:
    """Lower bounds of margins, as polynomials of degree 4 of the free entries.

    Args:
        free: places of the free entries in the box.
        constant: what is left when all is taken off that is no part of the polynomial.
        slope: l.
        lower: the matrix of sum_j low_j (g_j . t)^2.
        weights: delta.
        rows: L.
        reach: |q_k(t)| at most.
    """

    free: Int64[Tensor, "n"]
    constant: Float64[Tensor, "margins"]
    slope: Float64[Tensor, "margins n"]
    lower: Float64[Tensor, "margins n n"]
    weights: Float64[Tensor, "margins units"]
    rows: Float64[Tensor, "units n"]
    reach: Float64[Tensor, "units"]


class SquareNetwork:
    """Affine steps, squares, affine steps, squares, affine steps behind the front of a network.

    Args:
        network: read from a model.
        shape: of an example behind the front.

    Raises:
        InputTypeError: the network has another form; the message names the layer.
    """

    def __init__(self, network: Network, shape: torch.Size) -> None:
        parts, square = [[]], get_function("square")
        for step in network.steps[network.front :]:
            if isinstance(step, Pointwise) and step.record is square:
                parts.append([])
            elif step.is_affine:
                parts[-1].append(step)
            else:
                raise InputTypeError(
                    f"second_order and splits are for real affine layers and two layers of "
                    f"squares behind monotone layers, and {step.name} is neither: certify with "
                    "intervals and tangents"
                )
        if len(parts) != 3:
            raise InputTypeError(
                f"second_order and splits are for two layers of squares, and this network has "
                f"{len(parts) - 1}: certify with intervals and tangents"
            )
        self.first = Chain(parts[0], shape)
        self.second = Chain(parts[1], self.first.shapes[-1])
        self.third = Chain(parts[2], self.second.shapes[-1])
        self.inner = self.second.transposed(torch.eye(len(self.second.bias), dtype=torch.float64))
        self.outer = self.third.linear(torch.eye(len(self.second.bias), dtype=torch.float64)).T
        self.terms = sum(c.terms + len(c.bias) for c in (self.first, self.second, self.third))

    def expand(
        self,
        center: Float64[Tensor, "entries"],
        radius: Float64[Tensor, "entries"],
        label: int,
        others: Sequence[int],
        semantics: Semantics,
    ) -> Expansion:
        """The margins of a label over other classes on |x - center| <= radius."""
        first, second, third = self.first, self.second, self.third
        gamma = EXACT.gamma(self.terms + len(center) + 64)
        free = _free(radius)
        small = radius.index_fill(0, free, 0.0)

        # the first layer at x is z + G t to within `unsure`
        z = first.linear(center[None])[0] + first.bias
        sides = torch.stack([radius, radius - small, small])
        whole, moved, rest = first.linear(sides, moduli=True)
        wrong = first.error(center.abs() + radius, semantics)
        wrong = wrong + first.error(center.abs() + radius, EXACT) + 2 * gamma * moved
        unsure = rest + wrong
        units = moved > 0
        columns = torch.zeros(len(free), len(center), dtype=torch.float64)
        columns[torch.arange(len(free)), free] = radius[free]
        columns = first.linear(columns)[:, units]
        change = moved + unsure
        executed = _rounding(z.abs() + change, semantics)
        squares = (z.abs() + change).square() + executed

        # the second layer is C + L t + q(t) to within `error`
        middle = second.linear(z.square()[None])[0] + second.bias
        steep = first.transposed(2 * z * self.inner)
        rows, spread = steep[:, free] * radius[free], steep.abs() @ small
        beside = 2 * moved * unsure + unsure.square()
        moduli = second.linear(
            torch.stack(
                [
                    2 * z.abs() * wrong + beside + executed,
                    2 * z.abs() * whole,
                    2 * z.abs() * change + change.square() + executed,
                    moved.square(),
                ]
            ),
            moduli=True,
        )
        shift = second.error(squares, semantics) + 4 * second.error(z.square(), EXACT)
        error = spread + moduli[0] + shift + gamma * moduli[1]
        reach = self._reach(columns, units, moved) + gamma * moduli[3]
        height = rows.abs().sum(1) + reach
        size = middle.abs() + height + error
        squared = _rounding(size, semantics)
        values = size.square() + squared

        # margins: what the last layer and the products round is taken off
        last = third.error(values, semantics) + third.error(values, EXACT)
        index = torch.tensor(others)
        weights = self.outer[label] - self.outer[index]
        push = 2 * weights * middle
        low = second.transposed(push)
        pulled = 2 * low * z
        slope = first.transposed(pulled)
        lost = last[label] + last[index] + weights.abs() @ (squared + 2 * height * error)
        lost = lost + weights.abs() @ error.square() + gamma * (weights.abs() @ middle.square())
        lost = lost + push.abs() @ (shift + gamma * (moduli[2] + size))
        lost = lost + pulled.abs() @ (wrong + gamma * whole) + low.abs() @ (beside + executed)
        lost = lost + slope.abs() @ (small + gamma * radius)
        # the matrices are formed of rounded products
        lost = lost + gamma * (low.abs() @ moved.square())
        lost = lost + 4 * gamma * (weights.abs() @ rows.abs().sum(1).square())
        constant = (weights * middle.square()).sum(1) + (third.bias[label] - third.bias[index])
        bias = third.bias.abs()
        lost = lost + gamma * (bias[label] + bias[index])
        constant = constant - lost * (1 + 32 * gamma) - margin(constant)
        sizes = center.abs() + radius, first.floor, second.floor, third.floor, values
        if not all(bool((size < _LARGEST).all()) for size in sizes):
            constant = torch.full_like(constant, -torch.inf)
        return Expansion(
            free,
            constant,
            slope[:, free] * radius[free],
            forms(low[:, units], columns),
            weights,
            rows,
            reach * (1 + 32 * gamma),
        )

    def _reach(
        self,
        columns: Float64[Tensor, "n units"],
        units: Tensor,
        moved: Float64[Tensor, "inner"],
    ) -> Float64[Tensor, "outer"]:
        """|q_k| at most: of intervals, of the moduli of its matrix, and of eigenvalues."""
        inner = self.inner[:, units]
        square = moved[units].square()
        up, down = inner.clamp(min=0) @ square, (-inner).clamp(min=0) @ square
        if len(columns) <= _MOST_FREE:
            matrices = forms(inner, columns)
            above, below = loewner(matrices)
            up = torch.minimum(up, torch.minimum(largest_moduli(matrices), above))
            down = torch.minimum(down, torch.minimum(largest_moduli(-matrices), below))
        return torch.maximum(up, down)


def _free(radius: Float64[Tensor, "entries"]) -> Int64[Tensor, "n"]:
    """Places of the largest radii, without a tail."""
    order = radius.argsort()
    tail = radius[order].cumsum(0) <= _TAIL * radius.sum()
    tail[-1] = False
    return order[~tail].sort().values


def _rounding(size: Float64[Tensor, "entries"], semantics: Semantics) -> Tensor:
    """What the executed squares of numbers of this size are wrong by."""
    if semantics.dtype is None:
        return torch.zeros_like(size)
    units = rounding_bound(get_function("square"), -size, size)
    return units * semantics.unit + semantics.tiny
