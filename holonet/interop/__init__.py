"""Bridges to neighboring libraries, one file for each."""

from holonet.interop.autoattack import AutoAttackResult, autoattack, require_autoattack
from holonet.interop.complextorch import EXCLUDED, SPECS, LayerSpec, Verdict, layer_types
from holonet.interop.layout import ImageLayout
from holonet.interop.toolkits import (
    external,
    from_art,
    from_foolbox,
    from_torchattacks,
    require_toolkit,
)

__all__ = [
    "EXCLUDED",
    "SPECS",
    "AutoAttackResult",
    "ImageLayout",
    "LayerSpec",
    "Verdict",
    "autoattack",
    "external",
    "from_art",
    "from_foolbox",
    "from_torchattacks",
    "layer_types",
    "require_autoattack",
    "require_toolkit",
]
