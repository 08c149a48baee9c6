"""Real and imaginary factors and terms, with infinite parts and zeros of both signs."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from holonet.functions.parts import has_parts, scaled, shifted, turned

parts = st.sampled_from([0.0, -0.0, 1.5, -2.0, math.inf, -math.inf])
NEGATIVE_ZERO = complex(2, -0.0)


def bits(z):
    """The parts with the signs of zeros."""
    return [(p.item(), math.copysign(1, p)) for p in (z.real, z.imag)]


@given(x=parts, y=parts, factor=st.sampled_from([2.0, -1, 0.5, 1]))
def test_a_real_factor_multiplies_each_part(x, y, factor):
    z = torch.complex(torch.tensor(x), torch.tensor(y))
    expected = torch.complex(torch.tensor(factor * x), torch.tensor(factor * y))
    assert bits(scaled(z, factor)) == bits(expected)


@pytest.mark.parametrize("factor", [1j, 2 - 1j])
def test_a_complex_factor_is_torchs(factor):
    z = torch.randn(3, dtype=torch.complex64)
    assert torch.equal(scaled(z, factor), factor * z)


@pytest.mark.parametrize(
    "view", [lambda z: z.conj(), lambda z: z.mT, lambda z: z[:, :1].expand(3, 4)]
)
def test_views(view):
    z = view(torch.randn(3, 4, dtype=torch.complex64))
    torch.testing.assert_close(scaled(z, 2), 2 * z)
    torch.testing.assert_close(torch.func.vmap(lambda w: scaled(w, 3))(z), 3 * z)


@given(x=parts, y=parts, quarters=st.integers(-3, 6))
def test_turns(x, y, quarters):
    z = torch.complex(torch.tensor(x), torch.tensor(y))
    expected = [(x, y), (-y, x), (-x, -y), (y, -x)][quarters % 4]
    assert bits(turned(z, quarters)) == [(p, math.copysign(1, p)) for p in expected]


def test_a_real_term_has_no_imaginary_part():
    assert bits(shifted(torch.tensor(NEGATIVE_ZERO), 1)) == [(3.0, 1.0), (0.0, -1.0)]


def test_what_is_no_plain_tensor_has_no_parts():
    assert has_parts(torch.nn.Parameter(torch.zeros(1, dtype=torch.complex64)))
    assert not has_parts(torch.zeros(1))
    assert not has_parts(
        torch.Tensor._make_subclass(type("Odd", (torch.Tensor,), {}), torch.ones(1) + 0j)
    )
