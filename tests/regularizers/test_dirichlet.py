"""The Dirichlet energy against closed forms, for real and complex points and values."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cases import each
from holonet import nn
from holonet.calculus import Probes
from holonet.errors import ConfigError
from holonet.regularizers import DirichletEnergy

C128 = torch.complex128
KINDS = list(itertools.product(["real", "complex"], repeat=2))
MODES = ["forward", "reverse"]
seeds = st.integers(0, 2**32)


def randn(seed, *shape, dtype=C128):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


class Mixed:
    """(A z) conj(B z) + C z or its real part, at real or complex z, with its energy by hand."""

    def __init__(self, points, values, weights):
        self.points, self.values = points, values
        self.weights = weights  # (3, outputs, inputs)

    def __call__(self, z):
        a, b, c = self.weights
        z = z.to(C128)
        value = (z @ a.mT) * (z @ b.mT).conj() + z @ c.mT
        return value.real if self.values == "real" else value

    def energy(self, z):
        a, b, c = self.weights
        z = z.to(C128)
        by_z = (z @ b.mT).conj()[..., None] * a + c
        by_conj = (z @ a.mT)[..., None] * b.conj()
        if self.values == "real":  # the real part is half the sum with the conjugate
            by_z, by_conj = (by_z + by_conj.conj()) / 2, (by_conj + by_z.conj()) / 2
        if self.points == "real":  # dz = dzbar = dx
            squares = (by_z + by_conj).abs().square()
        else:
            squares = by_z.abs().square() + by_conj.abs().square()
        return squares.sum((1, 2)).mean() / 2


def example(points, values, seed=0, sizes=(3, 2)):
    inputs, outputs = sizes
    f = Mixed(points, values, randn(seed, 3, outputs, inputs))
    dtype = torch.float64 if points == "real" else C128
    return f, randn(seed + 1, 2, inputs, dtype=dtype)


@pytest.mark.parametrize(("points", "values"), KINDS)
@settings(max_examples=5)
@given(seed=seeds)
def test_the_exact_energy_is_the_closed_form(points, values, seed):
    f, z = example(points, values, seed)
    value, energy = DirichletEnergy(None).value_and_penalty(f, z)
    torch.testing.assert_close(value, f(z))
    torch.testing.assert_close(energy, f.energy(z), rtol=1e-12, atol=0)


@each("mode", MODES)
@each(("points", "values"), KINDS)
def test_random_directions_are_unbiased(points, values, mode):
    f, z = example(points, values)
    many, repeats = z.repeat(600, 1), 20
    penalty = DirichletEnergy(1, mode)
    found = torch.stack([penalty(f, many, Probes(seed)) for seed in range(repeats)])
    error = found.std() / repeats**0.5
    exact = f.energy(z)
    assert error < 0.02 * exact
    assert (found.mean() - exact).abs() < 4 * error


@each("mode", MODES)
@each(("points", "values"), KINDS)
def test_one_by_one_every_mode_is_exact_up_to_a_phase(points, values, mode):
    """With one input and one output the only direction is a phase, which holomorphy forgets."""
    f, z = example(points, values, sizes=(1, 1))
    f.weights[1] = 0  # holomorphic
    drawn = DirichletEnergy(1, mode)(f, z, Probes(1))
    if points == values:
        torch.testing.assert_close(drawn, f.energy(z))
    else:
        assert drawn <= 2 * f.energy(z) * (1 + 1e-12)


@each("mode", MODES)
@each(("points", "values"), KINDS)
@pytest.mark.parametrize("fast", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_the_energy_can_be_differentiated_in_parameters(points, values, mode, fast):
    f, z = example(points, values)

    def penalty(weights):
        return DirichletEnergy(2, mode)(Mixed(points, values, weights), z, Probes(3))

    assert torch.autograd.gradcheck(penalty, (f.weights.requires_grad_(),), fast_mode=fast)


@pytest.mark.parametrize(("points", "values"), KINDS)
def test_the_gradient_of_the_exact_energy_is_that_of_the_closed_form(points, values):
    f, z = example(points, values)
    f.weights.requires_grad_()
    (expected,) = torch.autograd.grad(f.energy(z), f.weights)
    (found,) = torch.autograd.grad(DirichletEnergy(None)(f, z), f.weights)
    torch.testing.assert_close(found, expected)


@each("mode", [*MODES, "exact"])
@each(("points", "values"), KINDS)
def test_the_gradient_of_a_network_points_down(points, values, mode):
    """A step of gradient descent lowers the exact energy of a real network."""
    net = nn.to_precision(nn.holomorphic_mlp(3, [8], 2, activation="sin"), C128)
    f = net if values == "real" else lambda z: net.holomorphic_map(z.to(C128))
    z = randn(0, 16, 3, dtype=torch.float64 if points == "real" else C128)
    penalty = DirichletEnergy(None) if mode == "exact" else DirichletEnergy(8, mode)
    before = DirichletEnergy(None)(f, z)
    penalty(f, z, Probes(0)).backward()
    with torch.no_grad():
        for parameter in net.parameters():
            if parameter.grad is not None:
                parameter.sub_(1e-3 * parameter.grad)
    assert DirichletEnergy(None)(f, z) < before


@each("penalty", [DirichletEnergy(None), *(DirichletEnergy(2, m) for m in MODES)])
@each("dtype", [torch.float64, C128])
def test_constants_have_no_energy(penalty, dtype):
    z = randn(0, 4, 3, dtype=dtype)
    constant = randn(1, 4, 2, dtype=dtype)
    for f in (
        lambda z: constant,
        lambda z: 0 * z + 1,
        torch.round
        if dtype.is_floating_point
        else (lambda z: torch.complex(z.real.round(), z.imag.round())),
    ):
        assert penalty(f, z) == 0


@each("penalty", [DirichletEnergy(None), *(DirichletEnergy(2, m) for m in MODES)])
@each(("points", "values"), KINDS)
@settings(max_examples=2)
@given(a=st.complex_numbers(min_magnitude=1e-3, max_magnitude=1e3))
def test_the_energy_scales_with_the_square(penalty, points, values, a):
    f, z = example(points, values)
    if values == "real" or (penalty.count and penalty.mode == "reverse"):
        a = abs(a)  # a phase would turn the directions of the output
    scaled = penalty(lambda z: a * f(z), z, Probes(4))
    expected = penalty(f, z, Probes(4)) * abs(a) ** 2
    torch.testing.assert_close(scaled, expected, rtol=1e-10, atol=0)


def test_a_penalty_is_not_negative_and_a_scalar():
    f, z = example("complex", "complex")
    for penalty in (DirichletEnergy(None), DirichletEnergy(1, "forward"), DirichletEnergy(1)):
        assert penalty(f, z).shape == ()
        assert penalty(f, z) >= 0


@pytest.mark.parametrize("mode", MODES)
def test_counts_are_averaged_over_one_stream(mode):
    f, z = example("complex", "complex")
    stream = Probes(9)
    one_by_one = torch.stack([DirichletEnergy(1, mode)(f, z, stream) for _ in range(3)])
    torch.testing.assert_close(DirichletEnergy(3, mode)(f, z, Probes(9)), one_by_one.mean())


@pytest.mark.parametrize(
    "penalty", [DirichletEnergy(None), *(DirichletEnergy(1, m) for m in MODES)]
)
def test_images_in_and_one_number_out(penalty):
    """Values without a class axis, a loss for example, and points with several axes."""
    x = randn(0, 4, 1, 2, 3, dtype=torch.float64)
    value, energy = penalty.value_and_penalty(lambda x: (x * x).sum((1, 2, 3)), x)
    assert value.shape == (4,)
    assert energy > 0
    if penalty.count is None or penalty.mode == "reverse":  # one output: +-1 is exact
        torch.testing.assert_close(energy, 2 * x.square().sum() / 4)


def test_few_outputs_favor_reverse():
    x = randn(0, 200, 50, dtype=torch.float64)
    a = randn(1, 2, 50, dtype=torch.float64)
    spread = {
        mode: torch.stack(
            [DirichletEnergy(1, mode)(lambda x: x @ a.mT, x, Probes(s)) for s in range(20)]
        ).std()
        for mode in MODES
    }
    assert spread["reverse"] < spread["forward"] / 2
    assert DirichletEnergy().mode == "reverse"


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"count": 0}, "count=0"),
        ({"count": -2}, "count=-2"),
        ({"mode": "sideways"}, "sideways"),
    ],
)
def test_bad_arguments_are_refused(arguments, match):
    with pytest.raises(ConfigError, match=match):
        DirichletEnergy(**arguments)
