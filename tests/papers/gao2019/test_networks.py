"""Two-layer networks against holonet's layers, autograd, and the limits of their kernels."""

import math

import pytest
import torch
from scipy.integrate import quad
from torch import Tensor

from cases import each
from holonet.calculus import tangent_kernel
from holonet.papers.gao2019.networks import KINDS, TwoLayer, antisymmetric, normal_weights


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def some(name: str, count: int = 2, width: int = 6, features: int = 4) -> TwoLayer:
    kind = KINDS[name]
    weights = normal_weights(kind, count, width, features, generator=generator())
    signs = torch.randn(count, width, generator=generator(1), dtype=torch.float64)
    return TwoLayer(kind, weights, signs)


def inputs(count: int = 2, examples: int = 5, features: int = 4) -> Tensor:
    return torch.randn(count, examples, features, generator=generator(2), dtype=torch.float64)


def outputs(net: TwoLayer, index: int, x: Tensor) -> Tensor:
    values = net.module(index)(x.to(net.kind.dtype)).squeeze(1)
    return values.real if values.is_complex() else values


@each("name", KINDS)
def test_values_and_derivatives_are_those_of_the_layers(name: str) -> None:
    net, x = some(name), inputs()
    values, slope = net.layer(x)
    gradient, g = net.input_gradient(x), torch.arange(1.0, 6.0, dtype=torch.float64)
    pulled = net.weight_gradient(x, slope, g.expand(2, -1))
    for index in range(2):
        points = x[index].clone().requires_grad_()
        module = net.module(index)
        output = module(points.to(net.kind.dtype)).squeeze(1)
        output = output.real if output.is_complex() else output
        torch.testing.assert_close(values[index], output.detach())
        (output * g).sum().backward()
        torch.testing.assert_close(pulled[index], module[0].weight.grad)
        torch.testing.assert_close(gradient[index] * g.unsqueeze(1), points.grad)


@each("name", KINDS)
def test_kernel_is_that_of_the_layers(name: str) -> None:
    net, x = some(name), inputs()
    for index in range(2):
        kernel = tangent_kernel(net.module(index), x[index].to(net.kind.dtype))
        torch.testing.assert_close(
            net.kernel(x)[index], kernel.real if kernel.is_complex() else kernel
        )


@each("name", KINDS)
def test_antisymmetric_start_has_zero_outputs_and_unit_output_weights(name: str) -> None:
    net = antisymmetric(KINDS[name], 8, 4, generator())
    assert net.weights.shape == (1, 8, 4)
    assert net.layer(inputs(1))[0].abs().max() < 1e-12
    assert net.signs.square().sum().item() == pytest.approx(1)


@each("name", KINDS)
def test_kernel_of_a_wide_network_is_the_limit(name: str) -> None:
    kind, distances = KINDS[name], []
    x = normal_weights(kind, 6, 3, generator=generator(3))
    x = x / torch.linalg.vector_norm(x, dim=1, keepdim=True)
    limit = kind.limit(x @ x.mH)
    for width in (64, 65536):
        # kind.limit is Hermitian: the transpose must be refused for complex points
        slope = (
            kind.scale
            * kind.values(x @ normal_weights(kind, width, 3, generator=generator()).mT)[1]
        )
        kernel = slope @ slope.mH / width * (x @ x.mH)
        distances.append(
            (torch.linalg.vector_norm(kernel - limit) / torch.linalg.vector_norm(limit)).item()
        )
    assert distances[1] < 0.03
    assert 8 < distances[0] / distances[1] < 128  # 32 by theory
    torch.testing.assert_close(limit.diagonal().real, torch.full((6,), 0.5, dtype=torch.float64))
    if kind.complex:
        assert torch.linalg.vector_norm(limit - limit.mT) > 0.1


def test_limits_are_the_integrals_at_one_correlation() -> None:
    c = 0.3

    def normal(t: float) -> float:
        return math.exp(-t * t / 2) / math.sqrt(2 * math.pi)

    def mean(f, g) -> float:
        def inner(u: float) -> float:
            return quad(lambda t: g(c * u + math.sqrt(1 - c * c) * t) * normal(t), -9, 9)[0]

        return quad(lambda u: f(u) * inner(u) * normal(u), -9, 9)[0]

    sin = KINDS["sin x"]
    expected = c * sin.scale**2 * mean(math.cos, math.cos)
    assert sin.limit(torch.tensor(c)).item() == pytest.approx(expected, rel=1e-6)
    relu = c * (0.25 + math.asin(c) / (2 * math.pi))  # the probability of two positive normals
    assert KINDS["relu"].limit(torch.tensor(c)).item() == pytest.approx(relu, rel=1e-6)


def test_squares_of_complex_coefficients_are_real_squares_of_twice_the_width() -> None:
    net, x = some("z^2"), inputs()
    real = TwoLayer(
        KINDS["x^2"],
        torch.cat([net.weights.real, net.weights.imag], 1),
        torch.cat([net.signs, -net.signs], 1),
    )
    torch.testing.assert_close(net.layer(x)[0], real.layer(x)[0])
