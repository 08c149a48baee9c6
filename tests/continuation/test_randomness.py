"""Random numbers are refused wherever the model draws them, and nowhere else."""

import pytest
import torch
from torch import nn

from cases import each
from holonet.continuation import extend
from holonet.continuation.randomness import NoRandomness
from holonet.errors import InputTypeError

Z = torch.ones(3, 4, dtype=torch.complex64)
DRAWS = {
    "like the input": lambda x: x + torch.randn_like(x),
    "of the input": lambda x: x.bernoulli(),
    "constants": lambda x: x * torch.rand(4),
    "dropped weights": lambda x: x @ torch.dropout(torch.ones(4, 4), 0.5, True),
    "in place": lambda x: x * torch.empty(4).uniform_(),
    "with a generator": lambda x: x * torch.rand(4, generator=torch.Generator()),
    "a layer": nn.Dropout(),
}


@each("name", DRAWS)
def test_draws_are_refused(name: str) -> None:
    before = torch.random.get_rng_state()
    with pytest.raises(InputTypeError, match=r"draws at every .*model\.eval\(\)"):
        extend(DRAWS[name])(Z)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_dropout_that_drops_nothing_is_no_draw() -> None:
    weights = torch.ones(4, 4)
    f = extend(lambda x: x @ torch.dropout(torch.dropout(weights, 0.5, False), 0.0, True))
    torch.testing.assert_close(f(Z), Z @ weights.to(Z.dtype))


def test_mode_ends_with_the_call() -> None:
    extend(nn.Tanh())(Z)
    assert torch.rand(2).shape == (2,)
    with NoRandomness():
        assert torch.ones(2).sum() == 2
