"""What is particular to each planar domain."""

import math

import pytest
import torch

from cases import each
from holonet.domains import Annulus, Disc, Plane, PointSet, Ray, Rectangle, SlitPlane
from holonet.errors import DomainError


def c(*values):
    return torch.tensor(values, dtype=torch.complex128)


def test_the_plane_has_no_end():
    assert Plane().clearance(c(0, 1e9j)).isinf().all()
    assert Plane().boundary(10).numel() == 0
    z = Plane().sample(20_000, generator=torch.Generator().manual_seed(0))
    assert z.abs().square().mean().item() == pytest.approx(1, abs=0.03)
    assert (z * z).mean().abs().item() < 0.03  # circular


def test_disc_distances():
    disc = Disc(1j, 2)
    torch.testing.assert_close(disc.clearance(c(1j, 2j, 5j)), torch.tensor([2.0, 1, 0]).double())
    torch.testing.assert_close(disc.distance_to(c(1j, 2j, 5j)), torch.tensor([0.0, 0, 2]).double())


def test_disc_samples_are_uniform_in_area():
    z = Disc(3, 2).sample(20_000, generator=torch.Generator().manual_seed(0))
    assert z.mean().item() == pytest.approx(3, abs=0.05)
    assert ((z - 3).abs() < math.sqrt(2)).double().mean().item() == pytest.approx(0.5, abs=0.02)


def test_disc_boundary_starts_on_the_right_and_goes_counter_clockwise():
    torch.testing.assert_close(Disc(1, 2).boundary(4), c(3, 1 + 2j, -1, 1 - 2j))


def test_annulus_distances():
    ring = Annulus(0, 1, 3)
    expected = torch.tensor([0, 0.5, 1, 0.5, 0]).double()
    torch.testing.assert_close(ring.clearance(c(0.5, 1.5, 2j, -2.5, 4)), expected)
    expected = torch.tensor([1, 0.5, 0, 0, 1]).double()
    torch.testing.assert_close(ring.distance_to(c(0, 0.5, 2j, -2.5, 4)), expected)


def test_annulus_samples_are_uniform_in_area():
    r = Annulus(0, 1, 3).sample(20_000, generator=torch.Generator().manual_seed(0)).abs()
    assert (r < math.sqrt(5)).double().mean().item() == pytest.approx(0.5, abs=0.02)


def test_annulus_boundary_lies_on_both_circles():
    r = Annulus(0, 1, 3).boundary(10).abs()
    torch.testing.assert_close(r.sort().values, torch.tensor([1.0] * 5 + [3.0] * 5).double())


def test_a_punctured_disc_lacks_its_center():
    punctured = Annulus(1j, 0, 1)
    assert not punctured.contains(c(1j)).any()
    assert punctured.contains(c(1j + 1e-9)).all()
    torch.testing.assert_close((punctured.boundary(8) - 1j).abs(), torch.ones(8).double())


def test_rectangle_distances():
    box = Rectangle(0, 2, -1, 1)
    expected = torch.tensor([1, 0.25, 0, 0]).double()
    torch.testing.assert_close(box.clearance(c(1, 0.25, -1, 5 + 5j)), expected)
    expected = torch.tensor([0, 1, 5, 2]).double()
    torch.testing.assert_close(box.distance_to(c(1, -1, 5 + 5j, 1 - 3j)), expected)


def test_rectangle_boundary_goes_round_once():
    corners = Rectangle(0, 2, -1, 1).boundary(4)
    torch.testing.assert_close(corners, c(-1j, 2 - 1j, 2 + 1j, 1j))
    z = Rectangle(0, 3, 0, 1).boundary(80)
    closed = torch.cat([z, z[:1]])
    torch.testing.assert_close(closed.diff().abs(), torch.full((80,), 0.1).double())
    winding = (closed[1:] - 1.5 - 0.5j).div(closed[:-1] - 1.5 - 0.5j).angle().sum()
    assert winding.item() == pytest.approx(2 * math.pi)


def test_a_slit_plane_keeps_its_margin():
    slit = SlitPlane((Ray(0, -1), PointSet((2,))), center=1 + 0j, margin=0.2)
    torch.testing.assert_close(slit.clearance(c(-3 + 1j, 1, 2)), torch.tensor([1.0, 1, 0]).double())
    assert (slit.clearance(slit.sample(500)) > 0.2).all()


def test_a_slit_plane_without_room_says_so():
    narrow = SlitPlane((PointSet((0,)),), margin=50)
    with pytest.raises(DomainError, match="smaller margin"):
        narrow.sample(5)


@each(
    "build",
    [
        lambda: Disc(radius=0),
        lambda: Disc(radius=math.nan),
        lambda: Annulus(inner=1, outer=1),
        lambda: Annulus(inner=-1, outer=1),
        lambda: Rectangle(1, 0, 0, 1),
        lambda: Rectangle(0, 1, 0, math.nan),
        lambda: SlitPlane(()),
    ],
)
def test_empty_domains_are_refused(build):
    with pytest.raises(DomainError, match=r"choose|use"):
        build()
