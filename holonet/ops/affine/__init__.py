"""Affine maps of complex or real tensors."""

from holonet.ops.affine.function import affine
from holonet.ops.affine.mixed import widened
from holonet.ops.affine.reference import planar_channels

__all__ = ["affine", "planar_channels", "widened"]
