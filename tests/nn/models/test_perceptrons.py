"""Ready perceptrons: layers, first weights, residual blocks."""

import itertools

import pytest
import torch
from torch import nn as tnn

from cases import some_of
from holonet import nn
from holonet.errors import ConfigError, UnknownNameError
from holonet.functions import FunctionClass, get_function
from holonet.nn.models.builders import ScaledResidual
from holonet.testing import assert_holomorphic


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_layers_of_a_holomorphic_perceptron():
    net = nn.holomorphic_mlp(12, [8, 6], 3, activation="tanh")
    kinds = [type(layer) for layer in net.backbone]
    assert kinds == [nn.Flatten, nn.Linear, nn.Activation, nn.Linear, nn.Activation, nn.Linear]
    assert [(m.in_features, m.out_features) for m in net.modules() if isinstance(m, nn.Linear)] == [
        (12, 8),
        (8, 6),
        (6, 3),
    ]
    assert isinstance(net.readout, nn.RealPart)
    assert net(torch.rand(2, 3, 4)).shape == (2, 3)
    assert nn.holomorphic_mlp(4, [], 2).function_class is FunctionClass.HARMONIC


def test_the_arguments_are_used():
    net = nn.holomorphic_mlp(
        4, [5], 2, activation=get_function("exp"), readout=nn.Modulus(), dtype=torch.complex128
    )
    assert net.backbone[2].function.name == "exp"
    assert net.function_class is FunctionClass.SUBHARMONIC
    assert net(torch.rand(1, 4)).dtype is torch.float64


def test_real_coefficients_are_torchs_own_real_network():
    options = {"coefficients": "real", "generator": generator()}
    for dtype, real in ((torch.complex64, torch.float32), (torch.complex128, torch.float64)):
        net = nn.holomorphic_mlp(
            12,
            [8, 6],
            3,
            activation="gelu",
            residual=1,
            normalizer="frozen",
            dtype=dtype,
            **options,
        )
        assert all(t.dtype is real for t in (*net.parameters(), *net.buffers()))
        x = torch.rand(5, 3, 4, dtype=real)
        assert net(x).dtype is net.backbone(x).dtype is real
        assert net.dtype is net.holomorphic_map(x.to(dtype)).dtype is dtype
        torch.testing.assert_close(net(x), net(x.to(dtype)))
    net = nn.holomorphic_mlp(12, [8, 6], 3, **options)
    layers = [tnn.Flatten()]
    for linear in net.backbone:
        if isinstance(linear, nn.Linear):
            layers += [tnn.Linear(linear.in_features, linear.out_features), tnn.Identity()]
    plain = tnn.Sequential(*layers[:-1])
    state = dict(zip(plain.state_dict(), net.state_dict().values(), strict=True))
    plain.load_state_dict(state)
    x = torch.rand(5, 12)
    h = plain[1](x).square()
    assert torch.equal(net(x), plain[5](plain[3](h).square()))


@pytest.mark.parametrize("coefficients", ["complex", "real"])
@pytest.mark.parametrize("gain", [0.7, 1])
def test_the_gain_is_that_of_the_weights(gain, coefficients):
    net = nn.holomorphic_mlp(
        300, [200, 250], 100, gain=gain, generator=generator(), coefficients=coefficients
    )
    for layer in net.modules():
        if isinstance(layer, nn.Linear):
            variance = layer.weight.abs().square().mean() * layer.in_features
            assert abs(variance / gain**2 - 1) < 0.04
            assert not layer.bias.any()


def test_the_default_gain_keeps_first_logits_small():
    net = nn.holomorphic_mlp(784, [256, 256], 10, generator=generator())
    assert net(torch.rand(50, 784, generator=generator())).abs().mean() < 15


