"""Deng, He, Huang and Su (2020): dynamics of first-order adversaries."""

from holonet.papers.deng2020.claims import CLAIMS
from holonet.papers.deng2020.study import Deng2020

__all__ = ["CLAIMS", "Deng2020"]
