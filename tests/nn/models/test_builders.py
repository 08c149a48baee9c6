"""Parts of ready networks: what they start with, and residual blocks."""

import pytest
import torch
from torch import nn as tnn

from holonet import nn
from holonet.errors import ConfigError
from holonet.nn.models.builders import (
    HolomorphicBuilder,
    LayerBuilder,
    RealBuilder,
    ScaledResidual,
    residual_blocks,
)

C128 = torch.complex128


def holomorphic(normalizer="none", seed=0, dtype=torch.complex64, gain=0.8):
    generator = torch.Generator().manual_seed(seed)
    return HolomorphicBuilder("sin", gain, normalizer, 0.2, generator, dtype)


def real(seed=0):
    return RealBuilder(tnn.ReLU, 0.2, torch.Generator().manual_seed(seed))


def test_both_are_kits():
    assert isinstance(holomorphic(), LayerBuilder)
    assert isinstance(real(), LayerBuilder)


@pytest.mark.parametrize("build", [lambda k: k.linear(200, 150), lambda k: k.conv(20, 60, 5)])
def test_the_variance_of_first_weights(build):
    layer = build(holomorphic())
    fan = layer.weight[0].numel()
    assert layer.weight.abs().square().mean().item() * fan == pytest.approx(0.64, rel=0.04)
    twin = build(real())
    assert twin.weight.square().mean().item() * fan == pytest.approx(2, rel=0.04)
    assert not layer.bias.any()
    assert not twin.bias.any()


@pytest.mark.parametrize("kit", [holomorphic, real])
def test_a_generator_leaves_the_global_stream_alone(kit):
    state = torch.get_rng_state()
    first, again, other = (kit(seed=s).linear(4, 3).weight for s in (1, 1, 2))
    kit().conv(2, 3, 3)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("kit", [holomorphic(), real()])
@pytest.mark.parametrize(("kernel", "stride", "sides"), [(5, 2, (7, 4)), (3, 1, (13, 8))])
def test_convolutions_are_padded(kit, kernel, stride, sides):
    layer = kit.conv(2, 3, kernel, stride)
    x = torch.zeros(1, 2, 13, 8, dtype=layer.weight.dtype)
    assert layer(x).shape == (1, 3, *sides)


def test_a_norm_takes_the_place_of_the_bias_in_front_of_it():
    with_norm, without = holomorphic("frozen"), holomorphic("none")
    assert with_norm.linear(3, 4).bias is None
    assert with_norm.conv(3, 4, 3).bias is None
    assert with_norm.linear(3, 4, hidden=False).bias is not None
    assert without.linear(3, 4).bias is not None
    assert without.conv(3, 4, 3).bias is not None
    norm, activation = with_norm.activate(4, -3)
    assert (norm.num_features, norm.feature_axis) == (4, -3)
    assert activation.function.name == "sin"
    assert [type(m) for m in without.activate(4, -3)] == [nn.Activation]


def test_an_unknown_norm_and_a_negative_count_are_refused():
    with pytest.raises(ConfigError, match=r"normalizer='batch': choose one of none, frozen"):
        holomorphic("batch")
    with pytest.raises(ConfigError, match="residual=-1"):
        residual_blocks(real(), lambda: tnn.Linear(3, 3), 3, -1, -1)


def test_no_blocks_are_nothing():
    assert residual_blocks(holomorphic(), lambda: nn.Linear(3, 3), 3, -1, 0) == []


def test_a_block_adds_alpha_times_its_body():
    kit = holomorphic(dtype=C128)
    stem, *blocks = residual_blocks(kit, lambda: kit.linear(3, 3), 3, -1, 2)
    assert type(stem) is nn.FrozenNorm
    assert len(blocks) == 2
    z = torch.randn(5, 3, dtype=C128)
    linear = blocks[0].body[0]
    torch.testing.assert_close(blocks[0](z), z + 0.2 * linear(z).sin())
    assert blocks[1].body[0] is not linear


def test_a_real_block_adds_alpha_times_its_body():
    kit = real()
    (block,) = residual_blocks(kit, lambda: kit.conv(2, 2, 3), 2, -3, 1)
    x = torch.randn(4, 2, 5, 5)
    torch.testing.assert_close(block(x), x + 0.2 * block.body[0](x).relu())
    with torch.no_grad():
        block.scale[1] = 3.0
    torch.testing.assert_close(block(x)[:, 1], (x + 3 * block.body[0](x).relu())[:, 1])
    assert [name for name, _ in block.named_parameters(recurse=False)] == ["scale"]
    assert ScaledResidual(tnn.Identity(), 3, -1, 0.5).scale.tolist() == [0.5] * 3


def test_measured_blocks_add_mean_square_alpha_squared():
    kit = holomorphic(dtype=C128)
    net = nn.Sequential(*residual_blocks(kit, lambda: kit.linear(6, 6), 6, -1, 1))
    z = 7 * torch.randn(300, 6, dtype=C128) - 3j
    nn.calibrate(net, z)
    stream = net[0](z)
    added = net[1](stream) - stream
    for part, expected in ((stream, 1.0), (added, 0.04)):
        found = part.abs().square().mean(0)
        torch.testing.assert_close(found, torch.full_like(found, expected), rtol=1e-4, atol=0)
