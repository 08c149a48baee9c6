"""Fused operations on complex tensors, one name on every floor."""

from holonet.ops.affine import affine
from holonet.ops.backend import BACKENDS, Backend, use
from holonet.ops.jet import jet
from holonet.ops.pointwise import explain, pointwise

__all__ = ["BACKENDS", "Backend", "affine", "explain", "jet", "pointwise", "use"]
