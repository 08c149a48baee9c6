"""Every impostor is rejected, random holomorphic networks are not, and messages help."""

import cmath
import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn as torch_nn

from cases import each
from holonet import nn
from holonet.domains import Annulus, Disc
from holonet.errors import ConfigError, DomainError, InputTypeError, ShapeError
from holonet.functions import CATALOGUE
from holonet.testing import COEFFICIENTS, IMPOSTORS, impostors_against, random_network
from holonet.testing.assertions import assert_holomorphic, holomorphy_error

Z = torch.randn(6, 3, generator=torch.Generator().manual_seed(0), dtype=torch.complex128)


AGAINST = [i.name for i in impostors_against("holomorphic")]


@each("name", AGAINST)
@pytest.mark.parametrize(
    ("seeds", "measured"),
    [([0], AGAINST[::10]), pytest.param([0, 1, 2], AGAINST, marks=pytest.mark.slow)],
    ids=["one seed", "three seeds"],
)
def test_every_impostor_is_rejected(name, seeds, measured):
    impostor = IMPOSTORS[name]
    for seed in seeds:
        with pytest.raises(AssertionError, match=r"^(not holomorphic|undecided): "):
            assert_holomorphic(impostor.make(), impostor.points(), seed=seed)
        if name in measured:
            error = holomorphy_error(impostor.make(), impostor.points(), seed=seed)
            assert not error < 1e-10


@pytest.mark.parametrize(
    ("drawn", "depth"),
    [
        ([(0, "complex"), (2, "real"), (3, "mixed")], 2),
        pytest.param([*itertools.product(range(8), COEFFICIENTS)], None, marks=pytest.mark.slow),
    ],
    ids=["small", "many"],
)
def test_random_holomorphic_networks_are_not(drawn, depth):
    for seed, coefficients in drawn:
        dtype = (torch.complex64, torch.complex128)[(seed + len(coefficients)) % 2]
        network, points = random_network(seed, depth=depth, dtype=dtype, coefficients=coefficients)
        assert assert_holomorphic(network, points[:3], seed=seed) < 2e-12, (seed, coefficients)


def record(name):
    return holomorphy_error(CATALOGUE[name])


def activation(name):
    return holomorphy_error(nn.Activation(name))


def plain_function(name):
    return holomorphy_error(CATALOGUE[name].value, domain=CATALOGUE[name].domain)


NAMES = sorted(CATALOGUE)
FORMS = (record, plain_function, activation)


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param([*zip(NAMES, FORMS * len(NAMES), strict=False)][::2], id="each in one form"),
        pytest.param(
            [(name, form) for name in NAMES for form in FORMS], id="all", marks=pytest.mark.slow
        ),
    ],
)
def test_records_and_activations_are_accepted_without_points(asked):
    for name, form in asked:
        assert form(name) < 1e-13, (name, form)


def test_a_plain_callable_and_a_network_are_enough():
    assert assert_holomorphic(torch.sin) < 1e-14
    assert assert_holomorphic(nn.Sequential(nn.Linear(5, 4), nn.Sin(), nn.Linear(4, 2))) < 1e-13
    classifier = nn.HolomorphicClassifier(nn.Linear(5, 2))
    assert assert_holomorphic(classifier) < 1e-13
    assert assert_holomorphic(classifier.holomorphic_map, Z[:, :1].expand(6, 5)) < 1e-13
    assert assert_holomorphic(torch_nn.Linear(3, 2, dtype=torch.cfloat), Z) < 1e-13
    for coefficients in ("complex", "real"):
        network = nn.holomorphic_mlp(5, [4], 2, activation="tanh", coefficients=coefficients)
        assert assert_holomorphic(network) < 1e-12


def test_the_module_is_left_as_it_was():
    network = nn.Sequential(nn.Linear(5, 4), nn.Sin(), nn.Linear(4, 2)).train()
    before = {k: v.clone() for k, v in network.state_dict().items()}
    state = torch.get_rng_state()
    assert_holomorphic(network)
    assert network.training
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())
    assert network[0].weight.dtype == torch.complex64


class ZeroGate(torch_nn.Module):
    def __init__(self):
        super().__init__()
        self.gate = torch_nn.Parameter(torch.zeros((), dtype=torch.cfloat))

    def forward(self, z):
        return z.sin() + self.gate * z.conj()


def test_parameters_are_perturbed_unless_told_otherwise():
    assert holomorphy_error(ZeroGate(), Z, perturb=False) < 1e-13
    assert holomorphy_error(ZeroGate(), Z) > 1e-4


class InTrainingOnly(torch_nn.Module):
    def forward(self, z):
        return z + z.conj() if self.training else z


class InEvaluationOnly(torch_nn.Module):
    def forward(self, z):
        return z if self.training else z.conj()


@pytest.mark.parametrize(
    ("module", "situation"),
    [(InTrainingOnly(), "in train mode"), (InEvaluationOnly(), "in eval mode")],
)
def test_both_modes_are_looked_at(module, situation):
    with pytest.raises(AssertionError, match=situation):
        assert_holomorphic(module, Z)


