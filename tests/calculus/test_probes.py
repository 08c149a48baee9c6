"""Moments of the random directions, and that they do not depend on how a batch is split."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from holonet.calculus import Probes
from holonet.errors import ShapeError

DTYPES = [torch.float32, torch.float64, torch.complex64, torch.complex128]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_the_second_moments_are_those_of_the_law(dtype):
    count = 40_000
    v = Probes(3).like(torch.zeros(count, 3, dtype=dtype))
    error = 5 / math.sqrt(count)
    hermitian = v.mT @ v.conj() / count
    symmetric = v.mT @ v / count
    expected = torch.eye(3, dtype=dtype)
    torch.testing.assert_close(hermitian, expected, rtol=0, atol=error)
    expected = torch.zeros_like(expected) if dtype.is_complex else expected
    torch.testing.assert_close(symmetric, expected, rtol=0, atol=error)
    assert (v.mean(0).abs() < error).all()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_entry_has_modulus_one(dtype):
    v = Probes(1).like(torch.zeros(50, 2, 3, dtype=dtype))
    assert v.shape == (50, 2, 3)
    assert v.dtype is dtype
    torch.testing.assert_close(v.abs(), torch.ones_like(v.abs()), rtol=1e-6, atol=0)


@given(
    seed=st.integers(0, 2**63 - 1),
    total=st.integers(1, 9),
    data=st.data(),
    dtype=st.sampled_from(DTYPES),
)
def test_parts_of_a_batch_get_the_rows_of_the_whole(seed, total, data, dtype):
    first = data.draw(st.integers(0, total))
    count = data.draw(st.integers(0, total - first))
    z = torch.zeros(total, 2, 3, dtype=dtype)
    whole, part = Probes(seed), Probes(seed, first=first, total=total)
    for _ in range(3):  # the streams stay in step
        rows = whole.like(z)[first : first + count]
        assert torch.equal(part.like(z[first : first + count]), rows)


def test_successive_draws_differ():
    probes = Probes(0)
    z = torch.zeros(4, 5, dtype=torch.complex64)
    assert not torch.equal(probes.like(z), probes.like(z))


def test_without_a_seed_torchs_global_stream_is_continued():
    z = torch.zeros(4, 5, dtype=torch.complex64)
    draws = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        draws.append(Probes().like(z))
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_a_seed_leaves_the_global_stream_alone():
    before = torch.get_rng_state()
    Probes(5).like(torch.zeros(4))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("first", "total"), [(0, 2), (3, 5), (1, None), (-1, 5)], ids=lambda x: str(x)
)
def test_examples_beyond_the_batch_are_refused(first, total):
    probes = Probes(0, first=first, total=total)
    with pytest.raises(ShapeError, match=rf"examples {first} to {first + 2} .* `total`"):
        probes.like(torch.zeros(3, 2))
