"""Ready networks: widths, initial weights, twins of equal size."""

import pytest
import torch
from torch import nn as tnn

from holonet import nn
from holonet.errors import ConfigError, UnknownNameError
from holonet.functions import FunctionClass, get_function


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


@pytest.mark.parametrize("gain", [0.7, 1])
def test_the_gain_is_that_of_the_weights(gain):
    net = nn.holomorphic_mlp(300, [200, 250], 100, gain=gain, generator=generator())
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
    nets = [build(5, [4], 3, generator=generator(s)) for s in (1, 1, 2)]
    first, again, other = (n.state_dict() for n in nets)
    assert all(torch.equal(first[k], again[k]) for k in first)
    assert not all(torch.equal(first[k], other[k]) for k in first)


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


def test_a_complex_parameter_counts_as_two():
    assert nn.real_parameter_count(nn.Linear(3, 2)) == 2 * (3 * 2 + 2)
    assert nn.real_parameter_count(tnn.Linear(3, 2)) == 3 * 2 + 2
    assert nn.real_parameter_count(nn.FrozenNorm(4)) == 16  # statistics are no parameters


@pytest.mark.parametrize("in_features", [20, 784, 3072])
@pytest.mark.parametrize("width", [64, 256])
@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("num_classes", [2, 10])
def test_twins_have_the_same_number_of_parameters(in_features, width, depth, num_classes):
    with torch.device("meta"):
        complex_net = nn.holomorphic_mlp(in_features, [width] * depth, num_classes)
        count = nn.real_parameter_count(complex_net)
        twin = nn.twin_width(count, in_features, depth, num_classes)
        sizes = [
            nn.real_parameter_count(nn.real_mlp(in_features, [w] * depth, num_classes))
            for w in (twin - 1, twin, twin + 1)
        ]
    gaps = [abs(size - count) for size in sizes]
    assert gaps[1] / count < (0.005 if twin > 100 else 0.02)
    assert gaps[1] <= min(gaps) + 2 * depth  # no other width is nearer


def test_a_twin_has_at_least_one_unit():
    assert nn.twin_width(1, 784, 1, 10) == 1
    assert nn.twin_width(1, 784, 2, 10) == 1


def test_bad_arguments_are_refused():
    with pytest.raises(ConfigError, match="depth 0"):
        nn.twin_width(1000, 10, 0, 2)
    with pytest.raises(UnknownNameError, match=r"did you mean .*'sigmoid'"):
        nn.holomorphic_mlp(4, [3], 2, activation="sigmod")
