"""Penalties `(f, z) -> non-negative scalar` that push a network towards a class of functions."""

from holonet.regularizers.dirichlet import DirichletEnergy
from holonet.regularizers.regularizer import Regularizer

__all__ = ["DirichletEnergy", "Regularizer"]
