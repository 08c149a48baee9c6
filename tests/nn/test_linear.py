"""nn.Linear against torch's, which it must be able to replace."""

import pytest
import torch
from torch import nn as tnn

from cases import each
from holonet import nn
from holonet.errors import InputTypeError, ShapeError

DTYPES = [torch.complex64, torch.complex128]


@each("dtype", DTYPES)
@each("bias", [True, False])
@each("shape", [(3,), (4, 3), (2, 4, 3), (0, 3)])
def test_it_is_torchs_linear(dtype, bias, shape):
    ours, theirs = nn.Linear(3, 2, bias, dtype=dtype), tnn.Linear(3, 2, bias, dtype=dtype)
    theirs.load_state_dict(ours.state_dict())
    z = torch.randn(shape, dtype=dtype)
    assert torch.equal(ours(z), theirs(z))
    expected = z @ ours.weight.mT + (ours.bias if bias else 0)
    torch.testing.assert_close(ours(z), expected)


def test_state_dicts_of_torch_load():
    ours, theirs = nn.Linear(3, 2), tnn.Linear(3, 2, dtype=torch.cfloat)
    assert list(ours.state_dict()) == ["weight", "bias"]
    ours.load_state_dict(theirs.state_dict())
    z = torch.randn(4, 3, dtype=torch.cfloat)
    assert torch.equal(ours(z), theirs(z))


def test_the_initial_weights():
    layer = nn.Linear(300, 200)
    assert layer.weight.dtype is torch.complex64
    assert not layer.bias.any()
    assert abs(layer.weight.abs().square().mean() * 300 - 1) < 0.02
    assert abs((layer.weight**2).mean() * 300) < 0.02
    old = layer.weight.detach().clone()
    layer.reset_parameters()
    assert not torch.equal(layer.weight, old)


def test_without_bias():
    assert nn.Linear(3, 2, bias=False).bias is None


def test_a_real_dtype_gives_real_coefficients():
    torch.manual_seed(0)
    for dtype in (torch.float32, torch.float64):
        layer = nn.Linear(300, 200, dtype=dtype)
        assert layer.weight.dtype is layer.bias.dtype is dtype
        assert not layer.bias.any()
        assert abs(layer.weight.square().mean() * 300 - 1) < 0.03
        assert layer(torch.rand(2, 300, dtype=dtype)).dtype is dtype


def test_a_dtype_of_integers_is_refused():
    with pytest.raises(InputTypeError, match=r"Linear\(dtype=torch.int64\).*complex.*float32"):
        nn.Linear(3, 2, dtype=torch.int64)


@pytest.mark.parametrize("shape", [(4, 2), (3, 4), ()])
def test_the_wrong_width_is_refused(shape):
    with pytest.raises(ShapeError, match=r"Linear was built for 3 features"):
        nn.Linear(3, 2)(torch.zeros(shape, dtype=torch.cfloat))


def test_the_wrong_precision_is_refused():
    with pytest.raises(
        InputTypeError, match=r"torch.complex64 parameters and got torch.complex128"
    ):
        nn.Linear(3, 2)(torch.zeros(4, 3, dtype=torch.complex128))
