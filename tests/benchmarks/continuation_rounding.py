"""Rounding of a deep network and of its continuation, both beside 64 bits of mantissa.

    pip install torchvision
    python tests/benchmarks/continuation_rounding.py

A bound of 16 eps times the largest value is about the sums of one layer. Of a network of 80
convolutions the model itself is off by more. Here a pass in the processor's extended precision
(numpy.longdouble) says by how much: the continuation at real points may not be worse than twice the
model, since it takes other products in another order. Weights are random, points have 64 x 64
pixels.
"""

import sys

import numpy as np
import torch
from torch import Tensor, fx, nn

from holonet.continuation import extend

NETWORKS = ("efficientnet_b0", "efficientnet_b1", "resnet18")


class Extended(fx.Interpreter):
    """A pass in extended precision, of the layers that these networks have."""

    def call_module(self, target: str, args: tuple, kwargs: dict) -> np.ndarray:
        layer, (x, *_) = self.fetch_attr(target), args
        if isinstance(layer, nn.Conv2d):
            return convolved(layer, x)
        if isinstance(layer, nn.BatchNorm2d):
            scale = wide(layer.weight) / np.sqrt(wide(layer.running_var) + np.longdouble(layer.eps))
            shift = wide(layer.bias) - wide(layer.running_mean) * scale
            return x * scale[:, None, None] + shift[:, None, None]
        if isinstance(layer, nn.SiLU):
            return x / (1 + np.exp(-x))
        if isinstance(layer, nn.Sigmoid):
            return 1 / (1 + np.exp(-x))
        if isinstance(layer, nn.ReLU):
            return np.maximum(x, 0)
        if isinstance(layer, nn.AdaptiveAvgPool2d):
            return x.mean((2, 3), keepdims=True)
        if isinstance(layer, nn.MaxPool2d):
            x = np.pad(x, [(0, 0)] * 2 + [(1, 1)] * 2, constant_values=-np.inf)
            return windows(x, 3, 2).max((-2, -1))
        if isinstance(layer, nn.Linear):
            return x @ wide(layer.weight).T + wide(layer.bias)
        assert isinstance(layer, nn.Dropout) or "StochasticDepth" in type(layer).__name__, layer
        return x

    def call_function(self, target: object, args: tuple, kwargs: dict) -> np.ndarray:
        name = getattr(target, "__name__", "")
        if name == "flatten":
            return args[0].reshape(len(args[0]), -1)
        if name == "stochastic_depth":
            return args[0]
        return {"add": np.add, "mul": np.multiply}[name](*args)

    def call_method(self, target: str, args: tuple, kwargs: dict) -> np.ndarray:
        assert target == "flatten", target
        return args[0].reshape(len(args[0]), -1)


def wide(t: Tensor) -> np.ndarray:
    return t.detach().numpy().astype(np.longdouble)


def windows(x: np.ndarray, size: int, stride: int) -> np.ndarray:
    """(n, c, rows, columns, size, size)."""
    view = np.lib.stride_tricks.sliding_window_view(x, (size, size), (2, 3))
    return view[:, :, ::stride, ::stride]


def convolved(layer: nn.Conv2d, x: np.ndarray) -> np.ndarray:
    (size, _), (stride, _), (pad, _) = layer.kernel_size, layer.stride, layer.padding  # type: ignore
    x = windows(np.pad(x, [(0, 0)] * 2 + [(pad, pad)] * 2), size, stride)
    n, _, rows, columns = x.shape[:4]
    out = []
    for g, w in enumerate(np.split(wide(layer.weight), layer.groups)):
        part = x[:, g * w.shape[1] : (g + 1) * w.shape[1]]
        flat = part.transpose(0, 2, 3, 1, 4, 5).reshape(n * rows * columns, -1)
        product = flat @ w.reshape(len(w), -1).T
        out.append(product.reshape(n, rows, columns, len(w)).transpose(0, 3, 1, 2))
    value = np.concatenate(out, 1)
    return value if layer.bias is None else value + wide(layer.bias)[:, None, None]


def main() -> None:
    from torchvision import models  # type: ignore[import-not-found]

    print("| network | model, eps | continuation, eps | apart, eps |\n|---|---|---|---|")
    for name in sys.argv[1:] or NETWORKS:
        torch.manual_seed(0)
        model = getattr(models, name)(num_classes=5).double().eval()
        x = torch.rand(2, 3, 64, 64, dtype=torch.float64)
        exact = Extended(fx.symbolic_trace(model)).run(wide(x))
        pieces = "frozen" if any(isinstance(m, nn.ReLU) for m in model.modules()) else "refused"
        with torch.no_grad():
            value, extended = model(x), extend(model, pieces)(x.to(torch.complex128)).real
        unit = torch.finfo(x.dtype).eps * float(np.abs(exact).max())
        own, theirs = (np.abs(wide(v) - exact).max() / unit for v in (value, extended))
        apart = float((value - extended).abs().max()) / unit
        print(f"| {name} | {own:.1f} | {theirs:.1f} | {apart:.1f} |", flush=True)


if __name__ == "__main__":
    main()
