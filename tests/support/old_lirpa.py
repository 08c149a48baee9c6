"""auto_LiRPA 0.3, the only version of the package index, with the numpy and torch of today.

It is of 2022 and asks for torch before 1.13. Its version of the repository cannot be installed by
name and version, so that tests run with this one. What it calls has moved: one name of numpy, two
of torch's exporter, the attributes of a node by index, and an argument of `nn.Module`. None of this
touches how it bounds. On a machine with a newer auto_LiRPA nothing is done.
"""

import sys
import warnings
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType
from typing import Any

import numpy as np
import torch

__all__ = ["make_importable"]


def make_importable() -> None:
    """Put what auto_LiRPA 0.3 looks for where it looks."""
    try:
        if version("auto_LiRPA") != "0.3":
            return
    except PackageNotFoundError:
        return
    from torch.onnx._internal.torchscript_exporter import _globals
    from torch.onnx._internal.torchscript_exporter import utils as moved

    sets: Any = ModuleType("numpy.lib.arraysetops")
    sets.isin = np.isin
    sys.modules.setdefault("numpy.lib.arraysetops", sets)
    utils: Any = import_module("torch.onnx.utils")
    utils._optimize_graph = moved._optimize_graph
    helper: Any = import_module("torch.onnx.symbolic_helper")
    helper._set_opset_version = lambda number: setattr(
        _globals.GLOBALS, "export_onnx_opset_version", number
    )
    node: Any = torch._C.Node
    node.__getitem__ = lambda self, key: getattr(self, self.kindOf(key))(key)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from auto_LiRPA import BoundedModule

    if "remove_duplicate" not in BoundedModule._named_members.__code__.co_varnames:
        members = BoundedModule._named_members

        def _named_members(
            self: Any,
            get: Any,
            prefix: str = "",
            recurse: bool = True,
            remove_duplicate: bool = True,
        ) -> Any:
            return members(self, get, prefix, recurse)

        BoundedModule._named_members = _named_members
