"""Readouts: values, mean value property of what is called harmonic, and behavior at zeros."""

import math

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from holonet import nn
from holonet.errors import DomainError, InputTypeError
from holonet.functions import FunctionClass

READOUTS = [nn.RealPart(), nn.ImagPart(), nn.Modulus(), nn.LogModulus(), nn.LogModulus(0.5)]


@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
def test_values(dtype):
    z = torch.tensor([3 + 4j, -2j], dtype=dtype)
    for readout, expected in [
        (nn.RealPart(), [3, 0]),
        (nn.ImagPart(), [4, -2]),
        (nn.Modulus(), [5, 2]),
        (nn.LogModulus(), [math.log(5), math.log(2)]),
        (nn.LogModulus(2), [math.log(29) / 2, math.log(8) / 2]),
    ]:
        torch.testing.assert_close(readout(z), torch.tensor(expected, dtype=dtype.to_real()))


@pytest.mark.parametrize("readout", READOUTS, ids=str)
@given(
    center=st.complex_numbers(min_magnitude=0.5, max_magnitude=3),
    radius=st.floats(0.05, 4),
)
def test_means_over_circles(readout, center, radius):
    """Equal to the value at the center where harmonic, at least that where subharmonic."""
    assume(abs(radius - abs(center)) > 0.05)  # no pole of the logarithm on the circle
    angle = torch.arange(4096, dtype=torch.float64) * (2 * math.pi / 4096)
    circle = center + radius * torch.polar(torch.ones_like(angle), angle)
    mean = readout(circle).mean().item()
    value = readout(torch.tensor([center], dtype=torch.complex128)).item()
    if readout.function_class is FunctionClass.HARMONIC:
        assert mean == pytest.approx(value, abs=1e-12)
    else:
        assert mean >= value - 1e-9
    if repr(readout) == repr(nn.LogModulus()) and radius < abs(center):  # harmonic off the zero
        assert mean == pytest.approx(value, abs=1e-9)


def test_at_a_zero():
    z = torch.zeros(1, dtype=torch.complex128, requires_grad=True)
    assert nn.LogModulus()(z).item() == -math.inf
    assert nn.LogModulus(1e-3)(z).item() == pytest.approx(math.log(1e-3))
    for readout in (nn.Modulus(), nn.LogModulus(1e-3)):
        (gradient,) = torch.autograd.grad(readout(z).sum(), z)
        assert gradient.item() == 0


def test_small_and_large_moduli_neither_underflow_nor_overflow():
    z = torch.tensor([1e-30j, 1e30 + 0j], dtype=torch.complex64)
    expected = torch.tensor([math.log(1e-30), math.log(1e30)])
    torch.testing.assert_close(nn.LogModulus()(z), expected)
    torch.testing.assert_close(nn.LogModulus(1e-33)(z), expected)


@pytest.mark.parametrize("eps", [-1.0, math.nan])
def test_a_negative_floor_is_refused(eps):
    with pytest.raises(DomainError, match=r"choose eps >= 0"):
        nn.LogModulus(eps)


@pytest.mark.parametrize("readout", READOUTS, ids=str)
def test_real_input_is_refused(readout):
    with pytest.raises(InputTypeError, match="got a real tensor"):
        readout(torch.ones(3))


def test_the_floor_is_shown():
    assert "eps=0.5" in repr(nn.LogModulus(0.5))
