"""The complex error functions against mpmath, at every corner of the algorithm."""

import math

import mpmath
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from holonet.functions import get_function
from holonet.functions.error_function import erf, erfc, faddeeva

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
BOTH = pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
STEP = math.sqrt(math.pi / 12)


def reference(z):
    with mpmath.workdps(40):
        u = mpmath.mpc(z)
        return mpmath.exp(-u * u) * mpmath.erfc(-1j * u)


def relative_error(got, expected) -> float:
    return float(abs(mpmath.mpc(got) - expected) / abs(expected))


def corners() -> list[complex]:
    """The real and imaginary axes, nodes and midpoints, and both sides of every switch."""
    out: list[complex] = [0j, 1e-300, 1e-8j, 40j, 90, 60 + 60j]
    for quarter in range(1, 50):
        x = quarter * STEP / 4
        for y in (0.0, 1e-9, x / 2, x * (1 - 1e-9), x, x * (1 + 1e-9), 2 * x):
            out += [complex(x, y), complex(-x, y)]
    threshold = math.pi / STEP
    for y in (threshold * (1 - 1e-9), threshold, threshold * (1 + 1e-9)):
        out += [complex(x, y) for x in (0.0, 0.1, 3.0, y * (1 - 1e-9), y, y * (1 + 1e-9))]
    return out


@BOTH
def test_faddeeva_is_uniformly_accurate_on_the_upper_half_plane(dtype):
    z = torch.tensor(corners(), dtype=dtype)
    worst = max(
        relative_error(g, reference(p))
        for g, p in zip(faddeeva(z).tolist(), z.tolist(), strict=True)
    )
    assert worst <= 10 * torch.finfo(dtype).eps


@given(z=st.complex_numbers(max_magnitude=12))
def test_faddeeva_reflections(z):
    t = torch.tensor([z], dtype=torch.complex128)
    torch.testing.assert_close(faddeeva(-t.conj()), faddeeva(t).conj(), rtol=1e-14, atol=0)
    gaussian = 2 * torch.exp(-t * t)
    scale = (faddeeva(t).abs() + gaussian.abs() * (1 + t.abs() ** 2)).item()
    assert (faddeeva(t) + faddeeva(-t) - gaussian).abs().item() <= 1e-14 * scale


@BOTH
def test_the_real_axis_is_torch(dtype):
    x = torch.linspace(-6, 6, 241, dtype=dtype.to_real())
    eps = torch.finfo(dtype).eps
    for f, real in ((erf, torch.erf), (erfc, torch.erfc), (get_function("gelu"), functional.gelu)):
        got = f(x.to(dtype))
        assert not got.imag.any()
        # torch's gelu is 1 + erf, which cancels on the left: compare absolutely there
        loose = 4 * eps * x.abs() if real is functional.gelu else 80 * eps * real(x)
        assert ((got.real - real(x)).abs() <= loose.abs() + 4 * eps * real(x).abs()).all()


@given(z=st.complex_numbers(max_magnitude=8))
def test_erf_is_odd_and_completes_erfc(z):
    t = torch.tensor([z], dtype=torch.complex128)
    scale = 1 + erfc(t).abs() + erf(t).abs()
    assert ((erf(-t) + erf(t)).abs() <= 1e-15 * scale).all()
    assert ((erf(t) + erfc(t) - 1).abs() <= 4e-15 * scale).all()


@pytest.mark.parametrize("x", [3.0, 8.0, 20.0])
def test_erfc_does_not_cancel(x):
    z = complex(x, 0.2)
    got = erfc(torch.tensor([z], dtype=torch.complex128)).item()
    assert relative_error(got, mpmath.erfc(mpmath.mpc(z))) <= 4 * abs(z) ** 2 * 2.3e-16


@pytest.mark.parametrize("f", [erf, erfc, faddeeva])
def test_autograd_in_every_mode(f):
    z = torch.tensor([0.3 + 0.2j, -1.5 + 0.7j, 1.2 - 0.4j, 4 + 1j], dtype=torch.complex128)
    z.requires_grad_()
    assert torch.autograd.gradcheck(
        f, (z,), check_forward_ad=True, check_batched_grad=True, check_batched_forward_grad=True
    )
    assert torch.autograd.gradgradcheck(f, (z,), check_fwd_over_rev=True)


@pytest.mark.parametrize("point", [3.0766 + 9.9513j, -3.0766 + 9.9513j, 0.2 - 9.5j])
def test_values_near_the_end_of_single_precision_are_finite(point):
    """exp(-z^2) overflows there, erf(z) does not."""
    z = torch.tensor(point, dtype=torch.complex64)
    exact = mpmath.erf(mpmath.mpc(z.item()))
    assert abs(exact) < torch.finfo(torch.float32).max
    error = abs(mpmath.mpc(erf(z).item()) - exact) / (abs(exact) * abs(point) ** 2)
    assert error < 8 * torch.finfo(torch.float32).eps
