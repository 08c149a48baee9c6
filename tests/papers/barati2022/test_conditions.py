"""The networks of the plane are what they are called."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from holonet.calculus import laplacian
from holonet.errors import ConfigError
from holonet.nn import to_precision
from holonet.papers.barati2022.conditions import (
    CONDITIONS,
    PROBLEMS,
    as_complex,
    closed_form,
    planar_model,
)

NETWORKS = sorted({condition.network for condition in CONDITIONS.values()})


def points(count=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 2, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("network", NETWORKS)
@settings(max_examples=4)
@given(seed=st.integers(0, 50))
def test_only_one_complex_variable_makes_networks_harmonic(network, seed) -> None:
    model = to_precision(planar_model(network, 4, seed), torch.complex128)
    x = points(seed=seed)
    u = model(x)
    assert u.shape == (6, 1)
    curved = laplacian(model, x).abs().amax()
    if network in ("one variable", "log-modulus", "affine log-modulus"):
        assert curved < 1e-6 * (1 + u.abs().max())
    else:
        assert curved > 1e-6


def test_the_seed_alone_decides_and_the_global_stream_is_left_alone() -> None:
    before = torch.get_rng_state()
    x = points().float()
    first, again, other = (planar_model("one variable", 4, s)(x) for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_unknown_networks_are_refused() -> None:
    with pytest.raises(ConfigError, match="network 'cubic': choose 'real'"):
        planar_model("cubic", 4, 0)


def test_every_arm_has_a_closed_form_on_each_of_its_problems() -> None:
    for condition in CONDITIONS.values():
        for name in condition.problems:
            problem = PROBLEMS[name]
            z = problem.domain.sample(8, generator=torch.Generator().manual_seed(0))
            x = torch.view_as_real(z)
            torch.testing.assert_close(as_complex(x), z)
            form = closed_form(problem, condition)(x)
            assert form.shape == (8, 1)
            apart = (form[:, 0] - problem.solution(z)).abs().max()
            assert (apart > 1e-3) == (condition.weight > 0)
