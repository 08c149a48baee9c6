"""Two-layer networks at their random start, and their quadratic loss with two derivatives."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Inexact
from torch import Tensor
from torch.nn import functional

from holonet._types import InexactEntries, Numbers
from holonet.errors import DomainError

__all__ = ["ACTIVATIONS", "BOUNDS", "NETS", "Inputs", "Loss", "loss_of"]

Inputs = Float[Tensor, "batch inputs"]
Hidden = Inexact[Tensor, "batch units"]


def _sin(u: InexactEntries) -> InexactEntries:
    """By real arithmetic: torch's complex sine is slow."""
    if not u.is_complex():
        return torch.sin(u)
    x, y = u.real, u.imag
    return torch.complex(torch.sin(x) * torch.cosh(y), torch.cos(x) * torch.sinh(y))


def _tanh_slope(u: InexactEntries) -> InexactEntries:
    return 1 - torch.tanh(u).square()


ACTIVATIONS: Mapping[str, tuple[Callable[[Tensor], Tensor], ...]] = {
    "softplus": (
        lambda u: functional.softplus(u, threshold=40),
        torch.sigmoid,
        lambda u: torch.sigmoid(u) * torch.sigmoid(-u),
    ),
    "tanh": (torch.tanh, _tanh_slope, lambda u: -2 * torch.tanh(u) * _tanh_slope(u)),
    "square": (torch.square, lambda u: 2 * u, lambda u: torch.full_like(u, 2)),
    "sin": (_sin, lambda u: _sin(u + math.pi / 2), lambda u: -_sin(u)),
    "relu": (torch.relu, lambda u: (u > 0).to(u.dtype), torch.zeros_like),
}
"""Value and two derivatives, of real and, where the function is entire, of complex numbers."""

BOUNDS: Mapping[str, tuple[Callable[[Tensor], Tensor], ...]] = {
    "softplus": (torch.ones_like, lambda r: torch.full_like(r, 0.25)),
    "tanh": (torch.ones_like, lambda r: torch.full_like(r, 4 / math.sqrt(27))),
    "square": (lambda r: 2 * r, lambda r: torch.full_like(r, 2)),
    "sin": (torch.cosh, torch.cosh),
}
"""Bounds of the derivatives for |u| <= r, complex u where the function is entire, else real."""

ENTIRE = ("square", "sin")

NETS = (
    *("real-softplus", "real-tanh", "real-square", "real-sin", "real-relu"),
    *("complex-square", "complex-sin"),
)
"""Coefficients and activation."""


@dataclass(frozen=True)
class Loss:
    """(Re F(x) - target)^2 / 2 of a two-layer network F(x) = sum_j outer_j phi(weights_j . x).

    Args:
        activation: the name of phi.
        weights, outer: of the hidden units; real or complex.
        target: what the output is compared with.
    """

    activation: str
    weights: Inexact[Tensor, "units inputs"]
    outer: Inexact[Tensor, " units"]
    target: float

    def value(self, x: Inputs) -> Numbers:
        """The loss."""
        return self._residual(self._hidden(x)).square() / 2

    def gradient(self, x: Inputs) -> Inputs:
        """In the real coordinates of x."""
        u = self._hidden(x)
        return self._residual(u)[:, None] * self._slope(u)

    def hessian(self, x: Inputs) -> Float[Tensor, "batch inputs inputs"]:
        """In the real coordinates of x; of a ReLU network off its kinks."""
        u = self._hidden(x)
        slope = self._slope(u)
        second = (ACTIVATIONS[self.activation][2](u) * self.outer)[:, :, None] * self.weights
        curvature = (self.weights.mT @ second).real
        return slope[:, :, None] * slope[:, None] + self._residual(u)[:, None, None] * curvature

    def lipschitz_bound(self, center: Inputs, radius: Numbers) -> Numbers:
        """An upper bound of the gradient's Lipschitz constant on each ball.

        |F'|^2 + |F - target| |F''|, where weights_j . x lies within radius |weights_j| of its
        value in the center.
        """
        first, second = BOUNDS[self.activation]
        u, lengths = self._hidden(center), self.weights.norm(dim=1)
        reach, size = u.abs() + radius[:, None] * lengths, self.outer.abs()
        top = torch.linalg.matrix_norm(self.weights, 2)
        slope = top * (first(reach) * size).norm(dim=1)
        residual = self._residual(u).abs() + radius * slope
        return slope.square() + residual * top.square() * (second(reach) * size).amax(1)

    def continued(self) -> "Loss":
        """The loss at complex inputs x + iy, as a function of the 2n real coordinates (x, y).

        Law: at y = 0 it is the loss.

        Raises:
            DomainError: the activation is not entire.
        """
        if self.activation not in ENTIRE:
            raise DomainError(f"{self.activation} is not entire: use one of {', '.join(ENTIRE)}")
        weights = self.weights + 0j
        return replace(self, weights=torch.cat([weights, 1j * weights], 1), outer=self.outer + 0j)

    def _hidden(self, x: Inputs) -> Hidden:
        w = self.weights
        return torch.complex(x @ w.real.mT, x @ w.imag.mT) if w.is_complex() else x @ w.mT

    def _residual(self, u: Hidden) -> Numbers:
        return (ACTIVATIONS[self.activation][0](u) @ self.outer).real - self.target

    def _slope(self, u: Hidden) -> Inputs:
        pulled, w = ACTIVATIONS[self.activation][1](u) * self.outer, self.weights
        return pulled.real @ w.real - pulled.imag @ w.imag if w.is_complex() else pulled @ w


def loss_of(net: str, seed: int, inputs: int, units: int) -> tuple[Loss, Float[Tensor, " inputs"]]:
    """A random network with its target, +1 or -1, and an input of length 1.

    Weights are normal with E|w|^2 = 1 an entry, so that a pre-activation has the input's length as
    its deviation; outer weights have modulus 1/sqrt(units), random signs or phases.
    """
    generator = torch.Generator().manual_seed(seed)
    coefficients, activation = net.split("-")
    dtype = torch.complex128 if coefficients == "complex" else torch.float64
    weights = torch.randn(units, inputs, generator=generator, dtype=dtype)
    outer = torch.randn(units, generator=generator, dtype=dtype).sgn() / math.sqrt(units)
    x = torch.randn(inputs, generator=generator, dtype=torch.float64)
    target = 1.0 if float(torch.rand((), generator=generator)) < 0.5 else -1.0
    return Loss(activation, weights, outer, target), x / x.norm()
