"""Margins of networks of affine layers and squares, expanded at the center of a box or ball.

Let z_i be what the i-th layer of squares takes, C_i its value at the center, and t in [-1, 1]^n the
box's free entries; of a ball all entries are free, and |t|_2 <= 1. Then z_i - C_i = L_i t + h_i(t)
with L_i the derivative. A square may be expanded at C + s instead of C:
z^2 = C^2 - s^2 + 2 (C + s) (z - C) + (z - C - s)^2. So a margin is exactly

    constant + l . t + sum_ij w_ij (L_ij t + h_ij(t) - s_ij)^2

with the weights w_i that backpropagation at C + s through the linear parts gives the squares of
layer i. The same identity with s = 0, for each unit of layer i and the layers below it, is h_i. So
h_1 = 0, h_2 is a quadratic form, and from the third layer on there are terms of higher order. What
float64 or the executed dtype rounds, and what the entries of small radius add, is a perturbation of
each layer's numbers. Its size times the moduli of the weights goes off the constant.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from holonet._cache import tensor_digest
from holonet.certify.chain import MERGE, SPREAD, Chain
from holonet.certify.enclosure import EXACT, Semantics
from holonet.certify.layer import Bends, Layer
from holonet.certify.network import Network
from holonet.certify.pointwise import Pointwise
from holonet.certify.quadratic import (
    BALL,
    CUBE,
    Region,
    forms,
    loewner,
    loewner_weights,
)
from holonet.certify.shares import shares_for, split
from holonet.errors import InputTypeError
from holonet.functions import get_function
from holonet.functions.rounding import margin

__all__ = ["Expansion", "SquareNetwork"]

_TAIL = 1e-3
"""The entries that are not free have this share of the sum of all radii, at most."""
_NEGLIGIBLE = 1e-12
"""Nor is an entry free whose radius is this part of the largest number in the box."""
_MOST_FREE = 256
"""Free entries up to which the forms of each unit are bounded anew for each box."""
_AT_ONCE = 16
"""Forms of all entries that are held at once."""
_LARGEST = 1e50

Units = Float64[Tensor, "units"]


@dataclass(frozen=True, eq=False)
class Expansion:
    """Lower bounds of margins, as polynomials of the free entries.

    Args:
        free: places of the free entries in the box.
        constant: what is left when all is taken off that is no part of the polynomial.
        slope: l.
        lower: the matrix of sum_j w_1j (L_1j t)^2, of the first layer of squares.
        weights: w of all layers of squares behind the first.
        rows: L of these.
        reach: |h(t)| of these, at most.
        offsets: s of these.
        region: where t lies.
        source: what it was made of.
    """

    free: Int64[Tensor, "n"]
    constant: Float64[Tensor, "margins"]
    slope: Float64[Tensor, "margins n"]
    lower: Float64[Tensor, "margins n n"]
    weights: Float64[Tensor, "margins units"]
    rows: Float64[Tensor, "units n"]
    reach: Float64[Tensor, "units"]
    offsets: Float64[Tensor, "units"]
    region: Region
    source: "_Source"

    def at(self, k: int, offsets: Units) -> "Expansion":
        """The k-th margin alone, with other offsets."""
        source = self.source
        return source.network.expanded(replace(source, others=[source.others[k]]), offsets)

    def bends(self, points: Float64[Tensor, "n rank"]) -> Units:
        """The sum of all h at points of the relaxation, but for terms of order 3 and more."""
        found, bends = [], torch.zeros_like(self.source.layers[0].center)
        for chain, below in zip(
            self.source.network.chains[1:], self.source.layers[:-1], strict=False
        ):
            energies = (below.rows @ points).square().sum(1)
            bends = chain.linear((2 * below.center * bends + energies)[None])[0]
            found.append(bends)
        return torch.cat([self.reach[:0], *found])

    @property
    def products(self) -> Bends:
        """What all units take beyond center + rows . t, by products of two entries."""
        return Bends.joined([z.bends for z in self.source.layers[1:]])

    def by_layer(
        self, numbers: Float64[Tensor, "units *rest"]
    ) -> list[Float64[Tensor, "own *rest"]]:
        """Numbers of the units, apart for each layer."""
        return list(numbers.split(_counts(self.source.layers)))


@dataclass(frozen=True, eq=False)
class _Source:
    """The margins of a label over others, and the layers of squares on a box."""

    network: "SquareNetwork"
    layers: "list[Layer]"
    box: "_Box"
    label: int
    others: Sequence[int]
    wrong: Float64[Tensor, "classes"]
    """What the last layer is wrong by; infinite where the error bounds do not hold."""


class SquareNetwork:
    """Affine steps and layers of squares in turn behind the front of a network, real or complex.

    A complex square is three real ones, of u, v and u + v.

    Args:
        network: read from a model.
        shape: of an example behind the front.
        parts: of an example: 1 for real numbers, 2 for complex ones.

    Raises:
        InputTypeError: the network has another form; the message names the layer.
    """

    def __init__(self, network: Network, shape: torch.Size, parts: int = 1) -> None:
        groups, square = [[]], get_function("square")
        for step in network.steps[network.front :]:
            if isinstance(step, Pointwise) and step.record is square:
                groups.append([])
            elif step.is_affine:
                groups[-1].append(step)
            else:
                raise InputTypeError(
                    f"second_order and splits are for affine layers and layers of squares behind "
                    f"monotone layers, and {step.name} is neither: certify with intervals, "
                    "tangents and tangent_splits"
                )
        if len(groups) == 1:
            raise InputTypeError(
                "second_order and splits are for networks with layers of squares, and this one "
                "has none: certify with intervals, tangents and tangent_splits"
            )
        self.chains: list[Chain] = []
        for group in groups:
            steps = [MERGE, *group] if parts == 3 else group
            chain = Chain(steps, shape, parts)
            if chain.parts == 2 and group is not groups[-1]:
                chain = Chain([*steps, SPREAD], shape, parts)
            shape, parts = chain.shape, chain.parts
            self.chains.append(chain)
        # of the units of each later layer and of the logits, by the squares in front of them
        self.weights = [
            chain.transposed(torch.eye(len(chain.bias), dtype=torch.float64))
            for chain in self.chains[1:]
        ]
        self.terms = sum(chain.terms + len(chain.bias) for chain in self.chains)

    def expand(
        self,
        center: Float64[Tensor, "entries"],
        radius: Float64[Tensor, "entries"],
        label: int,
        others: Sequence[int],
        semantics: Semantics,
        in_ball: bool = False,
    ) -> Expansion:
        """The margins of a label over other classes on |x - center| <= radius.

        In a ball the radii are all its length, and |x - center|_2 is at most that.
        """
        gamma = EXACT.gamma(self.terms + len(center) + 64)
        free = torch.arange(len(radius)) if in_ball else _free(center, radius)
        box = _Box(center, radius, free, gamma, BALL if in_ball else CUBE)
        layers = [self._first(box, semantics)]
        while len(layers) < len(self.weights):
            layers.append(self._next(layers, box, semantics))

        source = _Source(self, layers, box, label, others, self._wrong(layers, box, semantics))
        return self.expanded(source, _centered(layers))

    def expanded(self, source: _Source, offsets: Units) -> Expansion:
        """The margins, with the squares behind the first layer expanded at center + offset."""
        layers, box, label = source.layers, source.box, source.label
        last, top, index = self.chains[-1], layers[-1], torch.tensor(source.others)
        weights = self.weights[-1][label] - self.weights[-1][index]
        squares, slope, lost = self._pulled(weights, layers, box, offsets)
        lost = lost + source.wrong[label] + source.wrong[index]
        constant = (weights * top.center.square()).sum(1) + (last.bias[label] - last.bias[index])
        behind = torch.cat([weights[:, :0], *squares[1:]], 1)
        constant = constant - behind @ offsets.square()
        constant = constant - lost * (1 + 32 * box.gamma) - margin(constant)
        constant = torch.where(lost.isfinite(), constant, -torch.inf)
        return Expansion(
            box.free,
            constant,
            slope,
            layers[0].form(squares[0]),
            behind,
            torch.cat([slope[:0], *(z.rows for z in layers[1:])]),
            torch.cat([offsets[:0], *(z.reach for z in layers[1:])]),
            offsets,
            box.region,
            source,
        )

    def _wrong(
        self, layers: list[Layer], box: "_Box", semantics: Semantics
    ) -> Float64[Tensor, "classes"]:
        """What logits are wrong by beyond their squares, wherever these are expanded."""
        last, top = self.chains[-1], layers[-1]
        wrong = last.error(top.squares, semantics) + last.error(top.squares, EXACT)
        wide = last.linear((top.spread + top.center.square())[None], moduli=True)[0]
        wrong = wrong + 8 * box.gamma * (wide + last.bias.abs())
        sizes = box.center.abs() + box.radius, *(c.floor for c in self.chains)
        sizes = *sizes, *(z.squares for z in layers)
        known = all(bool((size < _LARGEST).all()) for size in sizes)
        return wrong if known else torch.full_like(wrong, torch.inf)

    def _first(self, box: "_Box", semantics: Semantics) -> Layer:
        """The first layer is center + rows . t."""
        first = self.chains[0]
        center = first.linear(box.center[None])[0] + first.bias
        whole, rest = first.linear(torch.stack([box.radius, box.small]), moduli=True)
        size = box.center.abs() + box.radius
        stored = first.error(size, semantics) + first.error(size, EXACT)
        columns = torch.zeros(len(box.free), len(size), dtype=torch.float64)
        columns[torch.arange(len(box.free)), box.free] = box.radius[box.free]
        return Layer(
            center,
            first.linear(columns).T,
            torch.zeros_like(center),
            rest + stored + 4 * box.gamma * whole,
            stored,
            whole + stored,
            semantics,
            box.region,
            (),
            (),
            torch.zeros_like(center),
        )

    def _next(self, layers: list[Layer], box: "_Box", semantics: Semantics) -> Layer:
        """The layer of squares behind these."""
        chain, below = self.chains[len(layers)], layers[-1]
        center = chain.linear(below.center.square()[None])[0] + chain.bias
        stored = chain.error(below.squares, semantics)
        stored = stored + 4 * chain.error(below.center.square(), EXACT)
        change = chain.linear(below.spread[None], moduli=True)[0] + stored
        weights = self.weights[len(layers) - 1]
        squares, rows, lost = self._pulled(weights, layers, box, _centered(layers))
        rest = (lost + stored + 4 * box.gamma * change) * (1 + 32 * box.gamma)
        return Layer(
            center,
            rows,
            self._reach(squares, layers, box) * (1 + 32 * box.gamma) + rest,
            torch.zeros_like(center),
            stored,
            change,
            semantics,
            box.region,
            layers[:],
            squares,
            rest,
        )

    def _pulled(
        self,
        weights: Float64[Tensor, "forms last"],
        layers: list[Layer],
        box: "_Box",
        offsets: Units,
    ) -> tuple[list[Tensor], Float64[Tensor, "forms n"], Float64[Tensor, "forms"]]:
        """Weights of the last squares as those of each layer's, of t, and what is lost below."""
        squares, lost = [], torch.zeros(len(weights), dtype=torch.float64)
        places = [0 * layers[0].center, *offsets.split(_counts(layers))]
        below = self.chains[len(layers) - 1 :: -1], layers[::-1], places[::-1]
        for chain, layer, offset in zip(*below, strict=True):
            squares.insert(0, weights)
            slope = 2 * (layer.center + offset)
            moved = 2 * layer.error + box.gamma * (16 * layer.change + 8 * offset.abs())
            each = layer.loss + moved * offset.abs() + slope.abs() * layer.stored
            lost = lost + weights.abs() @ each
            weights = chain.transposed(weights * slope)
        lost = lost + weights.abs() @ (box.small + box.gamma * box.radius)
        return squares, weights[:, box.free] * box.radius[box.free], lost

    def _reach(
        self,
        squares: list[Tensor],
        layers: list[Layer],
        box: "_Box",
    ) -> Units:
        """|h| of the units with these weights: of intervals, or of eigenvalues."""
        bent = layers[0].form(squares[0]) if len(box.free) <= _MOST_FREE else None
        ends = []
        for sign in (1, -1):
            kept, taken = [-sign * squares[0]], torch.zeros(len(squares[0]), dtype=torch.float64)
            for weights, layer in zip(squares[1:], layers[1:], strict=True):
                w = -sign * weights
                shares = shares_for(w, layer.reach, layer.rows.square().sum(1))
                own, lost = split(w, layer.reach, shares)
                kept.append(own)
                rounded = 8 * box.gamma * own.abs() @ layer.heights.square()
                taken = taken + lost + rounded
            pairs = list(zip(kept, layers, strict=True))
            end = -torch.stack([w.clamp(max=0) @ z.heights.square() for w, z in pairs]).sum(0)
            if bent is not None:
                matrices = sum((z.form(w) for w, z in pairs[1:]), -sign * bent)
                end = torch.minimum(end, loewner(-matrices, box.region))
            elif len(layers) == 1:
                matrix = self.chains[0].linear(torch.eye(len(box.radius), dtype=torch.float64))
                key = tensor_digest([matrix, kept[0]])
                weights = _bends(_Matrices(key, matrix, -kept[0]), box.region)
                moved = (box.radius - box.small).square()
                end = torch.minimum(end, box.region.total(weights * moved))
            ends.append(end + taken)
        return torch.maximum(*ends)


