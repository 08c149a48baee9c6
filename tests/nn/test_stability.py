"""Deep networks start finite, of order one, with gradients everywhere; inside their domains."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn as tnn

from cases import each
from holonet import nn
from holonet.errors import ConfigError, DomainError
from holonet.functions import CATALOGUE

C128 = torch.complex128
UNSUITABLE = {
    "identity": "adds no nonlinearity",
    "cube": "an input twice as large adds eight times as much, and outliers run away with depth",
}
STEEP = {"square", "cos", "cosh", "erf", "gelu"}  # flat at the base point, or like exp(z^2)
HIDDEN = sorted(set(CATALOGUE) - set(UNSUITABLE))
SINGULAR = [name for name in HIDDEN if CATALOGUE[name].obstacles]
SHAPE = (1, 8, 8)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def images(count, seed):
    """Smooth images in [0, 1], mostly dark, of different brightness."""
    coarse = torch.rand(count, 1, 4, 4, generator=generator(seed)) - 0.4
    fine = tnn.functional.interpolate(coarse, SHAPE[1:], mode="bilinear")
    return fine.clamp(0, 1) * (0.5 + torch.rand(count, 1, 1, 1, generator=generator(seed + 1)))


def gradient_sizes(net, x):
    """|gradient| / |weight| of every affine map."""
    loss = tnn.functional.cross_entropy(net(x), torch.arange(len(x)) % 10)
    weights = [p for p in net.parameters() if p.ndim > 1]
    gradients = torch.autograd.grad(loss, weights)
    return [(g.norm() / w.norm()).item() for g, w in zip(gradients, weights, strict=True)]


def perceptron(name, depth, **options):
    return nn.holomorphic_mlp(
        64, [24], 10, activation=name, residual=depth - 1, generator=generator(), **options
    )


def convnet(name, depth):
    return nn.holomorphic_convnet(
        SHAPE, [4], 10, kernel_size=3, dense=(), activation=name, residual=depth - 1,
        generator=generator(),
    )  # fmt: skip


@each("name", HIDDEN)
@each("build", [perceptron, convnet])
@pytest.mark.parametrize("depths", [(1, 8), pytest.param((2, 4), marks=pytest.mark.slow)])
def test_residual_networks_are_stable_at_depths_1_to_8(name, build, depths):
    for depth in depths:
        net = nn.data_dependent_(build(name, depth), images(200, 0))
        fresh = images(100, 5)
        outputs = net.holomorphic_map(fresh.to(torch.complex64))
        size = outputs.abs().square().mean().sqrt().item()
        assert 0.5 < size < 2
        sizes = gradient_sizes(net, fresh)
        assert min(sizes) > 1e-3
        assert max(sizes) < 30
        assert (net.margin(fresh.to(torch.complex64)) > 0).all()


@each("name", sorted(set(HIDDEN) - STEEP))
@each("depth", [2, 4])
def test_chains_without_residuals_are_stable_at_small_depth(name, depth):
    net = nn.holomorphic_mlp(64, [24] * depth, 10, activation=name, generator=generator())
    nn.data_dependent_(net, images(200, 0))
    fresh = images(100, 5)
    outputs = net.holomorphic_map(fresh.to(torch.complex64))
    assert 0.5 < outputs.abs().square().mean().sqrt().item() < 2
    sizes = gradient_sizes(net, fresh)
    assert min(sizes) > 1e-3
    assert max(sizes) < 30


@each("name", SINGULAR)
@settings(max_examples=20)
@given(
    seed=st.integers(0, 2**32),
    clearance=st.floats(0, 0.9),
    depth=st.integers(1, 4),
    normalizer=st.sampled_from(["none", "frozen"]),
)
def test_the_margin_is_kept_and_the_outputs_are_normalized(
    name, seed, clearance, depth, normalizer
):
    net = nn.holomorphic_mlp(
        3, [4], 2, activation=name, residual=depth - 1, normalizer=normalizer,
        generator=generator(seed), dtype=C128,
    )  # fmt: skip
    x = 30 * torch.randn(20, 3, generator=generator(seed)).double() + 7
    assert nn.data_dependent_(net, x, clearance=clearance, logit_scale=3) is net
    assert (net.margin(x.to(C128)) >= clearance - 1e-9).all()
    outputs = net.holomorphic_map(x.to(C128))
    torch.testing.assert_close(outputs.mean(0), torch.zeros(2, dtype=C128), atol=1e-6, rtol=0)
    assert outputs.abs().square().mean().sqrt().item() == pytest.approx(3, rel=1e-6)


@pytest.mark.parametrize("normalizer", ["none", "frozen"])
def test_norms_hold_the_statistics_of_the_final_network(normalizer):
    net = nn.to_precision(perceptron("sin", 3, normalizer=normalizer), C128)
    x = images(50, 0).double()
    nn.data_dependent_(net, x, scale=0.3)
    seen = {}

    def remember(norm, inputs):
        if isinstance(norm, nn.FrozenNorm):
            seen[norm] = inputs[0]

    for module in net.modules():
        module.register_forward_pre_hook(remember)
    net(x)
    assert len(seen) == (3 if normalizer == "none" else 6)
    for layer, z in seen.items():
        torch.testing.assert_close(layer.mean, z.mean(0))
        variance = (z - z.mean(0)).abs().square().mean(0)
        torch.testing.assert_close(layer.scale, (variance + layer.eps).sqrt())


def test_the_scale_of_the_examples_does_not_matter():
    x = images(100, 0).double()
    outputs = []
    for factor in (1, 1000):
        net = nn.to_precision(perceptron("square", 3), C128)
        outputs.append(nn.data_dependent_(net, factor * x)(factor * x))
    torch.testing.assert_close(*outputs, rtol=1e-3, atol=1e-3)


def test_a_bare_sequence_with_another_readout_is_set_too():
    net = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))
    x = torch.rand(50, 4, generator=generator())
    nn.data_dependent_(net, x, logit_scale=0.1)
    outputs = net(x.to(torch.complex64))
    assert outputs.abs().square().mean().sqrt().item() == pytest.approx(0.1, rel=1e-4)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())
    assert all(p.requires_grad and p.grad is None for p in net.parameters())


def test_what_cannot_be_set_is_refused():
    x = torch.rand(9, 4)
    with pytest.raises(ConfigError, match="no examples"):
        nn.data_dependent_(nn.holomorphic_mlp(4, [3], 2), x[:0])
    with pytest.raises(DomainError, match="logit_scale=0"):
        nn.data_dependent_(nn.holomorphic_mlp(4, [3], 2), x, logit_scale=0)
    with pytest.raises(ConfigError, match="does not end with"):
        nn.data_dependent_(nn.Sequential(nn.Linear(4, 3), nn.Tanh()), x)
    with pytest.raises(ConfigError, match="does not end with"):
        nn.data_dependent_(nn.Sequential(nn.Linear(4, 3, bias=False)), x)
    with pytest.raises(DomainError, match=r"vary by 0\.0"):
        nn.data_dependent_(nn.holomorphic_mlp(4, [3], 2), torch.zeros(9, 4))
    with pytest.raises(DomainError, match="vary by nan"):
        nn.data_dependent_(nn.holomorphic_mlp(4, [3], 2), x / 0)
    with pytest.raises(DomainError, match="clearance 2 asked of tanh"):
        nn.data_dependent_(nn.holomorphic_mlp(4, [3], 2, activation="tanh"), x, clearance=2)
