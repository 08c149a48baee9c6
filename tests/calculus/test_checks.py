"""The checks before an integral: what is refused, what is let through, and what is said."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cases import each
from holonet.calculus.checks import (
    RESOLUTION,
    clearance_of,
    evaluate,
    require_clear_circle,
    require_clear_disc,
    require_count,
    require_finite,
    require_radius,
    show,
    values_at,
)
from holonet.domains import Annulus, Disc, Plane, PointSet, Polydisc, Ray, SlitPlane
from holonet.errors import (
    ConfigError,
    DomainError,
    InputTypeError,
    NumericalError,
    ShapeError,
)
from holonet.functions import CATALOGUE, get_function

C128 = torch.complex128
coordinates = st.floats(-3, 3)
complexes = st.builds(complex, coordinates, coordinates)
turns = st.floats(0, 2 * math.pi)


def point(z):
    return torch.tensor(z, dtype=C128)


class Declared:
    """A callable with a domain and no clearance of its own, as a module has."""

    def __init__(self, domain):
        self.domain = domain

    def __call__(self, z):
        return z


@each("name", CATALOGUE)
def test_the_clearance_of_a_record_is_its_own(name):
    record, z = get_function(name), torch.randn(5, dtype=C128)
    torch.testing.assert_close(clearance_of(record)(z), record.clearance(z))


def test_a_given_domain_goes_first_then_the_declared_one():
    z = point([0, 0.5j])
    assert clearance_of(get_function("log"), Disc(0, 2))(z).tolist() == [2, 1.5]
    assert clearance_of(Declared(Disc()))(z).tolist() == [1, 0.5]
    assert clearance_of(Declared(Disc()), Disc(0, 2))(z).tolist() == [2, 1.5]


@pytest.mark.parametrize("f", [torch.exp, Declared(None), lambda z: z, torch.nn.Identity()])
def test_where_nothing_is_known_there_is_nothing_to_check(f):
    assert clearance_of(f) is None
    require_clear_disc(f, None, point(0), 1e9, "asked")
    require_clear_circle(f, None, point(0), 1e9, "asked")


def test_finite_values_pass_and_the_first_bad_point_is_named():
    z = torch.arange(4.0)
    require_finite(torch.ones(4, 2), z, "asked")
    for bad in (math.inf, -math.inf, math.nan):
        values = torch.ones(4, 2)
        values[2, 1] = values[3, 0] = bad
        with pytest.raises(NumericalError, match=rf"^asked: f\(2\) = \[1, {bad}\].*another radius"):
            require_finite(values, z, "asked")


def test_an_infinite_imaginary_part_is_not_finite():
    z = point([1 + 2j])
    with pytest.raises(NumericalError, match=r"f\(1\+2j\)"):
        require_finite(torch.complex(torch.zeros(1), torch.full((1,), math.inf)), z, "asked")


def test_no_values_are_finite():
    require_finite(torch.ones(0, 3), torch.ones(0), "asked")


def test_evaluate_hands_on_finite_values():
    z = torch.randn(4, 3)
    assert torch.equal(evaluate(torch.sin, z, "asked"), z.sin())
    with pytest.raises(NumericalError):
        evaluate(torch.log, -z.abs(), "asked")


@pytest.mark.parametrize("f", [torch.sum, lambda z: z[:2], lambda z: z.reshape(3, 4)])
def test_a_function_that_mixes_the_batch_is_refused(f):
    with pytest.raises(ShapeError, match=r"asked: f took points of shape \(4, 3\).*batches"):
        evaluate(f, torch.randn(4, 3), "asked")


@pytest.mark.parametrize("radius", [0, -1, -0.5, math.inf, math.nan])
def test_a_radius_is_positive_and_finite(radius):
    with pytest.raises(ConfigError, match=f"asked: radius={radius}.*positive"):
        require_radius(radius, "asked")


def test_good_radii_and_counts_pass():
    require_radius(1, "asked")
    require_radius(1e-300, "asked")
    require_count("samples", 3, 3, "asked")


def test_a_count_has_a_least():
    with pytest.raises(ConfigError, match="asked: samples=2, but at least 3"):
        require_count("samples", 2, 3, "asked")


@given(center=complexes, radius=st.floats(0.01, 4))
def test_a_closed_disc_is_clear_when_the_clearance_is_larger(center, radius):
    log = get_function("log")
    room = float(log.clearance(point(center)))
    if room > radius:
        require_clear_disc(log, None, point(center), radius, "asked")
    else:
        with pytest.raises(DomainError, match=r"asked: .*closed disc.*choose a radius below"):
            require_clear_disc(log, None, point(center), radius, "asked")


def test_a_disc_that_touches_is_not_clear_and_the_largest_radius_is_said():
    log = get_function("log")
    require_clear_disc(log, None, point(3 + 4j), 4.999999, "asked")
    with pytest.raises(DomainError, match=r"about 3\+4j: choose a radius below 5,"):
        require_clear_disc(log, None, point(3 + 4j), 5, "asked")


def test_all_discs_of_a_batch_are_looked_at():
    z = point([[5, 5], [5, 1], [5, 5]])
    require_clear_disc(get_function("log"), None, z, 0.9, "asked")
    with pytest.raises(DomainError, match="one of the 3 points: choose a radius below 1,"):
        require_clear_disc(get_function("log"), None, z, 1.1, "asked")


def test_a_polydisc_reads_coordinates():
    domain = Polydisc(torch.zeros(2, dtype=C128), 1.0)
    require_clear_disc(torch.exp, domain, point([[0, 0.4j]]), 0.5, "asked")
    with pytest.raises(DomainError, match=r"below 0\.6"):
        require_clear_disc(torch.exp, domain, point([[0, 0.4j]]), 0.7, "asked")


def test_a_circle_is_planar():
    domain = Polydisc(torch.zeros(1, dtype=C128), 2.0)
    with pytest.raises(DomainError, match="not planar: restrict f to a complex line"):
        require_clear_circle(torch.exp, domain, point(0), 1.0, "asked")


def test_no_discs_are_clear():
    require_clear_disc(get_function("log"), None, torch.ones(0, 2, dtype=C128), 1.0, "asked")


def hits_ray(center, radius, start, angle):
    """Whether the circle meets the ray, by the quadratic equation, and how narrow the decision."""
    w = (start - center) / radius * complex(math.cos(angle), -math.sin(angle))
    height = abs(w.imag)  # the ray goes right from w
    if height >= 1:
        return False, abs(height - 1) if w.real < 0 else abs(abs(w) - 1)
    reach = math.sqrt(1 - height**2)
    crossings = [x for x in (-reach, reach) if x >= w.real]
    return bool(crossings), min(abs(abs(w) - 1), abs(height - 1))


@given(
    center=complexes,
    radius=st.floats(0.05, 4),
    start=complexes,
    angle=turns,
)
def test_a_circle_is_refused_exactly_where_it_meets_a_cut(center, radius, start, angle):
    direction = complex(math.cos(angle), math.sin(angle))
    cut = SlitPlane((Ray(start, direction),))
    hit, margin = hits_ray(center, radius, start, angle)
    if margin < 1e-4:
        return  # too narrow to be decided
    if hit:
        with pytest.raises(DomainError, match=r"asked: the circle .* touches"):
            require_clear_circle(torch.exp, cut, point(center), radius, "asked")
    else:
        require_clear_circle(torch.exp, cut, point(center), radius, "asked")


@given(center=complexes, radius=st.floats(0.1, 3), turn=turns, offset=st.floats(-5, 0))
def test_points_on_a_circle_are_found_and_points_off_it_left(center, radius, turn, offset):
    """However near to the circle the point lies, and wherever."""
    unit = complex(math.cos(turn), math.sin(turn))
    for gap in (10**offset, -(10**offset)):
        pole = center + radius * (1 + gap) * unit
        require_clear_circle(
            torch.exp, SlitPlane((PointSet((pole,)),)), point(center), radius, "asked"
        )
    on = SlitPlane((PointSet((center + radius * unit,)),))
    with pytest.raises(DomainError, match="touches a singularity"):
        require_clear_circle(torch.exp, on, point(center), radius, "asked")


def test_a_thin_gate_is_found_between_the_first_points():
    """A slit that only a short arc crosses, far from the sixteen points looked at first."""
    direction = complex(math.cos(0.19), math.sin(0.19))
    slit = SlitPlane((Ray(direction * 0.999, direction),))
    with pytest.raises(DomainError, match=r"near 0\.982\d*\+0\.188\d*j: a radius below 0\.999 is"):
        require_clear_circle(torch.exp, slit, point(0), 1.0, "asked")


def test_obstacles_inside_and_the_edge_outside():
    ring = Annulus(0, 0.5, 1.0)
    require_clear_circle(torch.exp, ring, point(0), 0.75, "asked")
    for radius in (0.5, 1.0, 1.1, 0.1):
        with pytest.raises(DomainError, match=r"edge of the domain of f near .*another radius"):
            require_clear_circle(torch.exp, ring, point(0), radius, "asked")
    require_clear_circle(torch.exp, Plane(), point(0), 1e8, "asked")


def test_a_circle_barely_inside_the_edge_is_clear():
    require_clear_circle(torch.exp, Disc(), point(0), 1 - 20 * RESOLUTION, "asked")
    with pytest.raises(DomainError, match="a radius below 1 is clear"):
        require_clear_circle(torch.exp, Disc(), point(0), 1 - RESOLUTION / 20, "asked")


@pytest.mark.parametrize("dtype", [torch.complex64, C128])
def test_circles_in_single_precision(dtype):
    require_clear_circle(get_function("tanh"), None, torch.tensor(0, dtype=dtype), 1.5, "asked")


@pytest.mark.parametrize(
    ("tensor", "text"),
    [
        (point(1 - 0.5j), "1-0.5j"),
        (torch.tensor(2.0), "2"),
        (torch.tensor([1.0, 2.5]), "[1, 2.5]"),
        (torch.arange(6.0).reshape(2, 3), "[0, 1, 2, 3, ...]"),
        (torch.tensor([1.0], requires_grad=True), "[1]"),
    ],
)
def test_points_are_written_short(tensor, text):
    assert show(tensor) == text


def test_a_function_may_overwrite_its_points_and_give_integers():
    points = point([0.5, 2j])
    kept = points.clone()
    assert values_at(lambda z: z.mul_(2), points, "a mean").tolist() == [1, 4j]
    assert torch.equal(points, kept)
    for values in (torch.tensor([0, 1]), torch.tensor([False, True])):
        found = evaluate(lambda _, values=values: values, points, "a mean")
        assert found.dtype is torch.float64
        assert found.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("values", "error", "match"),
    [
        ([1.0, 2.0], InputTypeError, r"a mean: f gave a list.*as_tensor"),
        (None, InputTypeError, "gave a NoneType"),
        (torch.zeros(2, 0), ShapeError, r"values of shape \(2, 0\)"),
        (torch.zeros(()), ShapeError, r"values of shape \(\)"),
        (torch.zeros(2, dtype=torch.float16), InputTypeError, "gave torch.float16"),
    ],
)
def test_what_is_no_function_of_batches_is_refused(values, error, match):
    with pytest.raises(error, match=match):
        evaluate(lambda _: values, point([0.5, 2j]), "a mean")
