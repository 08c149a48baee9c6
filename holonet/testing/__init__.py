"""Checks of holomorphy, harmonicity and derivatives, and what to try them on.

Hypothesis strategies are in `holonet.testing.strategies`, which needs hypothesis; the pytest plugin
is `holonet.testing.plugin`.
"""

from holonet.testing.assertions import assert_holomorphic, holomorphy_error
from holonet.testing.checks import Check, checks_for
from holonet.testing.derivatives import assert_derivative, assert_matches_reference
from holonet.testing.harmonicity import assert_harmonic, assert_pluriharmonic
from holonet.testing.impostors import ASSERTIONS, IMPOSTORS, Impostor, impostors_against
from holonet.testing.networks import BLOCKS, COEFFICIENTS, random_network

__all__ = [
    "ASSERTIONS",
    "BLOCKS",
    "COEFFICIENTS",
    "IMPOSTORS",
    "Check",
    "Impostor",
    "assert_derivative",
    "assert_harmonic",
    "assert_holomorphic",
    "assert_matches_reference",
    "assert_pluriharmonic",
    "checks_for",
    "holomorphy_error",
    "impostors_against",
    "random_network",
]
