"""Networks of complextorch's layers as networks of holonet's, and back, with the same weights."""

import copy
from collections.abc import Callable
from typing import Any

import complextorch.nn as ctnn
import torch
from torch import Tensor, nn

from holonet._arguments import checked
from holonet.errors import InputTypeError
from holonet.nn import Conv1d, Conv2d, ConvTranspose2d, Linear

__all__ = ["from_complextorch", "to_complextorch"]

Convert = Callable[[nn.Module], nn.Module | None]

# type of holonet -> of complextorch, and the attribute where that keeps a layer of torch
COUNTERPARTS: dict[type[nn.Module], tuple[type[nn.Module], str]] = {
    Linear: (ctnn.Linear, "linear"),
    Conv1d: (ctnn.Conv1d, "conv"),
    Conv2d: (ctnn.Conv2d, "conv"),
    ConvTranspose2d: (ctnn.ConvTranspose2d, "conv_transposed"),
}
# the layers of complextorch that compute with real and imaginary parts apart
IN_PARTS: dict[type[nn.Module], tuple[type[nn.Module], str]] = {
    ctnn.gauss.Linear: (Linear, "linear"),
    ctnn.gauss.Conv1d: (Conv1d, "conv"),
    ctnn.gauss.Conv2d: (Conv2d, "conv"),
    ctnn.gauss.ConvTranspose2d: (ConvTranspose2d, "convt"),
}


@checked
def from_complextorch(network: nn.Module) -> nn.Module:
    """A copy of the network whose layers of complextorch are holonet's.

    `complextorch.nn.Linear`, `Conv1d`, `Conv2d`, `ConvTranspose2d` and their forms in
    `complextorch.nn.gauss` become holonet's, at any depth. All else stays as it is: holonet takes
    other layers of complextorch by their declarations.

    Law: equal values up to rounding, and the same weights. `to_complextorch` of the result has the
    state dict of a network without layers in `gauss`.

    Example:
        >>> network = nn.Sequential(ctnn.Conv1d(2, 3, 5), ctnn.CTanh())
        >>> list(network.state_dict()), list(from_complextorch(network).state_dict())
        (['0.conv.weight', '0.conv.bias'], ['0.weight', '0.bias'])
    """
    inner = {theirs: (ours, name) for ours, (theirs, name) in COUNTERPARTS.items()}

    def convert(layer: nn.Module) -> nn.Module | None:
        if type(layer) in inner:
            kind, name = inner[type(layer)]
            source = getattr(layer, name)
            return _with_weights(kind, source, source.weight, source.bias)
        if type(layer) in IN_PARTS:
            kind, name = IN_PARTS[type(layer)]
            source = getattr(layer, f"{name}_r")
            if getattr(source, "padding_mode", "zeros") != "zeros":
                return None  # complextorch 2.1 pads two of three products
            parts: Any = layer
            trained = source.weight.requires_grad
            weight = nn.Parameter(parts.weight.detach(), trained)
            bias = None if parts.bias is None else nn.Parameter(parts.bias.detach(), trained)
            return _with_weights(kind, source, weight, bias)
        return None

    return _converted(network, convert)


@checked
def to_complextorch(network: nn.Module) -> nn.Module:
    """A copy of the network whose linear and convolutional layers are complextorch's.

    All else stays as it is. The state dict is what complextorch loads into such layers.

    Law: equal values at complex points up to rounding, and the same weights. `from_complextorch` of
    the result has the state dict of the network.

    Raises:
        InputTypeError: a layer has real coefficients; complextorch's would take no complex points.

    Example:
        >>> network = to_complextorch(nn.Sequential(Linear(2, 3), nn.Identity()))
        >>> list(network.state_dict())
        ['0.linear.weight', '0.linear.bias']
    """

    def convert(layer: nn.Module) -> nn.Module | None:
        if type(layer) not in COUNTERPARTS:
            return None
        kind, name = COUNTERPARTS[type(layer)]
        source: Any = layer
        if not source.weight.is_complex():
            raise InputTypeError(
                f"to_complextorch of {layer}: it has real coefficients ({source.weight.dtype}), "
                "with which complextorch's take no complex points; build it of complex64"
            )
        settings = {"bias": source.bias is not None, "dtype": source.weight.dtype}
        result = kind(**_settings(source) | settings)
        inner = getattr(result, name)
        inner.weight, inner.bias = source.weight, source.bias
        return result.train(layer.training)

    return _converted(network, convert)


def _converted(network: nn.Module, convert: Convert) -> nn.Module:
    """A copy with other modules where `convert` has one; a shared module stays shared."""
    network = copy.deepcopy(network)
    replaced: dict[nn.Module, nn.Module] = {}

    def walk(module: nn.Module) -> nn.Module:
        if module not in replaced:
            replaced[module] = module
            other = convert(module)
            if other is not None:
                replaced[module] = other
            else:
                for name, child in module._modules.items():
                    module._modules[name] = None if child is None else walk(child)
        return replaced[module]

    return walk(network)


def _with_weights(
    kind: type[nn.Module], source: nn.Module, weight: Tensor, bias: Tensor | None
) -> nn.Module:
    """The layer of this kind with the settings of a layer of torch."""
    settings = _settings(source) | {"bias": bias is not None, "dtype": weight.dtype}
    layer: Any = kind(**settings)
    layer.weight, layer.bias = weight, bias
    return layer.train(source.training)


def _settings(layer: Any) -> dict[str, Any]:
    """What a layer of torch was made with; on the device "meta", where nothing is drawn."""
    if isinstance(layer, nn.Linear):
        names = ["in_features", "out_features"]
    else:
        names = ["in_channels", "out_channels", "kernel_size", "stride", "padding"]
        names += ["dilation", "groups", "padding_mode"]
        if isinstance(layer, nn.ConvTranspose2d):
            names.append("output_padding")
    return {name: getattr(layer, name) for name in names} | {"device": torch.device("meta")}
