"""Random networks: holomorphic, well scaled, off their singularities, a function of the seed."""

import dataclasses
import itertools

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cases import each
from holonet import nn
from holonet.calculus import Probes, dbar_norm_squared, fourier_coefficients, partial_z_along
from holonet.errors import ConfigError, DomainError, InputTypeError, UnknownNameError
from holonet.functions import CATALOGUE, HolomorphicFunction, moebius
from holonet.nn.module import forward_hooks
from holonet.testing import BLOCKS, COEFFICIENTS, random_network
from holonet.testing.networks import __all__ as public

C64, C128 = torch.complex64, torch.complex128
seeds = st.integers(0, 2**63 - 1)
depths = st.integers(1, 6)
coefficients = st.sampled_from(COEFFICIENTS)


def activations_of(network):
    return [m for m in network.modules() if isinstance(m, nn.Activation)]


@given(seed=seeds, depth=depths, coefficients=coefficients)
@example(1250012648, 3, "real")  # overflows in front of a norm until its layers are scaled
def test_values_are_moderate_and_points_keep_their_margin(seed, depth, coefficients):
    network, z = random_network(seed, depth=depth, dtype=C128, coefficients=coefficients)
    value = network(z)
    assert value.isfinite().all()
    assert 0.05 < value.abs().square().mean().sqrt() < 20
    assert (network.margin(z) >= 0.25 * (1 - 1e-6)).all()
    assert network.function_class.is_holomorphic


@given(seed=seeds)
def test_pre_activations_are_of_order_one_about_the_base_point(seed):
    network, z = random_network(seed, dtype=C128)
    seen = []

    def look(layer, inputs):
        seen.append((layer.function, inputs[0]))

    with forward_hooks(m.register_forward_pre_hook(look) for m in activations_of(network)):
        network(z)
    for function, h in seen:
        gap = (h - function.base_point).abs()
        assert 0.01 < gap.square().mean().sqrt() < 0.7 * (1 + 1e-6)
        # gap.max() may be close to the clearance of the base point


@settings(max_examples=8)
@given(seed=seeds, depth=depths, coefficients=coefficients)
def test_networks_are_holomorphic(seed, depth, coefficients):
    network, z = random_network(seed, depth=depth, dtype=C128, coefficients=coefficients)
    probes = Probes(1)
    slope = partial_z_along(network, z, probes.like(z)).abs().square().flatten(1).sum(1)
    assert (dbar_norm_squared(network, z, probes=probes) <= 1e-20 * (slope.max() + 1)).all()
    v = 1e-3 * probes.like(z[:1])[0]
    with torch.no_grad():
        modes = fourier_coefficients(
            lambda t: network(z[0] + t.view(-1, *[1] * (z.ndim - 1)) * v), 0, 1.0
        )
    modes = modes.reshape(64, -1).abs()
    assert modes[:32].max() <= 1e-12 * (1 + modes.max())


@given(seed=seeds, depth=depths)
def test_real_coefficients_reflect_and_keep_real_points_real(seed, depth):
    network, z = random_network(seed, depth=depth, dtype=C128, coefficients="real")
    assert all(p.dtype is torch.float64 for p in network.parameters())
    value = network(z)
    torch.testing.assert_close(network(z.conj()), value.conj().resolve_conj(), rtol=1e-9, atol=1e-9)
    x = z.real.clone()
    keep = network.margin(x) > 0.05
    real, lifted = network(x)[keep], network(x + 0j)[keep]
    assert real.dtype is torch.float64
    size = 1 + lifted.abs().amax() if len(lifted) else 1
    assert ((real - lifted).abs() <= 1e-9 * size).all()


