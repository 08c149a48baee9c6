"""Cauchy's integrals against closed forms, their rate of convergence, and what they refuse."""

import math

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cases import each, some_of
from holonet.calculus.contour import (
    cauchy_formula,
    contour_integral,
    residue,
    winding_number,
)
from holonet.domains import Annulus, Disc, PointSet, SlitPlane
from holonet.errors import ConfigError, DomainError, NumericalError, ShapeError
from holonet.functions import CATALOGUE, get_function

C64, C128 = torch.complex64, torch.complex128
CIRCLE = 2j * math.pi
seeds = st.integers(0, 2**32)
complexes = st.complex_numbers(max_magnitude=2)
radii = st.floats(0.2, 2)
degrees = st.integers(0, 12)


def randn(seed, *shape, dtype=C128):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def point(z):
    return torch.tensor(z, dtype=C128)


def polynomial(coefficients):
    """z -> sum of c_k z^k for coefficients of shape (degree + 1, *rest)."""

    def value(z):
        powers = torch.linalg.vander(z, N=max(len(coefficients), 2))[..., : len(coefficients)]
        return torch.tensordot(powers, coefficients, dims=1)

    return value


def close(found, expected, size=1.0):
    tolerance = 1e-11 * float(size)
    torch.testing.assert_close(found, expected, rtol=0, atol=tolerance)


# the integral


@given(seed=seeds, degree=degrees, center=complexes, radius=radii, samples=st.none() | st.just(16))
def test_polynomials_integrate_to_zero(seed, degree, center, radius, samples):
    coefficients = randn(seed, degree + 1, 2)
    found = contour_integral(polynomial(coefficients), center, radius, samples=samples)
    size = coefficients.abs().sum() * (abs(center) + radius + 1) ** (degree + 1)
    close(found, torch.zeros(2, dtype=C128), size)


@given(name=st.sampled_from(sorted(CATALOGUE)), seed=seeds, part=st.floats(0.05, 0.7))
def test_cauchys_theorem_in_the_domain_of_every_function(name, seed, part):
    record = get_function(name)
    center = record.base_point + 0.3 * complex(randn(seed, 1))
    room = float(record.clearance(point(center)))
    assume(room > 0.01)
    radius = part * min(room, 2.0)
    size = record(center + radius * torch.exp(1j * torch.arange(8))).abs().max()
    found = contour_integral(record, center, radius, samples=128)
    close(found, point(0), (size + 1) * radius)


@given(k=st.integers(-6, 6), center=complexes, radius=radii)
def test_powers_about_the_center(k, center, radius):
    found = contour_integral(lambda z: (z - center) ** k, center, radius)
    close(found, point(CIRCLE if k == -1 else 0), radius ** (k + 1) + 1)


@given(center=complexes, radius=radii)
def test_the_conjugate_gives_the_area(center, radius):
    close(contour_integral(torch.conj, center, radius), point(CIRCLE * radius**2), 10)


def test_a_real_function_is_taken_as_complex():
    found = contour_integral(torch.real, 1, 2)
    close(found, point(1j * math.pi * 4))  # the integral of x dz is i area
    assert found.dtype == C128
    assert contour_integral(torch.real, 1, 2, samples=8).dtype == C128


@each("k", [15, 31, 63, 255, 1023, -17, -33, -1025])
def test_high_powers_do_not_pass_by_unseen(k):
    """Every one of them looks like 1/z on 16 points, 32 points, and so on."""
    close(contour_integral(lambda z: z**k, 0, 1), point(0))
    close(contour_integral(lambda z: z**k + 1 / z, 0, 1), point(CIRCLE))


@pytest.mark.parametrize("samples", [3, 8, 17])
def test_a_number_of_samples_is_used_as_given(samples):
    seen = []

    def f(z):
        seen.append(z)
        return 1 / z

    close(contour_integral(f, 1, 2, samples=samples), contour_integral(f, 1, 2, samples=samples))
    angle = torch.arange(samples, dtype=torch.float64) * (2 * math.pi / samples)
    torch.testing.assert_close(seen[0], 1 + 2 * torch.exp(1j * angle))


