"""What moves entries: complex ones as real ones."""

import pytest
import torch
from torch.nn import functional

from cases import each
from continuations import assert_continuation
from holonet.continuation import extend
from holonet.errors import NotHolomorphicError

MASK = torch.tensor([True, False, True, False])
WEIGHTS = torch.linspace(1, 2, 4, dtype=torch.float64)
MOVES = {
    "shapes": lambda x: x.reshape(-1, 2, 2).mT.flatten(1).unsqueeze(1).squeeze(1).view(-1, 4),
    "axes": lambda x: x[:, None].transpose(1, 2).permute(0, 2, 1).movedim(1, 2).expand(-1, 4, 3),
    "parts": lambda x: torch.cat(x.chunk(2, 1)[::-1], 1) + torch.stack(x.unbind(1), 1),
    "splits": lambda x: x.split(1, 1)[0] * x.narrow(1, 1, 2).repeat(1, 2) + x.flip(1).roll(1, 1),
    "cat with constants": lambda x: torch.cat([x, torch.ones(len(x), 2, dtype=x.dtype)], 1),
    "indices": lambda x: x[:, [2, 0]] + x.index_select(1, torch.tensor([1, 1])) + x[..., :2],
    "gather": lambda x: x.gather(1, torch.zeros(len(x), 4, dtype=torch.long)),
    "masks": lambda x: x.masked_fill(MASK, 2.0) + torch.where(MASK, x, 0) + x.where(MASK, x * x),
    "scatter": lambda x: x.index_add(1, torch.tensor([0]), x[:, :1]),
    "padding": lambda x: (
        functional.pad(x, (1, 2), value=0.5)[:, None]
        + functional.pad(x[:, None], (2, 1), mode="reflect")
    ),
    "triangle": lambda x: torch.tril(x[:, None] * WEIGHTS[:, None]).diagonal(dim1=1, dim2=2),
    "copies": lambda x: x.clone().contiguous().detach().to(x.dtype).type_as(x).double().conj().real,
    "index put": lambda x: x.T.index_put((torch.tensor([1]),), x.T[:1]).T + x.T.diff(dim=0)[:1].T,
    "sums": lambda x: x.sum(1, keepdim=True) + x.cumsum(1) * x.mean(axis=1, keepdims=True),
    "products": lambda x: x.prod(1, keepdim=True) + x.cumprod(1),
    "adjoint": lambda x: (x[:, None].mH * WEIGHTS).adjoint(),
    "broadcast": lambda x: torch.broadcast_tensors(x[:, None], WEIGHTS[:, None])[0] * 2,
    "checks": lambda x: x * torch.isfinite(x) + torch.isnan(x),
    "constants": lambda x: x + torch.zeros_like(x) + x.new_ones(4) + x.new_tensor([1.0] * 4),
}


@each("name", MOVES)
def test_entries_are_moved_as_real_ones(name: str) -> None:
    assert_continuation(MOVES[name], torch.randn(3, 4, dtype=torch.float64))


def test_precision_follows_the_model() -> None:
    z = torch.randn(3, dtype=torch.complex64)
    assert extend(lambda x: x.double())(z).dtype is torch.complex128
    assert extend(lambda x: x.to(torch.float64))(z).dtype is torch.complex128
    assert extend(lambda x: x.double().to(x))(z).dtype is torch.complex64
    assert extend(lambda x: x.double().float())(z).dtype is torch.complex64


def test_boolean_constants_are_plain() -> None:
    def masked(x: torch.Tensor) -> torch.Tensor:
        mask = torch.ones_like(x, dtype=torch.bool)
        assert type(mask) is torch.Tensor
        return x * mask

    z = torch.randn(3, dtype=torch.complex64)
    assert torch.equal(extend(masked)(z), z)


def test_rounding_to_integers_is_refused() -> None:
    with pytest.raises(NotHolomorphicError, match="rounds"):
        extend(lambda x: x.to(torch.int64))(torch.ones(2, dtype=torch.complex64))
