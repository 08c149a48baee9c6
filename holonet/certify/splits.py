"""Branch and bound over the entries of the box, with another method on each piece."""

import heapq
import itertools
import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import torch
from jaxtyping import Float64
from torch import Tensor

from holonet.certify.enclosure import Enclosure, Semantics
from holonet.certify.expansion import SquareNetwork
from holonet.certify.methods import TANGENTS, ByExample
from holonet.certify.network import Network
from holonet.certify.quadratic import forms
from holonet.certify.second_order import SECOND_ORDER, lower_bounds

__all__ = ["SPLITS", "TANGENT_SPLITS", "Splits"]

Read = TypeVar("Read")
Corners = Float64[Tensor, "parts boxes *event"]
Witness = dict[str, Any]


@dataclass(frozen=True)
class Piece:
    """A part of the box, and what is known of one margin there.

    Args:
        low, high: its corners.
        bound: of the margin, from below.
        witness: of the bound.
        scores: how much the bound depends on each entry.
        is_refuted: the margin is not positive at the center, as far as is known.
    """

    low: Corners
    high: Corners
    bound: float
    witness: Witness
    scores: Float64[Tensor, "entries"]
    is_refuted: bool


@dataclass(frozen=True)
class Splits(ByExample[Read]):
    """Halves pieces of the box until each of them is proved.

    Args:
        nodes: pieces that are bounded for one margin, at most.
    """

    norms: ClassVar[tuple[str, ...]] = ("Linf", "polydisc")
    nodes: int = 100

    @abstractmethod
    def whole(
        self, read: Read, image: Enclosure, label: int, others: list[int], semantics: Semantics
    ) -> tuple[Float64[Tensor, "margins"], list[Witness]]:
        """Lower bounds of all margins without a split, and a witness of each."""

    @abstractmethod
    def pieces(
        self,
        read: Read,
        low: Corners,
        high: Corners,
        label: int,
        other: int,
        semantics: Semantics,
    ) -> list[Piece]:
        """One margin on each of the boxes."""

    def bounds(
        self, read: Read, image: Enclosure, label: int, others: list[int], semantics: Semantics
    ) -> tuple[Float64[Tensor, "margins"], list[Witness]]:
        """Those of the whole box, and for what they leave open the least over its pieces.

        The witness of a piece that was halved has the entry, the middle and those of both halves.
        """
        best, witnesses = self.whole(read, image, label, others, semantics)
        for k in best.argsort().tolist():
            if best[k] <= 0:
                bound, witness = self._least(read, image, label, others[k], semantics)
                if bound > best[k]:
                    best[k], witnesses[k] = bound, witness
                if best[k] <= 0:
                    break
        return best, witnesses

    def _least(
        self, read: Read, image: Enclosure, label: int, other: int, semantics: Semantics
    ) -> tuple[float, Witness]:
        """A lower bound on the box: the least over pieces that cover it."""
        (root,) = self.pieces(read, image.low, image.high, label, other, semantics)
        count, spent = itertools.count(), 1
        heap = [(root.bound, next(count), root)]
        while heap[0][0] <= 0 and spent + 2 <= self.nodes:
            piece = heap[0][2]
            place, middle, halves = _halves(piece)
            if piece.is_refuted or halves is None:
                break  # the center itself is not proved, or nothing is left to halve
            heapq.heappop(heap)
            found = self.pieces(read, *halves, label, other, semantics)
            piece.witness.clear()
            witnesses = [half.witness for half in found]
            piece.witness.update(place=place, middle=middle, halves=witnesses)
            for half in found:
                heapq.heappush(heap, (half.bound, next(count), half))
            spent += 2
        return heap[0][0], root.witness


