"""Barati, Safabakhsh and Rahmati (2022): harmonic hypotheses, their energy, and transfer."""

from holonet.papers.barati2022.claims import CLAIMS
from holonet.papers.barati2022.study import Barati2022

__all__ = ["CLAIMS", "Barati2022"]
