"""Readouts: values, mean value property of what is called harmonic, and behavior at zeros."""

import math

import mpmath
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from cases import each
from holonet import nn
from holonet.errors import DomainError, InputTypeError
from holonet.functions import FunctionClass
from holonet.symbolic import from_sympy

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


def derivatives(readout, z, v):
    """The gradient, the jvp along v and the Hessian along v, by mpmath's numbers."""
    w, v = mpmath.mpc(z), mpmath.mpc(v)
    if isinstance(readout, nn.RealPart | nn.ImagPart):
        slope, bend = (1 if isinstance(readout, nn.RealPart) else 1j), 0
    elif isinstance(readout, nn.Modulus):
        slope = w / abs(w)
        bend = 1j * slope * mpmath.re(mpmath.conj(1j * slope) * v) / abs(w)
    else:
        square = abs(w) ** 2 + mpmath.mpf(readout.eps) ** 2
        slope = w / square
        bend = v / square - 2 * w * mpmath.re(mpmath.conj(w) * v) / square**2
    return slope, mpmath.re(mpmath.conj(slope) * v), bend


@each("dtype", [torch.complex64, torch.complex128])
@each(
    "readout", [*READOUTS, nn.LogModulus(1e-3), nn.LogModulus(1e-30), nn.LogModulus(1e30)], ids=str
)
@pytest.mark.parametrize("odd", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_derivatives_where_the_readout_is_smooth(readout, dtype, odd):
    """At zero, subnormal, tiny, ordinary and huge numbers: right if they are numbers at all."""
    info, v = torch.finfo(dtype), 0.6 - 0.8j
    sizes = [info.tiny / 1024, info.tiny, info.tiny**0.5, 1.0, info.max**0.5, info.max / 4]
    turned = [size * turn for size in sizes for turn in (1, -1j, 0.6 + 0.8j)][odd::2]
    smooth_at_zero = getattr(readout, "eps", 0) or isinstance(readout, nn.RealPart | nn.ImagPart)
    for number in [*([0] if smooth_at_zero else []), *turned]:
        z = torch.tensor([number], dtype=dtype, requires_grad=True)
        direction = torch.full_like(z, v).detach()
        with mpmath.workprec(2400):
            slope, along, bend = derivatives(readout, z.item(), direction.item())
        if abs(slope) > info.max / 4:
            continue
        value = readout(z)
        assert value.isfinite().all()
        (first,) = torch.autograd.grad(value, z, torch.ones_like(value), create_graph=True)
        forward = torch.func.jvp(readout, (z.detach(),), (direction,))[1]
        tolerance = 64 * info.eps * (1024 if 0 < abs(number) < info.tiny else 1)
        assert abs(first.item() - slope) <= tolerance * (abs(slope) + info.tiny)
        assert abs(forward.item() - along) <= tolerance * (abs(slope) + info.tiny)
        if first.requires_grad and abs(slope) ** 2 < info.max / 64 and abs(bend) < info.max / 64:
            (second,) = torch.autograd.grad((first.conj() * direction).real.sum(), z)
            scale = abs(slope) ** 2 + abs(bend) + info.tiny
            assert abs(second.item() - bend) <= 64 * tolerance * scale


def test_a_network_that_underflows_has_finite_gradients():
    """exp(-z^2) is subnormal at 9.4, and the gradient of what follows is 0 before rounding."""
    layers = nn.Linear(1, 3), nn.Activation(from_sympy("exp(-z**2)")), nn.Linear(3, 2, bias=False)
    torch.nn.init.ones_(layers[0].weight)
    for readout in (nn.LogModulus(1e-3), nn.Modulus()):
        net = nn.HolomorphicClassifier(nn.Sequential(*layers), readout)
        net.zero_grad()
        net(torch.tensor([[9.4]])).sum().backward()
        assert layers[0].weight.grad.abs().max() < 1e-30


@pytest.mark.parametrize("eps", [-1.0, math.nan, math.inf])
def test_a_negative_floor_is_refused(eps):
    with pytest.raises(DomainError, match=r"choose eps >= 0"):
        nn.LogModulus(eps)


@pytest.mark.parametrize("readout", READOUTS, ids=str)
def test_real_numbers_are_read_as_complex_ones(readout):
    x = torch.tensor([3.0, -2.0, 0.25, 1e-30], dtype=torch.float64)
    if isinstance(readout, nn.ImagPart):
        with pytest.raises(InputTypeError, match=r"ImagPart got a real .*imaginary part is 0"):
            readout(x)
        return
    torch.testing.assert_close(readout(x), readout(x + 0j))
    x.requires_grad_()
    slopes = [torch.autograd.grad(readout(p).sum(), x)[0] for p in (x, x + 0j)]
    torch.testing.assert_close(*slopes)


@pytest.mark.parametrize("readout", READOUTS, ids=str)
def test_integers_are_refused(readout):
    with pytest.raises(InputTypeError, match="tensor of integers"):
        readout(torch.ones(3, dtype=torch.int64))


def test_the_floor_is_shown():
    assert "eps=0.5" in repr(nn.LogModulus(0.5))


@each("eps", [0.0, 1e-3, 1e10])
@each("dtype", [torch.complex64, torch.complex128])
def test_the_logarithm_is_right_at_both_ends_of_the_range(eps, dtype):
    info = torch.finfo(dtype)
    ends = (info.tiny * info.eps, 3 * info.tiny * info.eps, info.tiny, 0.5, info.max / 2, info.max)
    z = torch.tensor([complex(x, y) for x in ends for y in ends], dtype=dtype, requires_grad=True)
    value = nn.LogModulus(eps)(z)
    value.sum().backward()
    assert z.grad is not None
    with mpmath.workdps(60):
        for at, got, slope in zip(z.tolist(), value.tolist(), z.grad.tolist(), strict=True):
            square = mpmath.mpf(at.real) ** 2 + mpmath.mpf(at.imag) ** 2 + mpmath.mpf(eps) ** 2
            expected = mpmath.log(square) / 2
            assert abs(got - expected) <= 8 * info.eps * abs(expected)
            exact = mpmath.mpc(at) / square
            if abs(exact) < info.max:
                assert abs(mpmath.mpc(slope) - exact) <= 1e3 * info.eps * max(abs(exact), info.tiny)