@pytest.mark.parametrize("build", [nn.holomorphic_mlp, nn.real_mlp])
def test_a_generator_fixes_the_weights(build):
    state = torch.get_rng_state()
    nets = [build(5, [4], 3, residual=1, generator=generator(s)) for s in (1, 1, 2)]
    first, again, other = (n.state_dict() for n in nets)
    assert all(torch.equal(first[k], again[k]) for k in first)
    assert not all(torch.equal(first[k], other[k]) for k in first)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("build", [nn.holomorphic_mlp, nn.real_mlp])
def test_the_global_seed_fixes_the_weights_without_one(build):
    weights = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        weights.append(next(iter(build(5, [4], 3).parameters())))
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_the_real_perceptron():
    net = nn.real_mlp(300, [400], 10, activation=tnn.Tanh, generator=generator())
    assert [type(m) for m in net] == [tnn.Flatten, tnn.Linear, tnn.Tanh, tnn.Linear]
    assert abs(net[1].weight.square().mean() * 300 / 2 - 1) < 0.03
    assert not net[1].bias.any()
    assert net(torch.rand(2, 3, 100)).shape == (2, 10)


def test_residual_blocks_stand_behind_each_hidden_layer():
    net = nn.holomorphic_mlp(7, [5, 4], 3, residual=2, alpha=0.3)
    layer = [nn.Linear, nn.Activation, nn.FrozenNorm, nn.Residual, nn.Residual]
    assert [type(m) for m in net.backbone] == [nn.Flatten, *layer, *layer, nn.Linear]
    assert (net.backbone[4].body[-1].weight == 0.3).all()
    assert net.backbone[9].body[0].weight.shape == (4, 4)
    twin = nn.real_mlp(7, [5, 4], 3, residual=2, alpha=0.3)
    layer = [tnn.Linear, tnn.ReLU, ScaledResidual, ScaledResidual]
    assert [type(m) for m in twin] == [tnn.Flatten, *layer, *layer, tnn.Linear]
    assert (twin[3].scale == 0.3).all()
    x = torch.rand(6, 7)
    assert net(x).shape == twin(x).shape == (6, 3)


def test_norms_stand_in_front_of_activations():
    net = nn.holomorphic_mlp(7, [5], 3, normalizer="frozen")
    kinds = [nn.Flatten, nn.Linear, nn.FrozenNorm, nn.Activation, nn.Linear]
    assert [type(m) for m in net.backbone] == kinds
    assert [m.bias is None for m in net.backbone if isinstance(m, nn.Linear)] == [True, False]


OPTIONS = [{}, {"normalizer": "frozen"}, {"residual": 2}]
NETWORKS = [*itertools.product(["square", "sin", "tanh", "log"], OPTIONS)]


@some_of(("activation", "options"), NETWORKS, slice(2, None, 4))
def test_it_is_holomorphic(activation, options):
    net = nn.holomorphic_mlp(4, [5], 3, activation=activation, generator=generator(), **options)
    x = torch.rand(60, 4, generator=generator())
    nn.init.data_dependent_(net, x)
    assert_holomorphic(net.holomorphic_map, x[:6], radius=0.1)


def test_bad_arguments_are_refused():
    with pytest.raises(ConfigError, match="coefficients='reel': choose one of complex, real"):
        nn.holomorphic_mlp(4, [3], 2, coefficients="reel")
    with pytest.raises(ConfigError, match=r"dtype=torch.float32.*coefficients='real'"):
        nn.holomorphic_mlp(4, [3], 2, dtype=torch.float32)
    with pytest.raises(UnknownNameError, match=r"did you mean .*'sigmoid'"):
        nn.holomorphic_mlp(4, [3], 2, activation="sigmod")
    with pytest.raises(ConfigError, match="normalizer='batch'"):
        nn.holomorphic_mlp(4, [3], 2, normalizer="batch")
    for build in (nn.holomorphic_mlp, nn.real_mlp):
        with pytest.raises(ConfigError, match="residual=-2"):
            build(4, [3], 2, residual=-2)
