"""Networks that map the polydisc into itself, and what cannot be made one."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn as tnn
from torch.nn.utils.parametrizations import weight_norm

from cases import each
from holonet import nn
from holonet.errors import InputTypeError
from holonet.functions import blaschke, polynomial

C128 = torch.complex128


@given(seed=st.integers(0, 2**32), size=st.floats(0.01, 30))
def test_the_polydisc_is_mapped_into_itself(seed, size):
    torch.manual_seed(seed)
    network = tnn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1, dtype=C128),
        nn.Activation(blaschke([0.9, -0.5j], 1.0)),
        nn.AvgPool2d(2),
        nn.Flatten(),
        tnn.Sequential(nn.Linear(12, 4, dtype=C128), nn.Square(), tnn.Identity()),
    )
    with torch.no_grad():
        for p in network.parameters():
            p.copy_(size * torch.randn_like(p))
    assert nn.to_self_map_(network) is network
    z = torch.polar(torch.ones(200, 1, 4, 4).double(), 7 * torch.rand(200, 1, 4, 4).double())
    first, last = network[0], network[4][0]
    with torch.no_grad():
        assert network(z).abs().max() <= 1 + 1e-12
        # where every term has the phase of the bias the bound is attained
        row = last.weight[0]
        worst = last((row.conj() / row.abs() * torch.sgn(last.bias[0]))[None])[0, 0].abs()
    assert worst <= 1 + 1e-12
    assert first.weight.abs().sum((1, 2, 3)).max() <= 1 + 1e-12
    if size > 1:
        assert worst == pytest.approx(1.0)


def test_rows_that_are_small_enough_stay_as_they_are():
    network = tnn.Sequential(tnn.Linear(3, 2), nn.Square())
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([[0.2, -0.3, 0.1], [2.0, 0.0, -1.0]]))
        network[0].bias.copy_(torch.tensor([0.4, -1.0]))
    nn.to_self_map_(network)
    expected = torch.tensor([[0.2, -0.3, 0.1], [0.5, 0.0, -0.25]])
    assert torch.equal(network[0].weight, expected)
    assert torch.equal(network[0].bias, torch.tensor([0.4, -0.25]))


@each(
    ("layer", "hint"),
    [
        (tnn.ReLU(), r"1\.0 \(ReLU\) is no layer of a self-map"),
        (nn.FrozenNorm(2), r"1\.0 \(FrozenNorm\)"),
        (nn.RealPart(), r"1\.0 \(RealPart\).*Leave out the readout"),
        (nn.Residual(nn.Sequential(nn.Linear(2, 2))), r"1\.0 \(Residual\)"),
        (nn.AvgPool2d(2, divisor_override=1), r"1\.0 \(AvgPool2d\)"),
        (weight_norm(tnn.Linear(2, 2)), r"1\.0 \(ParametrizedLinear\)"),
        (nn.Activation("exp"), r"1\.0 \(exp\(z\)\) does not map the unit disc into itself"),
        (nn.Activation(polynomial([0.5, 0.6])), r"1\.0 .*blaschke"),
    ],
    ids=str,
)
def test_other_layers_are_refused_by_name(layer, hint):
    network = tnn.Sequential(nn.Linear(2, 2), tnn.Sequential(layer))
    with pytest.raises(InputTypeError, match=hint):
        nn.to_self_map_(network)
