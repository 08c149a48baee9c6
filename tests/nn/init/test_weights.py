"""Moments of the initial weights, and data-driven centering against its law."""

import math

import pytest
import torch

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


@each("dtype", [torch.float32, torch.float64])
@each(("fill", "arguments", "variance"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_real_weights_have_the_same_variance(fill, arguments, variance, dtype):
    weight = torch.empty(120, 80, 2, 3, dtype=dtype)
    assert fill(weight, generator=torch.Generator().manual_seed(0), **arguments) is weight
    scaled = weight / math.sqrt(variance)
    error = 5 / math.sqrt(weight.numel())
    assert abs(scaled.square().mean() - 1) < error
    assert abs(scaled.mean()) < error
    if fill in (init.xavier_uniform_, init.kaiming_uniform_):
        assert 0.99 * math.sqrt(3) < scaled.abs().max() <= math.sqrt(3) * (1 + 1e-6)
    else:
        assert scaled.abs().max() > 3.5


@each("fill", [c[1] for c in CASES])
def test_weights_of_integers_are_refused(fill):
    with pytest.raises(InputTypeError, match=r"int64.*complex64 or torch.float32"):
        fill(torch.zeros(3, 4, dtype=torch.int64))


@each("fill", [c[1] for c in CASES[2:]])
def test_a_vector_has_no_fan(fill):
    with pytest.raises(DomainError, match=r"shape \(3,\) has no fan"):
        fill(torch.empty(3, dtype=C64))
    fill(torch.empty(0, 0, dtype=C64))


def test_an_unknown_mode_is_refused():
    with pytest.raises(DomainError, match="fan_up"):
        init.kaiming_normal_(torch.empty(3, 4, dtype=C64), mode="fan_up")


@pytest.mark.parametrize("gain", [-1.0, torch.nan, torch.inf])
def test_a_gain_that_gives_no_weights_is_refused(gain):
    with pytest.raises(DomainError, match=f"gain={gain}"):
        nn.holomorphic_mlp(4, (3,), 2, gain=gain)
