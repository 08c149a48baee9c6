"""Networks that map the unit polydisc into itself."""

from collections.abc import Iterator

import torch
from torch import nn

from holonet._arguments import checked
from holonet.errors import InputTypeError
from holonet.functions import largest_about_zero
from holonet.nn.activation import Activation
from holonet.nn.conv import Conv1d, Conv2d
from holonet.nn.declare import join_path, layers_in_order
from holonet.nn.linear import Linear
from holonet.nn.pooling import AvgPool1d, AvgPool2d, AvgPool3d

__all__ = ["to_self_map_"]

_AFFINE = (Linear, Conv1d, Conv2d, nn.Linear, nn.Conv1d, nn.Conv2d)
"""By their exact type: one with parametrizations forms its weights anew."""

_AVERAGES = (nn.Flatten, nn.Identity, AvgPool1d, AvgPool2d, AvgPool3d)


@torch.no_grad()
@checked
def to_self_map_(network: nn.Sequential) -> nn.Sequential:
    """Shrink rows of weights until the network maps the open unit polydisc into itself, in place.

    A row w with bias b whose |b| + sum |w_i| is above 1 is divided by that: the largest value of
    the layer on the polydisc. Called behind each step of an optimizer (`training.fit(...,
    on_step=lambda step: to_self_map_(network))`), it keeps a network in training a self-map, which
    the method schwarz_pick of `certify` has bounds for.

    Args:
        network: linear layers and convolutions, in any nesting of sequences, activations that map
            the disc into itself such as `functions.blaschke(...)` and `Square()`, mean pooling,
            `Flatten`. Not its readout.

    Law: afterwards |network(z)| <= 1 in every entry where |z| <= 1 in every entry, up to rounding.

    Raises:
        InputTypeError: another layer; the message names it.

    Example:
        >>> network = nn.Sequential(nn.Linear(2, 1), Activation("square"))
        >>> _ = network[0].weight.data.fill_(3.0), network[0].bias.data.fill_(-2.0)
        >>> [p.tolist() for p in to_self_map_(network).parameters()]
        [[[0.375, 0.375]], [-0.25]]
    """
    for name, layer in _layers(network):
        if type(layer) in _AFFINE and isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d):
            sizes = layer.weight.flatten(1).abs().double().sum(1)
            if layer.bias is not None:
                sizes = sizes + layer.bias.abs()
            shrunk = (1 / sizes.clamp(min=1)).to(layer.weight.real.dtype)
            layer.weight.mul_(shrunk.view(-1, *[1] * (layer.weight.ndim - 1)))
            if layer.bias is not None:
                layer.bias.mul_(shrunk)
        elif isinstance(layer, Activation):
            if largest_about_zero(layer.function, 1.0) > 1 + 1e-9:
                raise InputTypeError(
                    f"{name} ({layer.function.formula}) does not map the unit disc into itself as "
                    "far as is known: take functions.blaschke([...]) or nn.Square()"
                )
        elif not isinstance(layer, _AVERAGES) or getattr(layer, "divisor_override", None):
            raise InputTypeError(
                f"{name} ({type(layer).__name__}) is no layer of a self-map: linear ones, "
                "convolutions, activations, mean pooling and Flatten are. Leave out the readout"
            )
    return network


def _layers(network: nn.Sequential, path: str = "") -> Iterator[tuple[str, nn.Module]]:
    for key, layer in layers_in_order(network):
        inner = join_path(path, key)
        if isinstance(layer, nn.Sequential):
            yield from _layers(layer, inner)
        else:
            yield inner, layer