@pytest.mark.parametrize("samples", [5, 8])
def test_the_modes_that_are_exact_and_the_first_that_is_not(samples):
    for k in range(-samples, samples - 1):
        close(
            contour_integral(lambda z, k=k: z**k, 0, 1, samples=samples),
            point(CIRCLE if k == -1 else 0),
        )
    for k in (samples - 1, -samples - 1):
        close(contour_integral(lambda z, k=k: z**k, 0, 1, samples=samples), point(CIRCLE))


@pytest.mark.parametrize("pole", [1.5, -2j, 0.5, 0.6j])
def test_the_error_falls_geometrically(pole):
    """1/(z - pole) has the error rho^N to leading order: rho = 1/|pole| outside, |pole| inside."""
    rho = min(abs(pole), 1 / abs(pole))
    exact = CIRCLE if abs(pole) < 1 else 0
    errors = {
        n: abs(complex(contour_integral(lambda z: 1 / (z - pole), 0, 1, samples=n)) - exact)
        for n in (8, 16, 32)
    }
    for n, error in errors.items():
        assert error == pytest.approx(2 * math.pi * rho**n, rel=2 * rho**n + 1e-6, abs=1e-14)


def test_several_values_and_their_gradient():
    weights = randn(0, 3, 2).requires_grad_()

    def integral(weights, samples):
        return contour_integral(
            lambda z: torch.stack([1 / z, z, z.conj()], -1) @ weights, 0, 2, samples=samples
        )

    found = integral(weights, None)
    close(found, CIRCLE * (weights[0] + 4 * weights[2]), 100)
    assert torch.autograd.gradcheck(lambda w: integral(w, 8), (weights,))
    (gradient,) = torch.autograd.grad(found.real.sum(), weights)
    close(gradient, point([CIRCLE, 0, 4 * CIRCLE]).conj().unsqueeze(1).expand(3, 2), 100)


def test_the_center_sets_the_dtype():
    seen = []

    def f(z):
        seen.append(z.dtype)
        return 1 / z

    found = contour_integral(f, torch.tensor(0.25, dtype=C64), 1.0)
    assert found.dtype == C64
    assert set(seen) == {C64}
    torch.testing.assert_close(found, torch.tensor(CIRCLE, dtype=C64), rtol=1e-5, atol=1e-5)
    assert contour_integral(torch.exp, torch.tensor(0.25), 1.0).dtype == C64
    assert contour_integral(torch.exp, torch.tensor(0.25, dtype=torch.float64), 1.0).dtype == C128


def test_single_precision_values_settle_to_their_own_rounding():
    found = contour_integral(lambda z: (1 / z).to(C64), 0, 1)
    torch.testing.assert_close(found, point(CIRCLE), rtol=1e-5, atol=1e-5)
    exact = cauchy_formula(lambda z: z.exp().to(C64), point([0.5]), 0, 1)
    torch.testing.assert_close(exact, point([math.exp(0.5)]), rtol=1e-5, atol=1e-5)


def test_what_does_not_settle_says_so():
    with pytest.raises(NumericalError, match=r"4096 samples: it still changes by \d.*choose"):
        contour_integral(lambda z: z.sqrt(), 0, 1)
    with pytest.raises(NumericalError, match="contour_integral over the circle"):
        contour_integral(lambda z: 1 / (z - 1.0001), 0, 1)
    assert contour_integral(lambda z: z.sqrt(), 0, 1, samples=64).isfinite()


# residues


@given(seed=seeds, order=st.integers(1, 5), pole=complexes, radius=st.floats(0.3, 1))
def test_the_residue_is_the_taylor_coefficient_of_the_rest(seed, order, pole, radius):
    coefficients = randn(seed, 6)
    found = residue(
        lambda z: polynomial(coefficients)(z - pole) / (z - pole) ** order, pole, radius
    )
    close(found, coefficients[order - 1], coefficients.abs().sum() * radius**-order)


@each(
    ("f", "pole", "radius", "expected"),
    [
        (get_function("tan"), math.pi / 2, 3.0, -1),
        (get_function("tanh"), 1.5j * math.pi, 1.0, 1),
        (get_function("reciprocal"), 0, 5.0, 1),
        (lambda z: (1 / z).exp(), 0, 1.0, 1),
        (lambda z: (z + 1 / z).exp(), 0, 1.0, 1.5906368546373291),  # Bessel I_1(2)
        (lambda z: 1 / z.sin() ** 2, math.pi, 1.0, 0),
        (lambda z: 1 / (z**2 + 1), -1j, 1.0, 0.5j),
    ],
)
def test_residues_with_known_values(f, pole, radius, expected):
    close(residue(f, pole, radius), point(expected))