@given(seed=seeds, depth=depths)
def test_mixed_coefficients_are_real_up_to_a_block(seed, depth):
    network, z = random_network(seed, depth=depth, dtype=C128, coefficients="mixed")
    weights = [m.weight for m in network.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    fields = [weight.is_complex() for weight in weights]
    assert fields == sorted(fields)
    assert not fields[0]
    assert fields[-1]
    assert network(z).dtype is network(z.real.clone()).dtype is C128


@settings(max_examples=6)
@given(seed=seeds, depth=st.none() | depths)
def test_a_network_is_a_function_of_its_seed(seed, depth):
    state = torch.get_rng_state()
    first, z = random_network(seed, depth=depth)
    assert torch.equal(torch.get_rng_state(), state)
    torch.randn(1)
    second, w = random_network(seed, depth=depth)
    assert str(first) == str(second)
    assert torch.equal(z, w)
    assert torch.equal(first(z), second(z))


@settings(max_examples=6)
@given(seed=seeds)
def test_single_precision_is_the_rounding_of_double(seed):
    (low, z), (high, w) = random_network(seed), random_network(seed, dtype=C128)
    assert z.dtype == C64
    assert torch.equal(z, w.to(C64))
    for name, parameter in low.state_dict().items():
        expected = high.state_dict()[name]
        assert torch.equal(parameter, expected.to(parameter.dtype))
        assert parameter.dtype in (C64, torch.float32)
    assert low(z).dtype == C64


@given(seed=seeds, depth=depths)
def test_the_depth_is_the_number_of_activations(seed, depth):
    network, _ = random_network(seed, depth=depth)
    assert len(activations_of(network)) == depth
    assert isinstance(network[-1], nn.Linear)


def test_over_many_seeds_everything_occurs():
    drawn = [random_network(seed)[0] for seed in range(80)]
    kinds = {type(m) for network in drawn for m in network.modules()}
    assert kinds >= {
        nn.Linear,
        nn.Activation,
        nn.Residual,
        nn.Product,
        nn.FrozenNorm,
        nn.Conv2d,
        nn.AvgPool2d,
        nn.Flatten,
    }
    found = [m.function for network in drawn for m in activations_of(network)]
    assert {f.name for f in found} == set(CATALOGUE)
    for family in ("polynomial", "moebius", "blaschke"):
        members = {f.formula for f in found if f.name == family}
        assert len(members) > 3, family
        poles = {f.obstacles for f in found if f.name == family}
        assert family == "polynomial" or len(poles) > 3, family
    assert {len(activations_of(network)) for network in drawn} == {1, 2, 3, 4, 5, 6}


PLACES = [*itertools.product(CATALOGUE, BLOCKS, COEFFICIENTS)]


@pytest.mark.parametrize(
    "places",
    [
        # each activation in one or two blocks, each block with all coefficients
        pytest.param(PLACES[::7], id="some"),
        pytest.param(PLACES, id="all", marks=pytest.mark.slow),
    ],
)
def test_every_activation_in_every_block(places):
    for name, block, coefficients in places:
        stands_in_its_block(name, block, coefficients)


def stands_in_its_block(name, block, coefficients):
    network, z = random_network(
        3, depth=2, activations=[name], blocks=[block], dtype=C128, coefficients=coefficients
    )
    assert {m.function.name for m in activations_of(network)} == {name}
    assert len(activations_of(network)) == 2
    assert (network.margin(z) >= 0.25 * (1 - 1e-6)).all()
    assert network(z).isfinite().all()
    inside = {type(m) for m in network.modules()}
    expected = {
        "norm": nn.FrozenNorm,
        "residual": nn.Residual,
        "product": nn.Product,
        "convolution": nn.Conv2d,
    }
    assert (z.ndim == 4) == (block == "convolution")
    assert inside & set(expected.values()) == {expected[b] for b in [block] if b != "plain"}


def test_norms_are_calibrated():
    network, z = random_network(0, depth=3, blocks=["norm"], dtype=C128)
    scales = [layer.scale for layer in network.modules() if isinstance(layer, nn.FrozenNorm)]
    assert len(scales) == 3
    assert all((scale != 1).all() for scale in scales)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    nn.calibrate(network, z)
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(tensor, before[name])


def test_a_network_takes_a_training_step():
    network, z = random_network(5)
    network(z).abs().square().mean().backward()
    gradients = [p.grad for p in network.parameters()]
    assert all(g is not None and g.isfinite().all() for g in gradients)


def test_records_are_accepted():
    record = moebius(1, 2, 0.25, 1)
    network, _ = random_network(0, depth=2, activations=[record])
    assert all(m.function is record for m in activations_of(network))
    assert isinstance(record, HolomorphicFunction)
    assert set(public) == {"BLOCKS", "COEFFICIENTS", "random_network"}


@each(
    ("arguments", "error", "match"),
    [
        ({"depth": 0}, ConfigError, "depth=0"),
        ({"depth": -1}, ConfigError, "at least 1"),
        ({"activations": []}, ConfigError, "nothing to draw"),
        ({"blocks": []}, ConfigError, "nothing to draw"),
        ({"activations": ["tahn"]}, UnknownNameError, "'tanh'"),
        ({"blocks": ["plian"]}, UnknownNameError, "'plain'"),
        ({"dtype": torch.float32}, InputTypeError, "float32"),
        ({"coefficients": "quaternion"}, ConfigError, "complex, real, mixed"),
        (
            {"activations": [dataclasses.replace(CATALOGUE["tanh"], base_point=1.5j)]},
            DomainError,
            "clearance",
        ),
    ],
)
def test_bad_arguments_are_refused(arguments, error, match):
    with pytest.raises(error, match=match):
        random_network(0, **arguments)
