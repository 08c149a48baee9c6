"""Products in bfloat16: their error, their derivatives, and when they are taken."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.func import jvp, vjp, vmap

from cases import each
from holonet.functions import CATALOGUE
from holonet.nn import Linear
from holonet.ops import affine, pointwise
from holonet.ops.affine import mixed, reference

C64, C128 = torch.complex64, torch.complex128
UNIT = 2.0**-8
LARGEST = 2.1  # the law of `mixed.affine`


def tensors(shape=(5, 3), m=4, seed=0, real=False, dtype=C64):
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(shape, generator=generator, dtype=dtype)
    w = torch.randn(m, shape[-1], generator=generator, dtype=dtype)
    b = torch.randn(m, generator=generator, dtype=dtype)
    return (z.real.contiguous() if real else z), w, b


def rounded(t):
    """A tensor whose parts are numbers of bfloat16."""
    parts = torch.view_as_real(t) if t.is_complex() else t
    parts = parts.bfloat16().float()
    return torch.view_as_complex(parts) if t.is_complex() else parts


def low(enabled=True, dtype=torch.bfloat16):
    return torch.autocast("cpu", dtype=dtype, enabled=enabled)


@given(
    shape=st.lists(st.integers(0, 17), min_size=1, max_size=3),
    m=st.integers(0, 9),
    real=st.booleans(),
    exponent=st.integers(-30, 30),
    seed=st.integers(0, 2**16),
)
def test_the_error_is_within_the_law(shape, m, real, exponent, seed):
    z, w, b = tensors(shape, m, seed, real)
    z = z * 2.0**exponent
    value = mixed.affine(z, w, b)
    exact = reference.affine(z.to(C128), w.to(C128), b.to(C128))
    assert value.dtype is C64
    assert value.shape == exact.shape
    scale = reference.affine(z.abs().to(C128), w.abs().to(C128)).real
    bound = LARGEST * UNIT * scale + 1e-6 * exact.abs()
    assert bool(((value - exact).abs() <= bound).all())


def test_the_law_is_not_far_from_sharp():
    z = w = torch.full((1, 1), complex(1 + 0.99 * UNIT, 0), dtype=C64)
    error = abs(mixed.affine(z, w).item() - z.item() ** 2)
    assert error > 1.9 * UNIT


def test_numbers_of_bfloat16_are_multiplied_exactly():
    z, w = (torch.randint(-8, 8, (9, 7, 2)).float() for _ in range(2))
    z, w = torch.view_as_complex(z), torch.view_as_complex(w)
    assert torch.equal(mixed.affine(z, w), z @ w.mT)


def gradients(function, given, cotangents):
    given = [t.detach().clone().requires_grad_() for t in given]
    first = torch.autograd.grad(function(*given), given, cotangents, create_graph=True)
    second = torch.autograd.grad(sum(g.abs().square().sum() for g in first), given[:2])
    return first, second


@pytest.mark.parametrize("real", [False, True])
def test_gradients_are_those_of_the_rounded_product(real):
    given = tensors((2, 5, 3), real=real)
    g = rounded(torch.randn(2, 5, 4, dtype=C64))
    ours, ours_twice = gradients(mixed.affine, given, g)
    z, w, b = given
    exact, _ = gradients(reference.affine, (rounded(z), rounded(w), b), g)
    for a, e, t in zip(ours, exact, given, strict=True):
        assert a.dtype is t.dtype
        torch.testing.assert_close(a, e)
    assert ours[1].view(torch.float32).ne(rounded(ours[1]).view(torch.float32)).any()
    _, twice = gradients(reference.affine, given, g)
    for a, e in zip(ours_twice, twice, strict=True):
        assert (a - e).abs().max() < 8 * UNIT * e.abs().max()


def test_gradients_of_numbers_of_bfloat16_are_exact_twice():
    parts = [torch.randint(-3, 4, (*shape, 2)).float() for shape in [(2, 3), (2, 3), (2,), (2, 2)]]
    *given, g = map(torch.view_as_complex, parts)

    def twice(product):  # whole numbers, small enough for 8 bits in every factor
        z, w, b = (t.detach().clone().requires_grad_() for t in given)
        first = torch.autograd.grad(product(z, w, b), (z, w), g, create_graph=True)
        return torch.autograd.grad(first, (z, w), [torch.ones_like(t) for t in first])

    for ours, exact in zip(*map(twice, (mixed.affine, reference.affine)), strict=True):
        assert torch.equal(ours, exact)


@pytest.mark.parametrize("real", [False, True])
def test_forward_mode_and_its_derivatives(real):
    z, w, b = tensors(real=real)
    along = (torch.ones_like(z), torch.ones_like(w), torch.ones_like(b))

    ours = mixed.affine
    value, tangent = jvp(ours, (z, w, b), along)
    assert torch.equal(value, ours(z, w, b))
    expected = ours(along[0], w, along[2]) + ours(z, along[1], None)
    torch.testing.assert_close(tangent, expected)
    _, only_z = jvp(lambda z: ours(z, w, b), (z,), along[:1])
    torch.testing.assert_close(only_z, ours(along[0], w, None))
    _, bend = jvp(lambda *t: jvp(ours, t, along)[1], (z, w, b), along)
    torch.testing.assert_close(bend, 2 * ours(along[0], along[1], None))
    _, pulled = vjp(lambda *t: jvp(ours, t, along)[1], z, w, b)
    torch.testing.assert_close(pulled(torch.ones_like(value))[2], torch.zeros_like(b))


@each("in_dims", [(0, None), (None, 0), (0, 0), (1, 2)])
def test_vmap_is_a_loop(in_dims):
    axes = [torch.randn(*s, dtype=C64) for s in ((5, 3), (4, 3))]
    batch = 6
    given = [
        t if d is None else torch.randn(batch, *t.shape, dtype=C64).movedim(0, d)
        for t, d in zip(axes, in_dims, strict=True)
    ]

    ours = mixed.affine

    def row(k):
        return [t if d is None else t.select(d, k) for t, d in zip(given, in_dims, strict=True)]

    looped = torch.stack([ours(*row(k)) for k in range(batch)])
    torch.testing.assert_close(vmap(ours, in_dims)(*given), looped)
    twice = vmap(lambda w: vmap(ours, (None, 0))(axes[0], w))(torch.randn(2, 3, 4, 3, dtype=C64))
    assert twice.shape == (2, 3, 5, 4)


def test_lazy_strided_and_undefined_inputs():
    z, w, b = tensors((6, 8), 8)
    for t in (z.conj(), torch._neg_view(z), z[:, ::2].mT, z[:1].expand(4, 8), z.mH):
        other = w[:, : t.shape[-1]]
        for weight in (other, other.conj(), torch._neg_view(other)):
            near = reference.affine(rounded(t.resolve_conj()), rounded(weight.resolve_conj()), b)
            torch.testing.assert_close(mixed.affine(t, weight, b), near)
    z[1, 2], z[3, 4] = complex("nan"), complex("inf")
    assert torch.equal(mixed.affine(z, w).isfinite(), reference.affine(z, w).isfinite())


@given(shape=st.lists(st.integers(0, 5), min_size=1, max_size=3), real=st.booleans())
def test_autocast_asks_for_it_and_nothing_else_does(shape, real):
    given = tensors(shape, real=real)
    plain = reference.affine(*given)
    assert torch.equal(affine(*given), plain)
    with low():
        assert torch.equal(affine(*given), mixed.affine(*given))
        with low(enabled=False):
            assert torch.equal(affine(*given), plain)
        double = [t.to(C128 if t.is_complex() else torch.float64) for t in given]
        assert torch.equal(affine(*double), reference.affine(*double))
    with low(dtype=torch.float16):
        assert torch.equal(affine(*given), plain)


def test_gradients_keep_the_precision_of_the_forward_pass():
    def run(backwards):
        z, w, b = (t.requires_grad_() for t in tensors())
        with low():
            value = pointwise(CATALOGUE["tanh"], affine(z, w, b))
        with low(enabled=backwards):
            return torch.autograd.grad(value.abs().square().sum(), (z, w, b))

    for a, b in zip(run(False), run(True), strict=True):
        assert torch.equal(a, b)


def test_a_layer_trains_under_autocast():
    layer, z = Linear(3, 2), torch.randn(7, 3, dtype=C64)
    with low():
        value = layer(z)
    value.abs().square().sum().backward()
    assert torch.equal(value, mixed.affine(z, layer.weight, layer.bias))
    assert layer.weight.grad is not None
    assert layer.weight.grad.dtype is C64


def test_devices_without_autocast_are_left_alone():
    z = torch.empty(2, 3, dtype=C64, device="meta")
    assert mixed.autocast_dtype(z) is None
    assert affine(z, z).shape == (2, 2)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a card")
@pytest.mark.parametrize("real", [False, True])
def test_a_card_multiplies_the_same_numbers(real):
    def run(device):
        given = [t.to(device).requires_grad_() for t in tensors((2, 40, 33), 17, real=real)]
        value = mixed.affine(*given)
        first = torch.autograd.grad(value, given, torch.ones_like(value))
        mapped = vmap(lambda w: mixed.affine(given[0], w))(given[1].expand(3, 17, 33))
        return [t.detach().cpu() for t in (value, *first, mapped)]

    for a, e in zip(run("cuda"), run("cpu"), strict=True):
        torch.testing.assert_close(a, e, rtol=1e-4, atol=1e-4)
