"""The Hardy penalty against closed forms on circles and random lines."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cases import each
from holonet.calculus import Probes
from holonet.errors import ConfigError
from holonet.regularizers import CauchyRiemannPenalty, HardyPenalty

C128 = torch.complex128
seeds = st.integers(0, 2**32)


def randn(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=C128)


@pytest.mark.parametrize("count", [None, 1])
@given(seed=seeds, radius=st.floats(0.01, 2))
def test_the_energy_of_the_negative_modes_of_one_variable(count, seed, radius):
    """sum c_ab z^a conj(z)^b about z_0 has the mode r^(a + b) c_ab at a - b."""
    c, center = randn(seed, 4, 4), randn(seed + 1, 1, 1)

    def f(z):
        w = z - center
        return sum(c[a, b] * w**a * w.conj() ** b for a in range(4) for b in range(4))

    modes = [sum(c[a, a + k] * radius ** (2 * a + k) for a in range(4 - k)) for k in range(1, 4)]
    expected = sum(m.abs() ** 2 for m in modes)
    value, found = HardyPenalty(radius, 8, count).value_and_penalty(f, center)
    torch.testing.assert_close(value, f(center))
    scale = float(c.abs().max()) * max(1, radius) ** 6
    assert float(found) ** 0.5 == pytest.approx(float(expected) ** 0.5, rel=1e-9, abs=1e-13 * scale)


@each("samples", [3, 4, 5, 8])
@each("count", [None, 1])
@settings(max_examples=3)
@given(seed=seeds, c=st.complex_numbers(max_magnitude=10), radius=st.floats(0.1, 3))
def test_a_multiple_of_the_conjugate(samples, count, seed, c, radius):
    z = randn(seed, 3, 5)
    found = HardyPenalty(radius, samples, count, 2)(lambda z: (2 - 1j) * z + c * z.conj(), z)
    assert float(found) == pytest.approx(
        5 * (abs(c) * radius) ** 2, rel=1e-9, abs=1e-12 * (abs(c) + 1e-12)
    )


@each("samples", [3, 4, 5, 8, 9])
@each("count", [None, 1])
@settings(max_examples=3)
@given(seed=seeds)
def test_polynomials_up_to_half_the_samples_have_none(samples, count, seed):
    a, z = randn(seed, 3, 2), randn(seed + 1, 4, 3)
    penalty = HardyPenalty(0.5, samples, count, 1)
    degree = samples // 2
    scale = (1 + (0.5 + z.abs().max()) * 3 * a.abs().max()) ** (2 * degree)
    assert penalty(lambda z: (z @ a) ** degree, z) <= 1e-26 * scale
    aliased = penalty(lambda z: (z @ a) ** (degree + 1), z)
    if samples > 4:
        assert aliased > 0


def test_aliasing_falls_with_the_samples():
    z = randn(0, 4, 3)
    found = [float(HardyPenalty(0.5, n)(torch.exp, z, Probes(0))) for n in (4, 8, 16, 32)]
    assert found[0] > 1e2 * found[1] > 1e4 * found[2]
    assert found[3] < 1e-28


@given(seed=seeds)
def test_it_is_never_negative_and_positive_off_the_class(seed):
    a, z = randn(seed, 3, 2), randn(seed + 1, 4, 3)
    found = HardyPenalty(0.5, 8, 1, 1)(lambda z: (z @ a) * (z @ a).conj() + z[:, :2] ** 2, z)
    assert found > 0


@pytest.mark.parametrize("every", [1, 4])
def test_the_estimate_is_unbiased_over_lines(every):
    """(A z) conj(B z) with z = z_0 + r e^it v has the mode -1: r (A z_0) conj(B v), by hand."""
    a, b = randn(2, 2, 2, 3)
    z, r = randn(1, 200, 3), 0.7

    def f(z):
        return (z @ a.mT) * (z @ b.mT).conj()

    exact = (r * (z @ a.mT)[..., None] * b.conj()).abs().square().sum((1, 2)).mean()
    found = HardyPenalty(r, 8, 1, every).estimate(f, z, 80, Probes(0))
    assert 0 < found.standard_error < 0.05 * exact
    assert found.z_score(exact).abs() < 3


@pytest.mark.parametrize("count", [None, 1])
def test_small_circles_see_the_cauchy_riemann_equations(count):
    z, r = randn(0, 60, 2), 1e-3

    def f(z):
        return torch.exp(z.conj() * z) + z

    found = HardyPenalty(r, 8, count, 1).estimate(f, z, 60, Probes(0))
    limit = CauchyRiemannPenalty(None)(f, z)
    error = 3 * found.standard_error / r**2 + 1e-3 * limit
    assert (found.value / r**2 - limit).abs() < error < 0.1 * limit


def test_jumps_are_seen_where_dbar_is_zero():
    """zReLU: z where both parts are positive, else 0."""
    z = torch.full((4, 1), 0.1 + 0.1j, dtype=C128)

    def zrelu(z):
        return torch.where((z.real > 0) & (z.imag > 0), z, 0)

    assert CauchyRiemannPenalty(None)(zrelu, z) == 0
    assert HardyPenalty(0.5)(zrelu, z) > 1e-3


class NoForwardMode(torch.autograd.Function):
    """z + conj(z)^2 / 2 with a backward pass and nothing else."""

    @staticmethod
    def forward(ctx, z):
        ctx.save_for_backward(z)
        return z + z.conj() ** 2 / 2

    @staticmethod
    def backward(ctx, gradient):
        (z,) = ctx.saved_tensors
        return gradient + (gradient * z).conj()


def test_a_backward_pass_is_all_it_needs():
    weight = torch.full((1,), 2.0, dtype=C128, requires_grad=True)
    penalty = HardyPenalty(0.5, 8, 1, 1)
    z = torch.zeros(2, 1, dtype=C128)
    found = penalty(lambda z: NoForwardMode.apply(weight * z), z)
    assert float(found.detach()) == pytest.approx(0.25)  # |w|^4 r^4 / 4, the mode -2
    found.backward()
    assert weight.grad is not None
    torch.testing.assert_close(weight.grad, torch.tensor([0.5 + 0j], dtype=C128))  # |w|^2 w r^4


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"radius": 0.0}, "radius=0"),
        ({"radius": float("inf")}, "radius=inf"),
        ({"radius": 1.0, "samples": 2}, "samples=2"),
        ({"radius": 1.0, "count": 0}, "count=0"),
        ({"radius": 1.0, "every": 0}, "every=0"),
    ],
)
def test_bad_arguments_are_refused(arguments, match):
    with pytest.raises(ConfigError, match=match):
        HardyPenalty(**arguments)
