"""Fused entrywise functions: phi(z), and what differentiation needs of it, in one pass each."""

from holonet.ops.pointwise.biased import pointwise
from holonet.ops.pointwise.entrywise import explain

__all__ = ["explain", "pointwise"]
