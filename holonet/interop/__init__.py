"""Bridges to neighboring libraries, one file for each."""

from holonet.interop.complextorch import EXCLUDED, SPECS, LayerSpec, Verdict, layer_types

__all__ = ["EXCLUDED", "SPECS", "LayerSpec", "Verdict", "layer_types"]