@pytest.mark.parametrize("seed", range(5))
def test_residues_sum_to_the_contour_integral(seed):
    poles = [0.5, -0.3 + 0.2j, 0.1 - 0.6j]
    weights = randn(seed, 3)
    f = lambda z: sum(w / (z - p) for w, p in zip(weights, poles, strict=True)) + z  # noqa: E731
    parts = [residue(f, p, 0.2) for p in poles]
    close(torch.stack(parts), weights, 10)
    close(CIRCLE * sum(parts), contour_integral(f, 0, 1), 100)


def test_a_second_singularity_inside_is_not_a_residue():
    tan = get_function("tan")
    for radius in (3.2, 3.5, 5.5, 6.0, 7.0):
        with pytest.raises(DomainError, match=r"another singularity.*radius of (\d.*) leaves"):
            residue(tan, math.pi / 2, radius)
    pair = SlitPlane((PointSet((0, 0.01j)),))
    with pytest.raises(DomainError, match=r"radius of 0\.01 leaves at most that point"):
        residue(lambda z: 1 / z, 0, 1.0, domain=pair)
    close(residue(lambda z: 1 / z, 0, 0.009, domain=pair), point(1))
    assert contour_integral(tan, math.pi / 2, 3.5).isfinite()


def test_a_hole_is_not_an_isolated_singularity():
    with pytest.raises(DomainError, match="another singularity"):
        residue(torch.reciprocal, 0, 0.8, domain=Annulus(0, 0.3, 1.0))
    close(residue(torch.reciprocal, 0, 0.8, domain=Annulus(0, 0, 1.0)), point(1))


# Cauchy's formula


@given(
    seed=seeds,
    degree=degrees,
    center=complexes,
    radius=radii,
    order=st.integers(0, 3),
    samples=st.none() | st.just(32),
)
def test_cauchys_formula_gives_polynomials_and_derivatives(
    seed, degree, center, radius, order, samples
):
    coefficients = randn(seed, degree + 1, 2)
    w = randn(seed + 1, 3, 2)
    z = center + radius * w / (1.02 * w.abs().max())
    found = cauchy_formula(
        polynomial(coefficients), z, center, radius, order=order, samples=samples
    )
    k = torch.arange(degree + 1, dtype=torch.float64)
    falling = math.prod((k - j for j in range(order)), start=torch.ones_like(k)).unsqueeze(1)
    derivative = (falling * coefficients)[order:]
    expected = polynomial(derivative)(z) if len(derivative) else torch.zeros(3, 2, 2, dtype=C128)
    size = coefficients.abs().sum() * (abs(center) + radius + 1) ** degree * (20 / radius) ** order
    close(found, expected, size)
    assert found.shape == (3, 2, 2)


@given(name=st.sampled_from(sorted(CATALOGUE)), seed=seeds)
def test_cauchys_formula_agrees_with_every_record(name, seed):
    record = get_function(name)
    center = complex(record.base_point)
    radius = 0.6 * min(float(record.clearance(point(center))), 2.0)
    w = randn(seed, 4)
    z = center + 0.7 * radius * w / w.abs().max()
    size = record(center + radius * torch.exp(1j * torch.arange(16))).abs().max()
    for order, exact in enumerate((record.value, record.derivative, record.second_derivative)):
        found = cauchy_formula(record, z, center, radius, order=order, samples=128)
        close(found, exact(z) + 0j, 2 * (size + 1) * (8 / radius) ** order)


def test_points_near_the_circle_are_as_exact_as_others():
    z = point([1 - 1e-3, 1 - 1e-9, -1 + 1e-15, 0])
    close(cauchy_formula(torch.exp, z, 0, 1), z.exp())


@pytest.mark.parametrize("rho", [0.5, 0.8])
def test_cauchys_formula_converges_geometrically(rho):
    """At the center the error of 1/(1 - rho z) is the alias of the modes N, 2N, ..."""
    for n in (8, 16, 32):
        found = cauchy_formula(lambda z: 1 / (1 - rho * z), point(0), 0, 1, samples=n)
        assert abs(complex(found) - 1) == pytest.approx(rho**n / (1 - rho**n), rel=1e-5)


