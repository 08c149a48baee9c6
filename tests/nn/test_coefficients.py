"""Fields of coefficients: dtypes and their partners, what takes real points and keeps them real."""

import pytest
import torch
from torch import nn as tnn

from holonet import nn
from holonet.errors import ConfigError, InputTypeError
from holonet.functions import moebius
from holonet.nn.coefficients import (
    chain_takes_real,
    coefficient_dtype,
    complex_dtype,
    dtype_of,
    input_dtype,
    real_dtype,
    real_on_real,
    takes_real,
)

C64, C128, F32, F64 = torch.complex64, torch.complex128, torch.float32, torch.float64
NOT_REAL = nn.Activation(moebius(1, 1j, 2, 1))


def test_partners_are_each_others():
    for part, whole in ((F32, C64), (F64, C128)):
        assert complex_dtype(part) is complex_dtype(whole) is whole
        assert real_dtype(part) is real_dtype(whole) is part
    assert complex_dtype(torch.bfloat16) is torch.bfloat16


def test_the_default_dtype_is_complex64():
    assert coefficient_dtype(None, "X") is C64
    for dtype in (C64, C128, F32, F64, torch.bfloat16):
        assert coefficient_dtype(dtype, "X") is dtype
    with pytest.raises(InputTypeError, match=r"X\(dtype=torch.int64\).*complex64 or .*float64"):
        coefficient_dtype(torch.int64, "X")


def test_a_field_and_a_precision_make_a_dtype():
    assert [dtype_of(field, C64) for field in ("complex", "real")] == [C64, F32]
    assert [dtype_of(field, C128) for field in ("complex", "real")] == [C128, F64]
    with pytest.raises(ConfigError, match=r"coefficients='reel': choose one of complex, real"):
        dtype_of("reel", C64)
    with pytest.raises(ConfigError, match=r"torch.float32.*coefficients='real'"):
        dtype_of("real", F32)


def test_modules_that_take_real_points_and_those_that_keep_them_real():
    for module, takes, keeps in (
        (nn.Linear(2, 2), True, False),
        (nn.Linear(2, 2, dtype=F32), True, True),
        (nn.Tanh(), True, True),
        (NOT_REAL, False, False),
        (nn.FrozenNorm(2), True, False),
        (nn.AvgPool2d(2), True, True),
        (tnn.Flatten(), True, True),
        (tnn.Linear(2, 2), True, True),
        (tnn.Linear(2, 2, dtype=C64), False, False),
        (tnn.Sequential(nn.Tanh(), nn.Linear(2, 2)), True, False),
        (tnn.Sequential(nn.Tanh(), NOT_REAL), False, False),
        (nn.Sequential(nn.Linear(2, 2, dtype=F32), nn.Residual(nn.Square())), True, True),
        (nn.Product(nn.Linear(2, 2, dtype=F32), nn.Linear(2, 2)), True, False),
    ):
        assert (takes_real(module), real_on_real(module)) == (takes, keeps), module


def test_a_chain_takes_real_points_if_its_layers_do_up_to_complex_values():
    real, whole = nn.Linear(2, 2, dtype=F32), nn.Linear(2, 2)
    assert chain_takes_real(tnn.Sequential(real, whole, NOT_REAL))
    assert not chain_takes_real(tnn.Sequential(real, NOT_REAL, whole))
    assert chain_takes_real(tnn.Sequential())


class Half(nn.HolomorphicModule):
    """A layer that says nothing of real points."""

    function_class = nn.Linear.function_class

    def forward(self, z):
        return z / 2


def test_points_are_brought_to_the_precision_of_the_parameters():
    x = torch.zeros(1)
    for module, real, lifted in (
        (nn.Linear(2, 2), F32, C64),
        (nn.Linear(2, 2, dtype=F64), F64, C128),
        (nn.Sequential(Half(), nn.Linear(2, 2, dtype=F64)), C128, C128),
        (nn.Tanh(), F32, C64),
        (NOT_REAL, C64, C64),
    ):
        assert input_dtype(module, x) is real
        assert input_dtype(module, x + 0j) is lifted


def test_a_classifier_lifts_what_a_layer_does_not_take():
    torch.manual_seed(0)
    net = nn.HolomorphicClassifier(nn.Sequential(Half(), nn.Linear(3, 2, dtype=F32)))
    x = torch.rand(4, 3)
    torch.testing.assert_close(net(x), net.backbone[1](x / 2))
