"""Affine maps of complex or real tensors."""

from holonet.ops.affine.continuation import continued
from holonet.ops.affine.function import affine
from holonet.ops.affine.mixed import autocast_dtype, widened
from holonet.ops.affine.reference import planar_channels

__all__ = ["affine", "autocast_dtype", "continued", "planar_channels", "widened"]
