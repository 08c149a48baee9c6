"""Two-layer networks with fixed output signs, several at once, with derivatives in closed form."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Inexact
from torch import Tensor, nn

from holonet._types import InexactEntries
from holonet.nn import Activation, Linear

__all__ = ["KINDS", "Kind", "TwoLayer", "antisymmetric", "normal_weights"]

Pair = tuple[InexactEntries, InexactEntries]
RealBatch = Float[Tensor, "networks examples features"]
Outputs = Float[Tensor, "networks examples"]
Weights = Inexact[Tensor, "networks width features"]


@dataclass(frozen=True)
class Kind:
    """An activation s, scaled such that the kernel of a unit vector tends to 1/2.

    Args:
        activation: the name of a record, or "relu".
        complex: whether weights are complex, circular with E|w|^2 = 1.
        scale: the factor of the activation.
        values: s(t) and s'(t).
        limit: the kernel of infinite width at unit vectors, from c = <x, y> = sum x conj(y): c
            times E s'(u) conj(s'(v)) for normal u, v of variance 1 and covariance c.
    """

    activation: str
    complex: bool
    scale: float
    values: Callable[[InexactEntries], Pair]
    limit: Callable[[InexactEntries], InexactEntries]

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights."""
        return torch.complex128 if self.complex else torch.float64


def _relu(t: Tensor) -> Pair:
    return t.clamp(min=0), (t > 0).to(t.dtype)


def _square(t: Tensor) -> Pair:
    return t * t, 2 * t


def _sin(t: Tensor) -> Pair:
    """By exp(it), which takes real functions alone: torch's complex sin is ten times slower."""
    if not t.is_complex():
        return t.sin(), t.cos()
    turn = torch.polar(torch.exp(-t.imag), t.real)
    back = turn.reciprocal()
    return -0.5j * (turn - back), 0.5 * (turn + back)


def _arc_cosine(c: Tensor) -> Tensor:
    return c * (math.pi - torch.arccos(c.clamp(-1, 1))) / (2 * math.pi)


def _cosh(c: Tensor) -> Tensor:
    """E cos u cos v = cosh(c) / e for real u, v, and E cos u conj(cos v) = cosh(c) for complex."""
    return c * torch.cosh(c) / (2 * math.cosh(1))


REAL_SIN, COMPLEX_SIN = (math.e / (2 * math.cosh(1))) ** 0.5, (1 / (2 * math.cosh(1))) ** 0.5

KINDS: Mapping[str, Kind] = {
    "relu": Kind("relu", False, 1.0, _relu, _arc_cosine),
    "x^2": Kind("square", False, 8**-0.5, _square, lambda c: c * c / 2),
    "z^2": Kind("square", True, 8**-0.5, _square, lambda c: c * c / 2),
    "sin x": Kind("sin", False, REAL_SIN, _sin, _cosh),
    "sin z": Kind("sin", True, COMPLEX_SIN, _sin, _cosh),
}
"""The paper's own ReLU, and analytic activations with real and with complex coefficients."""


@dataclass(frozen=True)
class TwoLayer:
    """x -> Re sum_r a_r s(w_r x) for real x, for several networks, of one kind, at once.

    Args:
        kind: of all.
        weights: w, what is trained.
        signs: a, which is not: plus or minus width^-1/2.

    Law: values, derivatives and kernel are those of `module`.
    """

    kind: Kind
    weights: Weights
    signs: Float[Tensor, "networks width"]

    def layer(self, x: RealBatch) -> tuple[Outputs, Inexact[Tensor, "networks examples width"]]:
        """The outputs, and a_r s'(w_r x)."""
        w, kind = self.weights, self.kind
        t = torch.complex(x @ w.real.mT, x @ w.imag.mT) if kind.complex else x @ w.mT
        hidden, slope = kind.values(t)
        outputs = (hidden.real if kind.complex else hidden) @ self.signs.unsqueeze(2)
        return kind.scale * outputs.squeeze(2), kind.scale * slope * self.signs.unsqueeze(1)

    def input_gradient(self, x: RealBatch) -> RealBatch:
        """Of the outputs, in x."""
        _, slope = self.layer(x)
        if not self.kind.complex:
            return slope @ self.weights
        return slope.real @ self.weights.real - slope.imag @ self.weights.imag

    def weight_gradient(
        self, x: RealBatch, slope: Inexact[Tensor, "networks examples width"], g: Outputs
    ) -> Weights:
        """Torch's gradient in w of sum_i g_i f(x_i), from the slope of `layer`."""
        pulled = (slope * g.unsqueeze(2)).mT
        if not self.kind.complex:
            return pulled @ x
        return torch.complex(pulled.real @ x, -(pulled.imag @ x))

    def kernel(self, x: RealBatch) -> Float[Tensor, "networks examples examples"]:
        """The tangent kernel of the outputs."""
        _, slope = self.layer(x)
        kernel = slope @ slope.mH
        return (kernel.real if self.kind.complex else kernel) * (x @ x.mT)

    def module(self, index: int = 0) -> nn.Sequential:
        """One of the networks, in holonet's layers, without the real part; only w is trainable."""
        weights, signs, dtype = self.weights[index], self.signs[index], self.kind.dtype
        width, features = weights.shape
        hidden = Linear(features, width, bias=False, dtype=dtype)
        last = Linear(width, 1, bias=False, dtype=dtype).requires_grad_(False)
        with torch.no_grad():
            hidden.weight.copy_(weights)
            last.weight.copy_(self.kind.scale * signs.unsqueeze(0))
        name = self.kind.activation
        return nn.Sequential(hidden, nn.ReLU() if name == "relu" else Activation(name), last)


def normal_weights(kind: Kind, *shape: int, generator: torch.Generator) -> InexactEntries:
    """Normal numbers with E|w|^2 = 1."""
    return torch.randn(*shape, dtype=kind.dtype, generator=generator)


def antisymmetric(kind: Kind, width: int, features: int, generator: torch.Generator) -> TwoLayer:
    """One network whose outputs are 0: half of its neurons are the others with the other sign."""
    half = normal_weights(kind, 1, width // 2, features, generator=generator)
    signs = torch.ones(1, width // 2, dtype=torch.float64) / width**0.5
    return TwoLayer(kind, torch.cat([half, half], 1), torch.cat([signs, -signs], 1))
