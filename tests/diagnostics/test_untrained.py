"""Twins have new parameters, drawn by their layers, and leave the original as it is."""

import pytest
import torch
from torch import nn

from holonet.diagnostics import untrained_twin
from holonet.errors import ConfigError
from holonet.nn import FrozenNorm, holomorphic_mlp


def trained() -> nn.Module:
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 2))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(7.0)
        model(torch.randn(20, 3))
    return model.eval()


def test_parameters_and_running_statistics_are_new() -> None:
    model = trained()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    generator = torch.get_rng_state()
    twin = untrained_twin(model, seed=3)
    assert torch.equal(torch.get_rng_state(), generator)
    assert twin.kept == ()
    assert not twin.model.training
    assert all(not bool((p == 7).any()) for p in twin.model.parameters())
    assert not bool(twin.model[1].running_mean.any())
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


def test_the_seed_decides_the_parameters() -> None:
    first, again, other = (untrained_twin(trained(), seed=s).model[0].weight for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_complex_layers_draw_their_parameters_and_what_is_kept_is_named() -> None:
    model = holomorphic_mlp(5, [4], 3)
    twin = untrained_twin(model)
    assert twin.kept == ()
    pairs = zip(model.parameters(), twin.model.parameters(), strict=True)
    assert any(not torch.equal(own, new) for own, new in pairs)
    mixed = nn.Sequential(nn.Linear(3, 3, dtype=torch.cfloat), FrozenNorm(3))
    assert untrained_twin(mixed).kept == ("1.weight", "1.bias")


def test_a_network_that_cannot_draw_is_refused() -> None:
    with pytest.raises(ConfigError, match="build one and give it as baseline="):
        untrained_twin(FrozenNorm(3))
    assert untrained_twin(nn.Tanh()).kept == ()
