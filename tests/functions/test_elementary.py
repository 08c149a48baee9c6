"""Elementary functions where torch's own derivatives overflow, and on the real axis."""

import pytest
import torch

from cases import each
from holonet.functions import get_function
from holonet.functions.elementary import ELEMENTARY


@each("record", ELEMENTARY, ids=lambda r: r.name)
@each("dtype", [torch.complex64, torch.complex128])
def test_the_real_axis_is_torch(record, dtype):
    low = 0.01 if record.base_point == 1 else -6
    x = torch.linspace(low, 6, 101, dtype=dtype.to_real())
    got = record(x.to(dtype))
    expected = getattr(torch, record.name)(x)
    assert not got.imag.any()
    torch.testing.assert_close(got.real, expected, rtol=16 * torch.finfo(dtype).eps, atol=0)


@each("name", ["asinh", "atan", "log", "sqrt"])
@each("z", [1e25 + 1e25j, -1e30 + 1e20j, 1e30])
def test_derivatives_survive_where_the_square_overflows(name, z):
    record = get_function(name)
    small = torch.full((3,), z, dtype=torch.complex64)
    for f in (record.derivative, record.second_derivative):
        expected = f(small.to(torch.complex128)).to(torch.complex64)
        torch.testing.assert_close(f(small), expected, rtol=1e-5, atol=1e-38)


@pytest.mark.parametrize("x", [20.0, -20.0])
def test_sech_squared_does_not_cancel(x):
    z = torch.tensor(complex(x, 0.3), dtype=torch.complex128)
    expected = 4 * torch.exp(-2 * abs(x) - 0.6j * torch.sign(z.real))
    torch.testing.assert_close(get_function("tanh").derivative(z), expected, rtol=1e-14, atol=0)


def test_odd_functions_are_odd():
    z = torch.randn(50, dtype=torch.complex128)
    for name in ("sin", "tan", "sinh", "tanh", "asinh", "atan"):
        record = get_function(name)
        torch.testing.assert_close(record(-z), -record(z), rtol=1e-15, atol=0)
