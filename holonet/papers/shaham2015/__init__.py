"""Shaham, Yamada and Negahban (2015): robust optimization against one step, in three norms."""

from holonet.papers.shaham2015.claims import CLAIMS
from holonet.papers.shaham2015.study import Shaham2015

__all__ = ["CLAIMS", "Shaham2015"]
