"""The layers of a model in the order of their application, containers unrolled."""

from collections.abc import Iterator

from torch import nn

from holonet import nn as hnn
from holonet._arguments import checked
from holonet.errors import InputTypeError
from holonet.nn.declare import layers_in_order

__all__ = ["label", "unrolled"]


@checked
def unrolled(model: nn.Module, path: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Pairs of path and layer. Sequences and classifiers are opened, residual blocks are not.

    A shared layer is in each of its places.

    Args:
        model: any module.
        path: of the model in a larger one.

    Raises:
        InputTypeError: a module has hooks or a `forward` of an instance's own, which may compute
            anything.

    Example:
        >>> [path for path, _ in unrolled(nn.Sequential(nn.Flatten(), nn.Sequential(nn.ReLU())))]
        ['0', '1.0']
    """
    hooked = model._forward_hooks or model._forward_pre_hooks
    if hooked or "forward" in vars(model):
        raise InputTypeError(
            f"{label(path, model)} has hooks or a forward of its own: remove them to certify"
        )
    inner = f"{path}." if path else ""
    if type(model) is hnn.HolomorphicClassifier:
        yield from unrolled(model.backbone, f"{inner}backbone")
        yield from unrolled(model.readout, f"{inner}readout")
    elif isinstance(model, nn.Sequential) and type(model) in (nn.Sequential, hnn.Sequential):
        for key, child in layers_in_order(model):
            yield from unrolled(child, f"{inner}{key}")
    else:
        yield path, model


def label(path: str, layer: nn.Module) -> str:
    """What messages call a layer.

    Example:
        >>> label("0", nn.ReLU()), label("", nn.ReLU())
        ('0 (ReLU)', 'the model (ReLU)')
    """
    return f"{path or 'the model'} ({type(layer).__name__})"
