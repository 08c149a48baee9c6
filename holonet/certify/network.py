"""A model read as a chain of steps: the one place that knows types of layers."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from holonet import nn as hnn
from holonet._arguments import checked
from holonet.certify.affine import convolution, linear, mean_pooling, normalizer
from holonet.certify.enclosure import Enclosure, Semantics
from holonet.certify.pointwise import Pointwise, Relu, ThresholdStep
from holonet.certify.radial import log_modulus, modulus
from holonet.certify.rows import Rows
from holonet.certify.step import Pairs, Reshape, Residual, Step, TakePart, Trace
from holonet.certify.unrolled import label, unrolled
from holonet.errors import InputTypeError
from holonet.nn.coefficients import real_dtype

__all__ = ["LAYERS", "Network", "read"]

_ROWS = 4096
"""Forms that are pulled back at once, of all examples together."""

LAYERS: Mapping[type[nn.Module], Callable[[str, Any], Step]] = {
    nn.Linear: linear,
    nn.Conv2d: convolution,
    nn.AvgPool2d: mean_pooling,
    nn.Flatten: Reshape,
    nn.Identity: Reshape,
    nn.ReLU: lambda name, layer: Relu(name),
    hnn.Linear: linear,
    hnn.Conv2d: convolution,
    hnn.AvgPool2d: mean_pooling,
    hnn.Flatten: Reshape,
    hnn.FrozenNorm: normalizer,
    hnn.Threshold: ThresholdStep,
    hnn.Modulus: modulus,
    hnn.LogModulus: log_modulus,
    hnn.RealPairs: lambda name, layer: Pairs(name),
    hnn.RealPart: lambda name, layer: TakePart(name, 0),
    hnn.ImagPart: lambda name, layer: TakePart(name, 1),
}
"""Type of a layer -> its step. Types are compared exactly: a subclass may compute otherwise."""


@dataclass(frozen=True)
class Network:
    """The steps of a model in the order of their application.

    Args:
        steps: containers unrolled.
        dtypes: the real dtypes of its parameters and buffers.
    """

    steps: tuple[Step, ...]
    dtypes: frozenset[torch.dtype]

    @property
    def front(self) -> int:
        """How many leading steps map boxes onto boxes exactly: monotone ones and reshapes."""
        count = 0
        for position, step in enumerate(self.steps, start=1):
            if step.is_monotone:
                count = position
            elif not isinstance(step, Reshape):
                break
        return count

    @property
    def tail(self) -> int:
        """Where the affine steps at the end begin."""
        affine = len(self.steps)
        while affine and self.steps[affine - 1].is_affine:
            affine -= 1
        return affine

    def enclose(
        self, enclosure: Enclosure, semantics: Semantics, sharpen: bool = False
    ) -> tuple[Enclosure, Trace]:
        """The enclosure of the logits, and what reached each step.

        With `sharpen` what reaches a step that is not affine is cut with bounds by forms in the
        set behind `front`, from the second such step on.
        """
        trace, nonlinear = Trace(semantics), 0
        for position, step in enumerate(self.steps):
            if sharpen and position > self.front and not step.is_affine:
                enclosure = self._sharpened(enclosure, position, trace) if nonlinear else enclosure
                nonlinear += 1
            enclosure = step.forward(enclosure, trace)
        return enclosure, trace

    def pulled(self, rows: Rows, start: int, stop: int, trace: Trace) -> Rows:
        """Forms in the value in front of step `start`, as forms in front of step `stop`."""
        for step in reversed(self.steps[stop:start]):
            rows = step.pull(rows, trace)
        return rows

    def _sharpened(self, enclosure: Enclosure, position: int, trace: Trace) -> Enclosure:
        parts, batch, *event = shape = enclosure.center.shape
        root = trace.inputs[self.steps[self.front]]
        index = self.steps[position].bent(enclosure).nonzero()[:, 0]
        low, high = (end.transpose(0, 1).flatten(1) for end in (enclosure.low, enclosure.high))
        for chunk in index.split(max(1, _ROWS // batch)) if len(index) else ():
            least, most = (
                self.pulled(Rows.entries(shape, chunk, sign), position, self.front, trace)
                for sign in (1.0, -1.0)
            )
            low[:, chunk] = torch.maximum(low[:, chunk], least.lower(root))
            high[:, chunk] = torch.minimum(high[:, chunk], -most.lower(root))
        ends = (end.view(batch, parts, *event).transpose(0, 1) for end in (low, high))
        return Enclosure.between(*ends)


@checked
def read(model: nn.Module) -> Network:
    """The steps of a model.

    Raises:
        InputTypeError: a layer that certificates do not know, by name; numbers of another
            precision than float32 and float64; hooks or a `forward` of an instance's own.
        NumericalError: a weight is NaN or infinite.

    Example:
        >>> network = read(nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)))
        >>> len(network.steps), network.front, network.tail
        (4, 0, 3)
    """
    numbers = (*model.parameters(), *model.buffers())
    dtypes = {real_dtype(t.dtype) for t in numbers if t.is_floating_point() or t.is_complex()}
    if other := dtypes - {torch.float32, torch.float64}:
        names = ", ".join(sorted(str(dtype) for dtype in other))
        raise InputTypeError(
            f"certificates are of networks in single or double precision, and this one holds "
            f"{names}: convert it with nn.to_precision"
        )
    return Network(tuple(_steps(model, "")), frozenset(dtypes))


def _steps(model: nn.Module, path: str) -> Iterator[Step]:
    for place, layer in unrolled(model, path):
        name = label(place, layer)
        if type(layer) is hnn.Residual:
            yield Residual(name, list(_steps(layer.body, f"{place}.body" if place else "body")))
        elif isinstance(layer, hnn.Activation) and type(layer).forward is hnn.Activation.forward:
            yield Pointwise(name, layer)
        elif (make := LAYERS.get(type(layer))) is not None:
            yield make(name, layer)
        else:
            known = ", ".join(sorted({k.__name__ for k in LAYERS} | {"Activation", "Residual"}))
            raise InputTypeError(f"{name} is no layer that certificates know. They know {known}")
