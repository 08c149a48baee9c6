"""Jets of networks against circles and nested forward mode, and the laws of Taylor coefficients."""

import functools
import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn as tnn

from cases import each, some_of
from holonet import nn
from holonet.calculus import (
    directional_derivative,
    fourier_coefficients,
    second_directional_derivative,
)
from holonet.calculus.jets import jet, taylor_polynomial
from holonet.errors import ConfigError, InputTypeError, NotHolomorphicError, ShapeError
from holonet.functions import CATALOGUE

C64, C128 = torch.complex64, torch.complex128
seeds = st.integers(0, 2**32)
orders = st.integers(0, 5)
names = st.sampled_from(["square", "tanh", "exp", "silu", "moebius"])


def randn(seed, *shape, dtype=C128):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@functools.cache
def network(name, seed=0, inputs=3, outputs=2, dtype=C128):
    """A small network whose pre-activations stay near 0, off all singularities."""
    torch.manual_seed(seed)
    layers = (
        nn.Linear(inputs, 4, dtype=dtype),
        nn.Activation(name),
        nn.Linear(4, 4, dtype=dtype),
        nn.Activation(name),
        nn.Linear(4, outputs, dtype=dtype),
    )
    with torch.no_grad():
        for layer in layers:
            for p in layer.parameters():
                p.mul_(0.2)
                if (base := CATALOGUE[name].base_point) and p.ndim == 1:
                    p.add_(base if dtype.is_complex else base.real)
    return nn.Sequential(*layers)


