"""Bridges to other tools: attack libraries, auto_LiRPA, complextorch, ONNX and torch.export."""

from holonet.interop.autoattack import AutoAttackResult, autoattack, require_autoattack
from holonet.interop.complextorch import from_complextorch, to_complextorch
from holonet.interop.export import FORMATS, Exported, export
from holonet.interop.layout import ImageLayout
from holonet.interop.lirpa import LIRPA_METHODS, lirpa_margins
from holonet.interop.real import RealForm, to_real
from holonet.interop.toolkits import (
    external,
    from_art,
    from_foolbox,
    from_torchattacks,
    require_toolkit,
)

__all__ = [
    "FORMATS",
    "LIRPA_METHODS",
    "AutoAttackResult",
    "Exported",
    "ImageLayout",
    "RealForm",
    "autoattack",
    "export",
    "external",
    "from_art",
    "from_complextorch",
    "from_foolbox",
    "from_torchattacks",
    "lirpa_margins",
    "require_autoattack",
    "require_toolkit",
    "to_complextorch",
    "to_real",
]
