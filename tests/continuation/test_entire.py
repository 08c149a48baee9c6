"""Entire operations have no singularities; what has some is not called entire."""

import math

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from cases import each
from holonet.continuation import OPERATIONS, extend
from holonet.continuation.entire import _AT_SOME, _ENTIRE

ENTIRE = {
    "gelu": functional.gelu,
    "erf": torch.special.erf,
    "exp": torch.exp,
    "exp2": torch.exp2,
    "expm1": torch.expm1,
    "erfc": torch.erfc,
    "ndtr": torch.special.ndtr,
    "sine": torch.sin,
    "cosine": torch.cos,
    "hyperbolic": lambda x: torch.cosh(x) + torch.sinh(x),
    "arithmetic": lambda x: torch.lerp(3 - x, x.square(), 0.3) / 2 + torch.addcmul(x, x, x),
    "powers": lambda x: x**3 + torch.pow(x, 2.0) + 2**x,
    "in place": lambda x: (x * 2).add_(1).mul_(x).neg_(),
    "variance": lambda x: x.var(1, keepdim=True) + torch.var_mean(x, 1, keepdim=True)[1],
    "products": lambda x: x @ x.new_ones(3, 3) * x.prod(1, keepdim=True),
    "constants": lambda x: x * torch.zeros_like(x).add_(2).sqrt(),
    "shapes": lambda x: torch.cat([x[:, :1], x.flip(1)[:, 1:]], 1).clone(),
}
SINGULAR = {
    "gelu by tanh": (lambda x: functional.gelu(x, approximate="tanh"), "gelu"),
    "tanh": (torch.tanh, "tanh"),
    "sigmoid": (torch.sigmoid, "sigmoid"),
    "silu": (functional.silu, "silu"),
    "softplus": (functional.softplus, "softplus"),
    "tangent": (torch.tan, "tan"),
    "logarithm": (lambda x: torch.log(x + 1.5), "log"),
    "root": (lambda x: (x + 1.5).sqrt(), "sqrt"),
    "half": (lambda x: (x + 1.5) ** 0.5, "pow"),
    "inverse power": (lambda x: (x + 1.5) ** -2, "pow"),
    "quotient": (lambda x: x / (x + 1.5), "div"),
    "quotient of a number": (lambda x: 1 / (x + 1.5), "rdiv"),
    "reciprocal": (lambda x: (x + 1.5).reciprocal(), "reciprocal"),
    "softmax": (lambda x: functional.softmax(x * 4, 1), "softmax"),
    "layer norm": (lambda x: functional.layer_norm(x, (3,)), "layer_norm"),
    "inverse": (lambda x: torch.linalg.inv(torch.diag_embed(x + 1.5)).flatten(1), "linalg_inv"),
}
X = torch.tensor([[0.3, -0.2, 0.1]], dtype=torch.float64)
V = torch.tensor([[0.5, 0.7, -0.6]], dtype=torch.float64)


def negative_modes(f, radius: float) -> float:
    """The largest negative Fourier mode of f on a circle of a line, over the largest value."""
    angle = (torch.arange(256, dtype=torch.float64) + 0.5) * (2 * math.pi / 256)
    t = radius * torch.polar(torch.ones_like(angle), angle)
    values = extend(f)(X + t[:, None] * V)
    modes = torch.fft.fft(values, dim=0, norm="forward")
    return float(modes[128:240].abs().max() / values.abs().max())


@each("name", ENTIRE)
def test_entire_operations_have_no_negative_modes_on_large_circles(name: str) -> None:
    assert extend(ENTIRE[name]).singular_operations(X) == ()
    assert negative_modes(ENTIRE[name], 6.0) < 1e-13


@each("name", SINGULAR)
def test_singular_operations_are_named_and_have_negative_modes(name: str) -> None:
    f, operation = SINGULAR[name]
    assert operation in extend(f).singular_operations(X)
    assert negative_modes(f, 6.0) > 1e-6


def test_operations_are_those_of_the_table() -> None:
    assert set(_ENTIRE) | set(_AT_SOME) <= set(OPERATIONS)
    assert all(OPERATIONS[name].holomorphic for name in {*_ENTIRE, *_AT_SOME})


@given(st.integers(0, 10**6))
def test_one_singular_layer_among_entire_ones_is_named(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    at, depth = (int(torch.randint(4, (), generator=generator)) for _ in range(2))
    layers: list[nn.Module] = [nn.GELU() for _ in range(depth + 1)]
    assert extend(nn.Sequential(*layers)).singular_operations(X) == ()
    layers.insert(min(at, depth), nn.Softplus())
    assert extend(nn.Sequential(*layers)).singular_operations(X) == ("softplus",)


def test_pieces_are_not_entire() -> None:
    def clipped(x: Tensor) -> Tensor:
        return x.relu() + x.clamp(0, 1)

    assert extend(clipped, "frozen").singular_operations(X) == ("relu", "clamp")
