"""Bridges to attack libraries, one file for each."""

from holonet.interop.autoattack import AutoAttackResult, autoattack, require_autoattack
from holonet.interop.layout import ImageLayout
from holonet.interop.toolkits import (
    external,
    from_art,
    from_foolbox,
    from_torchattacks,
    require_toolkit,
)

__all__ = [
    "AutoAttackResult",
    "ImageLayout",
    "autoattack",
    "external",
    "from_art",
    "from_foolbox",
    "from_torchattacks",
    "require_autoattack",
    "require_toolkit",
]
