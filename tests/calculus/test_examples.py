"""Norms of the examples of a batch: directions, sizes out of the usual range, gradients."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from holonet.calculus.examples import (
    inner_products,
    lengths,
    nonzero,
    per_example,
    square_norms,
    steepest_directions,
)

C128 = torch.complex128
NORMS = ["L1", "L2", "Linf"]
seeds = st.integers(0, 2**32)


def randn(seed, *shape, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@given(seed=seeds, dtype=st.sampled_from([torch.float64, C128]), norm=st.sampled_from(NORMS))
def test_the_steepest_direction_reaches_the_length(seed, dtype, norm):
    v = randn(seed, 3, 2, 2, dtype=dtype)
    direction = steepest_directions(v, norm)
    reached = (v.conj() * direction).real.flatten(1).sum(1)
    torch.testing.assert_close(reached, lengths(v, norm))
    dual = {"L1": "Linf", "L2": "L2", "Linf": "L1"}[norm]
    torch.testing.assert_close(lengths(direction, dual), torch.ones(3, dtype=torch.float64))
    assert (steepest_directions(torch.zeros_like(v), norm) == 0).all()


@pytest.mark.parametrize("scale", [1e-30, 1e30])
@pytest.mark.parametrize("norm", ["L1", "L2", "Linf"])
def test_lengths_of_tiny_and_huge_gradients(norm, scale):
    row = torch.tensor([[3 + 4j, 1 - 2j, 0]])
    for v in (row, row.real):
        scaled = (scale * v).requires_grad_()
        found = lengths(scaled, norm)
        torch.testing.assert_close(found / scale, lengths(v, norm))
        (gradient,) = torch.autograd.grad(found.sum(), scaled)
        torch.testing.assert_close(gradient, steepest_directions(v, norm))


@pytest.mark.parametrize("dtype", [torch.float32, torch.complex64, torch.complex128])
def test_the_gradient_of_square_norms_is_finite_at_the_smallest_numbers(dtype):
    tiny = torch.finfo(dtype.to_real()).smallest_normal
    v = (torch.tensor([[0.0, tiny, tiny / 8, -tiny / 1000]]) * torch.ones(2, 1)).to(dtype)
    v.requires_grad_()
    (gradient,) = torch.autograd.grad(square_norms(v).sum(), v)
    torch.testing.assert_close(gradient, 2 * v.detach(), rtol=0, atol=1e-37)
    assert gradient.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.complex64, torch.complex128])
def test_inner_products_are_real_parts(dtype):
    a, b = torch.randn(2, 4, 2, 3, dtype=dtype)
    expected = (a * b.conj()).sum((1, 2)).real if dtype.is_complex else (a * b).sum((1, 2))
    torch.testing.assert_close(inner_products(a, b), expected)
    torch.testing.assert_close(inner_products(a.conj(), b.conj()), expected)


def test_numbers_broadcast_against_their_examples():
    points, numbers = torch.ones(3, 2, 4), torch.tensor([0.0, 1.0, 2.0])
    assert torch.equal((per_example(numbers, points) * points)[:, 1, 3], numbers)
    assert nonzero(numbers).tolist() == [1.0, 1.0, 2.0]


@pytest.mark.parametrize("norm", NORMS)
def test_what_is_not_finite_has_no_finite_length(norm):
    v = torch.tensor([[math.nan, 1.0], [1.0, 2.0]])
    assert lengths(v, norm).isnan().tolist() == [True, False]
