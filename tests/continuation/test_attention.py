"""Attention with its masks against torch's own, at real points."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from cases import each, some_of
from continuations import assert_continuation
from holonet.continuation import extend
from holonet.errors import InputTypeError

PADDING = torch.tensor([[False, False, True]])
CAUSAL = torch.ones(3, 3, dtype=torch.bool).triu(1)
BIAS = torch.linspace(-1, 1, 9, dtype=torch.float64).view(3, 3)


def heads(x: torch.Tensor) -> torch.Tensor:
    return x.reshape(len(x), 3, 2, 4).transpose(1, 2)


DOT_PRODUCTS = {
    "plain": lambda q: functional.scaled_dot_product_attention(q, 2 * q, q * q),
    "causal": lambda q: functional.scaled_dot_product_attention(q, q, q, is_causal=True),
    "boolean mask": lambda q: functional.scaled_dot_product_attention(q, q, q, ~CAUSAL, scale=0.3),
    "added mask": lambda q: functional.scaled_dot_product_attention(q, q, q, BIAS),
    "grouped": lambda q: functional.scaled_dot_product_attention(
        q, q[:, :1], q[:, :1], enable_gqa=True
    ),
}
LAYERS = {
    "self": lambda m, x: m(x, x, x)[0],
    "weights": lambda m, x: m(x, x, x)[1],
    "weights of each head": lambda m, x: m(x, x, x, average_attn_weights=False)[1].flatten(1),
    "cross": lambda m, x: m(x, torch.sin(x), x * x, need_weights=False)[0],
    "causal": lambda m, x: m(x, x, x, attn_mask=CAUSAL, is_causal=True, need_weights=False)[0],
    "padding": lambda m, x: m(x, x, x, key_padding_mask=PADDING.expand(len(x), 3))[0],
    "both masks": lambda m, x: m(
        x, x, x, key_padding_mask=PADDING.expand(len(x), 3), attn_mask=BIAS
    )[0],
    "fixed keys": lambda m, x: m(x, BIAS[None, :, :1].expand(len(x), 3, 8), x)[0],
}


@each("name", DOT_PRODUCTS)
def test_dot_products(name: str) -> None:
    f = DOT_PRODUCTS[name]
    assert_continuation(lambda x: f(heads(x)), torch.randn(2, 3, 8, dtype=torch.float64))


@some_of("name", [*LAYERS], slice(None, None, 3))
@pytest.mark.filterwarnings("ignore:Support for mismatched key_padding_mask")
def test_layers(name: str) -> None:
    layer = nn.MultiheadAttention(8, 2, batch_first=True).double()
    x = torch.randn(2, 3, 8, dtype=torch.float64)
    assert_continuation(lambda x: LAYERS[name](layer, x), x)


def test_other_widths_of_keys_and_one_example() -> None:
    layer = nn.MultiheadAttention(8, 2, kdim=4, vdim=6).double()
    x = torch.randn(3, 8, dtype=torch.float64)

    def f(x: torch.Tensor) -> torch.Tensor:
        return layer(x, x[:, :4], x[:, :6])[0]

    torch.testing.assert_close(extend(f)(x.to(torch.complex128)).real, f(x))


def test_encoder_with_masks() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, activation="gelu", batch_first=True)
    model = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).double().eval()
    mask = torch.zeros(3, 3, dtype=torch.float64).masked_fill(CAUSAL, -math.inf)
    x = torch.randn(2, 3, 8, dtype=torch.float64)
    assert_continuation(lambda x: model(x, mask=mask), x)


def test_dropout_and_rare_options_are_refused() -> None:
    z = torch.randn(1, 3, 8, dtype=torch.complex64)
    dropped = nn.MultiheadAttention(8, 2, dropout=0.1, batch_first=True)
    with pytest.raises(InputTypeError, match=r"model\.eval"):
        extend(lambda x: dropped(x, x, x))(z)
    rare = nn.MultiheadAttention(8, 2, add_zero_attn=True, batch_first=True)
    with pytest.raises(InputTypeError, match="zero attention"):
        extend(lambda x: rare(x, x, x))(z)