def test_circles_stay_inside_of_a_domain():
    pole = 1.0 + 0j

    def f(z):
        return 1 / (z - pole)

    z = torch.tensor([0.6, 0.8j, 0.9], dtype=torch.complex128)
    with pytest.raises(AssertionError, match="a pole inside"):
        assert_holomorphic(f, z)
    assert assert_holomorphic(f, z, domain=Annulus(pole, 0, 9)) < 1e-13
    assert assert_holomorphic(f, z, radius=0.05) < 1e-13
    assert assert_holomorphic(f, domain=Disc(-1, 0.5)) < 1e-13


def test_networks_keep_their_circles_from_poles():
    layer = nn.Linear(1, 1, dtype=torch.complex128)
    with torch.no_grad():
        layer.weight.fill_(1)
        layer.bias.fill_(1.4j)  # 0.17 from the pole of tanh at i pi / 2
    network = nn.Sequential(layer, nn.Tanh())
    z = torch.zeros(3, 1, dtype=torch.complex128)
    assert assert_holomorphic(network, z, perturb=False) < 1e-12
    with pytest.raises(AssertionError, match="pole inside"):
        assert_holomorphic(lambda z: network(z), z)


@pytest.mark.parametrize(
    ("f", "z"),
    [
        (CATALOGUE["log"], torch.tensor([-1 + 0j])),
        (CATALOGUE["tanh"], torch.tensor([0.5j * math.pi], dtype=torch.complex128)),
        (nn.Activation("reciprocal"), torch.zeros(2, 1, dtype=torch.complex64)),
        (nn.Sequential(nn.Flatten(), nn.Activation("sqrt")), torch.zeros(2, 1)),
    ],
)
def test_points_on_singularities_and_cuts_are_refused(f, z):
    with pytest.raises(DomainError, match="singularity or branch cut"):
        assert_holomorphic(f, z)


def test_modules_that_overflow_are_looked_at_on_smaller_circles():
    tower = nn.Sequential(*[nn.Activation("exp") for _ in range(4)])
    z = torch.zeros(4, 1, dtype=torch.complex128) + 0.3

    def f(z):
        return tower(z)

    assert assert_holomorphic(tower, z) < 1e-12
    with pytest.raises(AssertionError, match=r"undecided.*not finite"):
        assert_holomorphic(f, z, radius=1.0)


def test_bad_requests_are_refused():
    with pytest.raises(InputTypeError, match="in front of the readout"):
        assert_holomorphic(torch.abs)
    with pytest.raises(InputTypeError, match="int64"):
        assert_holomorphic(torch.sin, torch.ones(3, dtype=torch.int64))
    with pytest.raises(DomainError, match="at least one"):
        assert_holomorphic(torch.sin, torch.ones(0))
    with pytest.raises(ConfigError, match="radius=-1"):
        assert_holomorphic(torch.sin, Z, radius=-1)
    with pytest.raises(ShapeError, match=r"Conv2d.*give points"):
        assert_holomorphic(nn.Sequential(nn.Conv2d(1, 2, 3), nn.Square()))


def test_messages_say_what_was_found():
    with pytest.raises(AssertionError) as caught:
        assert_holomorphic(lambda z: z.exp() + 1e-6 * z.conj(), Z)
    message = str(caught.value)
    assert "depends on conj(z)" in message
    assert "negative modes on a circle of radius" in message
    assert "Cauchy's integral" in message
    with pytest.raises(AssertionError, match=r"undecided.*not finite"):
        assert_holomorphic(lambda z: z * math.inf, Z)
    with pytest.raises(AssertionError, match=r"undecided.*single precision"):
        assert_holomorphic(lambda z: z.to(torch.complex64).sin().to(torch.complex128), Z)
    assert assert_holomorphic(lambda z: z + 1e-9 * z.conj(), Z, tolerance=1e-6) > 1e-10


@settings(max_examples=5)
@given(seed=st.integers(0, 2**32), scale=st.complex_numbers(min_magnitude=1e-6, max_magnitude=1e6))
def test_the_error_does_not_depend_on_a_factor(seed, scale):
    z = torch.randn(4, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.complex128)

    def f(z):
        return z.exp() + 0.1 * z.conj()

    error = holomorphy_error(f, z)
    assert holomorphy_error(lambda z: scale * f(z), z) == pytest.approx(error, rel=1e-6)
    assert error > 1e-3


@pytest.mark.parametrize(
    "f",
    [
        lambda z: torch.from_numpy(np.exp(z.detach().numpy())),
        lambda z: z.detach().exp(),
        lambda z: torch.tensor([cmath.exp(w) for w in z.tolist()], dtype=torch.complex128),
    ],
)
def test_a_function_that_autograd_does_not_follow_is_said_to_be_one(f):
    with pytest.raises(AssertionError, match="no gradient passes through it") as refused:
        assert_holomorphic(f)
    assert "conj(z)" not in str(refused.value)
