"""Counts of parameters and of multiply-adds, against counts by hand and by torch."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn as tnn
from torch.utils.flop_counter import FlopCounterMode

from cases import each
from holonet import nn
from holonet.errors import ConfigError
from holonet.nn.models.builders import ScaledResidual


def test_a_complex_parameter_counts_as_two():
    assert nn.real_parameter_count(nn.Linear(3, 2)) == 2 * (3 * 2 + 2)
    assert nn.real_parameter_count(tnn.Linear(3, 2)) == 3 * 2 + 2
    assert nn.real_parameter_count(nn.FrozenNorm(4)) == 16  # statistics are no parameters
    assert nn.real_parameter_count(nn.Linear(3, 2, dtype=torch.float32)) == 3 * 2 + 2


@each(
    ("layer", "shape", "expected"),
    [
        (tnn.Linear(3, 2), (3,), 6),
        (nn.Linear(3, 2), (3,), 24),
        (tnn.Linear(3, 2), (5, 3), 30),
        (tnn.Conv2d(2, 4, 3), (2, 5, 6), 4 * 3 * 4 * 2 * 9),
        (nn.Conv2d(2, 4, 3), (2, 5, 6), 4 * 4 * 3 * 4 * 2 * 9),
        (tnn.Conv2d(4, 8, 3, groups=2, padding=1), (4, 5, 5), 25 * 8 * 2 * 9),
        (nn.Conv1d(2, 3, 2), (2, 4), 4 * 3 * 3 * 2 * 2),
        (tnn.Conv3d(1, 2, 2), (1, 2, 2, 2), 2 * 8),
        (tnn.ConvTranspose2d(2, 3, 2, stride=2), (2, 4, 4), 16 * 2 * 3 * 4),
        (nn.ConvTranspose2d(2, 3, 2, stride=2), (2, 4, 4), 4 * 16 * 2 * 3 * 4),
        (nn.FrozenNorm(4, -3), (4, 2, 2), 4 * 16),
        (nn.Linear(3, 2, dtype=torch.float32), (3,), 6),
        (nn.Conv2d(2, 4, 3, dtype=torch.float32), (2, 5, 6), 4 * 3 * 4 * 2 * 9),
        (nn.ConvTranspose2d(2, 3, 2, stride=2, dtype=torch.float32), (2, 4, 4), 16 * 2 * 3 * 4),
        (nn.FrozenNorm(4, -3, dtype=torch.float32), (4, 2, 2), 16),
        (ScaledResidual(tnn.Linear(3, 3), 3, -1, 0.1), (3,), 9 + 3),
        (tnn.AvgPool2d(2), (3, 4, 4), 3 * 4 * 4),
        (nn.AvgPool2d(2), (3, 4, 4), 2 * 3 * 4 * 4),
        (tnn.AvgPool2d((2, 1), stride=1), (1, 3, 3), 2 * 3 * 2),
        (nn.AvgPool1d(2), (1, 4), 2 * 4),
        (nn.AvgPool3d(2), (1, 2, 2, 2), 2 * 8),
        (tnn.AdaptiveAvgPool2d(1), (3, 4, 4), 48),
        (nn.AdaptiveAvgPool2d(1), (3, 4, 4), 96),
        (tnn.ReLU(), (7,), 0),
        (nn.Activation("log"), (7,), 0),
        (tnn.MaxPool2d(2), (1, 4, 4), 0),
    ],
)
def test_layers_by_hand(layer, shape, expected):
    assert nn.macs(layer, shape) == expected
    container = nn.Sequential if isinstance(layer, nn.DeclaredModule) else tnn.Sequential
    assert nn.macs(container(layer), shape) == expected


def test_a_layer_used_twice_counts_twice():
    layer = tnn.Linear(3, 3)
    assert nn.macs(tnn.Sequential(layer, layer), (3,)) == 18


@given(
    channels=st.lists(st.integers(1, 5), min_size=1, max_size=2),
    dense=st.lists(st.integers(1, 5), max_size=2),
    kernel=st.sampled_from([1, 3, 5]),
    stride=st.integers(1, 2),
)
def test_real_networks_as_torch_counts_them(channels, dense, kernel, stride):
    net = nn.real_convnet((2, 9, 7), channels, 3, dense=dense, kernel_size=kernel, stride=stride)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(torch.zeros(1, 2, 9, 7))
    assert 2 * nn.macs(net, (2, 9, 7)) == counter.get_total_flops()
    twin = nn.holomorphic_convnet(
        (2, 9, 7), channels, 3, dense=dense, kernel_size=kernel, stride=stride
    )
    assert nn.macs(twin, (2, 9, 7)) == 4 * nn.macs(net, (2, 9, 7))
    real = nn.holomorphic_convnet(
        (2, 9, 7), channels, 3, dense=dense, kernel_size=kernel, stride=stride, coefficients="real"
    )
    assert nn.macs(real, (2, 9, 7)) == nn.macs(net, (2, 9, 7))


def test_a_real_coefficient_with_a_complex_number_counts_as_2():
    real, whole = nn.Linear(3, 2, dtype=torch.float32), nn.Linear(2, 5)
    assert nn.macs(nn.Sequential(real, whole), (3,)) == 3 * 2 + 4 * 10
    assert nn.macs(nn.Sequential(whole, nn.Linear(5, 3, dtype=torch.float32)), (2,)) == 40 + 2 * 15


def test_counting_changes_nothing():
    norm = nn.FrozenNorm(3)
    net = tnn.Sequential(nn.Linear(3, 3), norm, tnn.Dropout(0.5))
    net[1].eval()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    state = torch.get_rng_state()
    nn.macs(net, (3,))
    assert [m.training for m in net.modules()] == [True, True, False, True]
    assert not any(m._forward_hooks for m in net.modules())
    assert all(torch.equal(before[k], v) for k, v in net.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)


def test_modes_come_back_after_a_failure():
    net = tnn.Sequential(tnn.Linear(3, 3))
    with pytest.raises(RuntimeError):
        nn.macs(net, (4,))
    assert net[0].training
    assert not net[0]._forward_hooks


def test_on_the_meta_device_and_in_other_precisions():
    with torch.device("meta"):
        assert nn.macs(nn.holomorphic_mlp(784, [256], 10), (1, 28, 28)) == 4 * 256 * 794
    net = nn.holomorphic_mlp(4, [3], 2, dtype=torch.complex128)
    assert nn.macs(net, (4,)) == 4 * 18
    assert nn.macs(tnn.Linear(3, 2, dtype=torch.float64), (3,)) == 6


def test_unknown_layers_with_parameters_are_refused():
    with pytest.raises(ConfigError, match=r"count BatchNorm1d \(at '1'\), which has parameters"):
        nn.macs(tnn.Sequential(tnn.Linear(3, 3), tnn.BatchNorm1d(3)), (3,))
    with pytest.raises(ConfigError, match=r"MultiheadAttention \(at 'the root'\)"):
        nn.macs(tnn.MultiheadAttention(4, 2), (3, 4))
    assert nn.macs(tnn.BatchNorm1d(3, affine=False), (3,)) == 0
