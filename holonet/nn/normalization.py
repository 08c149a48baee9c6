"""A holomorphic normalizer: statistics are measured once and frozen."""

import math

import torch
from torch import Tensor, nn

from holonet._arguments import checked
from holonet._types import InexactEntries, Points
from holonet.errors import DomainError, NumericalError, ShapeError
from holonet.functions import FunctionClass
from holonet.nn.coefficients import coefficient_dtype, real_dtype
from holonet.nn.module import (
    HolomorphicModule,
    forward_hooks,
    require_numbers,
    require_size,
)

__all__ = ["FrozenNorm", "calibrate", "measure_input"]


class FrozenNorm(HolomorphicModule):
    """weight (z - mean) / scale + bias with frozen mean and scale: affine in train and in eval.

    Statistics of the batch, as batch and layer norm use them, are not holomorphic in z. Here
    `calibrate` measures them once; before that they are 0 and 1. With real coefficients the mean is
    the real part of that of complex z.

    Args:
        num_features: size of the feature axis.
        feature_axis: which axis that is, counted from the end: -1 behind nn.Linear, -3 behind
            nn.Conv2d.
        eps: added to the variance.
        device, dtype: of the parameters; dtype is complex64 unless given. A real dtype gives real
            coefficients.

    Law: affine in z, the same in train and in eval mode; after calibration on z with weight 1
        and bias 0 the output on z has mean 0 (with real coefficients the real part of the mean is
        0) and E|.|^2 = 1 (but for eps) for each feature.

    Raises:
        DomainError: `feature_axis` is not negative, or `eps` negative or not finite.
        InputTypeError: a dtype of integers, or input of another precision.
        ShapeError: the feature axis of the input is not `num_features` long.
    """

    function_class = FunctionClass.AFFINE
    takes_real = True
    mean: Tensor
    scale: Tensor

    def __init__(
        self,
        num_features: int,
        feature_axis: int = -1,
        eps: float | int = 1e-5,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        dtype = coefficient_dtype(dtype, "FrozenNorm")
        if feature_axis >= 0:
            raise DomainError(
                f"FrozenNorm(feature_axis={feature_axis}): count the axis from the end, -1 behind "
                "nn.Linear, -3 behind nn.Conv2d, so that it fits with and without a batch axis"
            )
        if not 0 <= eps < math.inf:
            raise DomainError(
                f"FrozenNorm(eps={eps}): a finite number >= 0, it is added to a variance"
            )
        self.num_features = num_features
        self.feature_axis = feature_axis
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(num_features, device=device, dtype=dtype))
        self.bias = nn.Parameter(torch.zeros(num_features, device=device, dtype=dtype))
        self.register_buffer("mean", torch.zeros(num_features, device=device, dtype=dtype))
        self.register_buffer(
            "scale", torch.ones(num_features, device=device, dtype=real_dtype(dtype))
        )

    @torch.no_grad()
    def measure(self, z: InexactEntries) -> None:
        """Set mean and scale to those of z, over all axes but the features'.

        Raises:
            NumericalError: z is not finite, or eps is 0 and a feature does not vary, so that its
                scale would be 0. Nothing is changed then.
            ShapeError: z is empty.
        """
        require_numbers(z, self, self.weight.dtype)
        require_size(z, self.feature_axis, self.num_features, self, "features")
        if z.numel() == 0:
            raise ShapeError("FrozenNorm cannot measure an empty batch: give it some examples")
        rows = z.movedim(self.feature_axis, -1).reshape(-1, self.num_features)
        mean = rows.mean(0) if self.weight.is_complex() else rows.mean(0).real
        size = (rows - mean).abs()
        peak = size.amax(0).clamp(
            min=torch.finfo(size.dtype).tiny
        )  # squares may over- or underflow
        scale = torch.hypot(
            (size / peak).square().mean(0).sqrt() * peak, size.new_tensor(math.sqrt(self.eps))
        )
        if not bool((scale.isfinite() & (1 / scale).isfinite() & mean.isfinite()).all()):
            raise NumericalError(
                "FrozenNorm was to measure what is not finite, or does not vary while eps=0: look "
                "at what reaches it, or give it eps > 0"
            )
        self.mean.copy_(mean)
        self.scale.copy_(scale)

    def forward(self, input: InexactEntries) -> InexactEntries:
        """The normalized tensor."""
        require_numbers(input, self, self.weight.dtype)
        require_size(input, self.feature_axis, self.num_features, self, "features")
        gain = self.weight / self.scale
        shape = (-1,) + (1,) * (-self.feature_axis - 1)
        return input * gain.view(shape) + (self.bias - gain * self.mean).view(shape)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"{self.num_features}, feature_axis={self.feature_axis}"


def measure_input(layer: nn.Module, inputs: tuple[InexactEntries, ...]) -> None:
    """A hook in front of every layer: a `FrozenNorm` measures what it is given."""
    if isinstance(layer, FrozenNorm):
        layer.measure(inputs[0])


@checked
def calibrate(network: nn.Module, z: Points) -> nn.Module:
    """Measure the statistics of every FrozenNorm inside, in the order of the forward pass."""
    hooks = forward_hooks(m.register_forward_pre_hook(measure_input) for m in network.modules())
    with torch.no_grad(), hooks:
        network(z)
    return network
