"""Products of discs in several variables."""

import math

import pytest
import torch

from holonet.domains import Polydisc
from holonet.errors import DomainError

CENTER = torch.tensor([1j, 2], dtype=torch.complex128)
RADIUS = torch.tensor([0.5, 3], dtype=torch.float64)


def test_clearance_is_the_least_over_the_coordinates():
    p = Polydisc(CENTER, RADIUS)
    torch.testing.assert_close(p.clearance(CENTER), torch.tensor(0.5).double())
    torch.testing.assert_close(
        p.clearance(CENTER + torch.tensor([0.1, 2.9])), torch.tensor(0.1).double()
    )


def test_distance_is_euclidean():
    p = Polydisc(CENTER, RADIUS)
    outside = CENTER + torch.tensor([3.5, 7j])
    torch.testing.assert_close(p.distance_to(outside), torch.tensor(5.0).double())


def test_one_radius_serves_all_coordinates():
    z = CENTER + torch.tensor([[0.9, 0.9j], [1.1, 0]])
    assert Polydisc(CENTER).contains(z).tolist() == [True, False]


def test_samples_are_uniform_in_volume():
    z = Polydisc(CENTER, RADIUS).sample(20_000, generator=torch.Generator().manual_seed(0))
    relative = (z - CENTER).abs() / RADIUS
    half = (relative < math.sqrt(0.5)).double()
    torch.testing.assert_close(half.mean(0), torch.full((2,), 0.5).double(), atol=0.02, rtol=0)
    assert half.T.corrcoef()[0, 1].abs().item() < 0.03


@pytest.mark.parametrize("n", [1, 2, 5])
def test_boundary_fills_the_distinguished_boundary_evenly(n):
    """Low Fourier modes of equidistributed points on the torus nearly vanish."""
    z = Polydisc(torch.zeros(n, dtype=torch.complex128)).boundary(4000)
    torch.testing.assert_close(z.abs(), torch.ones(4000, n).double())
    for k in (1, 2, 3):
        assert (z**k).mean(0).abs().max().item() < 0.01
    if n > 1:
        assert (z[:, 0] * z[:, 1].conj()).mean().abs().item() < 0.01


@pytest.mark.parametrize("precision", [torch.complex64, torch.complex128])
@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
def test_the_precision_asked_for_is_given(precision, dtype):
    p = Polydisc(CENTER.to(precision), 2.0)
    assert p.sample(3, dtype=dtype).dtype is dtype
    assert p.boundary(3, dtype=dtype).dtype is dtype


@pytest.mark.parametrize("radius", [0.0, -1.0, math.nan, torch.tensor([1.0, 0.0])])
def test_empty_polydiscs_are_refused(radius):
    with pytest.raises(DomainError, match="radius"):
        Polydisc(CENTER, radius)
