"""Sigmoid, SiLU and softplus far from the origin, on the real axis, and softplus's branch."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from holonet.functions import get_function

SIGMOID, SILU, SOFTPLUS = (get_function(n) for n in ("sigmoid", "silu", "softplus"))
BOTH = pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])


def tensor(*values, dtype=torch.complex128):
    return torch.tensor(values, dtype=dtype)


@BOTH
def test_the_real_axis_is_torch(dtype):
    x = torch.linspace(-30, 30, 121, dtype=dtype.to_real())
    z = x.to(dtype)
    rtol = 16 * torch.finfo(dtype).eps
    for got, expected in (
        (SIGMOID(z), torch.sigmoid(x)),
        (SILU(z), functional.silu(x)),
        (SOFTPLUS(z), functional.softplus(x, threshold=200)),
    ):
        assert not got.imag.any()
        torch.testing.assert_close(got.real, expected, rtol=rtol, atol=0)


@BOTH
def test_limits_far_out(dtype):
    for x in (100.0, 1e4):
        right, left = tensor(complex(x, 1), dtype=dtype), tensor(complex(-x, 1), dtype=dtype)
        eps = torch.finfo(dtype).eps
        torch.testing.assert_close(SIGMOID(right), torch.ones_like(right), rtol=eps, atol=0)
        torch.testing.assert_close(SILU(right), right, rtol=eps, atol=0)
        torch.testing.assert_close(SOFTPLUS(right), right, rtol=eps, atol=0)
        decay = torch.exp(left)
        for f, expected in ((SIGMOID, decay), (SILU, left * decay), (SOFTPLUS, decay)):
            tiny = torch.finfo(dtype).tiny
            torch.testing.assert_close(f(left), expected, rtol=4 * eps, atol=tiny)


@given(z=st.complex_numbers(max_magnitude=300))
def test_softplus_is_a_principal_logarithm(z):
    w = SOFTPLUS(tensor(z))
    assert abs(w.imag.item()) <= math.pi + 1e-15
    inverse = torch.exp(w - tensor(complex(max(z.real, 0), 0)))
    direct = torch.exp(tensor(z - max(z.real, 0))) + math.exp(-max(z.real, 0))
    assert (inverse - direct).abs().item() <= 1e-15 * (10 + 4 * abs(z))


@pytest.mark.parametrize("k", [-2, -1, 0, 5])
def test_softplus_jumps_by_a_turn_across_its_cuts_only(k):
    height = (2 * k + 1) * math.pi
    above, below = tensor(2 + 1j * (height + 1e-9)), tensor(2 + 1j * (height - 1e-9))
    jump = SOFTPLUS(below) - SOFTPLUS(above)
    torch.testing.assert_close(jump, tensor(2j * math.pi), rtol=0, atol=1e-8)
    above, below = tensor(-2 + 1j * (height + 1e-9)), tensor(-2 + 1j * (height - 1e-9))
    assert (SOFTPLUS(below) - SOFTPLUS(above)).abs().item() < 1e-8


@given(z=st.complex_numbers(max_magnitude=20))
def test_sigmoid_reflects(z):
    t = tensor(z)
    if SIGMOID.clearance(t).item() > 1e-3:
        total = SIGMOID(t) + SIGMOID(-t)
        scale = 1 + SIGMOID(t).abs() * (1 + abs(z) * SIGMOID(-t).abs())
        assert ((total - 1).abs() <= 1e-15 * scale).all()
