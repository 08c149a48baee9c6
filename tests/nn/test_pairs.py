"""Pairs of real numbers: what they are, what they are refused for, and that gradients pass."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from holonet import nn
from holonet.errors import InputTypeError, NotHolomorphicError, ShapeError
from holonet.functions import FunctionClass


@given(st.lists(st.integers(1, 4), min_size=2, max_size=4), st.integers(0, 99))
def test_linear_over_the_reals_and_one_to_one(shape: list[int], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    z, w = (torch.randn(shape, dtype=torch.complex128, generator=generator) for _ in range(2))
    pairs = nn.RealPairs()
    assert pairs(z).shape == (shape[0], 2 * shape[1], *shape[2:])
    assert torch.equal(torch.complex(*pairs(z).chunk(2, 1)), z)
    torch.testing.assert_close(pairs(2 * z - w), 2 * pairs(z) - pairs(w))


def test_the_gradient_is_that_of_the_parts() -> None:
    z = torch.tensor([[1 + 2j]], requires_grad=True)
    (2 * nn.RealPairs()(z) @ torch.tensor([3.0, 5.0])).sum().backward()
    assert z.grad is not None
    assert z.grad.item() == 6 + 10j


def test_it_is_not_holomorphic() -> None:
    assert nn.declared_class(nn.RealPairs()) is FunctionClass.HARMONIC
    with pytest.raises(NotHolomorphicError):
        nn.Sequential(nn.RealPairs(), nn.Linear(2, 2, dtype=torch.float32))


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (torch.zeros(2, 3), InputTypeError, "leave it out for real data"),
        (torch.zeros(2) + 0j, ShapeError, r"shape \(2,\)"),
    ],
)
def test_what_is_no_batch_of_complex_features_is_refused(
    x: torch.Tensor, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        nn.RealPairs()(x)
