"""What layers of squares take: forms of second degree, and how far the numbers are from them."""

import pytest
import torch
from enclosed import F64
from expanded import expansion
from hypothesis import given
from hypothesis import strategies as st

from cases import each
from holonet.certify import layer as layer_module


def points_of(n, count, seed):
    """Points of the box, every second one a corner, and products of two entries there."""
    torch.manual_seed(seed)
    t = 2 * torch.rand(count, n, dtype=F64) - 1
    t[::2] = t[::2].sign()
    first, second = torch.triu_indices(n, n)
    square = t[:, first] * t[:, second]
    return t, torch.where(first < second, square, 2 * square - 1)


def bent(e, t):
    """What the layers behind the first take at points, but for center + rows . t."""
    box, found = e.source.box, []
    z = box.center.repeat(len(t), 1)
    z[:, box.free] += t * box.radius[box.free]
    chains = e.source.network.chains
    for chain, layer in zip(chains, e.source.layers, strict=False):
        z = chain.linear(z) + chain.bias
        found.append(z - layer.center - t @ layer.rows.T)
        z = z * z
    return torch.cat(found[1:], 1)


def beyond(e, count=400, seed=0):
    """How far h is from its form in each unit, at most, and what is allowed."""
    t, x = points_of(len(e.free), count, seed)
    h, bends = bent(e, t), e.products
    rest = (h - bends.middles - x @ bends.rows.T).abs().amax(0)
    return rest, bends.rest, h.abs().amax(0)


@given(st.integers(0, 2**31), st.floats(1e-3, 3.0), st.sampled_from([2, 3, 4]))
def test_units_are_within_the_rest_of_their_forms_and_within_their_reach(seed, radius, layers):
    e, _ = expansion(seed % 97, layers, radius=radius, entries=2 + seed % 5)
    rest, allowed, h = beyond(e, seed=seed)
    assert (rest <= allowed + 1e-12 * h).all()
    assert (h <= e.reach * (1 + 1e-12)).all()


def test_the_form_of_a_second_layer_is_exact_and_a_third_one_is_known_to_a_part_of_its_reach():
    e, _ = expansion(1, 3, radius=0.2)
    second = len(e.source.layers[1].center)
    rest, allowed, h = beyond(e)
    assert (allowed[:second] <= 1e-11 * e.reach[:second]).all()
    assert (rest[second:] > 1e-3 * h[second:]).all()
    assert (allowed / e.reach)[second:].median() < 0.5


def test_vectors_of_length_one_stand_for_entries():
    e, _ = expansion(2, 3)
    t, x = points_of(6, 5, 0)
    for point, products in zip(t, x, strict=True):
        assert torch.allclose(e.products.at(point[:, None]), e.products.rows @ products)


PLANTS = {
    "no bilinear part": ("_bilinear", lambda true, *a: 0 * true(*a)),
    "half of it": ("_bilinear", lambda true, *a: true(*a) / 2),
    "a third of all": ("_crossed", lambda true, *a: true(*a) / 3),
}


@each("name", PLANTS)
def test_planted_faults_are_found(name):
    target, fault = PLANTS[name]
    true = getattr(layer_module, target)
    found = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layer_module, target, lambda *a: fault(true, *a))
        for seed in range(20):
            e, _ = expansion(seed, 3, radius=(0.05, 0.3, 1.0)[seed % 3], entries=2 + seed % 3)
            rest, allowed, h = beyond(e, 2000)
            found += bool((rest > allowed + 1e-9 * h).any())
    assert found
