"""Fused operations on complex tensors, one name on every floor."""

from holonet.ops.affine import affine

__all__ = ["affine"]