@dataclass(frozen=True, eq=False)
class _Box:
    """A set with the places of its free entries, and the relative error of what is formed of it."""

    center: Float64[Tensor, "entries"]
    radius: Float64[Tensor, "entries"]
    free: Int64[Tensor, "n"]
    gamma: float
    region: Region

    @property
    def small(self) -> Float64[Tensor, "entries"]:
        """The radii of the entries that are not free, 0 elsewhere."""
        return self.radius.index_fill(0, self.free, 0.0)


@dataclass(frozen=True)
class _Matrices:
    """The first matrix, transposed, and the second, known by the digest of their numbers."""

    digest: str
    first: Float64[Tensor, "entries units"] = field(compare=False)
    second: Float64[Tensor, "outer units"] = field(compare=False)


@functools.lru_cache(maxsize=2)
def _bends(matrices: _Matrices, region: Region) -> Float64[Tensor, "outer entries"]:
    """Weights p of each unit with q(d) <= sum_i p_i d_i^2 for every d.

    They do not depend on the box, so that the eigenvalues are needed once for a network and sign.
    """
    rows = matrices.second.split(_AT_ONCE)
    return torch.cat([loewner_weights(forms(r, matrices.first), region) for r in rows])


def _counts(layers: list[Layer]) -> list[int]:
    """How many units each layer behind the first has."""
    return [len(layer.center) for layer in layers[1:]]


def _centered(layers: list[Layer]) -> Units:
    """No offset, for all units behind the first layer."""
    return torch.zeros(sum(_counts(layers)), dtype=torch.float64)


def _free(
    center: Float64[Tensor, "entries"], radius: Float64[Tensor, "entries"]
) -> Int64[Tensor, "n"]:
    """Places of the largest radii, without a tail, and without those that rounding has left."""
    order = radius.argsort()
    tail = radius[order].cumsum(0) <= _TAIL * radius.sum()
    tail |= radius[order] <= _NEGLIGIBLE * (center.abs() + radius).max()
    tail[-1] = False
    return order[~tail].sort().values
