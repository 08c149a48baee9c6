"""Deep networks start finite, of order one, with gradients everywhere; inside their domains."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn as tnn

from cases import each
from holonet import nn
from holonet.errors import ConfigError, DomainError
from holonet.functions import CATALOGUE
from holonet.nn import init

C64, C128 = torch.complex64, torch.complex128
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


# a polynomial, entire ones of which two are steep, poles, a cut, and both a pole and a cut
SOME = ["square", "sin", "gelu", "tanh", "reciprocal", "log", "softplus"]


@pytest.mark.parametrize(
    ("names", "depths"),
    [(SOME, (1, 8)), pytest.param(HIDDEN, (1, 2, 4, 8), marks=pytest.mark.slow)],
    ids=["some", "all"],
)
@each("build", [perceptron, convnet])
def test_residual_networks_are_stable_at_depths_1_to_8(names, build, depths):
    for name, depth in itertools.product(names, depths):
        net = nn.init.data_dependent_(build(name, depth), images(200, 0))
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
    nn.init.data_dependent_(net, images(200, 0))
    fresh = images(100, 5)
    outputs = net.holomorphic_map(fresh.to(torch.complex64))
    assert 0.5 < outputs.abs().square().mean().sqrt().item() < 2
    sizes = gradient_sizes(net, fresh)
    assert min(sizes) > 1e-3
    assert max(sizes) < 30


@each("name", SINGULAR)
@settings(max_examples=3)
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
    assert nn.init.data_dependent_(net, x, clearance=clearance, logit_scale=3) is net
    assert (net.margin(x.to(C128)) >= clearance - 1e-9).all()
    outputs = net.holomorphic_map(x.to(C128))
    torch.testing.assert_close(outputs.mean(0), torch.zeros(2, dtype=C128), atol=1e-6, rtol=0)
    assert outputs.abs().square().mean().sqrt().item() == pytest.approx(3, rel=1e-6)


@pytest.mark.parametrize("normalizer", ["none", "frozen"])
def test_norms_hold_the_statistics_of_the_final_network(normalizer):
    net = nn.to_precision(perceptron("sin", 3, normalizer=normalizer), C128)
    x = images(50, 0).double()
    nn.init.data_dependent_(net, x, scale=0.3)
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
        outputs.append(nn.init.data_dependent_(net, factor * x)(factor * x))
    torch.testing.assert_close(*outputs, rtol=1e-3, atol=1e-3)


def test_a_bare_sequence_with_another_readout_is_set_too():
    net = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))
    x = torch.rand(50, 4, generator=generator())
    nn.init.data_dependent_(net, x, logit_scale=0.1)
    outputs = net(x.to(torch.complex64))
    assert outputs.abs().square().mean().sqrt().item() == pytest.approx(0.1, rel=1e-4)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())
    assert all(p.requires_grad and p.grad is None for p in net.parameters())


def test_what_cannot_be_set_is_refused():
    x = torch.rand(9, 4)
    with pytest.raises(ConfigError, match="no examples"):
        nn.init.data_dependent_(nn.holomorphic_mlp(4, [3], 2), x[:0])
    with pytest.raises(DomainError, match="logit_scale=0"):
        nn.init.data_dependent_(nn.holomorphic_mlp(4, [3], 2), x, logit_scale=0)
    with pytest.raises(ConfigError, match="does not end with"):
        nn.init.data_dependent_(nn.Sequential(nn.Linear(4, 3), nn.Tanh()), x)
    with pytest.raises(ConfigError, match="does not end with"):
        nn.init.data_dependent_(nn.Sequential(nn.Linear(4, 3, bias=False)), x)
    with pytest.raises(DomainError, match=r"vary by 0\.0"):
        nn.init.data_dependent_(nn.holomorphic_mlp(4, [3], 2), torch.zeros(9, 4))
    with pytest.raises(DomainError, match="vary by nan"):
        nn.init.data_dependent_(nn.holomorphic_mlp(4, [3], 2), x / 0)
    with pytest.raises(DomainError, match="clearance 2 asked of tanh"):
        nn.init.data_dependent_(nn.holomorphic_mlp(4, [3], 2, activation="tanh"), x, clearance=2)


def network(name, widths=(5, 6, 6, 2), dtype=C128):
    layers = []
    for k, (inner, outer) in enumerate(itertools.pairwise(widths)):
        layers += [nn.Activation(name)] if k else []
        layers.append(nn.Linear(inner, outer, dtype=dtype))
    return nn.Sequential(*layers)


def wild(seed, *shape, dtype=C128):
    z = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)
    return 30 * z + 7 - 5j


@each(
    "name", ["log", "sqrt", "reciprocal", "tanh", "tan", "softplus", "sigmoid", "atan", "moebius"]
)
@given(seed=st.integers(0, 2**32), clearance=st.floats(0, 0.9), scale=st.floats(0.1, 10))
def test_data_driven_keeps_the_clearance(name, seed, clearance, scale):
    torch.manual_seed(seed)
    net, z = network(name), wild(seed, 40, 5)
    assert nn.init.data_driven_(net, z, scale=scale, clearance=clearance) is net
    assert (net.margin(z) >= clearance - 1e-9).all()
    assert net(z).isfinite().all()


@each("name", ["sin", "square", "tanh", "log"])
@each("scale", [0.05, 0.2])
def test_data_driven_centers_at_the_base_point_and_meets_the_scale(name, scale):
    net, z = network(name), wild(1, 200, 5)
    init.data_driven_(net, z, scale=scale, clearance=0.01)
    for k in (1, 3):
        h = net[:k](z) - net[k].function.base_point
        torch.testing.assert_close(h.mean(0), torch.zeros_like(h.mean(0)), rtol=0, atol=1e-10)
        assert h.abs().square().mean().sqrt().item() == pytest.approx(scale)


def test_the_clearance_goes_before_the_scale():
    net, z = network("tanh"), wild(1, 200, 5)
    init.data_driven_(net, z, scale=100, clearance=0.25)
    for k in (1, 3):
        largest = net[:k](z).abs().amax()
        torch.testing.assert_close(largest, largest.new_tensor(math.pi / 2 - 0.25))


@pytest.mark.parametrize("dtype", [C64, C128])
def test_data_driven_through_convolutions_norms_and_branches(dtype):
    def branch(name):
        return tnn.Sequential(nn.Conv2d(3, 3, 1, dtype=dtype), nn.Activation(name))

    net = nn.Sequential(
        nn.Conv2d(2, 3, 2, dtype=dtype),
        nn.FrozenNorm(3, -3, dtype=dtype),
        nn.Activation("log"),
        nn.Residual(branch("tan")),
        nn.Product(branch("sqrt"), branch("exp")),
        nn.Flatten(),
        nn.Linear(12, 2, dtype=dtype),
        tnn.Identity(),
        nn.Tanh(),
    )
    z = wild(2, 30, 2, 3, 3, dtype=dtype)
    init.data_driven_(net, z, clearance=0.2)
    assert (net.margin(z) >= 0.2 - 1e-4).all()


def test_a_skipped_preactivation_is_centered_for_every_reader():
    """The layer's new output must reach the other branch too, or what follows is mistaken."""
    net = nn.Sequential(
        nn.Linear(5, 6, dtype=C128),
        nn.Product(nn.Tanh(), tnn.Identity()),
        nn.Linear(6, 6, dtype=C128),
        nn.Activation("log"),
    )
    z = wild(0, 50, 5)
    init.data_driven_(net, z, clearance=0.3)
    assert (net.margin(z) >= 0.3 - 1e-9).all()
    same = nn.Sequential(nn.Linear(5, 6, dtype=C128), nn.Product(nn.Tanh(), nn.Tanh()))
    init.data_driven_(same, z, clearance=0.3)
    assert (same.margin(z) >= 0.3 - 1e-9).all()


