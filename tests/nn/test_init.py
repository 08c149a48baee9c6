"""Moments of the initial weights, and data-driven centering against its law."""

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn as tnn

from cases import each
from holonet import nn
from holonet.errors import DomainError, InputTypeError
from holonet.nn import init

C64, C128 = torch.complex64, torch.complex128
FAN_IN, FAN_OUT = 80 * 6, 120 * 6

CASES = [
    ("circular_normal_", init.circular_normal_, {}, 1.0),
    ("circular_normal_(2)", init.circular_normal_, {"std": 2}, 4.0),
    ("xavier_normal_", init.xavier_normal_, {}, 2 / (FAN_IN + FAN_OUT)),
    ("xavier_uniform_", init.xavier_uniform_, {"gain": 3}, 18 / (FAN_IN + FAN_OUT)),
    ("kaiming_normal_", init.kaiming_normal_, {}, 1 / FAN_IN),
    ("kaiming_normal_(out)", init.kaiming_normal_, {"mode": "fan_out"}, 1 / FAN_OUT),
    ("kaiming_uniform_", init.kaiming_uniform_, {"gain": 0.5}, 0.25 / FAN_IN),
    ("kaiming_uniform_(out)", init.kaiming_uniform_, {"mode": "fan_out"}, 1 / FAN_OUT),
]


@each("dtype", [C64, C128])
@each(("fill", "arguments", "variance"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_variance_and_circularity(fill, arguments, variance, dtype):
    weight = torch.empty(120, 80, 2, 3, dtype=dtype)
    assert fill(weight, generator=torch.Generator().manual_seed(0), **arguments) is weight
    scaled = weight / math.sqrt(variance)
    error = 5 / math.sqrt(weight.numel())
    assert abs(scaled.abs().square().mean() - 1) < error
    assert abs(scaled.real.square().mean() - 0.5) < error
    assert abs((scaled * scaled).mean()) < error
    assert abs(scaled.mean()) < error


@pytest.mark.parametrize("fill", [init.xavier_uniform_, init.kaiming_uniform_])
def test_uniform_parts_are_bounded_and_normal_ones_are_not(fill):
    weight = fill(torch.empty(100, 100, dtype=C128))
    parts = torch.view_as_real(weight) * 10  # E|w|^2 = 1/100
    assert parts.abs().max() <= math.sqrt(1.5)
    assert parts.abs().max() > 0.99 * math.sqrt(1.5)
    assert init.kaiming_normal_(weight).real.abs().max() * 10 > 2


def test_torchs_own_uniform_has_twice_the_variance():
    """The reason that ours fills the parts itself: see docs/conventions.md."""
    weight = torch.view_as_complex(torch.empty(200, 200, 2).uniform_(-1, 1))
    assert abs(weight.abs().square().mean() - 2 / 3) < 0.02


@pytest.mark.parametrize("fill", [c[1] for c in CASES[::2]])
def test_a_generator_fixes_the_weights_and_keeps_the_global_stream(fill):
    state = torch.get_rng_state()
    first, again, other = (
        fill(torch.empty(3, 4, dtype=C64), generator=torch.Generator().manual_seed(s))
        for s in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), state)


@each("fill", [c[1] for c in CASES])
def test_real_weights_are_refused(fill):
    with pytest.raises(InputTypeError, match=r"use torch\.nn\.init for real"):
        fill(torch.empty(3, 4))


@each("fill", [c[1] for c in CASES[2:]])
def test_a_vector_has_no_fan(fill):
    with pytest.raises(DomainError, match=r"shape \(3,\) has no fan"):
        fill(torch.empty(3, dtype=C64))
    fill(torch.empty(0, 0, dtype=C64))


def test_an_unknown_mode_is_refused():
    with pytest.raises(DomainError, match="fan_up"):
        init.kaiming_normal_(torch.empty(3, 4, dtype=C64), mode="fan_up")


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


@pytest.mark.parametrize("gain", [-1.0, torch.nan, torch.inf])
def test_a_gain_that_gives_no_weights_is_refused(gain):
    with pytest.raises(DomainError, match=f"gain={gain}"):
        nn.holomorphic_mlp(4, (3,), 2, gain=gain)