@given(center=complexes, radius=radii, seed=seeds)
def test_what_is_antiholomorphic_leaves_its_mean(center, radius, seed):
    w = randn(seed, 5)
    z = center + radius * w / (1.001 * w.abs().max())
    for samples in (None, 16):
        found = cauchy_formula(torch.conj, z, center, radius, samples=samples)
        close(found, torch.full_like(z, center.conjugate()), 5)


@pytest.mark.parametrize("samples", [7, 8])
def test_the_highest_degree_that_is_exact(samples):
    z = point([0.5, 0.3j])
    degree = (samples - 1) // 2
    found = cauchy_formula(lambda w: w**degree, z, 0, 1, samples=samples)
    close(found, z**degree)
    beyond = cauchy_formula(lambda w: w ** (samples - 1), z, 0, 1, samples=samples)
    close(beyond, torch.zeros_like(z))  # it looks like the mode -1


def test_high_powers_are_seen_through():
    z = point([0.99, 0.99j, 0.5])
    for k in (17, 33, 500):
        close(cauchy_formula(lambda w, k=k: w**k, z, 0, 1), z**k)


@each("order", [0, 1, 2, 5, 10, 20])
def test_high_derivatives_of_exp(order):
    z = point([0, 0.1j])
    found = cauchy_formula(torch.exp, z, 0, 4, order=order)
    size = math.factorial(order) * math.exp(4) / 4**order
    close(found, z.exp(), max(size, 1))


def test_the_formula_can_be_differentiated_in_the_points():
    z = point([0.2, -0.3j, 0.0]).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda z: cauchy_formula(torch.exp, z, 0, 1, samples=32, order=1), (z,)
    )


def test_the_points_set_the_dtype_and_the_shape():
    z = torch.tensor(0.5, dtype=C64)
    found = cauchy_formula(torch.exp, z, 0, 1)
    assert found.dtype == C64
    assert found.shape == ()
    torch.testing.assert_close(found, z.exp(), rtol=1e-5, atol=0)
    real = cauchy_formula(torch.exp, torch.tensor([0.5], dtype=torch.float64), 0, 1)
    close(real, point([math.exp(0.5)]))
    double = cauchy_formula(torch.exp, z, point(0), 1)
    assert double.dtype == C128
    assert cauchy_formula(torch.exp, point([]), 0, 1).shape == (0,)


@pytest.mark.parametrize("z", [[1.0], [0.5, 2j], [-1j], [math.nan]])
def test_points_on_or_outside_the_circle_are_refused(z):
    with pytest.raises(DomainError, match=r"not inside the circle .*choose a larger radius"):
        cauchy_formula(torch.exp, point(z), 0, 1)


def test_a_pole_inside_is_refused_by_the_formula_and_not_by_the_integral():
    ring = Annulus(0, 0.1, 3)
    with pytest.raises(DomainError, match=r"closed disc .* below 0.5"):
        cauchy_formula(get_function("reciprocal"), point([0.5]), 0.5, 0.75)
    with pytest.raises(DomainError):
        cauchy_formula(torch.reciprocal, point([0.5]), 0, 1, domain=ring)
    close(contour_integral(torch.reciprocal, 0, 1, domain=ring), point(CIRCLE))
    close(cauchy_formula(get_function("reciprocal"), point([2.5]), 2, 1.5), point([0.4]))


@pytest.mark.parametrize("order", [-1, -3])
def test_a_negative_order_is_refused(order):
    with pytest.raises(ConfigError, match=f"order={order}"):
        cauchy_formula(torch.exp, point([0]), 0, 1, order=order)


def test_an_order_too_high_for_the_samples():
    with pytest.raises(ConfigError, match=r"order=4 with samples=8.*twice"):
        cauchy_formula(torch.exp, point([0]), 0, 1, order=4, samples=8)
    with pytest.raises(ConfigError, match="order=2000 with samples=None"):
        cauchy_formula(torch.exp, point([0]), 0, 1, order=2000)
    assert cauchy_formula(torch.exp, point([0]), 0, 1, order=3, samples=8).isfinite()