def test_constant_data_are_only_shifted():
    net = network("log")
    init.data_driven_(net, torch.zeros(4, 5, dtype=C128))
    torch.testing.assert_close(net.margin(torch.zeros(4, 5, dtype=C128)), torch.ones(4).double())


def test_data_driven_leaves_no_hooks_and_no_gradients():
    net = network("tanh")
    init.data_driven_(net, wild(0, 9, 5))
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())
    assert all(p.requires_grad and p.grad is None for p in net.parameters())


shared = nn.Linear(5, 5, dtype=C128)


@each(
    ("layers", "arguments", "match"),
    [
        ([nn.Tanh()], {}, "not the output of an affine layer"),
        ([nn.Linear(5, 5, bias=False, dtype=C128), nn.Tanh()], {}, "not the output of an affine"),
        ([nn.Residual(shared), nn.Tanh()], {}, "not the output of an affine"),
        ([shared, nn.Product(nn.Tanh(), nn.Exp())], {}, "feeds tanh and exp"),
        ([shared, nn.Tanh(), shared, nn.Tanh()], {}, "used 2 times"),
        (
            [shared, nn.Activation("log")],
            {"clearance": 1.5},
            "clearance 1.5 asked of log, which is 1 away",
        ),
        ([shared], {"scale": 0}, "scale=0"),
        ([shared], {"clearance": -1}, "clearance=-1"),
    ],
)
def test_what_cannot_be_centered_is_refused(layers, arguments, match):
    with pytest.raises(DomainError, match=match):
        init.data_driven_(nn.Sequential(*layers), wild(0, 9, 5), **arguments)


@each("name", SINGULAR)
@each("normalizer", ["none", "frozen"])
def test_real_coefficients_are_set_on_real_and_on_complex_examples(name, normalizer):
    options = {"activation": name, "residual": 1, "normalizer": normalizer}
    net = nn.holomorphic_mlp(
        64, [12], 5, coefficients="real", dtype=C128, generator=generator(), **options
    )
    x = images(60, 0).double()
    for points in (x, x + 0.1j * x.flip(0)):
        init.data_dependent_(net, points, clearance=0.1)
        assert all(not t.is_complex() for t in (*net.parameters(), *net.buffers()))
        assert (net.margin(points) >= 0.1 - 1e-9).all()
        outputs = net.backbone(points)
        assert abs(outputs.mean().real) < 1e-6
        assert abs(outputs.abs().square().mean().sqrt() - 1) < 1e-6
