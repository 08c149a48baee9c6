"""Each witness catches what it is for, and misses what it is known to miss."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from holonet.calculus import holomorphy_witnesses
from holonet.calculus.witnesses import cauchy_derivative
from holonet.errors import ConfigError, InputTypeError, ShapeError
from holonet.functions import CATALOGUE
from holonet.testing import IMPOSTORS

seeds = st.integers(0, 2**32)


def normal(seed, *shape):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.complex128)


def look(f, seed=0, radius=0.5, shape=(6, 3), samples=64):
    z, v = normal(seed, 2, *shape)
    length = torch.linalg.vector_norm(v.unsqueeze(-1).flatten(1), dim=1)
    v = v / length.view(-1, *[1] * (v.ndim - 1))
    return holomorphy_witnesses(f, z, v, radius=radius, samples=samples)


@given(seed=seeds, scale=st.sampled_from([1e-200, 1e-20, 1.0, 1e20, 1e200]))
def test_random_polynomial_maps_pass_at_every_scale(seed, scale):
    a, b = normal(seed, 2, 3, 4)
    found = look(lambda z: scale * ((z @ a) ** 2 + (z @ b)), seed)
    assert found.decided.all()
    assert (found.error <= found.tolerance / 10).all()


@settings(max_examples=5)
@given(seed=seeds, leak=st.floats(1e-9, 1e6))
def test_a_leak_is_measured_by_all_three(seed, leak):
    """For z + leak conj(z) the two first are known."""
    found = look(lambda z: z + leak * z.conj(), seed)
    expected = torch.full((6,), leak, dtype=torch.float64)
    torch.testing.assert_close(found.dbar, expected / (1 + leak), rtol=1e-5, atol=1e-15)
    amplitude = expected / (1 + expected**2).sqrt()
    torch.testing.assert_close(found.negative_modes, amplitude, rtol=1e-4, atol=1e-12)
    assert (found.derivative > 1e-3 * expected / (1 + expected)).all()
    assert (found.error >= found.dbar).all()


def test_each_is_blind_to_something():
    piecewise = look(lambda z: torch.where(z.real > 0.1, z.exp(), z), shape=(12,))
    assert (piecewise.dbar == 0).all()
    assert (piecewise.negative_modes > 0.01).any()
    lying = IMPOSTORS["twice_lying_conj"].make()
    found = look(lying, shape=(12,))
    assert (found.dbar == 0).all()
    assert (found.negative_modes > 0.9).all()
    doubled = look(IMPOSTORS["doubled_exp"].make(), shape=(12,))
    assert (doubled.dbar == 0).all()
    assert (doubled.negative_modes < 1e-12).all()
    assert (doubled.derivative > 0.3).all()


def test_without_forward_mode_central_differences_speak():
    found = look(IMPOSTORS["silent_conj"].make(), shape=(12,))
    assert not found.forward_mode
    assert (found.dbar > 0.99).all()
    assert look(torch.sin).forward_mode

    class Sine(torch.autograd.Function):
        @staticmethod
        def forward(ctx, z):
            ctx.save_for_backward(z)
            return z.sin()

        @staticmethod
        def backward(ctx, gradient):
            return gradient * ctx.saved_tensors[0].cos().conj()

    honest = look(Sine.apply)
    assert not honest.forward_mode
    assert (honest.error <= honest.tolerance).all()


@settings(max_examples=5)
@given(seed=seeds, name=st.sampled_from(sorted(CATALOGUE)))
def test_the_derivative_by_cauchy_is_that_of_the_record(seed, name):
    record = CATALOGUE[name]
    z = record.base_point + 0.3 * normal(seed, 20).tanh().detach()
    z = z[record.clearance(z) > 0.1]
    radius = (record.clearance(z) / 1.7).clamp(max=0.5)
    found = holomorphy_witnesses(record, z, torch.ones_like(z), radius=radius)
    assert (found.error[found.decided] <= found.tolerance).all()
    got = cauchy_derivative(found.modes.coefficients, radius)
    wide = found.decided & (radius > 0.1)
    torch.testing.assert_close(
        got[wide], record.derivative(z)[wide] + torch.zeros_like(z)[wide], rtol=1e-9, atol=1e-9
    )


def test_critical_points_and_constants_are_no_trouble():
    z = torch.ones(4, 1, dtype=torch.complex128)
    for f in (lambda z: z * z - 2 * z + 1, lambda z: 0 * z + 3j, lambda z: 0 * z):
        found = holomorphy_witnesses(f, z, torch.ones_like(z), radius=0.5)
        assert (found.error <= found.tolerance).all()


def test_circles_that_are_not_resolved_are_halved():
    z = 0.05 * normal(0, 6)
    found = holomorphy_witnesses(lambda z: (200 * z.exp()).sin(), z, torch.ones_like(z), radius=0.6)
    assert found.decided.all()
    assert (found.error <= found.tolerance).all()
    rough = holomorphy_witnesses(
        lambda z: (200 * z.exp()).sin() * (z.real > z.imag), z, torch.ones_like(z), radius=0.6
    )
    assert not (rough.error <= rough.tolerance).all()


def test_undecided_and_infinite_are_nan():
    rounded = look(lambda z: torch.complex((z.real * 1e3).round(), (z.imag * 1e3).round()))
    assert rounded.error.isnan().all()
    assert not rounded.decided.any()
    infinite = look(lambda z: z * math.inf)
    assert infinite.error.isnan().all()


def test_bad_requests_are_refused():
    z = normal(0, 4, 2)
    with pytest.raises(InputTypeError, match="real points"):
        holomorphy_witnesses(torch.sin, z.real, z.real, radius=1)
    with pytest.raises(InputTypeError, match="real-valued"):
        holomorphy_witnesses(torch.abs, z, z, radius=1)
    with pytest.raises(ConfigError, match="radius"):
        holomorphy_witnesses(torch.sin, z, z, radius=0)
    with pytest.raises(ShapeError, match="one each"):
        holomorphy_witnesses(torch.sin, z, z[:1], radius=1)
