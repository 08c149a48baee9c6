"""Activations made of pieces: refused, and the piece at the base point."""

import pytest
import torch
from torch import nn

from cases import each
from holonet.continuation import extend
from holonet.continuation.pieces import PIECES, at_base, chosen, joined, value_of
from holonet.continuation.table import OPERATIONS
from holonet.continuation.tensor import Continued, Run
from holonet.errors import NotHolomorphicError

LAYERS = [
    nn.ReLU(),
    nn.ReLU(inplace=True),
    nn.LeakyReLU(0.2),
    nn.ReLU6(),
    nn.ELU(0.5),
    nn.CELU(2.0),
    nn.SELU(),
    nn.Hardsigmoid(),
    nn.Hardswish(),
    nn.Hardtanh(-0.5, 2.0),
    nn.PReLU(4),
    nn.RReLU().eval(),
    nn.Hardshrink(),
    nn.Softshrink(),
    nn.Softsign(),
    nn.Threshold(0.1, 0.2),
]
FUNCTIONS = [
    torch.abs,
    lambda x: (x * 1).abs_(),
    lambda x: x.clamp(-0.5, 0.7),
    lambda x: x.clamp(max=1.0),
    lambda x: torch.clamp(x, min=x * x),
    lambda x: (x * 1).clamp_min_(0.1),
]


@each("layer", [*LAYERS, *FUNCTIONS])
def test_frozen_piece_is_the_model_near_its_base(layer) -> None:
    model = layer.double() if isinstance(layer, nn.Module) else layer
    x = 3 * torch.randn(5, 4, dtype=torch.float64)
    f = extend(model, pieces="frozen")
    near = x + 1e-6 * torch.randn_like(x)
    for y in (x, near):
        torch.testing.assert_close(f(y.to(torch.complex128), base=x).real, model(y.clone()))
        assert not f(y.to(torch.complex128), base=x).imag.any()


@each("layer", [*LAYERS, *FUNCTIONS])
def test_refused_with_the_replacement(layer) -> None:
    model = layer.double() if isinstance(layer, nn.Module) else layer
    with pytest.raises(NotHolomorphicError, match=r"kink.*GELU.*frozen"):
        extend(model)(torch.randn(5, 4, dtype=torch.complex128))


def test_pieces_go_on_beyond_their_region() -> None:
    z = torch.tensor([-3.0 + 2j, 3.0 - 1j], dtype=torch.complex128)
    base = torch.tensor([1.0, -1.0], dtype=torch.float64)
    assert torch.equal(extend(nn.ReLU(), "frozen")(z, base=base), z * torch.tensor([1, 0]))
    value = extend(nn.ELU(), "frozen")(z, base=base)
    torch.testing.assert_close(value, torch.stack([z[0], torch.expm1(z[1])]))


def test_base_is_carried_through_the_model() -> None:
    """Behind a sine the sign of the real part is not that of the model."""
    z = torch.tensor([3.5 + 2j], dtype=torch.complex128)
    value = extend(lambda x: torch.relu(torch.cos(x) + 2), "frozen")(z)
    torch.testing.assert_close(value, torch.cos(z) + 2)
    assert (torch.cos(z) + 2).real < 0


def test_random_slopes_are_refused() -> None:
    with pytest.raises(NotHolomorphicError, match="eval"):
        extend(nn.RReLU(), "frozen")(torch.ones(2, dtype=torch.complex64))


def test_helpers() -> None:
    z = torch.ones(2, dtype=torch.complex64)
    x = Continued(z, z.real, Run(OPERATIONS, True))
    assert value_of(x) is z
    assert value_of(3) == at_base(3) == 3
    assert torch.equal(at_base(x), z.real)
    assert joined(x, z, z.real).run is x.run
    assert torch.equal(chosen(torch.tensor([True, False]), 0, z, z), torch.tensor([0j, 1]))
    assert not PIECES.holomorphic
