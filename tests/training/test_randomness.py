"""Seeds of different purposes differ, and a stream that was seeded is put back."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from holonet.training.randomness import drawing, mix_seed


@given(
    keys=st.lists(
        st.tuples(st.integers(0, 2**63 - 1), st.integers(0, 9), st.integers(0, 10**6)),
        min_size=2,
        max_size=20,
        unique=True,
    )
)
def test_seeds_of_different_purposes_differ(keys):
    seeds = [mix_seed(*key) for key in keys]
    assert len(set(seeds)) == len(keys)
    assert all(0 <= s < 2**63 for s in seeds)
    assert seeds == [mix_seed(*key) for key in keys]


@given(seed=st.integers(0, 2**63 - 1))
def test_what_is_drawn_comes_from_the_seed_and_leaves_the_stream_alone(seed):
    before = torch.get_rng_state()
    with drawing(seed, torch.device("cpu")):
        first = torch.rand(3)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first, torch.rand(3, generator=torch.Generator().manual_seed(seed)))
