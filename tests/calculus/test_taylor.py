"""Taylor coefficients against known ones, and radii of convergence within their error bars."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cases import each
from holonet.calculus import radius_of_convergence, taylor_coefficients
from holonet.errors import ConfigError, DomainError, NumericalError, ShapeError
from holonet.functions import CATALOGUE

seeds = st.integers(0, 2**32)


def random_coefficients(seed, *shape):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.complex128)


@given(seed=seeds, center=st.complex_numbers(max_magnitude=2), radius=st.floats(0.3, 2))
def test_those_of_a_polynomial_are_its_coefficients(seed, center, radius):
    c = random_coefficients(seed, 5, 2)
    found = taylor_coefficients(
        lambda z: sum(c[k] * (z[:, None] - center) ** k for k in range(5)), center, radius
    )
    assert found.values.shape[1:] == (2,)
    error = (found.values[:5] - c).abs()
    assert (error <= found.error[:5]).all()
    assert (found.values[5:].abs() <= found.error[5:]).all()


@each("name", sorted(CATALOGUE))
def test_the_first_ones_are_value_and_derivatives(name):
    record = CATALOGUE[name]
    center = torch.tensor([record.base_point + 0.1], dtype=torch.complex128)
    radius = min(0.5, 0.4 * float(record.clearance(center)))
    found = taylor_coefficients(record, complex(center[0]), radius)
    expected = torch.cat(
        [record(center), record.derivative(center), record.second_derivative(center) / 2]
    )
    assert ((found.values[:3] - expected).abs() <= found.error[:3] + 1e-15).all()


@given(radius=st.floats(0.2, 2.5))
def test_the_errors_are_honest(radius):
    found = taylor_coefficients(torch.exp, 0, radius)
    factorials = [math.factorial(k) for k in range(len(found.values))]
    expected = torch.tensor([1 / f for f in factorials], dtype=torch.float64)
    error = (found.values - expected).abs()
    assert (error <= 20 * found.error).all()
    assert (error.max() >= 1e-3 * found.error.max()).all()  # and not padded beyond use


@pytest.mark.parametrize("radius", [1e-5, 1e5])
def test_powers_that_are_out_of_range_end_the_list(radius):
    found = taylor_coefficients(lambda z: 1 + z / radius, 0, radius)
    assert 8 < len(found.values) <= 32 * 2
    assert found.values.isfinite().all()
    assert ((found.error > 0) & found.error.isfinite()).all()
    long = taylor_coefficients(lambda z: 1 / (1 - z / (1.2 * radius)), 0, radius)
    assert 8 < len(long.values) < 70
    assert long.values.isfinite().all()


KNOWN = {
    "pole": (lambda z: 1 / (3 - z), 1.5, 3.0),
    "two poles": (lambda z: 1 / (1 + z * z), 0.5, 1.0),
    "third order": (lambda z: (1 - z) ** -3, 0.5, 1.0),
    "logarithm": (lambda z: torch.log(2 + z), 1.0, 2.0),
    "square root": (lambda z: torch.sqrt(1 - z), 0.5, 1.0),
    "tan": (torch.tan, 0.8, math.pi / 2),
    "tanh from far below": (torch.tanh, 0.3, math.pi / 2),
    "beats": (lambda z: 1 / (1 - z * (0.6 + 0.8j)) + 1 / (1 - z * (0.6 - 0.8j)), 0.5, 1.0),
    "a weak pole in front": (lambda z: 0.001 / (1 - z) + 1 / (1 - z / 3), 0.6, 1.0),
}


@each("name", sorted(KNOWN))
def test_the_radius_of_convergence_is_within_its_error_bar(name):
    f, radius, truth = KNOWN[name]
    found = radius_of_convergence(f, 0, radius)
    assert found.lower <= truth <= found.upper
    assert found.lower <= found.value <= found.upper
    assert found.upper < 2 * truth
    assert found.lower > truth / 3


@given(
    truth=st.floats(0.2, 5),
    angle=st.floats(0, 2 * math.pi),
    share=st.floats(0.3, 0.7),
    center=st.complex_numbers(max_magnitude=2),
)
def test_one_pole_anywhere(truth, angle, share, center):
    pole = center + truth * complex(math.cos(angle), math.sin(angle))
    found = radius_of_convergence(lambda z: 1 / (z - pole), center, share * truth)
    assert found.value == pytest.approx(truth, rel=1e-3)
    assert found.lower <= truth * (1 + 1e-6)
    assert found.upper >= truth * (1 - 1e-6)


@each(
    ("f", "radius"),
    [
        (torch.exp, 1),
        (torch.exp, 4),
        (lambda z: z.exp().exp(), 1),
        (lambda z: (-z * z).exp(), 2),
        (lambda z: (z**4).exp(), 1),
        (lambda z: (3 * z).sin() * (z * z).exp(), 2),
    ],
)
def test_entire_functions_show_no_singularity(f, radius):
    found = radius_of_convergence(f, 0, radius)
    assert found.value == found.upper == math.inf
    assert found.lower > radius


def test_what_cannot_be_read_is_said():
    with pytest.raises(NumericalError, match="polynomial"):
        radius_of_convergence(lambda z: z**3, 0, 1)
    with pytest.raises(NumericalError, match="not holomorphic"):
        taylor_coefficients(torch.conj, 0, 1)
    with pytest.raises(NumericalError, match=r"not holomorphic.*smaller radius"):
        taylor_coefficients(torch.tan, 0, 2)
    with pytest.raises(NumericalError, match="not finite"):
        taylor_coefficients(lambda z: 1 / (z - 1), 0, 1)
    with pytest.raises(NumericalError, match="resolve"):
        taylor_coefficients(lambda z: (200 * z).exp(), 0, 3)
    with pytest.raises(DomainError, match=r"choose a radius below 1\.5708"):
        taylor_coefficients(CATALOGUE["tan"], 0, 2)
    with pytest.raises(ShapeError, match="choose one"):
        radius_of_convergence(lambda z: torch.stack([z, z], 1), 0, 1)
    with pytest.raises(ConfigError, match="radius"):
        taylor_coefficients(torch.exp, 0, -1)


@each(
    "f",
    [
        lambda z: z.abs() + 0j,
        lambda z: z * z.abs(),
        lambda z: z.exp() * (1 + 1e-6 * z.abs().square()),
        lambda z: torch.where(z.abs() > 0.9, z, z.conj()),
    ],
)
@each("radius", [1.0, 2.0])
def test_functions_of_the_modulus_have_no_series(f, radius):
    with pytest.raises(NumericalError, match="not holomorphic on that disc"):
        taylor_coefficients(f, 0, radius)


@given(
    seed=seeds,
    spread=st.floats(0, 12),
    scale=st.sampled_from([1e-290, 1e-170, 1.0, 1e90, 1e200]),
    samples=st.sampled_from([8, 9, 31, 64]),
)
def test_what_is_stated_as_error_is_above_it(seed, spread, scale, samples):
    sizes = 10 ** (-spread * torch.rand(20, generator=torch.Generator().manual_seed(seed)).double())
    c = random_coefficients(seed, 20) * sizes

    def f(z):
        value = torch.zeros_like(z)
        for a in c.flip(0):
            value = value * z + a
        return scale * value

    found = taylor_coefficients(f, 0, 1, samples=samples)
    expected = torch.zeros_like(found.values)
    expected[: min(20, len(expected))] = scale * c[: len(expected)]
    assert ((found.values - expected).abs() <= found.error).all()
    assert (found.error < 1e-12 * scale * c.abs().sum()).all()


def test_a_small_mode_that_the_samples_alias_is_in_the_error():
    found = taylor_coefficients(lambda z: 1 + z + 1e-13 * z**64, 0, 1, samples=64)
    assert abs(found.values[0] - 1) <= found.error[0]


def test_a_coefficient_that_overflows_has_an_infinite_error():
    found = taylor_coefficients(lambda z: 1e92 / (1 - z * 1e10), 0, 0.5e-10)
    beyond = ~found.values.isfinite()
    assert beyond.any()
    assert found.error[beyond].isinf().all()
