"""The modulus against its formula and the sign against its definition, at all sizes."""

import math

import pytest
import torch

from holonet.functions.modulus import modulus, sgn

DTYPES = [torch.complex64, torch.complex128]


def points(dtype):
    """Zero, subnormal, tiny, ordinary, huge and largest numbers, in several directions."""
    info = torch.finfo(dtype)
    sizes = [info.tiny * info.eps * 64, info.tiny, info.tiny**0.5, 1.0, info.max**0.5, info.max / 2]
    turns = torch.tensor(
        [1, 1j, -1, 3 / 5 + 4j / 5, 0.5 - 0.5j, -0.8 + 1e-3j], dtype=torch.complex128
    )
    return torch.cat([torch.zeros(1), *(size * turns for size in sizes)]).to(dtype)


def units(z):
    """z / |z| in double precision, by way of numbers of moderate size."""
    exact = z.to(torch.complex128)
    peak = torch.maximum(exact.real.abs(), exact.imag.abs())
    peak = torch.where(peak == 0, 1, peak)
    a, b = exact.real / peak, exact.imag / peak
    return torch.complex(a, b) / torch.where((a == 0) & (b == 0), 1, torch.hypot(a, b))


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_sign(dtype):
    z = points(dtype)
    torch.testing.assert_close(sgn(z).to(torch.complex128), units(z), rtol=0, atol=1e-6)
    assert torch.equal(sgn(torch.tensor([-2.0, 0.0, 3.0])), torch.tensor([-1.0, 0.0, 1.0]))


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_modulus_and_both_modes_of_its_derivative(dtype):
    z = points(dtype).requires_grad_()
    value = modulus(z)
    assert torch.equal(value[0], torch.zeros((), dtype=dtype.to_real()))
    torch.testing.assert_close(value, z.detach().abs())
    (slope,) = torch.autograd.grad(value.sum(), z)
    torch.testing.assert_close(slope.to(torch.complex128), units(z.detach()), rtol=0, atol=1e-6)
    for v in (1, 1j, 0.3 - 2j):
        direction = torch.full_like(z, v).detach()
        along = torch.func.jvp(modulus, (z.detach(),), (direction,))[1]
        expected = (slope.conj() * direction).real
        torch.testing.assert_close(along, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", DTYPES)
def test_second_derivatives_of_the_modulus(dtype):
    """The Hessian along v is iu <iu, v> / |z|, where 1/|z| is a number."""
    z = points(dtype)
    z = z[(1 / z.abs()).isfinite() & (z != 0)].requires_grad_()
    u = units(z.detach())
    for v in (1, 1j, 0.3 - 2j):
        (slope,) = torch.autograd.grad(modulus(z).sum(), z, create_graph=True)
        (found,) = torch.autograd.grad((slope.conj() * v).real.sum(), z)
        expected = 1j * u * ((1j * u).conj() * v).real
        scaled = found.to(torch.complex128) * z.detach().abs().double()
        torch.testing.assert_close(scaled, expected, rtol=0, atol=1e-5)


def test_infinite_and_nan_stay_what_they_are():
    z = torch.tensor([complex(math.inf, 1), complex(math.nan, 0)])
    value = modulus(z)
    assert value[0] == math.inf
    assert value[1].isnan()
