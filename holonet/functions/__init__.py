"""Holomorphic functions as records, and the catalogue of them."""

from holonet.functions.catalogue import CATALOGUE, get_function
from holonet.functions.classes import FunctionClass, compose, multiply
from holonet.functions.disc_bounds import disc_bounds, largest_about_zero
from holonet.functions.polynomial import polynomial
from holonet.functions.rational import blaschke, moebius
from holonet.functions.real_bounds import (
    derivative_bound,
    extremal_points,
    range_on,
    rounding_bound,
)
from holonet.functions.record import HolomorphicFunction, Singularity, SingularityKind

__all__ = [
    "CATALOGUE",
    "FunctionClass",
    "HolomorphicFunction",
    "Singularity",
    "SingularityKind",
    "blaschke",
    "compose",
    "derivative_bound",
    "disc_bounds",
    "extremal_points",
    "get_function",
    "largest_about_zero",
    "moebius",
    "multiply",
    "polynomial",
    "range_on",
    "rounding_bound",
]
