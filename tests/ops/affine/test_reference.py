"""Affine maps of real tensors against those of the same tensors as complex ones."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.func import jvp, vmap

from holonet.ops.affine import affine, planar_channels

C128 = torch.complex128


def example(shape=(4, 3), seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(shape, generator=generator, dtype=torch.float64)
    w = torch.randn(2, shape[-1], generator=generator, dtype=C128)
    return x, w, torch.randn(2, generator=generator, dtype=C128)


@given(
    shape=st.lists(st.integers(0, 4), min_size=1, max_size=3),
    with_bias=st.booleans(),
    lazy=st.booleans(),
    seed=st.integers(0, 2**16),
)
def test_real_points_are_complex_points_without_imaginary_part(shape, with_bias, lazy, seed):
    x, w, b = example(shape, seed)
    if lazy:
        w, b = w.conj(), b.conj()
    bias = b if with_bias else None
    torch.testing.assert_close(affine(x, w, bias), affine(x.to(C128), w, bias))


def test_all_derivatives_are_those_of_the_lifted_point():
    def gradients(lift):
        x, w, b = (t.requires_grad_() for t in example())
        value = affine(x.to(C128) if lift else x, w, b)
        first = torch.autograd.grad((value**3).real.sum(), (x, w, b), create_graph=True)
        second = torch.autograd.grad(sum(g.abs().square().sum() for g in first), (x, w, b))
        return *first, *second

    for ours, lifted in zip(gradients(False), gradients(True), strict=True):
        assert ours.dtype is lifted.dtype
        torch.testing.assert_close(ours, lifted)


def test_forward_mode_and_vmap():
    x, w, b = example()
    along = torch.ones_like(x)
    value, tangent = jvp(lambda x: affine(x, w, b), (x,), (along,))
    torch.testing.assert_close(value, affine(x.to(C128), w, b))
    torch.testing.assert_close(tangent, affine(along.to(C128), w))
    torch.testing.assert_close(vmap(lambda x: affine(x, w, b))(x), value)


@pytest.mark.parametrize("dtype", [torch.complex64, C128])
def test_complex_points_go_through_torch_as_they_are(dtype):
    z, w = torch.randn(4, 3, dtype=dtype), torch.randn(2, 3, dtype=dtype)
    assert torch.equal(affine(z, w), torch.nn.functional.linear(z, w))


def test_parts_stand_one_behind_the_other():
    w = torch.randn(3, 2, dtype=C128)
    assert torch.equal(planar_channels(w), torch.cat([w.real, w.imag]))


@pytest.mark.parametrize(
    ("rows", "with_bias"),
    [
        (16, True),
        (33, False),
        *(pytest.param(*case, marks=pytest.mark.slow) for case in ((16, False), (33, True))),
    ],
)
def test_few_rows_against_a_large_weight(rows, with_bias):
    shapes = [(rows, 800), (400, 800), *([(400,)] if with_bias else [])]
    inputs = [torch.randn(s, dtype=torch.complex128, requires_grad=True) for s in shapes]
    slope = torch.randn(rows, 400, dtype=torch.complex128)
    tangent = torch.randn(rows, 800, dtype=torch.complex128)
    found = affine(*inputs)
    assert "Clone" in repr(found.grad_fn) or "Add" in repr(found.grad_fn)  # turned
    expected = torch.nn.functional.linear(*inputs)
    torch.testing.assert_close(found, expected)
    for value in zip(
        torch.autograd.grad(found, inputs, slope),
        torch.autograd.grad(expected, inputs, slope),
        strict=True,
    ):
        torch.testing.assert_close(*value)
    _, along = jvp(lambda z: affine(z, *inputs[1:]), (inputs[0],), (tangent,))
    torch.testing.assert_close(along, tangent @ inputs[1].mT)
    torch.testing.assert_close(
        vmap(lambda z: affine(z, *inputs[1:]))(torch.stack([inputs[0]] * 2))[1], expected
    )
    with torch.no_grad():
        assert torch.equal(affine(*inputs), torch.nn.functional.linear(*inputs))
