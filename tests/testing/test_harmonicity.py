"""Harmonic and pluriharmonic functions are accepted, those that look so are not."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn as torch_nn

from cases import each
from holonet import nn
from holonet.errors import ConfigError, DomainError, InputTypeError
from holonet.functions import CATALOGUE
from holonet.testing import IMPOSTORS, assert_holomorphic, impostors_against
from holonet.testing.harmonicity import assert_harmonic, assert_pluriharmonic

seeds = st.integers(0, 2**32)


def normal(seed, *shape, dtype=torch.complex128):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@each("name", [i.name for i in impostors_against("harmonic")])
@each("seed", [0, 1])
def test_every_impostor_of_harmonicity_is_rejected(name, seed):
    impostor = IMPOSTORS[name]
    with pytest.raises(AssertionError, match="not harmonic"):
        assert_harmonic(impostor.make(), impostor.points(), seed=seed)


@each("name", [i.name for i in impostors_against("pluriharmonic")])
@each("seed", [0, 1])
def test_every_impostor_of_pluriharmonicity_is_rejected(name, seed):
    impostor = IMPOSTORS[name]
    with pytest.raises(AssertionError, match="not pluriharmonic"):
        assert_pluriharmonic(impostor.make(), impostor.points(), seed=seed)


def test_real_models_are_asked_at_real_points():
    assert assert_harmonic(torch_nn.Linear(5, 2)) == 0
    smooth = torch_nn.Sequential(torch_nn.Linear(3, 4), torch_nn.GELU(), torch_nn.Linear(4, 2))
    with pytest.raises(AssertionError, match="not harmonic: Sequential, in eval mode"):
        assert_harmonic(smooth)
    for refused in (
        lambda: assert_pluriharmonic(smooth),
        lambda: assert_harmonic(smooth, normal(0, 4, 3)),
        lambda: assert_holomorphic(smooth),
    ):
        with pytest.raises(InputTypeError, match=r"continuation\.extend.*assert_harmonic"):
            refused()
    batched = torch_nn.Sequential(torch_nn.Linear(4, 4), torch_nn.BatchNorm1d(4))
    with pytest.raises(AssertionError, match=r"in train mode, is no function of one point: alone"):
        assert_harmonic(batched)


PARTS = [*itertools.product((torch.real, torch.imag), (assert_harmonic, assert_pluriharmonic))]
NAMES = sorted(CATALOGUE)


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param([*zip(NAMES, PARTS * len(NAMES), strict=False)], id="each once"),
        pytest.param([*itertools.product(NAMES, PARTS)], id="all", marks=pytest.mark.slow),
    ],
)
def test_parts_of_records_are_harmonic(asked):
    for name, (part, check) in asked:
        record = CATALOGUE[name]
        error = check(lambda z, part=part, record=record: part(record(z)), domain=record.domain)
        assert error < 1e-12, (name, part, check)


@settings(max_examples=5)
@given(seed=seeds)
def test_real_parts_of_holomorphic_maps_are_pluriharmonic(seed):
    a, b = normal(seed, 2, 3, 2)

    def u(z):
        return ((z @ a).sin() * (z @ b)).real

    z = normal(seed + 1, 4, 3)
    assert assert_pluriharmonic(u, z, seed=seed) < 1e-12
    assert assert_harmonic(u, z, seed=seed) < 1e-12


def test_harmonic_is_less_than_pluriharmonic():
    def u(z):
        return z[:, 0].abs().square() - z[:, 1].abs().square()

    z = normal(0, 5, 2)
    assert assert_harmonic(u, z) < 1e-12
    with pytest.raises(AssertionError, match="not pluriharmonic"):
        assert_pluriharmonic(u, z)


def test_harmonic_on_complex_points_is_not_harmonic_on_real_ones():
    """Re f is harmonic on C^n and not on R^n."""
    x = normal(0, 5, 3, dtype=torch.float64)

    def u(z):
        return (z**2).sum(1).real

    assert assert_harmonic(u, x + 0j) < 1e-12
    with pytest.raises(AssertionError, match="not harmonic"):
        assert_harmonic(u, x)


@settings(max_examples=6)
@given(seed=seeds, n=st.integers(1, 6))
def test_trace_free_quadratic_forms_are_harmonic_and_others_not(seed, n):
    a = normal(seed, n, n, dtype=torch.float64)
    a = a + a.mT
    free = a - torch.eye(n, dtype=a.dtype) * a.trace() / n
    x = normal(seed + 1, 5, n, dtype=torch.float64)

    def form(matrix):
        return lambda x: ((x @ matrix) * x).sum(1) + x[:, 0]

    assert assert_harmonic(form(free), x, seed=seed) < 1e-11
    with pytest.raises(AssertionError, match="not harmonic"):
        assert_harmonic(form(free + 0.01 * torch.eye(n, dtype=a.dtype)), x, seed=seed)


def test_affine_functions_are_the_harmonic_ones_of_one_variable():
    x = normal(0, 5, 1, dtype=torch.float64)
    assert assert_harmonic(lambda x: 3 * x + 1, x) < 1e-12
    with pytest.raises(AssertionError, match="not harmonic"):
        assert_harmonic(lambda x: x.relu(), x)


def test_seams_between_harmonic_pieces_are_seen_in_many_variables():
    """The Laplacian of |x_1| is 0 almost everywhere, and the means over spheres are not."""
    x = normal(0, 5, 4, dtype=torch.float64)
    with pytest.raises(AssertionError, match=r"Laplacian radius\^2 / 2d: 0\n"):
        assert_harmonic(lambda x: x[:, 0].abs(), x)


def test_classifiers_of_holomorphic_networks_are_pluriharmonic():
    model = nn.HolomorphicClassifier(nn.Sequential(nn.Linear(5, 6), nn.Sin(), nn.Linear(6, 3)))
    assert assert_pluriharmonic(model) < 1e-12
    assert assert_harmonic(model) < 1e-12
    modulus = nn.HolomorphicClassifier(nn.Linear(5, 3), nn.Modulus())
    with pytest.raises(AssertionError, match="HolomorphicClassifier, in eval mode"):
        assert_pluriharmonic(modulus)


def test_a_real_network_is_not_harmonic():
    network = torch_nn.Sequential(torch_nn.Linear(3, 8), torch_nn.Softplus(), torch_nn.Linear(8, 1))
    x = normal(0, 5, 3, dtype=torch.float64)
    with pytest.raises(AssertionError, match="Sequential, in eval mode"):
        assert_harmonic(network, x)
    assert assert_harmonic(torch_nn.Linear(3, 2), x) < 1e-12


def test_without_forward_mode_the_values_still_tell():
    class Squares(torch.autograd.Function):
        @staticmethod
        def forward(ctx, z):
            return z.abs().square()

        @staticmethod
        def backward(ctx, gradient):
            raise NotImplementedError

    with pytest.raises(AssertionError, match="mean-value property"):
        assert_harmonic(Squares.apply, normal(0, 5))
    with pytest.raises(AssertionError, match="mean-value property"):
        assert_pluriharmonic(Squares.apply, normal(0, 5))


class Dropout(torch_nn.Module):
    """Entries left out at random, in evaluation mode too."""

    def forward(self, z):
        return torch_nn.functional.dropout(z.real.reshape(len(z), -1), 0.5).sum(-1)


@each("event", [(), (2,)])
@each("check", [assert_harmonic, assert_pluriharmonic])
@each(
    "u",
    [
        lambda z: torch.randn(z.shape[:1], dtype=torch.float64),
        lambda z: z.real.reshape(len(z), -1).sum(-1) + 1e-3 * torch.randn(len(z)),
        lambda z: z.real.reshape(len(z), -1).sum(-1) + 1e-9 * torch.randn(len(z)),
        lambda z: torch.round(10 * z.real.reshape(len(z), -1).sum(-1)) / 10,
        lambda z: torch.fake_quantize_per_tensor_affine(z.real.float(), 0.05, 0, -128, 127),
        lambda z: z.real.float(),
        Dropout(),
    ],
)
def test_what_cannot_be_resolved_does_not_pass(check, u, event):
    with pytest.raises(AssertionError, match=r"not (pluri)?harmonic"):
        check(u, normal(3, 8, *event))


def test_a_jump_far_from_the_points_is_undecided_in_many_variables():
    def u(z):
        return (z[:, 0] * z[:, 1]).real + 1e-3 * (z[:, 0].imag > 0.2)

    with pytest.raises(AssertionError, match=r"^undecided.* steps, kinks or noise"):
        assert_harmonic(u, normal(0, 8, 2))
    x = normal(0, 8, 3, dtype=torch.float64)
    with pytest.raises(AssertionError, match=r"^undecided.* steps, kinks or noise"):
        assert_harmonic(lambda x: x[:, 0] * x[:, 1] + 1e-3 * (x[:, 2] > 0.1), x)


def test_poles_near_the_circles_are_met_by_smaller_ones():
    def u(z):
        return (1 / (z - (0.9 + 0.3j))).real

    assert assert_pluriharmonic(u, torch.zeros(1, dtype=torch.complex128)) < 1e-11


def test_bad_requests_are_refused():
    with pytest.raises(InputTypeError, match="complex lines"):
        assert_pluriharmonic(torch.sum, torch.ones(3, 2))
    with pytest.raises(ConfigError, match="radius=0"):
        assert_harmonic(torch.real, normal(0, 3), radius=0)
    with pytest.raises(DomainError, match="branch cut"):
        assert_harmonic(CATALOGUE["log"], torch.tensor([-1 + 0j]))


@pytest.mark.parametrize("scale", [1e-300, 1e300])
def test_the_scale_does_not_decide(scale):
    x = torch.randn(8, 3, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    assert_harmonic(lambda x: scale * (x[:, 0] * x[:, 1] - x[:, 2]), x)
    with pytest.raises(AssertionError, match="not harmonic"):
        assert_harmonic(lambda x: scale * x.square().sum(1), x)


COMPANY = {
    "flip": lambda z: z.flip(0),
    "mean": lambda z: z - z.mean(0),
    "first": lambda z: z * z[:1],
    "running sum": lambda z: z.cumsum(0),
    "position": lambda z: z * torch.arange(len(z))[:, None],
}


@each("name", COMPANY)
@each("count", [1, 5])
def test_what_depends_on_the_rest_of_the_batch_is_no_function_of_a_point(name, count):
    mixing, z = COMPANY[name], normal(3, count, 2)
    with pytest.raises(AssertionError, match=r"not holomorphic.*no function of one point"):
        assert_holomorphic(mixing, z)
    with pytest.raises(AssertionError, match=r"not harmonic.*no function of one point"):
        assert_harmonic(lambda z: mixing(z).real, z)
    with pytest.raises(AssertionError, match=r"not harmonic.*no function of one point"):
        assert_harmonic(mixing, z.real)
    with pytest.raises(AssertionError, match=r"not pluriharmonic.*no function of one point"):
        assert_pluriharmonic(lambda z: mixing(z).real, z)
