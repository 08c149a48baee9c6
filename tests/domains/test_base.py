"""The contract that every domain inherits."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cases import each
from holonet.domains import Annulus, Disc, Domain, Plane, Polydisc, Ray, Rectangle, SlitPlane

PLANAR: list[Domain] = [
    Plane(),
    Disc(),
    Disc(1 - 2j, 3),
    Annulus(1j, 0.25, 2),
    Annulus(0, 0, 1),
    Rectangle(-1, 2, 0, 0.5),
    SlitPlane((Ray(0, -1), Ray(2j, 1j)), center=1 + 0j),
]
SEVERAL = [
    Polydisc(torch.zeros(3, dtype=torch.complex128)),
    Polydisc(
        torch.tensor([1j, 2, -1], dtype=torch.complex128),
        torch.tensor([0.5, 1, 2], dtype=torch.float64),
    ),
]
DOMAINS = [*PLANAR, *SEVERAL]


def points(domain, seed, spread):
    """Random points about a sample of the domain, inside and outside."""
    generator = torch.Generator().manual_seed(seed)
    inside = domain.sample(50, generator=generator)
    return inside + spread * torch.randn(inside.shape, generator=generator, dtype=torch.complex128)


def test_a_domain_is_abstract():
    with pytest.raises(TypeError, match="abstract"):
        Domain()  # pyright: ignore[reportAbstractUsage]


@each("domain", DOMAINS, ids=str)
@given(seed=st.integers(0, 2**32), spread=st.sampled_from([0.0, 0.1, 1.0, 10.0]))
def test_contains_is_positive_clearance(domain, seed, spread):
    z = points(domain, seed, spread)
    inside = domain.contains(z)
    assert torch.equal(inside, domain.clearance(z) > 0)
    assert not inside[domain.distance_to(z) > 0].any()
    assert (domain.distance_to(z)[inside] == 0).all()


@each("domain", DOMAINS, ids=str)
@each("dtype", [torch.complex64, torch.complex128])
@each("count", [0, 1, 200])
def test_samples_lie_in_the_domain(domain, dtype, count):
    z = domain.sample(count, generator=torch.Generator().manual_seed(1), dtype=dtype)
    assert z.dtype is dtype
    assert len(z) == count
    assert domain.contains(z).all()


@each("domain", DOMAINS, ids=str)
def test_a_generator_fixes_the_sample(domain):
    first, again = (domain.sample(9, generator=torch.Generator().manual_seed(4)) for _ in range(2))
    assert torch.equal(first, again)
    other = domain.sample(9, generator=torch.Generator().manual_seed(5))
    assert not torch.equal(first, other)


@each("domain", DOMAINS, ids=str)
@each("dtype", [torch.complex64, torch.complex128])
@each("count", [0, 1, 2, 101])
def test_boundary_points_have_no_clearance(domain, dtype, count):
    z = domain.boundary(count, dtype=dtype)
    assert z.dtype is dtype
    assert len(z) in (0, count)
    small = 20 * torch.finfo(dtype).eps
    assert (domain.clearance(z) <= small).all()
    assert (domain.distance_to(z) <= small).all()


@each("domain", DOMAINS, ids=str)
@given(
    seed=st.integers(0, 2**32),
    angle=st.floats(0, 2 * math.pi),
    part=st.floats(0, 0.999),
)
def test_the_disc_of_radius_clearance_stays_inside(domain, seed, angle, part):
    z = points(domain, seed, 0.3)
    room = domain.clearance(z).clamp(max=100)
    inside = room > 1e-9
    shift = part * room * complex(math.cos(angle), math.sin(angle))
    moved = z + (shift[:, None] if z.ndim == 2 else shift)
    assert domain.contains(moved)[inside].all()


@each("domain", PLANAR, ids=str)
@given(seed=st.integers(0, 2**32), step=st.complex_numbers(max_magnitude=3))
def test_distances_are_one_lipschitz(domain, seed, step):
    z = points(domain, seed, 1.0)
    for distance in (domain.distance_to, domain.clearance):
        change = distance(z + step) - distance(z)
        assert (change.nan_to_num(0).abs() <= abs(step) + 1e-12).all()
