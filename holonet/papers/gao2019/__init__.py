"""Gao et al. (2019): convergence of adversarial training, kernels of wide networks, capacity."""

from holonet.papers.gao2019.claims import CLAIMS
from holonet.papers.gao2019.study import Gao2019

__all__ = ["CLAIMS", "Gao2019"]
