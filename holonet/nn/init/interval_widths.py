"""First weights behind which intervals are on average as wide as in front."""

import math
from collections.abc import Iterator

import torch
from torch import nn

from holonet._arguments import checked
from holonet.errors import ConfigError
from holonet.nn.activation import Activation
from holonet.nn.coefficients import real_dtype

__all__ = ["interval_widths_"]

POINTS = 1001
"""Points of [-1, 1] at which the steepness of an activation is measured."""


@torch.no_grad()
@checked
def interval_widths_(network: nn.Module, generator: torch.Generator | None = None) -> nn.Module:
    """Draw the weights of linear and convolutional layers anew, for interval training.

    An affine layer multiplies the radius of an interval by the sum of moduli of a row, and an
    activation f by about |f'|. Weights are normal with the standard deviation sqrt(pi / 2) / (n s)
    for n inputs of a unit, so that both together keep the radius. Here s is the mean of |f'| over
    [-1, 1] of the activation that follows: 1/2 for ReLU, softplus and GELU, 1 for x^2 and for the
    last layer. Both parts of complex weights are drawn so, with twice the inputs. Biases become 0,
    so that values shrink with depth: intervals then widen behind each tanh, by up to 1/s = 1.31.

    Args:
        network: of linear and convolutional layers, torch's or ours.
        generator: of the numbers; torch's own if None.

    Law: the mean radius behind an affine layer is 1 / s times that in front.

    Raises:
        ConfigError: the network has no such layer.

    Example:
        >>> layer = interval_widths_(nn.Linear(1000, 2000))
        >>> round(layer.weight.abs().sum(1).mean().item(), 1)
        1.0

    References:
        Shi et al. (2021).
    """
    layers = [layer for _, layer in network.named_modules(remove_duplicate=False)]
    affine = [k for k, layer in enumerate(layers) if _is_weighted(layer)]
    if not affine:
        raise ConfigError("interval_widths_ found no linear or convolutional layer")
    for start, stop in zip(affine, [*affine[1:], len(layers)], strict=True):
        slope = next(_steepness(layers[start + 1 : stop]), 1.0)
        layer = layers[start]
        weight, bias = layer.get_parameter("weight"), layer.bias
        parts = torch.view_as_real(weight) if weight.is_complex() else weight[..., None]
        inputs = weight[0].numel() * parts.shape[-1]
        drawn = torch.randn(parts.shape, generator=generator, dtype=real_dtype(weight.dtype))
        parts.copy_(drawn * (math.sqrt(math.pi / 2) / (inputs * slope)))
        if isinstance(bias, nn.Parameter):
            bias.zero_()
    return network


def _is_weighted(layer: nn.Module) -> bool:
    return isinstance(layer, (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d))


def _steepness(layers: list[nn.Module]) -> Iterator[float]:
    """The mean of |f'| over [-1, 1] of the activations among layers."""
    for layer in layers:
        if isinstance(layer, nn.ReLU):
            yield 0.5
        elif isinstance(layer, Activation) and layer.function.real_on_real:
            x = torch.linspace(-1, 1, POINTS, dtype=torch.float64)
            yield float(layer.function(x).diff().abs().sum() / 2)
