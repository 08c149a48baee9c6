"""Dube (2018): perturbation norms against resolution, and saddle points against minima."""

from holonet.papers.dube2018.claims import CLAIMS
from holonet.papers.dube2018.study import Dube2018

__all__ = ["CLAIMS", "Dube2018"]