def by_cauchy(f, z, v, order, radius=0.2, samples=32):
    """Taylor coefficients of t -> f(z + t v) from values on a circle."""

    def on_the_circle(t):
        points = z + t.view(-1, *[1] * z.ndim) * v
        return f(points.flatten(0, 1)).unflatten(0, points.shape[:2])

    modes = fourier_coefficients(on_the_circle, 0, radius, samples=samples)
    modes = modes[samples // 2 :][: order + 1]
    power = radius ** torch.arange(order + 1, dtype=torch.float64)
    return modes / power.view(-1, *[1] * (modes.ndim - 1))


def slope(f, v):
    return lambda x: directional_derivative(f, x, v)[1]


def close(got, want, tolerance=1e-10):
    torch.testing.assert_close(got, want, rtol=tolerance, atol=tolerance)


@settings(max_examples=5)
@given(name=st.sampled_from([*CATALOGUE]), seed=seeds)
def test_networks_agree_with_cauchys_formula(name, seed):
    f, z, v = network(name, seed % 3), randn(seed, 2, 3), randn(seed + 1, 2, 3)
    found = jet(f, 0.3 * z, v / v.abs().max(), 8)
    assert found.shape == (9, 2, 2)
    # radius^-8 eps is lost by the circle
    close(found, by_cauchy(f, 0.3 * z, v / v.abs().max(), 8), 1e-8)


@settings(max_examples=5)
@given(name=names, seed=seeds)
def test_networks_agree_with_forward_mode(name, seed):
    f, z, v = network(name), 0.3 * randn(seed, 2, 3), randn(seed + 1, 2, 3)
    value, first, second = jet(f, z, v, 2)
    close(value, f(z), 1e-14)
    close(first, directional_derivative(f, z, v)[1], 1e-12)
    close(second, second_directional_derivative(f, z, v, v)[1] / 2, 1e-12)


@settings(max_examples=5)
@given(name=names, seed=seeds, order=orders, c=st.complex_numbers(max_magnitude=2))
def test_scaling_and_truncation(name, seed, order, c):
    f, z, v = network(name), 0.3 * randn(seed, 2, 3), randn(seed + 1, 2, 3)
    whole = jet(f, z, v, 5)
    close(jet(f, z, v, order), whole[: order + 1], 1e-13)
    powers = torch.tensor([c**k for k in range(6)], dtype=C128).view(-1, 1, 1)
    scale = 1 + (powers * whole).abs().max().item()
    close(jet(f, z, c * v, 5) / scale, powers * whole / scale, 1e-12)


@settings(max_examples=5)
@given(first=names, second=names, seed=seeds, a=st.complex_numbers(max_magnitude=3))
def test_linearity_and_leibniz(first, second, seed, a):
    f, g = network(first, 1), network(second, 2)
    z, v = 0.3 * randn(seed, 2, 3), randn(seed + 1, 2, 3)
    jf, jg = jet(f, z, v, 3), jet(g, z, v, 3)
    close(jet(lambda z: a * f(z) - g(z), z, v, 3), a * jf - jg, 1e-12)
    leibniz = [(jf[: k + 1] * jg[: k + 1].flip(0)).sum(0) for k in range(4)]
    close(jet(nn.Product(f, g), z, v, 3), torch.stack(leibniz), 1e-12)


@settings(max_examples=5)
@given(first=names, second=names, seed=seeds)
def test_chain_rule(first, second, seed):
    """The jet of f o g is that of f along the curve that g makes of the line (Faa di Bruno)."""
    f, g = network(first, 1, inputs=2), network(second, 2)
    z, v = 0.3 * randn(seed, 2, 3), randn(seed + 1, 2, 3)
    curve = jet(g, z, v, 3)
    whole = jet(lambda z: f(g(z)), z, v, 3)
    t = torch.zeros(1, dtype=C128)

    def along_the_curve(t):
        return f(taylor_polynomial(curve, t))

    close(jet(along_the_curve, t, torch.ones_like(t), 3), whole, 1e-11)


@settings(max_examples=5)
@given(seed=seeds, name=names)
def test_the_taylor_polynomial_is_near_the_function(seed, name):
    f, z, v = network(name), 0.3 * randn(seed, 2, 3), randn(seed + 1, 2, 3)
    v = v / v.abs().max()
    coefficients = jet(f, z, v, 8)
    for t in (0.01, 0.01j, torch.tensor([[0.01], [-0.01]])):
        close(taylor_polynomial(coefficients, t), f(z + t * v), 1e-13)


def test_the_taylor_polynomial_of_one_coefficient_is_constant():
    assert taylor_polynomial(torch.tensor([[2.0, 3.0]]), 5).tolist() == [2, 3]


@each("name", ["square", "tanh", "gelu"])
@each("k", [0, 1, 4])
def test_gradients_in_the_parameters_and_in_the_point(name, k):
    f, z, v = network(name), 0.3 * randn(0, 2, 3), randn(1, 2, 3)
    v = (v / v.abs().max()).requires_grad_()
    inputs = [*f.parameters(), z.requires_grad_(), v]
    found, expected = (
        torch.autograd.grad(c[k].abs().square().sum(), inputs, materialize_grads=True)
        for c in (jet(f, z, v, 5), by_cauchy(f, z, v, 5))
    )
    for got, want in zip(found, expected, strict=True):
        close(got, want, 1e-9)
    assert found[0].any()


MODULES = {
    "conv": (
        lambda: nn.Sequential(
            nn.Conv2d(1, 2, 3, padding=1, padding_mode="circular", dtype=C128),
            nn.Tanh(),
            nn.AvgPool2d(2),
            nn.ConvTranspose2d(2, 2, 2, dtype=C128),
            nn.Square(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Linear(8, 3, dtype=C128),
        ),
        (1, 4, 4),
    ),
    "conv1d": (
        lambda: nn.Sequential(
            nn.Conv1d(2, 3, 2, dtype=C128),
            nn.SiLU(),
            nn.AvgPool1d(2),
            nn.AdaptiveAvgPool1d(1),
        ),
        (2, 5),
    ),
    "pool3d": (
        lambda: nn.Sequential(nn.AvgPool3d(2, padding=1), nn.AdaptiveAvgPool3d(1), nn.Sin()),
        (1, 4, 4, 4),
    ),
    "residual": (lambda: nn.Residual(nn.Sequential(nn.Linear(3, 3, dtype=C128), nn.GELU())), (3,)),
    "product": (lambda: nn.Product(nn.Linear(3, 3, dtype=C128), nn.Exp(), nn.Sigmoid()), (3,)),
    "norm": (
        lambda: nn.calibrate(nn.Sequential(nn.FrozenNorm(3, dtype=C128), nn.Softplus()), Z3),
        (3,),
    ),
    "threshold": (lambda: nn.Threshold(2.0, channels=3, dtype=torch.float64), (3,)),
    "classifier": (
        lambda: nn.HolomorphicClassifier(nn.Linear(3, 2, dtype=C128)).holomorphic_map,
        (3,),
    ),
}
Z3 = randn(9, 8, 3)


@each("name", MODULES)
def test_modules(name):
    build, shape = MODULES[name]
    torch.manual_seed(0)
    module = build()
    z, v = 0.2 * randn(0, 2, *shape), 0.2 * randn(1, 2, *shape)
    close(jet(module, z, v, 8), by_cauchy(module, z, v, 8, radius=0.5), 1e-10)
    close(jet(module, z, v, 1)[1], directional_derivative(module, z, v)[1], 1e-13)


@each("dtype", [torch.float32, torch.float64, C64, C128])
@each("order", [0, 1, 3])
def test_precision_and_shape_are_kept(dtype, order):
    z = randn(0, 4, 3, dtype=dtype)
    found = jet(lambda z: (z * z).sum(1), z, torch.ones_like(z), order)
    assert found.dtype is dtype
    assert found.shape == (order + 1, 4)
    close(found[0], (z * z).sum(1), 1e-5)
    assert not found[3:].any()


@pytest.mark.parametrize("readout", [nn.RealPart(), nn.ImagPart(), nn.Modulus(), nn.LogModulus()])
def test_real_points_go_through_readouts(readout):
    """Along a real line the logits are real-analytic; along a complex one they have no series."""
    backbone = network("tanh")
    model = nn.HolomorphicClassifier(backbone, readout)
    x, v = 0.3 * randn(0, 2, 3, dtype=torch.float64), randn(1, 2, 3, dtype=torch.float64)
    found = jet(model, x, v, 3)
    assert found.dtype is torch.float64
    expected, factorial = model, 1
    for k in range(4):
        close(found[k], expected(x) / factorial, 1e-11)
        factorial *= k + 1
        expected = slope(expected, v)
    with pytest.raises(NotHolomorphicError, match="holomorphic_map"):
        jet(model, x.to(C128), v.to(C128), 2)


@each("activation", [tnn.Tanh, tnn.Sigmoid, tnn.SiLU, tnn.GELU, tnn.Softplus, tnn.Identity])
def test_real_networks(activation):
    torch.manual_seed(0)
    f = tnn.Sequential(tnn.Linear(3, 4), activation(), tnn.Linear(4, 2)).double()
    x, v = randn(0, 2, 3, dtype=torch.float64), randn(1, 2, 3, dtype=torch.float64)
    value, first, second = jet(f, x, v, 2)
    close(value, f(x), 1e-14)
    close(first, directional_derivative(f, x, v)[1], 1e-12)
    t = 0.02
    found = taylor_polynomial(jet(f, x, v, 8), t)
    close(found, f(x + t * v), 1e-13)
    central = (f(x + 1e-4 * v) - 2 * f(x) + f(x - 1e-4 * v)) / 2e-8
    close(second, central, 1e-6)


def test_constants_and_the_line_itself():
    z, v = randn(0, 2), randn(1, 2)
    for constant in (lambda z: torch.ones(2, dtype=C128), torch.ones_like, lambda z: z.detach()):
        found = jet(constant, z, v, 3)
        assert torch.equal(found[0], constant(z))
        assert not found[1:].any()
    line = torch.stack([z, v, 0 * z])
    assert torch.equal(jet(lambda z: z, z, v, 2), line)
    assert torch.equal(jet(lambda z: z, z, v, 0), line[:1])


def test_jets_inside_of_torchs_transforms():
    f, z, v, w = network("tanh"), 0.3 * randn(0, 2, 3), randn(1, 2, 3), randn(2, 2, 3)

    def slope(z):
        return jet(f, z, v, 2)[1]

    mixed = directional_derivative(slope, z, w)[1]
    close(mixed, second_directional_derivative(f, z, v, w)[1], 1e-12)
    rows = torch.func.vmap(lambda z, v: jet(f, z, v, 3))(z, v)
    close(rows.movedim(0, 1), jet(f, z, v, 3), 1e-13)


def test_the_cost_is_polynomial_in_the_order():
    """Counted in calls of the product that an activation makes."""
    calls = []

    class Counted(tnn.Module):
        def forward(self, z):
            calls.append(1)
            return z * z

    jet(tnn.Sequential(Counted(), Counted()), randn(0, 2), randn(1, 2), 30)
    assert len(calls) == 2


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ((Z3, Z3, -1), ConfigError, r"order=-1"),
        ((Z3, Z3[:1], 2), ShapeError, r"\(1, 3\).*\(8, 3\).*expand_as"),
        ((Z3, Z3.to(C64), 2), InputTypeError, "complex64.*complex128"),
        ((Z3.real, Z3, 2), InputTypeError, "complex128.*float64"),
        ((torch.ones(2, dtype=torch.int64),) * 2 + (2,), InputTypeError, "int64"),
    ],
)
def test_bad_arguments_are_refused(arguments, error, match):
    with pytest.raises(error, match=match):
        jet(torch.exp, *arguments)


def test_a_function_that_gives_no_tensor_is_refused():
    with pytest.raises(InputTypeError, match="gives a tuple"):
        jet(lambda z: (z, z), Z3, Z3, 2)  # pyright: ignore[reportArgumentType]


REAL_ORDERS = [*itertools.product([n for n in CATALOGUE if CATALOGUE[n].real_on_real], [0, 1, 3])]


@some_of(("name", "order"), REAL_ORDERS, slice(None, None, 4))
def test_jets_of_networks_with_real_coefficients(name, order):
    """Along a complex line, and along a real one, where all numbers are real."""
    real = network(name, dtype=torch.float64)
    z, v = 0.3 * randn(1, 4, 3), randn(2, 4, 3)
    expected = by_cauchy(real, z, v, order)
    for ours, theirs in zip(jet(real, z, v, order), expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)
    x, w = z.real.clone(), v.real.clone()
    pairs = zip(jet(real, x, w, order), jet(real, x + 0j, w + 0j, order), strict=True)
    for ours, theirs in pairs:
        assert ours.dtype is torch.float64
        torch.testing.assert_close(ours + 0j, theirs, rtol=1e-9, atol=1e-9)