# winding numbers


@settings(max_examples=5)
@given(
    zeros=st.lists(complexes, max_size=6),
    poles=st.lists(complexes, max_size=6),
    center=complexes,
    radius=radii,
)
def test_the_argument_principle(zeros, poles, center, radius):
    for p in (*zeros, *poles):
        assume(abs(abs(p - center) / radius - 1) > 0.03)
    count = sum(abs(p - center) < radius for p in zeros)
    count -= sum(abs(p - center) < radius for p in poles)

    def f(z):
        value = torch.ones_like(z)
        for p in zeros:
            value = value * (z - p)
        for p in poles:
            value = value / (z - p)
        return value

    assert winding_number(f, center, radius) == count
    if zeros or poles:
        rate = lambda z: sum(1 / (z - p) for p in zeros) - sum(1 / (z - p) for p in poles)  # noqa: E731
        close(contour_integral(rate, center, radius), point(CIRCLE * count), 1e3)


@each("k", [0, 1, -3, 16, 31, 32, 33, 64, -64, 640, 1024, -1025])
def test_powers_of_z_are_counted_one_by_one(k):
    assert winding_number(lambda z: z**k, 0, 1) == k


@each(
    ("name", "center", "radius", "expected"),
    [
        ("sin", 0, 4, 3),
        ("exp", 0, 5, 0),
        ("tan", 0, 4, 1),
        ("tan", 0, 2, -1),
        ("tanh", 1j, 0.9, -1),
        ("reciprocal", 0, 1, -1),
        ("log", 1, 0.9, 1),
    ],
)
def test_winding_numbers_of_records(name, center, radius, expected):
    assert winding_number(get_function(name), center, radius) == expected


def test_winding_is_topological():
    assert winding_number(torch.conj, 0, 1) == -1
    assert winding_number(torch.conj, 3, 1) == 0
    assert winding_number(lambda z: z.abs() + 1, 0, 1) == 0
    assert winding_number(lambda z: 1e-300 * z**2, 0, 1) == 2
    assert winding_number(lambda z: (30 * z).exp() * z, 0, 2) == 1
    assert winding_number(torch.square, torch.tensor(0.1, dtype=C64), 1.0) == 2


def test_a_hair_on_either_side():
    assert winding_number(lambda z: z - 0.998, 0, 1) == 1
    assert winding_number(lambda z: z - 1.002, 0, 1) == 0
    assert winding_number(lambda z: (z - 0.998) ** 2, 0, 1) == 2


@some_of("turn", range(60), slice(None, None, 7))
def test_a_zero_and_a_pole_that_nearly_cancel_are_seen(turn):
    """Inside and outside at a distance of 0.003, wherever they lie between the points."""
    at = complex(math.cos(0.1047 * turn), math.sin(0.1047 * turn))
    assert winding_number(lambda z: (z - 0.997 * at) / (z - 1.003 * at), 0, 1) == 1


@each("order", [1, 2, 3, 4, -1, -2])
@each("turn", [0, 0.3, 2.0])
def test_zeros_and_poles_on_the_circle_are_found(order, turn):
    at = complex(math.cos(turn), math.sin(turn))
    near = rf"near {at.real:.2f}"[:-1] if turn else "near 1"
    with pytest.raises(NumericalError, match=f"{near}.*choose another radius"):
        winding_number(lambda z: (z - at) ** order, 0, 1)


def test_networks_that_are_being_trained_have_a_winding_number():
    weight = torch.tensor(2.0 + 1j, dtype=torch.complex128, requires_grad=True)
    assert winding_number(lambda z: weight * z**3, 0, 1) == 3


def test_functions_without_a_winding_number():
    with pytest.raises(NumericalError, match="vanishes"):
        winding_number(torch.zeros_like, 0, 1)
    with pytest.raises(NumericalError, match="vanishes"):
        winding_number(torch.real, 0, 1)
    with pytest.raises(NumericalError, match="jump"):
        winding_number(lambda z: z.sqrt(), 0, 1)


def test_a_number_of_samples_is_enough_or_not():
    assert winding_number(lambda z: z**3, 0, 1, samples=128) == 3
    with pytest.raises(NumericalError, match="or more samples"):
        winding_number(lambda z: z**3, 0, 1, samples=32)


