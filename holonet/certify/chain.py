"""Affine steps in a row as one real linear map, with the moduli that bound its rounding."""

from collections.abc import Sequence

import torch
from jaxtyping import Float64
from torch import Tensor

from holonet.certify.affine import Affine
from holonet.certify.enclosure import Semantics
from holonet.certify.step import Reshape, Step, TakePart
from holonet.errors import InputTypeError

__all__ = ["Chain"]

Vectors = Float64[Tensor, "n entries"]


class Chain:
    """The map x -> W x + b on flat real vectors, for the exact product W of the steps' matrices.

    Args:
        steps: affine, with real weights; layers that reshape and real parts may stand between.
        shape: of one input.

    Law: `linear` and `transposed` are within gamma(terms) times their own values of moduli.

    Raises:
        InputTypeError: a step is not affine, or complex, by name.
    """

    def __init__(self, steps: Sequence[Step], shape: torch.Size) -> None:
        self.steps, self.shapes = tuple(steps), [shape]
        self.terms = 8
        bias = size = torch.zeros(1, *shape, dtype=torch.float64)
        floor = torch.ones_like(bias)
        for step in self.steps:
            bias, size = _applied(step, bias, False), _applied(step, size, True)
            floor = _applied(step, floor, True)
            if isinstance(step, Affine):
                self.terms += max(step.terms)
                floor = floor + step.terms[0]
                if step.bias is not None and step.bias_size is not None:
                    bias, size = bias + step.bias[0], size + step.bias_size[0]
            self.shapes.append(bias.shape[1:])
        self.bias, self.bias_size, self.floor = bias.flatten(), size.flatten(), floor.flatten()

    def linear(self, x: Vectors, moduli: bool = False) -> Float64[Tensor, "n out"]:
        """W x of each vector; with moduli |W_last| ... |W_first| x."""
        x = x.unflatten(1, self.shapes[0])
        for step in self.steps:
            x = _applied(step, x, moduli)
        return x.flatten(1)

    def transposed(self, v: Float64[Tensor, "n out"]) -> Vectors:
        """W^T v of each vector."""
        v = v.unflatten(1, self.shapes[-1])
        for step, shape in zip(reversed(self.steps), self.shapes[-2::-1], strict=True):
            if isinstance(step, Affine):
                v = step.transposed(v, shape)
            v = v.reshape(len(v), *shape)
        return v.flatten(1)

    def error(
        self, sizes: Float64[Tensor, "entries"], semantics: Semantics
    ) -> Float64[Tensor, "out"]:
        """How far the value at x, |x| <= sizes, is from W x + b: in float64, and as executed."""
        total = self.linear(sizes[None], moduli=True)[0] + self.bias_size
        lost = semantics.tiny * (1 + sizes.max()) * self.floor
        return semantics.gamma(self.terms) * total + lost


def _applied(step: Step, x: Tensor, moduli: bool) -> Tensor:
    if isinstance(step, Affine) and len(step.weight) == len(step.bias or (0,)) == 1:
        return step.linear(x, moduli)
    if isinstance(step, Reshape):
        return step.module(x)
    if isinstance(step, TakePart) and step.part == 0:
        return x
    raise InputTypeError(
        f"{step.name} is not affine with real weights, which second_order and splits need"
    )
