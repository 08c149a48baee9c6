"""Singularities of functions of one variable, which are given by their values."""

from holonet.singularities.discs import Discs, LineFunctions, clear_discs
from holonet.singularities.loops import KINDS, Loops, go_round
from holonet.singularities.nearest import SearchResult, Singularities, find_singularities

__all__ = [
    "KINDS",
    "Discs",
    "LineFunctions",
    "Loops",
    "SearchResult",
    "Singularities",
    "clear_discs",
    "find_singularities",
    "go_round",
]
