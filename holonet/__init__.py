"""Holomorphic neural networks in PyTorch, and what complex analysis says about them."""

from holonet import attacks, calculus, data, domains, errors, functions, nn, regularizers

__all__ = [
    "attacks",
    "calculus",
    "data",
    "domains",
    "errors",
    "functions",
    "nn",
    "regularizers",
]
__version__ = "0.1.0"
