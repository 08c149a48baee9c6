"""Claimed derivatives and references, right ones and wrong ones."""

import cmath

import mpmath
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cases import each
from holonet.errors import ConfigError, DomainError, ShapeError
from holonet.functions import CATALOGUE
from holonet.testing import IMPOSTORS, impostors_against
from holonet.testing.derivatives import assert_derivative, assert_matches_reference


@each("name", [i.name for i in impostors_against("derivative")])
def test_every_impostor_is_rejected(name):
    impostor = IMPOSTORS[name]
    with pytest.raises(AssertionError, match=r"not the derivative of \w+"):
        assert_derivative(impostor.make(), impostor.derivative, impostor.points())


@each("name", sorted(CATALOGUE))
def test_records_have_the_derivatives_that_they_claim(name):
    record = CATALOGUE[name]
    assert assert_derivative(record) < 1e-13
    assert (
        assert_derivative(record.derivative, record.second_derivative, domain=record.domain) < 1e-12
    )


def test_forward_mode_is_asked_where_nothing_is_claimed():
    assert assert_derivative(torch.tan, z=torch.tensor([0.1j, 0.3])) < 1e-13
    with pytest.raises(AssertionError):
        assert_derivative(IMPOSTORS["twice_doubled_exp"].make())


@given(factor=st.floats(1e-9, 1e-2))
def test_the_error_is_relative(factor):
    error = assert_derivative(torch.exp, lambda z: (1 + factor) * z.exp(), tolerance=0.1)
    assert error == pytest.approx(factor / (1 + factor), rel=1e-3)


def test_points_outside_of_the_domain_are_refused():
    with pytest.raises(DomainError, match="not in the domain"):
        assert_derivative(CATALOGUE["log"], z=torch.tensor([-2 + 0j]))
    with pytest.raises(DomainError, match="not positive"):
        assert_derivative(torch.exp, torch.exp, radius=0)


@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
def test_references_in_eps_times_scale(dtype):
    z = torch.randn(50, generator=torch.Generator().manual_seed(0), dtype=dtype)
    assert assert_matches_reference(torch.tanh, mpmath.tanh, z) < 8
    assert assert_matches_reference(torch.sin, z.to(torch.complex128).sin(), z) < 8
    eps = torch.finfo(dtype).eps
    with pytest.raises(AssertionError, match="off by"):
        assert_matches_reference(lambda z: z.sin() * (1 + 64 * eps), cmath.sin, z)
    with pytest.raises(AssertionError, match="instead of"):
        assert_matches_reference(torch.sin, cmath.cos, z)


def test_a_reference_tensor_needs_its_points():
    with pytest.raises(ConfigError, match="points that it belongs to"):
        assert_matches_reference(torch.sin, torch.zeros(3))


def test_what_cannot_be_resolved_is_undecided():
    with pytest.raises(AssertionError, match=r"(undecided|not the derivative).* of"):
        assert_derivative(
            lambda z: z + 1e-11 * torch.sin(1e9 * z.real), lambda z: torch.ones_like(z)
        )


def test_a_claim_is_one_number_for_each_point():
    with pytest.raises(ShapeError, match="act entry by entry"):
        assert_derivative(torch.sin, lambda z: z.sum())
    with pytest.raises(ShapeError, match="act entry by entry"):
        assert_matches_reference(lambda z: z.sum(), cmath.sin)
