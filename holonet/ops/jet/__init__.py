"""phi(z) together with what it makes of tangents, in one pass."""

from holonet.ops.jet.tangents import jet

__all__ = ["jet"]
