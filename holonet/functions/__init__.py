"""Holomorphic functions as records, and the catalogue of them."""

from holonet.functions.catalogue import CATALOGUE, get_function
from holonet.functions.classes import FunctionClass, compose, multiply
from holonet.functions.polynomial import polynomial
from holonet.functions.rational import blaschke, moebius
from holonet.functions.record import HolomorphicFunction, Singularity, SingularityKind

__all__ = [
    "CATALOGUE",
    "FunctionClass",
    "HolomorphicFunction",
    "Singularity",
    "SingularityKind",
    "blaschke",
    "compose",
    "get_function",
    "moebius",
    "multiply",
    "polynomial",
]
