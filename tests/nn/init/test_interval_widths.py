"""Intervals keep their widths behind the first weights."""

import pytest
import torch
from torch import nn as tnn

from holonet import nn
from holonet.certify.differentiable import Interval, propagated
from holonet.certify.unrolled import unrolled
from holonet.errors import ConfigError
from holonet.nn.init import interval_widths_


def widths(network, x, radius):
    """The mean radius behind each layer."""
    interval, found = Interval(x, torch.full_like(x, radius)), []
    for pair in unrolled(network):
        interval = propagated([pair], interval)
        found.append(float(interval.radius.mean().detach()))
    return found


@pytest.mark.parametrize(
    ("activation", "most"),
    [(tnn.ReLU(), 1.1), (nn.Softplus(), 1.1), (nn.GELU(), 1.1), (nn.Tanh(), 1.32)],
)
def test_a_deep_network_keeps_the_radius(activation, most):
    torch.manual_seed(0)
    network = tnn.Sequential(*[m for _ in range(6) for m in (tnn.Linear(300, 300), activation)])
    interval_widths_(network)
    behind = torch.tensor([0.05, *widths(network, torch.rand(20, 300), 0.05)[1::2]])
    ratios = behind[1:] / behind[:-1]
    assert ratios.min() > 0.9
    assert ratios.max() < most


def test_torchs_own_weights_widen_them():
    torch.manual_seed(0)
    network = tnn.Sequential(*[m for _ in range(4) for m in (tnn.Linear(300, 300), tnn.ReLU())])
    assert widths(network, torch.rand(20, 300), 0.05)[-1] > 0.05 * 100


def test_sums_of_moduli_are_one_over_the_slope_of_the_activation():
    def rows(layer):
        weight = layer.weight.detach()
        parts = torch.view_as_real(weight) if weight.is_complex() else weight
        return float(parts.abs().flatten(1).sum(1).mean())

    network = nn.Sequential(
        nn.Conv2d(2, 400, 5, dtype=torch.float32),
        nn.Softplus(),
        nn.Flatten(),
        nn.Linear(400, 500),
        nn.Square(),
        nn.Linear(500, 600),
    )
    interval_widths_(network, torch.Generator().manual_seed(0))
    assert rows(network[0]) == pytest.approx(2, rel=0.03)
    assert rows(network[3]) == pytest.approx(1, rel=0.03)
    assert rows(network[5]) == pytest.approx(1, rel=0.03)
    assert all(
        float(layer.bias.detach().abs().sum()) == 0
        for layer in (network[0], network[3], network[5])
    )
    parts = torch.view_as_real(network[3].weight.detach())
    assert float(parts[..., 0].std()) == pytest.approx(float(parts[..., 1].std()), rel=0.02)


def test_a_generator_makes_the_draw_repeatable():
    def drawn(seed):
        layer = nn.Linear(3, 2)
        return interval_widths_(layer, torch.Generator().manual_seed(seed)).weight

    assert torch.equal(drawn(1), drawn(1))
    assert not torch.equal(drawn(1), drawn(2))


def test_a_network_without_weights_is_refused():
    with pytest.raises(ConfigError, match="no linear or convolutional layer"):
        interval_widths_(nn.Sequential(nn.Square()))
