"""Ready convolutional networks: layers, sizes, holomorphy, a training step."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn as tnn

from cases import some_of
from holonet import nn
from holonet.errors import ConfigError, ShapeError, UnknownNameError
from holonet.functions import FunctionClass
from holonet.nn.models.builders import ScaledResidual
from holonet.testing import assert_holomorphic

BUILDERS = [nn.holomorphic_convnet, nn.real_convnet]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_layers_and_the_prototypes_size():
    net = nn.holomorphic_convnet((1, 28, 28), [16, 32], 10)
    stage = [nn.Conv2d, nn.Activation]
    dense = [nn.Flatten, nn.Linear, nn.Activation, nn.Linear]
    assert [type(m) for m in net.backbone] == [*stage, *stage, *dense]
    assert net.backbone[2].weight.shape == (32, 16, 5, 5)
    assert net.backbone[5].weight.shape == (100, 32 * 7 * 7)
    assert nn.real_parameter_count(net) == 342316
    assert net.function_class is FunctionClass.HARMONIC
    real = nn.real_convnet((1, 28, 28), [16, 32], 10)
    assert nn.real_parameter_count(real) * 2 == 342316


def test_pooling_residuals_and_norms_have_their_places():
    options = {"kernel_size": 3, "stride": 1, "pooling": 2, "dense": (), "residual": 1}
    net = nn.holomorphic_convnet((1, 8, 8), [2], 3, normalizer="frozen", **options)
    kinds = [nn.Conv2d, nn.FrozenNorm, nn.Activation, nn.AvgPool2d, nn.FrozenNorm, nn.Residual]
    assert [type(m) for m in net.backbone] == [*kinds, nn.Flatten, nn.Linear]
    body = [nn.Conv2d, nn.FrozenNorm, nn.Activation, nn.FrozenNorm]
    assert [type(m) for m in net.backbone[5].body] == body
    real = nn.real_convnet((1, 8, 8), [2], 3, **options)
    kinds = [tnn.Conv2d, tnn.ReLU, tnn.AvgPool2d, ScaledResidual, tnn.Flatten, tnn.Linear]
    assert [type(m) for m in real] == kinds


@pytest.mark.parametrize("build", BUILDERS)
@given(
    shape=st.tuples(*[st.integers(1, 9)] * 3),
    channels=st.lists(st.integers(1, 4), max_size=3),
    kernel_size=st.integers(1, 6),
    stride=st.integers(1, 3),
    pooling=st.integers(1, 2),
    dense=st.lists(st.integers(1, 4), max_size=2),
    residual=st.integers(0, 1),
)
def test_every_form_either_runs_or_says_why_not(
    build, shape, channels, kernel_size, stride, pooling, dense, residual
):
    options = {"kernel_size": kernel_size, "stride": stride, "pooling": pooling, "dense": dense}
    if residual and kernel_size % 2 == 0:
        with pytest.raises(ConfigError, match="odd kernel"):
            build(shape, channels, 3, residual=residual, **options)
        return
    sides = shape[1:]
    for _ in channels:  # what is left of the image
        pad = kernel_size // 2
        sides = [((n + 2 * pad - kernel_size) // stride + 1) // pooling for n in sides]
        if min(sides) == 0:
            with pytest.raises(ShapeError, match="no pixel left"):
                build(shape, channels, 3, residual=residual, **options)
            return
    assert build(shape, channels, 3, residual=residual, **options)(torch.rand(2, *shape)).shape == (
        2,
        3,
    )


@pytest.mark.parametrize("build", BUILDERS)
def test_a_generator_fixes_the_weights_and_leaves_the_global_stream(build):
    state = torch.get_rng_state()
    nets = [build((1, 6, 6), [2], 3, generator=generator(s)).state_dict() for s in (1, 1, 2)]
    assert all(torch.equal(nets[0][k], nets[1][k]) for k in nets[0])
    assert not torch.equal(next(iter(nets[0].values())), next(iter(nets[2].values())))
    assert torch.equal(torch.get_rng_state(), state)


def test_the_arguments_are_used():
    net = nn.holomorphic_convnet(
        (1, 6, 6), [40], 2, readout=nn.Modulus(), gain=2.0, dense=(30,), dtype=torch.complex128
    )
    assert net(torch.rand(1, 1, 6, 6)).dtype is torch.float64
    assert isinstance(net.readout, nn.Modulus)
    assert net.backbone[3].weight.abs().square().mean().item() * 360 == pytest.approx(4, rel=0.1)
    real = nn.real_convnet((1, 6, 6), [2], 2, activation=tnn.Tanh)
    assert isinstance(real[1], tnn.Tanh)


OPTIONS = [{}, {"normalizer": "frozen", "residual": 1}, {"stride": 1, "pooling": 2}]
NETWORKS = [*itertools.product(["square", "exp", "tanh", "sqrt"], OPTIONS)]


@some_of(("activation", "options"), NETWORKS, slice(1, None, 5))
def test_it_is_holomorphic(activation, options):
    net = nn.holomorphic_convnet(
        (1, 4, 4),
        [2],
        3,
        kernel_size=3,
        dense=(4,),
        activation=activation,
        generator=generator(),
        **options,
    )
    x = torch.rand(60, 1, 4, 4, generator=generator())
    nn.init.data_dependent_(net, x)
    assert_holomorphic(net.holomorphic_map, x[:4], radius=0.1)


@pytest.mark.parametrize("build", BUILDERS)
def test_training_steps_bring_the_loss_down(build):
    net = build((1, 8, 8), [3], 4, kernel_size=3, residual=1, dense=(6,), generator=generator())
    x = torch.rand(40, 1, 8, 8, generator=generator())
    y = torch.arange(40) % 4
    if isinstance(net, nn.HolomorphicClassifier):
        nn.init.data_dependent_(net, x)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    losses = []
    for _ in range(30):
        loss = tnn.functional.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        assert all(p.grad is not None and p.grad.any() for p in net.parameters())
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.parametrize("build", BUILDERS)
def test_bad_arguments_are_refused(build):
    with pytest.raises(ShapeError, match=r"in_shape \(64,\).*perceptron"):
        build((64,), [4], 10)
    with pytest.raises(ShapeError, match="no pixel left behind stage 2 of 3"):
        build((1, 4, 4), [2, 2, 2], 10, pooling=2, stride=1)
    with pytest.raises(ConfigError, match="stride=0"):
        build((1, 8, 8), [4], 10, stride=0)
    with pytest.raises(ConfigError, match="kernel_size=4 with residual=1"):
        build((1, 8, 8), [4], 10, kernel_size=4, residual=1)


def test_names_are_looked_up():
    with pytest.raises(UnknownNameError, match="tanh"):
        nn.holomorphic_convnet((1, 8, 8), [4], 10, activation="tahn")
