"""Affine steps in a row as one real linear map, with the moduli that bound its rounding."""

from collections.abc import Sequence

import torch
from jaxtyping import Float64
from torch import Tensor

from holonet.certify.affine import Affine
from holonet.certify.enclosure import Semantics
from holonet.certify.step import Pairs, Reshape, Step, TakePart
from holonet.errors import InputTypeError

__all__ = ["Chain", "Mix"]

Vectors = Float64[Tensor, "n entries"]
Parts = Float64[Tensor, "parts n *event"]
Values = Float64[Tensor, "out_parts n *out"]


class Mix:
    """Parts as sums of parts, with whole factors: those of complex squares.

    Args:
        matrix: the factor of each part that comes in (a column) in each that comes out (a row).

    Law: for the square of u + i v let the parts be (u, v, u + v) by `SPREAD`, and take the square
        of each; `MERGE` makes the parts of (u + i v)^2 of them.
    """

    def __init__(self, matrix: Sequence[Sequence[int]]) -> None:
        self.matrix = torch.tensor(matrix, dtype=torch.float64)

    def linear(self, x: Parts, moduli: bool) -> Values:
        """The sums, or those with the moduli of the factors."""
        matrix = self.matrix.abs() if moduli else self.matrix
        return torch.einsum("qp,p...->q...", matrix, x)

    def transposed(self, v: Values) -> Parts:
        """By the transposed matrix."""
        return torch.einsum("qp,q...->p...", self.matrix, v)


SPREAD = Mix([[1, 0], [0, 1], [1, 1]])
MERGE = Mix([[1, -1, 0], [-1, -1, 1]])


class Chain:
    """The map x -> W x + b on flat real vectors, for the exact product W of the steps' matrices.

    A complex value is a vector of its real parts and then its imaginary ones.

    Args:
        steps: affine; layers that reshape, real and imaginary parts may stand between.
        shape: of one input.
        parts: of the input: 1 for real numbers, 2 for complex ones.

    Law: `linear` and `transposed` are within gamma(terms) times their own values of moduli.

    Raises:
        InputTypeError: a step is not affine, by name.
    """

    def __init__(self, steps: Sequence[Step | Mix], shape: torch.Size, parts: int = 1) -> None:
        self.steps, self.terms, forward = tuple(steps), 8, 8
        bias = size = torch.zeros(parts, 1, *shape, dtype=torch.float64)
        ones = torch.ones_like(bias)
        floor = ones
        self._shapes = [(parts, *shape)]
        for step in self.steps:
            largest = 1 + ones.max() + size.max()  # of what comes in, over 1 + that of the chain
            bias, size = _applied(step, bias), _applied(step, size, moduli=True, executed=True)
            floor, ones = (_applied(step, v, moduli=True, executed=True) for v in (floor, ones))
            if isinstance(step, Affine):
                self.terms += max(step.terms)
                forward += step.terms[0]
                floor = floor + 4 * step.terms[0] * largest  # 4 for products of sums of parts
                bias, size = step.plus_bias(bias), step.plus_bias(size, sizes=True)
            elif isinstance(step, Mix):
                self.terms += 3
                forward += 3
            self._shapes.append((len(bias), *bias.shape[2:]))
        self.bias, self.bias_size, self.floor = (_flat(v)[0] for v in (bias, size, floor))
        self._forward_terms = forward

    @property
    def shape(self) -> torch.Size:
        """Of one output."""
        return torch.Size(self._shapes[-1][1:])

    @property
    def parts(self) -> int:
        """Of the output."""
        return self._shapes[-1][0]

    def linear(
        self, x: Vectors, moduli: bool = False, executed: bool = False
    ) -> Float64[Tensor, "n out"]:
        """W x of each vector; with moduli |W_last| ... |W_first| x.

        Moduli as executed are those that the rounding of the steps' products is relative to.
        """
        value = x.unflatten(1, self._shapes[0]).movedim(1, 0)
        for step in self.steps:
            value = _applied(step, value, moduli, executed)
        return _flat(value)

    def transposed(self, v: Float64[Tensor, "n out"]) -> Vectors:
        """W^T v of each vector."""
        value = v.unflatten(1, self._shapes[-1]).movedim(1, 0)
        for step, shape in zip(reversed(self.steps), self._shapes[-2::-1], strict=True):
            value = _transposed(step, value, shape)
        return _flat(value)

    def error(
        self, sizes: Float64[Tensor, "entries"], semantics: Semantics
    ) -> Float64[Tensor, "out"]:
        """How far the value at x, |x| <= sizes, is from W x + b: in float64, and as executed."""
        executed = semantics.dtype is not None
        total = self.linear(sizes[None], True, executed)[0] + self.bias_size
        lost = semantics.tiny * (1 + sizes.max()) * self.floor
        return semantics.gamma(self._forward_terms) * total + lost


def _flat(value: Parts) -> Vectors:
    return value.movedim(0, 1).flatten(1)


def _applied(step: Step | Mix, x: Parts, moduli: bool = False, executed: bool = False) -> Values:
    """A step without its bias; moduli as executed are those that its rounding is relative to."""
    if isinstance(step, Mix):
        return step.linear(x, moduli)
    if isinstance(step, Affine):
        return step.linear(x, moduli, executed)
    if isinstance(step, Reshape):
        return torch.stack([step.module(part) for part in x])
    if isinstance(step, Pairs):
        return step.paired(x)
    if isinstance(step, TakePart):
        return x[step.part : step.part + 1] if step.part < len(x) else torch.zeros_like(x)
    raise InputTypeError(f"{step.name} is not affine, which second_order and splits need")


def _transposed(step: Step | Mix, v: Values, shape: tuple[int, ...]) -> Parts:
    parts, *event = shape
    if isinstance(step, Mix):
        return step.transposed(v)
    if isinstance(step, Affine):
        return step.transposed(v, torch.Size(event), parts)
    if isinstance(step, Pairs):
        return step.apart(v)
    if isinstance(step, TakePart):
        found = v.new_zeros(parts, *v.shape[1:])
        found[step.part : step.part + 1] = v[: parts - step.part]
        return found
    return v.reshape(parts, -1, *event)
