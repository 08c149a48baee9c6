"""Lifts: exact inverses, the torus, the analytic signal, and derivatives in both AD modes."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cases import each
from holonet.data import analytic_signal, embed, pair, phase
from holonet.errors import InputTypeError, ShapeError

# torch scripts its forward-mode decompositions on first use, which Python is told is deprecated
pytestmark = pytest.mark.filterwarnings(
    "ignore:.torch.jit.script. is deprecated:DeprecationWarning"
)

REAL = [torch.float32, torch.float64]
LIFTS = {lift.__name__: lift for lift in (analytic_signal, embed, pair, phase)}
batches = st.lists(st.integers(1, 3), max_size=2)
seeds = st.integers(0, 2**31)


def features(seed, *shape, dtype=torch.float64):
    return torch.rand(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


@each("name", sorted(LIFTS))
@each("dtype", REAL)
def test_precision_is_kept(name, dtype):
    z = LIFTS[name](features(0, 2, 6, dtype=dtype))
    assert z.dtype == dtype.to_complex()
    assert z.shape == ((2, 3) if name == "pair" else (2, 6))


@given(seed=seeds, batch=batches, half=st.integers(0, 4), dtype=st.sampled_from(REAL))
def test_pair_and_embed_lose_nothing(seed, batch, half, dtype):
    x = features(seed, *batch, 2 * half, dtype=dtype)
    assert torch.equal(torch.view_as_real(pair(x)).flatten(-2), x)
    assert torch.equal(embed(x).real, x)
    assert not embed(x).imag.any()


@given(seed=seeds, batch=batches)
def test_phase_goes_onto_the_upper_half_of_the_torus(seed, batch):
    x = features(seed, *batch, 5)
    torch.testing.assert_close(phase(x).abs(), torch.ones_like(x), rtol=1e-15, atol=0)
    torch.testing.assert_close(phase(x).angle(), math.pi * x, rtol=1e-15, atol=1e-15)


def test_phase_at_the_ends():
    x = torch.tensor([0.0, 0.5, 1.0, -0.5], dtype=torch.float64)
    expected = torch.tensor([1, 1j, -1, -1j], dtype=torch.complex128)
    torch.testing.assert_close(phase(x), expected, rtol=0, atol=1e-15)


@given(seed=seeds, batch=batches, n=st.integers(1, 12), dtype=st.sampled_from(REAL))
def test_the_analytic_signal_has_x_as_real_part_and_no_negative_frequencies(seed, batch, n, dtype):
    x = features(seed, *batch, n, dtype=dtype)
    z = analytic_signal(x)
    eps = torch.finfo(dtype).eps
    torch.testing.assert_close(z.real, x, rtol=0, atol=8 * eps)
    negative = torch.fft.fft(z)[..., n // 2 + 1 :]
    assert negative.abs().amax() <= 16 * n * eps if negative.numel() else n <= 2


@given(n=st.integers(2, 12), data=st.data())
def test_the_analytic_signal_of_a_cosine_is_the_exponential(n, data):
    k = data.draw(st.integers(0, (n - 1) // 2))
    t = torch.arange(n, dtype=torch.float64) * (2 * math.pi * k / n)
    expected = torch.polar(torch.ones_like(t), t)
    torch.testing.assert_close(analytic_signal(t.cos()), expected, rtol=0, atol=1e-14 * n)


@given(name=st.sampled_from(sorted(LIFTS)), seed=seeds, half=st.integers(1, 4))
def test_forward_mode_matches_finite_differences(name, seed, half):
    f = LIFTS[name]
    x, v = features(seed, 2, 2 * half), features(seed + 1, 2, 2 * half) - 0.5
    tangent = torch.func.jvp(f, (x,), (v,))[1]
    h = 1e-5
    difference = (f(x + h * v) - f(x - h * v)) / (2 * h)
    torch.testing.assert_close(tangent, difference, rtol=0, atol=1e-8)
    assert tangent.abs().amax() > 1e-3 * v.abs().amax()


@given(name=st.sampled_from(sorted(LIFTS)), seed=seeds, half=st.integers(1, 4))
def test_reverse_mode_is_the_adjoint_of_forward_mode(name, seed, half):
    f = LIFTS[name]
    x, v = features(seed, 2, 2 * half), features(seed + 1, 2, 2 * half) - 0.5
    value, tangent = torch.func.jvp(f, (x,), (v,))[:2]
    w = torch.complex(*features(seed + 2, 2, *value.shape).unbind())
    x.requires_grad_()
    (gradient,) = torch.autograd.grad(f(x), x, w)
    assert gradient.dtype == x.dtype
    torch.testing.assert_close(
        (w.conj() * tangent).real.sum(), (gradient * v).sum(), rtol=1e-12, atol=1e-12
    )


@each("name", sorted(LIFTS))
@each(
    ("dtype", "remedy"),
    [
        (torch.complex64, "it needs no lift"),
        (torch.complex128, "it needs no lift"),
        (torch.int64, r"convert it with x.float\(\)"),
        (torch.float16, r"convert it with x.float\(\)"),
    ],
)
def test_other_dtypes_are_refused(name, dtype, remedy):
    with pytest.raises(InputTypeError, match=f"{name} of a {dtype} tensor.*{remedy}"):
        LIFTS[name](torch.zeros(4, dtype=dtype))


@pytest.mark.parametrize("shape", [(), (3,), (2, 5)])
def test_pair_needs_an_even_last_axis(shape):
    with pytest.raises(ShapeError, match=r"the last axis must be even; pad"):
        pair(torch.zeros(shape))


@pytest.mark.parametrize("shape", [(), (0,), (2, 0)])
def test_the_analytic_signal_needs_a_last_axis(shape):
    with pytest.raises(ShapeError, match="must have at least one entry"):
        analytic_signal(torch.zeros(shape))
