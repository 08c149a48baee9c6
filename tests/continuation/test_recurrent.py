"""Recurrent layers against torch's own at real points."""

import pytest
import torch
from torch import nn

from cases import each, some_of
from continuations import assert_continuation
from holonet.continuation import extend
from holonet.errors import InputTypeError, NotHolomorphicError

LAYERS = {
    "RNN": lambda: nn.RNN(4, 3, batch_first=True),
    "GRU": lambda: nn.GRU(4, 3, 2, batch_first=True, bidirectional=True),
    "LSTM": lambda: nn.LSTM(4, 3, 2, batch_first=True, bidirectional=True, proj_size=2),
    "without biases": lambda: nn.LSTM(4, 3, bias=False, batch_first=True),
}
CELLS = {"RNN": nn.RNNCell, "GRU": nn.GRUCell, "LSTM": nn.LSTMCell}


@some_of("name", [*LAYERS], slice(None, None, 3))
def test_layers(name: str) -> None:
    layer = LAYERS[name]().double()
    x = torch.randn(2, 3, 4, dtype=torch.float64)
    assert_continuation(layer, x)
    for state, extended in zip(
        torch.utils._pytree.tree_leaves(layer(x)[1]),
        torch.utils._pytree.tree_leaves(extend(layer)(x.to(torch.complex128))[1]),
        strict=True,
    ):
        torch.testing.assert_close(extended.real, state)


@each("name", CELLS)
def test_cells(name: str) -> None:
    assert_continuation(CELLS[name](4, 3).double(), torch.randn(2, 4, dtype=torch.float64))


def test_state_alone_may_be_continued() -> None:
    cell, x = nn.GRUCell(4, 3).double(), torch.randn(2, 4, dtype=torch.float64)
    assert_continuation(lambda h: cell(x[:1].expand(len(h), 4), h), torch.randn(2, 3).double())


def test_sequence_without_a_batch_and_sequence_first() -> None:
    layer, x = nn.GRU(4, 3).double(), torch.randn(5, 2, 4, dtype=torch.float64)
    z = x.to(torch.complex128)
    torch.testing.assert_close(extend(layer)(z)[0].real, layer(x)[0])
    torch.testing.assert_close(extend(layer)(z[:, 0])[0].real, layer(x[:, 0])[0])


def test_refusals() -> None:
    z = torch.randn(2, 3, 4, dtype=torch.complex64)
    with pytest.raises(InputTypeError, match=r"model\.eval"):
        extend(nn.GRU(4, 3, 2, dropout=0.1))(z)
    with pytest.raises(NotHolomorphicError, match="nonlinearity='tanh'"):
        extend(nn.RNN(4, 3, nonlinearity="relu"))(z)
