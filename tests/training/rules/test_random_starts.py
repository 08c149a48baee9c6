"""Random points: in the set, of the right law, and the same however a batch is split."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from holonet.attacks import ThreatModel
from holonet.calculus import Probes
from holonet.training.rules.random_starts import normal_like, random_start, uniform_like

C128 = torch.complex128
NORMS = ["Linf", "L2", "L1", "polydisc", "complex_ball"]
seeds = st.integers(0, 2**32)


def points(norm, n, *shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    dtype = C128 if norm in ("polydisc", "complex_ball") else torch.float64
    return torch.rand(n, *shape, generator=generator, dtype=dtype)


def threat(norm, eps=0.3, bounds=(0.0, 1.0)):
    return ThreatModel(norm, eps, None if norm in ("polydisc", "complex_ball") else bounds)


@pytest.mark.parametrize("norm", NORMS)
@given(seed=seeds, eps=st.floats(1e-3, 1.0), cut=st.integers(1, 9))
def test_starts_are_in_the_set_and_do_not_depend_on_the_split(norm, seed, eps, cut):
    x, set_ = points(norm, 10, 2, 3, seed=seed), threat(norm, eps)
    whole = random_start(x, set_, Probes(seed, total=10))
    assert set_.contains(whole, x).all()
    parts = [
        random_start(x[rows], set_, Probes(seed, first=first, total=10))
        for rows, first in ((slice(cut), 0), (slice(cut, None), cut))
    ]
    torch.testing.assert_close(torch.cat(parts), whole, rtol=1e-12, atol=1e-12)
    again = random_start(x, set_, Probes(seed, total=10))
    other = random_start(x, set_, Probes(seed + 1, total=10))
    assert torch.equal(again, whole)
    assert not torch.equal(other, whole)


@pytest.mark.parametrize("norm", NORMS)
def test_starts_have_the_law_of_the_threat_model(norm):
    """Moments of single coordinates and of the distance, against the threat's own draws."""
    x, set_ = torch.zeros_like(points(norm, 20000, 3)), threat(norm, 1.0, None)
    ours = random_start(x, set_, Probes(1))
    theirs = set_.random_point(x, torch.Generator().manual_seed(2))
    for moment in (
        lambda v: v.real.mean(0),
        lambda v: v.real.square().mean(0),
        lambda v: v.real.pow(4).mean(0),
        lambda v: (v.real[:, 0] * v.real[:, 1]).square().mean(),
        lambda v: v.abs().amax(1).mean(),
        lambda v: v.abs().sum(1).square().mean(),
        lambda v: v.imag.square().mean(0) if v.is_complex() else v.mean(0),
    ):
        torch.testing.assert_close(moment(ours), moment(theirs), rtol=0.05, atol=0.015)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_uniform_numbers_are_uniform(dtype):
    drawn = uniform_like(torch.empty(4000, 5, dtype=dtype), Probes(0))
    assert drawn.dtype == dtype
    assert 0 <= drawn.min() < 1e-3
    assert 1 - 1e-3 < drawn.max() <= 1
    ordered = drawn.flatten().sort().values
    steps = torch.linspace(0, 1, len(ordered), dtype=dtype)
    assert (ordered - steps).abs().max() < 1.7 / math.sqrt(len(ordered))  # Kolmogorov, 0.5%


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.complex64, C128])
def test_normal_numbers_are_normal(dtype):
    drawn = normal_like(torch.empty(4000, 5, dtype=dtype), Probes(0))
    assert drawn.dtype == dtype
    parts = torch.view_as_real(drawn) if dtype.is_complex else drawn
    ordered = parts.flatten().double().sort().values
    steps = torch.linspace(0, 1, len(ordered), dtype=torch.float64)
    assert (torch.special.ndtr(ordered) - steps).abs().max() < 1.7 / math.sqrt(len(ordered))
    assert abs(float((parts[:, 0] * parts[:, 1]).mean())) < 0.06


@given(seed=seeds, cut=st.integers(1, 5))
def test_normal_numbers_do_not_depend_on_the_split(seed, cut):
    whole = normal_like(torch.empty(6, 2), Probes(seed, total=6))
    parts = [
        normal_like(torch.empty(cut, 2), Probes(seed, total=6)),
        normal_like(torch.empty(6 - cut, 2), Probes(seed, first=cut, total=6)),
    ]
    torch.testing.assert_close(torch.cat(parts), whole, rtol=1e-5, atol=1e-6)


def test_no_global_numbers_are_drawn():
    before = torch.get_rng_state()
    for norm in NORMS[:2]:
        random_start(points(norm, 4, 3), threat(norm), Probes(0))
    assert torch.equal(torch.get_rng_state(), before)
