"""Fused operations on complex tensors, one name on every backend."""

from holonet.ops.affine import affine
from holonet.ops.dispatch import BACKENDS, Backend, explain, use
from holonet.ops.pointwise.function import pointwise

__all__ = ["BACKENDS", "Backend", "affine", "explain", "pointwise", "use"]