def _halves(piece: Piece) -> tuple[int, float, tuple[Corners, Corners] | None]:
    """The entry that the bound depends on most, its middle, and both sides; none if it is thin."""
    low, high, place = piece.low, piece.high, int(piece.scores.argmax())
    at = (torch.arange(low.numel()) == place).view(low.shape)
    middle = low / 2 + high / 2
    cut = middle[at].item()
    if not low[at] < cut < high[at] or math.isnan(piece.scores.max()):
        return place, cut, None
    lows = torch.cat([low, torch.where(at, middle, low)], 1)
    return place, cut, (lows, torch.cat([torch.where(at, middle, high), high], 1))


@dataclass(frozen=True)
class SquareSplits(Splits[SquareNetwork]):
    """With the polynomial of each piece at its center."""

    def read(self, network: Network, image: Enclosure) -> SquareNetwork:
        """Its affine layers and squares."""
        return SECOND_ORDER.read(network, image)

    def whole(
        self,
        read: SquareNetwork,
        image: Enclosure,
        label: int,
        others: list[int],
        semantics: Semantics,
    ) -> tuple[Float64[Tensor, "margins"], list[Witness]]:
        """By second order."""
        return SECOND_ORDER.bounds(read, image, label, others, semantics)

    def pieces(
        self,
        read: SquareNetwork,
        low: Corners,
        high: Corners,
        label: int,
        other: int,
        semantics: Semantics,
    ) -> list[Piece]:
        """By second order, one after the other."""
        found = []
        for i in range(low.shape[1]):
            ends = low[:, i : i + 1], high[:, i : i + 1]
            box = Enclosure.between(*ends)
            center, radius = box.center.flatten(), box.radius.flatten()
            expansion = read.expand(center, radius, label, [other], semantics)
            bounds, witnesses = lower_bounds(expansion)
            matrix = expansion.lower[0] + forms(expansion.weights, expansion.rows.T)[0]
            scores = torch.zeros_like(center)
            scores[expansion.free] = expansion.slope[0].abs() + matrix.abs().sum(1)
            is_refuted = bool(expansion.constant <= 0)
            found.append(Piece(*ends, bounds.item(), witnesses[0], scores, is_refuted))
        return found


@dataclass(frozen=True)
class TangentSplits(Splits[Network]):
    """With tangents on each piece, for networks of any known layers."""

    def read(self, network: Network, image: Enclosure) -> Network:
        """The steps behind the monotone ones."""
        del image
        return Network(network.steps[network.front :], network.dtypes)

    def whole(
        self, read: Network, image: Enclosure, label: int, others: list[int], semantics: Semantics
    ) -> tuple[Float64[Tensor, "margins"], list[Witness]]:
        """By tangents, which need no witness."""
        margins, *_ = TANGENTS.margins(read, image, torch.tensor([label]), semantics)
        return margins[0, others], [{} for _ in others]

    def pieces(
        self,
        read: Network,
        low: Corners,
        high: Corners,
        label: int,
        other: int,
        semantics: Semantics,
    ) -> list[Piece]:
        """By tangents, all at once."""
        boxes = Enclosure.between(low, high)
        y = torch.full((low.shape[1],), label)
        margins, rows, _ = TANGENTS.with_rows(read, boxes, y, semantics)
        points, _ = read.enclose(Enclosure(boxes.center, 0 * boxes.radius), semantics)
        values = points.center[0, :, label] - points.center[0, :, other]
        scores = rows.value[:, :, other].abs() * boxes.radius
        return [
            Piece(
                low[:, i : i + 1],
                high[:, i : i + 1],
                margins[i, other].item(),
                {},
                scores[:, i].flatten(),
                bool(values[i] <= 0),
            )
            for i in range(len(y))
        ]


_COVERED = "the pieces cover the box"

SPLITS = SquareSplits(
    "splits",
    f"branch and bound over the entries of the box; on each piece: {SECOND_ORDER.theorem}",
    (*SECOND_ORDER.hypotheses, _COVERED),
)

TANGENT_SPLITS = TangentSplits(
    "tangent_splits",
    f"branch and bound over the entries of the box; on each piece: {TANGENTS.theorem}",
    (*TANGENTS.hypotheses, _COVERED),
)
