"""Average pooling against torch's on the real and the imaginary part."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn as tnn

from cases import each
from holonet import nn
from holonet.errors import InputTypeError

POOLS = [f"{kind}{axes}d" for kind in ("AvgPool", "AdaptiveAvgPool") for axes in (1, 2, 3)]


@each("name", POOLS)
@given(
    size=st.integers(1, 3),
    dtype=st.sampled_from([torch.complex64, torch.complex128]),
    batch=st.sampled_from([(), (0,), (1,), (2,)]),
)
def test_parts_are_pooled(name, size, dtype, batch):
    ours, theirs = getattr(nn, name)(size), getattr(tnn, name)(size)
    z = torch.randn(*batch, 2, *(5,) * int(name[-2]), dtype=dtype)
    pooled = ours(z)
    assert pooled.dtype is dtype
    assert torch.equal(pooled.real, theirs(z.real))
    assert torch.equal(pooled.imag, theirs(z.imag))


@pytest.mark.parametrize("name", POOLS[:3])
def test_all_arguments_of_torch_are_taken(name):
    arguments = {"stride": 2, "padding": 1, "ceil_mode": True, "count_include_pad": False}
    ours, theirs = (getattr(m, name)(3, **arguments) for m in (nn, tnn))
    z = torch.randn(2, 2, *(6,) * int(name[-2]), dtype=torch.complex128)
    assert torch.equal(ours(z).imag, theirs(z.imag))


@each("name", POOLS)
def test_real_input_gives_torchs_own_pooling(name):
    ours, theirs = (getattr(m, name)(2) for m in (nn, tnn))
    x = torch.randn(1, 2, *(4,) * int(name[-2]))
    assert torch.equal(ours(x), theirs(x))
    with pytest.raises(InputTypeError, match=rf"{name} got a tensor of integers"):
        ours(x.long())
