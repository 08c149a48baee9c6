"""Initialization of weights: the right variance, and distance from singularities."""

from holonet.nn.init.data_dependent import data_dependent_, data_driven_
from holonet.nn.init.interval_widths import interval_widths_
from holonet.nn.init.weights import (
    circular_normal_,
    kaiming_normal_,
    kaiming_uniform_,
    xavier_normal_,
    xavier_uniform_,
)

__all__ = [
    "circular_normal_",
    "data_dependent_",
    "data_driven_",
    "interval_widths_",
    "kaiming_normal_",
    "kaiming_uniform_",
    "xavier_normal_",
    "xavier_uniform_",
]
