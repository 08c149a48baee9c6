"""Discs that a network maps inside of its layers' domains."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn as torch_nn

from holonet.errors import DomainError
from holonet.nn import Activation, Linear, Residual, Sequential, Sin, admissible_radius
from holonet.testing import random_network

SINGULAR = ["log", "sqrt", "tanh", "tan", "reciprocal", "sigmoid", "softplus", "atan", "moebius"]


@settings(max_examples=10)
@given(seed=st.integers(0, 2**32), radius=st.floats(0.1, 4))
def test_every_layer_keeps_the_whole_disc_in_its_domain(seed, radius):
    network, z = random_network(seed, depth=2, dtype=torch.complex128, activations=SINGULAR)
    generator = torch.Generator().manual_seed(seed)
    v = torch.randn(z.shape, generator=generator, dtype=z.dtype)
    r = admissible_radius(network, z, v, radius, center=0.4 + 0.3j)
    assert ((r > 0) & (r <= radius)).all()
    step = v * r.view(-1, *[1] * (z.ndim - 1))
    turns = torch.polar(torch.ones(40), torch.arange(40) * math.pi / 20).to(z.dtype)
    inside = torch.cat([share * turns for share in (0.0, 0.3, 0.7, 1.0)])
    points = z + (0.4 + 0.3j + inside).view(-1, *[1] * z.ndim) * step
    assert (network.margin(points.flatten(0, 1)) > 0).all()


@given(distance=st.floats(0.01, 10), radius=st.floats(0.01, 10))
def test_it_is_as_large_as_halving_allows(distance, radius):
    """For log the disc about x > 0 may have any radius below x."""
    z = torch.tensor([[distance]], dtype=torch.complex128)
    r = float(admissible_radius(Activation("log"), z, torch.ones_like(z), radius))
    assert r < distance
    assert r == radius or 2 * r >= distance / 1.3


def test_entire_networks_have_the_radius_asked_for_unless_they_explode():
    z = torch.zeros(2, 3, dtype=torch.complex128)
    v = torch.ones_like(z)
    assert (admissible_radius(Residual(Sin()), z, v, 2) == 2).all()
    assert (admissible_radius(torch_nn.Identity(), z, v, 2) == 2).all()
    tower = Sequential(*[Activation("exp") for _ in range(3)])
    r = admissible_radius(tower, z, v, 8)
    assert ((r < 8) & (r > 0.5)).all()


def test_singular_points_have_no_room():
    layer = Linear(2, 2, dtype=torch.complex128)
    with torch.no_grad():
        layer.bias.fill_(-1)
    z = torch.zeros(3, 2, dtype=torch.complex128)
    z[0] += 5
    r = admissible_radius(Sequential(layer, Activation("log")), z, torch.ones_like(z), 1)
    assert (r[1:] == 0).all()


@pytest.mark.parametrize("radius", [0, -1, math.inf, math.nan])
def test_the_radius_is_checked(radius):
    z = torch.zeros(1, 1, dtype=torch.complex128)
    with pytest.raises(DomainError, match="radius"):
        admissible_radius(Sin(), z, z, radius)
