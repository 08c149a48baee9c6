"""Affine maps of complex or real tensors."""

from holonet.ops.affine.reference import affine, planar_channels

__all__ = ["affine", "planar_channels"]