@pytest.mark.parametrize("f", [lambda z: z[:, None], lambda z: torch.stack([z, z], -1)])
def test_one_number_winds(f):
    with pytest.raises(ShapeError, match="one number is needed: choose one output"):
        winding_number(f, 0, 1)


# what all of them refuse

ALL = {
    "contour_integral": contour_integral,
    "residue": residue,
    "winding_number": winding_number,
    "cauchy_formula": lambda f, c, r, **k: cauchy_formula(f, point([]), c, r, **k),
}


@each("name", ALL)
@each("radius", [0, -1.0, math.inf, math.nan])
def test_bad_radii(name, radius):
    with pytest.raises(ConfigError, match=f"{name}: radius={radius}"):
        ALL[name](torch.exp, 0, radius)


@each("name", ALL)
@each("center", [math.nan, complex(0, math.inf)])
def test_bad_centers(name, center):
    with pytest.raises(ConfigError, match=f"{name}: center="):
        ALL[name](torch.exp, center, 1)


@pytest.mark.parametrize("name", ALL)
def test_more_than_one_center(name):
    with pytest.raises(ShapeError, match=rf"{name}: the center has shape \(2,\)"):
        ALL[name](torch.exp, point([0, 1]), 1)


@each("name", ALL)
@each("samples", [0, -4])
def test_bad_samples(name, samples):
    with pytest.raises(ConfigError, match=f"samples={samples}"):
        ALL[name](torch.exp, 0, 1, samples=samples)


@pytest.mark.parametrize("name", ALL)
def test_functions_that_mix_the_batch(name):
    with pytest.raises(ShapeError, match=f"{name}.*function of batches"):
        ALL[name](torch.sum, 0, 1)


@pytest.mark.parametrize("name", ALL)
def test_values_that_are_not_finite(name):
    def f(z):
        return torch.where(z.real > 0.5, z / 0, z)

    with pytest.raises(NumericalError, match=rf"^{name}: f\(.*not finite. Choose another radius"):
        ALL[name](f, 0, 1)


@pytest.mark.parametrize("name", ALL)
def test_circles_across_a_cut_or_through_a_pole(name):
    with pytest.raises(DomainError, match=rf"{name}: .*a? ?radius below 1\b"):
        ALL[name](get_function("log"), 1, 1.5)
    with pytest.raises(DomainError, match=rf"{name}: .*radius below 1\.5708"):
        ALL[name](get_function("tanh"), 0, math.pi / 2)
    with pytest.raises(DomainError, match=name):
        ALL[name](torch.exp, 0.5, 0.6, domain=Disc())


@pytest.mark.parametrize(
    "ask",
    [
        lambda: cauchy_formula(torch.exp, torch.zeros(1, dtype=C128), 0, 1e-2, order=12),
        lambda: residue(lambda z: (1 / z).exp(), 0, 0.01),
        lambda: contour_integral(lambda z: (50 * z).exp(), 0, 1),
    ],
)
def test_rounding_is_no_result(ask):
    with pytest.raises(NumericalError, match=r"cancel is rounding.*choose a radius"):
        ask()


@given(growth=st.floats(0, 60), radius=st.floats(0.05, 4), factor=st.sampled_from([1e-30, 1, 1e30]))
def test_integrals_are_right_or_refused(growth, radius, factor):
    """Of factor exp(growth z)/z: 2 pi i factor, whatever the size on the circle."""
    try:
        found = complex(contour_integral(lambda z: factor * (growth * z).exp() / z, 0, radius))
    except NumericalError:
        assert growth * radius > 15
        return
    assert abs(found - 2j * math.pi * factor) < 0.05 * 2 * math.pi * factor
    if growth * radius < 5:
        assert abs(found - 2j * math.pi * factor) < 1e-11 * factor


@given(order=st.integers(0, 16), radius=st.floats(0.01, 2))
def test_derivatives_are_right_or_refused(order, radius):
    z = torch.zeros(1, dtype=C128)
    try:
        found = complex(cauchy_formula(torch.exp, z, 0, radius, order=order))
    except NumericalError:
        assert math.factorial(order) / radius**order > 1e9
        return
    assert abs(found - 1) < 0.05
