"""An estimate: its mean, its standard error, and scores against a reference."""

import dataclasses
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from holonet.calculus.estimate import Estimate


@given(
    seed=st.integers(0, 2**32),
    count=st.integers(2, 9),
    dtype=st.sampled_from([torch.float64, torch.complex128]),
)
def test_the_standard_error_is_that_of_the_mean(seed, count, dtype):
    draws = torch.randn(count, 3, generator=torch.Generator().manual_seed(seed), dtype=dtype)
    found = Estimate.from_draws(draws)
    torch.testing.assert_close(found.value, draws.sum(0) / count)
    off = (draws - draws.mean(0)).abs().square().sum(0)
    expected = (off / (count * (count - 1))).sqrt()
    torch.testing.assert_close(found.standard_error, expected, rtol=1e-10, atol=1e-14)


def test_equal_draws_leave_rounding():
    found = Estimate.from_draws(torch.full((5, 2), 3.0, dtype=torch.float64))
    eps = torch.finfo(torch.float64).eps
    assert found.standard_error.tolist() == [3 * eps, 3 * eps]
    differences = Estimate.from_draws(torch.zeros(5, dtype=torch.float64), size=torch.tensor(-7.0))
    assert float(differences.standard_error) == 7 * eps
    assert float(Estimate.from_draws(torch.zeros(3)).standard_error) == 0


def test_scores():
    estimate = Estimate(torch.tensor([1.5, -1.0, 2.0]), torch.tensor([0.25, 0.5, 0.0]))
    assert estimate.z_score(1.0).tolist() == [2.0, -4.0, math.inf]
    assert estimate.z_score(2.0).tolist() == [-2.0, -6.0, 0.0]
    assert estimate.z_score(torch.tensor([1.5, 1.0, 2.0])).tolist() == [0.0, -4.0, 0.0]


def test_scores_of_complex_estimates():
    estimate = Estimate(torch.tensor([1j]), torch.tensor([0.5]))
    assert estimate.z_score(1).tolist() == [-2 + 2j]


def test_the_mean_can_be_differentiated_and_the_error_is_a_number():
    draws = torch.tensor([1.0, 1.0, 1.0], requires_grad=True)
    found = Estimate.from_draws(draws)
    found.value.backward()
    assert draws.grad is not None
    torch.testing.assert_close(draws.grad, torch.full((3,), 1 / 3))
    assert not found.standard_error.requires_grad


def test_an_estimate_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Estimate(torch.ones(()), torch.ones(())).value = torch.zeros(())


@pytest.mark.parametrize("scale", [1e-250, 1e250])
def test_the_error_of_tiny_and_huge_draws(scale):
    draws = torch.tensor([1.0, 3.0], dtype=torch.float64)
    found = Estimate.from_draws(scale * draws).standard_error / scale
    torch.testing.assert_close(found, torch.tensor(1.0, dtype=torch.float64))
