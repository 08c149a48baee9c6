"""Branch and bound over the entries of the box, with the polynomial of each piece at its center."""

import heapq
import itertools
import math
from dataclasses import dataclass

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

    nodes: int = 100

    def bounds(
        self,
        squares: SquareNetwork,
        low: Corner,
        high: Corner,
        label: int,
        others: list[int],
        semantics: Semantics,
    ) -> Float64[Tensor, "margins"]:
        """Those of the whole box, and for what they leave open the least over its pieces."""
        best = super().bounds(squares, low, high, label, others, semantics)
        for k in best.argsort().tolist():
            if best[k] <= 0:
                search = _Search(squares, label, others[k], semantics)
                best[k] = max(best[k].item(), search.least(low, high, self.nodes))
                if best[k] <= 0:
                    break
        return best


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

    def least(self, low: Corner, high: Corner, nodes: int) -> float:
        """A lower bound on the box: the least over pieces that cover it."""
        count = itertools.count()
        bound, expansion = self._expanded(low, high)
        heap = [(bound, next(count), low, high, expansion)]
        spent = 1
        while heap[0][0] <= 0 and spent + 2 <= nodes:
            _, _, low, high, expansion = heap[0]
            pieces = _halves(low, high, expansion)
            if expansion.constant <= 0 or not pieces:
                break  # the center itself is not proved, or nothing is left to halve
            heapq.heappop(heap)
            for piece in pieces:
                bound, expansion = self._expanded(*piece)
                heapq.heappush(heap, (bound, next(count), *piece, expansion))
                spent += 1
        return heap[0][0]

    def _expanded(self, low: Corner, high: Corner) -> tuple[float, Expansion]:
        box = Enclosure.between(low[None, None], high[None, None])
        expansion = self.squares.expand(
            box.center[0, 0], box.radius[0, 0], self.label, [self.other], self.semantics
        )
        return lower_bounds(expansion).item(), expansion


def _halves(low: Corner, high: Corner, expansion: Expansion) -> list[tuple[Corner, Corner]]:
    """Both sides of the middle of the entry that the form depends on most; none if it is thin."""
    matrix = expansion.lower[0] + forms(expansion.weights, expansion.rows.T)[0]
    score = expansion.slope[0].abs() + matrix.abs().sum(1)
    place = expansion.free[score.argmax()]
    middle = low[place] / 2 + high[place] / 2
    if not low[place] < middle < high[place] or math.isnan(score.max()):
        return []
    at = torch.arange(len(low)) == place
    return [(low, torch.where(at, middle, high)), (torch.where(at, middle, low), high)]
