"""Checks of holomorphy, harmonicity and derivatives, and what to try them on.

Hypothesis strategies are in `holonet.testing.strategies`, which needs hypothesis.
"""

from holonet.testing.impostors import (
    ASSERTIONS,
    IMPOSTORS,
    NAIVE_CHECKS,
    Impostor,
    impostors_against,
)
from holonet.testing.networks import BLOCKS, random_network

__all__ = [
    "ASSERTIONS",
    "BLOCKS",
    "IMPOSTORS",
    "NAIVE_CHECKS",
    "Impostor",
    "impostors_against",
    "random_network",
]
