"""Branch and bound over the entries of the box, with the polynomial of each piece at its center."""

import heapq
import itertools
import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Float64
from torch import Tensor

from holonet.certify.enclosure import Enclosure, Semantics
from holonet.certify.expansion import Expansion, SquareNetwork
from holonet.certify.quadratic import forms
from holonet.certify.second_order import SECOND_ORDER, SecondOrder, lower_bounds

__all__ = ["SPLITS", "Splits"]

Corner = Float64[Tensor, "entries"]


@dataclass(frozen=True)
class Splits(SecondOrder):
    """Halves pieces of the box until each of them is proved.

    Args:
        nodes: pieces that are expanded for one margin, at most.
    """

    norms: ClassVar[tuple[str, ...]] = ("Linf", "polydisc")
    nodes: int = 100

    def bounds(
        self,
        squares: SquareNetwork,
        low: Corner,
        high: Corner,
        label: int,
        others: list[int],
        semantics: Semantics,
    ) -> tuple[Float64[Tensor, "margins"], list[dict[str, Any]]]:
        """Those of the whole box, and for what they leave open the least over its pieces.

        The witness of a piece that was halved has the entry, the middle and those of both halves.
        """
        best, witnesses = super().bounds(squares, low, high, label, others, semantics)
        for k in best.argsort().tolist():
            if best[k] <= 0:
                search = _Search(squares, label, others[k], semantics)
                bound, witness = search.least(low, high, self.nodes)
                if bound > best[k]:
                    best[k], witnesses[k] = bound, witness
                if best[k] <= 0:
                    break
        return best, witnesses


SPLITS = Splits(
    "splits",
    f"branch and bound over the entries of the box; on each piece: {SECOND_ORDER.theorem}",
    (*SECOND_ORDER.hypotheses, "the pieces cover the box"),
)


@dataclass(frozen=True)
class _Search:
    """One margin: of a label over another class."""

    squares: SquareNetwork
    label: int
    other: int
    semantics: Semantics

    def least(self, low: Corner, high: Corner, nodes: int) -> tuple[float, dict[str, Any]]:
        """A lower bound on the box: the least over pieces that cover it."""
        count = itertools.count()
        bound, root, expansion = self._expanded(low, high)
        heap = [(bound, next(count), low, high, root, expansion)]
        spent = 1
        while heap[0][0] <= 0 and spent + 2 <= nodes:
            _, _, low, high, witness, expansion = heap[0]
            place, pieces = _halves(low, high, expansion)
            if expansion.constant <= 0 or not pieces:
                break  # the center itself is not proved, or nothing is left to halve
            heapq.heappop(heap)
            witness.clear()
            witness |= {"place": place, "middle": pieces[0][1][place].item(), "halves": []}
            for piece in pieces:
                bound, half, expansion = self._expanded(*piece)
                heapq.heappush(heap, (bound, next(count), *piece, half, expansion))
                witness["halves"].append(half)
                spent += 1
        return heap[0][0], root

    def _expanded(self, low: Corner, high: Corner) -> tuple[float, dict[str, Any], Expansion]:
        box = Enclosure.between(low[None, None], high[None, None])
        expansion = self.squares.expand(
            box.center[0, 0], box.radius[0, 0], self.label, [self.other], self.semantics
        )
        bounds, witnesses = lower_bounds(expansion)
        return bounds.item(), witnesses[0], expansion


def _halves(
    low: Corner, high: Corner, expansion: Expansion
) -> tuple[int, list[tuple[Corner, Corner]]]:
    """Both sides of the middle of the entry that the form depends on most; none if it is thin."""
    matrix = expansion.lower[0] + forms(expansion.weights, expansion.rows.T)[0]
    score = expansion.slope[0].abs() + matrix.abs().sum(1)
    place = int(expansion.free[score.argmax()])
    middle = low[place] / 2 + high[place] / 2
    if not low[place] < middle < high[place] or math.isnan(score.max()):
        return place, []
    at = torch.arange(len(low)) == place
    return place, [(low, torch.where(at, middle, high)), (torch.where(at, middle, low), high)]
