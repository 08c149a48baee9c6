"""What a network costs: real parameters, and real multiply-adds for one example."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from holonet._arguments import checked
from holonet.errors import ConfigError
from holonet.nn.models.builders import ScaledResidual
from holonet.nn.modes import evaluating
from holonet.nn.module import DeclaredModule, forward_hooks, of_this_thread
from holonet.nn.normalization import FrozenNorm
from holonet.nn.threshold import Threshold

__all__ = ["macs", "real_parameter_count"]

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
POOLS = (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)
ADAPTIVE_POOLS = (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d)
COUNTED = (nn.Linear, *CONVOLUTIONS, *TRANSPOSED, FrozenNorm, ScaledResidual, Threshold)


@checked
def real_parameter_count(module: nn.Module) -> int:
    """Number of real parameters: a complex one counts as two.

    Example:
        >>> from holonet.nn import Linear
        >>> real_parameter_count(Linear(3, 2))
        16
    """
    return sum(p.numel() * (2 if p.is_complex() else 1) for p in module.parameters())


@torch.no_grad()
@checked
def macs(module: nn.Module, in_shape: Sequence[int]) -> int:
    """Real multiply-adds of the forward pass of one example, by a pass of zeros with hooks.

    Convention: one for each real product with the sum it enters, so the number of floating point
    operations is twice this. A complex product is four real multiplications and two additions,
    and counts as 4, that of a real coefficient and a complex number as 2. Counted are affine maps
    and convolutions (4 for each complex weight in each place, also behind real images, where half
    would do), the factors of normalizers and residual blocks, and one for each real entry in
    thresholds and of each window in average pooling. Biases, other sums, activations, readouts and
    changes of shape count as nothing: against affine maps of n inputs they are a share of about
    1 / n.

    Args:
        module: layers of holonet and torch's affine maps, convolutions and average pools, at any
            depth; layers without parameters count as nothing. Evaluated in eval mode.
        in_shape: of one example, without the batch axis.

    Raises:
        ConfigError: a module has parameters and is of a type that is not known here.

    Example:
        >>> from holonet.nn import Linear
        >>> macs(Linear(3, 2), (3,)), macs(nn.Linear(3, 2), (3,))
        (24, 6)
    """
    for name, part in module.named_modules():
        if next(part.parameters(recurse=False), None) is not None and not isinstance(part, COUNTED):
            raise ConfigError(
                f"macs does not know how to count {type(part).__name__} (at "
                f"{name or 'the root'!r}), which has parameters: it knows "
                f"{', '.join(kind.__name__ for kind in COUNTED)} and subclasses of these"
            )
    total = 0

    def count(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        total += _multiply_adds(layer, inputs[0], output)

    example = _zeros(module, in_shape)
    hook = of_this_thread(count)
    hooks = forward_hooks(part.register_forward_hook(hook) for part in module.modules())
    with evaluating(module), hooks:
        module(example)
    return total


def _multiply_adds(layer: nn.Module, input: Tensor, output: Tensor) -> int:
    """Those of one layer, not of the layers inside."""
    weight = getattr(layer, "weight", None)
    parts = 2 if output.is_complex() else 1
    each = 4 if weight is not None and weight.is_complex() else parts
    if isinstance(layer, nn.Linear):
        return each * output.numel() * layer.in_features
    if isinstance(layer, CONVOLUTIONS):
        return each * output.numel() * math.prod(layer.weight.shape[1:])
    if isinstance(layer, TRANSPOSED):
        return each * input.numel() * math.prod(layer.weight.shape[1:])
    if isinstance(layer, FrozenNorm | ScaledResidual | Threshold):
        return each * output.numel()
    if isinstance(layer, POOLS):
        kernel = layer.kernel_size
        sides = kernel if isinstance(kernel, tuple) else (kernel,) * _space(layer)
        return parts * output.numel() * math.prod(sides)
    if isinstance(layer, ADAPTIVE_POOLS):
        return parts * input.numel()
    return 0


def _space(pool: nn.Module) -> int:
    """How many axes a pool averages over."""
    return next(d for d, kind in enumerate(POOLS, start=1) if isinstance(pool, kind))


def _zeros(module: nn.Module, in_shape: Sequence[int]) -> Tensor:
    """One example of zeros, of the dtype and on the device of the first parameter."""
    first = next(module.parameters(), None)
    if first is None:
        dtype = torch.complex64 if isinstance(module, DeclaredModule) else torch.float32
        return torch.zeros(1, *in_shape, dtype=dtype)
    return torch.zeros(1, *in_shape, dtype=first.dtype, device=first.device)
